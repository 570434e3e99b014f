"""The cache of decoded data is bounded: the least recently used goes, nothing in use does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from search.cli.main import cli
from spaces.data import cache_entries
from spaces.data.cache import cached_dataset, content_key, open_dataset, save_dataset
from spaces.data.cache_entries import META_NAME, cache_limit, entries, trim
from spaces.data.dataset import Dataset, Split
from spaces.errors import ConfigError, DataError


def dataset(seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (10, 8, 8, 3)).astype(np.uint8)
    split = Split(images, np.arange(10) % 2)
    return Dataset(f"set {seed}", split, split, split, ("a", "b"), fingerprint="")


def fill(cache_dir: Path, n: int) -> list[Path]:
    """Fill a cache by another process's hand: nothing in it is held here."""
    code = (
        "import sys, pathlib\n"
        "from spaces.data.cache import save_dataset\n"
        "from tests.spaces_tests.data.test_cache_entries import dataset\n"
        "for n in range(int(sys.argv[2])):\n"
        "    save_dataset(dataset(n), pathlib.Path(sys.argv[1]) / 'datasets' / f'{n:032x}')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    subprocess.run([sys.executable, "-c", code, str(cache_dir), str(n)], check=True, env=env)
    made = [cache_dir / "datasets" / f"{number:032x}" for number in range(n)]
    for number, directory in enumerate(made):
        age = time.time() - 10 * cache_entries.YOUNG_S + number
        os.utime(directory / META_NAME, (age, age))
    return made


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    oldest, middle, newest = fill(tmp_path, 3)
    total = sum(one.n_bytes for one in entries(tmp_path))
    assert [one.directory for one in entries(tmp_path)] == [oldest, middle, newest]
    assert trim(tmp_path, total) == []
    assert [one.directory for one in trim(tmp_path, total - 1)] == [oldest]
    open_dataset(middle)  # Now the newest.
    assert [one.directory for one in entries(tmp_path)] == [newest, middle]
    assert not oldest.exists() and list(tmp_path.glob("datasets/.*")) == []


def test_nothing_in_use_goes(tmp_path: Path) -> None:
    held, free = fill(tmp_path, 2)
    code = (
        "import sys, pathlib\n"
        "from spaces.data.cache import open_dataset\n"
        "found = open_dataset(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(held)], stdin=-1, stdout=-1)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    os.utime(held / META_NAME, (0, 0))
    try:
        assert [one.in_use for one in entries(tmp_path)] == [True, False]
        assert [one.directory for one in trim(tmp_path, 0)] == [free]
    finally:
        holder.kill()
        holder.communicate()
    assert [one.directory for one in trim(tmp_path, 0)] == [held]


def test_what_was_just_made_stays_for_the_next_process(tmp_path: Path) -> None:
    (made,) = fill(tmp_path, 1)
    os.utime(made / META_NAME)
    assert entries(tmp_path)[0].in_use and trim(tmp_path, 0) == []


def test_a_new_data_set_makes_room_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = fill(tmp_path, 2)
    size = entries(tmp_path)[0].n_bytes
    monkeypatch.setenv("SEARCH_CACHE_GB", str(2.5 * size / 1e9))
    found = cached_dataset(content_key("new"), tmp_path, lambda: dataset(7))
    assert found.name == "set 7" and not found.notes
    assert not first.exists() and second.exists()

    # One that is larger than all is there all the same: a run needs it.
    monkeypatch.setenv("SEARCH_CACHE_GB", "0")
    assert cached_dataset(content_key("newer"), tmp_path, lambda: dataset(8)).name == "set 8"
    assert {one.name for one in entries(tmp_path)} == {"set 7", "set 8"}


@pytest.mark.parametrize("text", ["many", "-1", "nan", "20GB"])
def test_limits_that_are_none(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_CACHE_GB", text)
    with pytest.raises(ConfigError, match=f"gigabytes from 0 on, but is '{text}'"):
        cache_limit()


def test_damage_is_listed_and_cleared(tmp_path: Path) -> None:
    broken, empty = fill(tmp_path, 2)
    (broken / META_NAME).write_text("{")
    os.utime(broken / META_NAME, (0, 0))
    (empty / META_NAME).unlink()
    assert [one.name for one in entries(tmp_path)] == ["(damaged)", "(damaged)"]
    with pytest.raises(DataError):
        open_dataset(broken)
    assert len(trim(tmp_path, 0)) == 2


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path))
    done = CliRunner().invoke(cli, ["cache"])
    assert (done.exit_code, done.stdout) == (0, "")
    fill(tmp_path, 2)
    save_dataset(dataset(9), tmp_path / "datasets" / "held")
    found = json.loads(CliRunner().invoke(cli, ["cache", "--json"]).stdout)
    assert [one["name"] for one in found["entries"]] == ["set 9", "set 1", "set 0"]
    assert [one["in_use"] for one in found["entries"]] == [True, False, False]
    assert found["limit"] == 20e9
    assert found["bytes"] == sum(one["bytes"] for one in found["entries"])
    done = CliRunner().invoke(cli, ["cache", "--clear"])
    assert "Removed 2 data sets" in done.stderr and "set 9" in done.stdout
    assert "set 1" not in done.stdout
