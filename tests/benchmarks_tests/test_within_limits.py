"""Searches within limits, replayed: what a run writes, and how two are compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.replay import within_limits
from benchmarks.replay.within_limits import compared, main, search_within


def rows(*tests: float, kilobytes: int = 6) -> list[dict[str, object]]:
    return [
        {"data": "digits", "kb": kilobytes, "seed": seed, "val": 0.5, "test": test}
        for seed, test in enumerate(tests)
    ]


def test_two_files_are_compared_in_pairs() -> None:
    """A seed that only one of them has is left out, as are other limits."""
    old, new = rows(0.6, 0.7, 0.1), [*rows(0.62, 0.76), *rows(0.9, kilobytes=12)]
    assert compared(old, new) == [
        "digits, 6 kB, val, 2 seeds: 50.0 to 50.0 %, +0.0 ± 0.0",
        "digits, 6 kB, test, 2 seeds: 65.0 to 69.0 %, +4.0 ± 2.0",
    ]


def test_a_search_finds_what_keeps_its_limits() -> None:
    found = search_within("mnist12k", 12, 0.9, 0, "gp")
    assert 0.9 <= found["val"] <= 1
    # Test accuracies are of other pictures: near, and not limited.
    assert found["test"] == pytest.approx(found["val"], abs=0.05)


def test_what_is_there_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[int, str]] = []

    def search(
        name: str, kilobytes: int, accuracy: float, seed: int, sampler: str
    ) -> dict[str, object]:
        asked.append((seed, sampler))
        return {"data": name, "kb": kilobytes, "seed": seed, "val": accuracy, "test": accuracy}

    monkeypatch.setattr(within_limits, "search_within", search)
    monkeypatch.setattr(within_limits, "LIMITS", {"digits": ((6, 0.5),)})
    file = tmp_path / "runs.jsonl"
    main(["run", str(file), "--seeds", "2"])
    main(["run", str(file), "--seeds", "3", "--sampler", "tpe"])
    assert asked == [(0, "gp"), (1, "gp"), (2, "tpe")]
    assert [json.loads(line)["seed"] for line in file.read_text().splitlines()] == [0, 1, 2]
    main(["compare", str(file), str(file)])
    assert "digits, 6 kB, test, 3 seeds: 50.0 to 50.0 %" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compare", str(file), str(tmp_path / "missing.jsonl")])
    assert "missing.jsonl" in capsys.readouterr().err
