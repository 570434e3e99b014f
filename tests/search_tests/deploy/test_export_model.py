"""A point's own file, exported with its package: which file, and what is said of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.deploy.export import export_config, read_export
from search.deploy.export_model import export_model, micro_refusal
from search.front.nearest import nearest_point
from search.front.read import load_front
from spaces.errors import ExportError
from workers.devices.micro import MICRO_SCHEMES

MICRO = {"arena_bytes": 20_000, "why_not": "", "why_unknown": ""}


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the job was asked for; it writes the model, as the real one does."""
    asked: list[dict[str, Any]] = []

    def run_job(target: str, kwargs: dict[str, Any], progress: Any) -> dict[str, Any]:
        asked.append(kwargs)
        tflite = Path(kwargs["tflite_path"]).read_bytes()
        (Path(kwargs["out_dir"]) / "model.tflite").write_bytes(tflite)
        return {
            "input": {"shape": [96, 96, 3]},
            "output": {"values": "probabilities"},
            "micro": MICRO,
            "preprocessing": ["Divide by 255.", "Fill the input."],
            "compiled_file": None,
            "notes": [],
        }

    monkeypatch.setattr("search.deploy.export_model.run_job", run_job)
    return asked


def test_the_folder_holds_the_very_file_that_was_measured(
    make_study: Callable[..., str], job: list[dict[str, Any]], tmp_path: Path
) -> None:
    storage = make_study(n_trials=4)
    metrics = export_model("fruit", tmp_path / "deploy", storage, rule="accuracy")
    content = export_config("fruit", storage, rule="accuracy")
    folder = tmp_path / "deploy"
    tflite = (folder / "model.tflite").read_bytes()
    assert hashlib.sha256(tflite).hexdigest() == content["measured"]["tflite_sha256"]
    assert read_export(folder / "export.json") == content == job[0]["export"]
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert metrics["measured"]["accuracy"] == content["measured"]["accuracy"]
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        sha256, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.tflite", "export.json", "metrics.json", "MODEL_CARD.md", "SHA256SUMS"}


def test_the_card_says_what_is_known_and_what_is_not(
    make_study: Callable[..., str], job: list[dict[str, Any]], tmp_path: Path
) -> None:
    from workers.messages.result import Limits

    storage = make_study(n_trials=4, limits=Limits(max_size_bytes=200_000))
    metrics = export_model("fruit", tmp_path / "deploy", storage)
    card = (tmp_path / "deploy" / "MODEL_CARD.md").read_text()
    low, high = read_export(tmp_path / "deploy" / "export.json")["data"]["accuracy_interval"]
    assert f"{100 * low:.2f} to {100 * high:.2f} %" in card
    assert "The pictures are generated" in card
    assert "`--max-size`: 200 kB" in card
    assert "arena of 20,000 bytes" in card
    assert "test split is measured by `search retrain`" in card
    assert "2. Fill the input." in card
    assert f"{metrics['ledger']['macs']:,}" in card
    assert "search retrain export.json" in card


def test_a_file_that_left_the_front_is_not_there(
    make_study: Callable[..., str], job: list[dict[str, Any]], tmp_path: Path
) -> None:
    storage = make_study(n_trials=8)
    front = load_front("fruit", storage)
    left = set(range(front.n_points)) - {point.trial for point in front.points}
    with pytest.raises(ExportError, match=f"The file of trial {min(left)} is not kept"):
        export_model("fruit", tmp_path / "deploy", storage, trial=min(left))
    assert not (tmp_path / "deploy").exists() and not job


def test_a_file_that_was_changed_or_lost_is_refused(
    make_study: Callable[..., str], job: list[dict[str, Any]], tmp_path: Path
) -> None:
    storage = make_study(n_trials=2)
    trial = load_front("fruit", storage).pick("size").trial
    files = list((tmp_path / "artifacts").iterdir())
    for file in files:
        file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(ExportError, match=f"is not the file that trial {trial} measured"):
        export_model("fruit", tmp_path / "deploy", storage, trial=trial)
    for file in files:
        file.unlink()
    with pytest.raises(ExportError, match="cannot be read.*belongs beside the database"):
        export_model("fruit", tmp_path / "deploy", storage, trial=trial)
    assert not (tmp_path / "deploy").exists() and not job


def test_an_earlier_package_is_kept_unless_forced(
    make_study: Callable[..., str], job: list[dict[str, Any]], tmp_path: Path
) -> None:
    storage = make_study(n_trials=2)
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "model.keras").write_text("of another model")
    with pytest.raises(ExportError, match="--force"):
        export_model("fruit", folder, storage)
    assert (folder / "model.keras").exists()
    export_model("fruit", folder, storage, force=True)
    assert not (folder / "model.keras").exists()


def test_what_microcontrollers_refuse_is_told_with_the_nearest_that_they_run(
    make_study: Callable[..., str], tmp_path: Path
) -> None:
    storage = make_study(n_trials=8)
    front = load_front("fruit", storage)
    runs = {scheme.value for scheme in MICRO_SCHEMES}
    refused = next(point for point in front.points if point.quantization == "dynamic_int4")
    content = export_config("fruit", storage, trial=refused.trial)
    found = micro_refusal(content, storage)
    assert found is not None and "dynamic_int4 models do not run" in found.why
    assert found.nearest == nearest_point(
        front, refused.values, lambda point: point.quantization in runs
    )
    done = CliRunner().invoke(
        cli,
        ["export", "fruit", "--storage", storage, "--trial", str(refused.trial), "-o"]
        + [str(tmp_path / "best.json")],
    )
    assert done.exit_code == 0
    assert found.nearest is None or f"--trial {found.nearest.trial} (" in done.stderr
    run_there = [point for point in front.points if point.quantization in runs]
    for point in run_there[:1]:
        assert micro_refusal(export_config("fruit", storage, trial=point.trial), storage) is None


def test_the_nearest_point_goes_by_ratios(make_study: Callable[..., str]) -> None:
    front = load_front("fruit", make_study(n_trials=8))
    for point in front.points:
        assert nearest_point(front, point.values, lambda _: True) == point
    first, *_, last = front.points
    accuracy, size, latency = first.values
    near = nearest_point(front, (accuracy, size * 1.01, latency), lambda _: True)
    assert near == first
    assert nearest_point(front, first.values, lambda point: point is last) == last
    assert nearest_point(front, first.values, lambda _: False) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--with-model", "-o", "-"], "several files"),
        (["-o", "."], "--with-model writes into one"),
    ],
)
def test_where_to_write_is_checked(
    make_study: Callable[..., str], arguments: list[str], said: str
) -> None:
    done = CliRunner().invoke(
        cli, ["export", "fruit", "--storage", make_study(n_trials=1), *arguments]
    )
    assert done.exit_code == 2
    assert said in done.stderr
