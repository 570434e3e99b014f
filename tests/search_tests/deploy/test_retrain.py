"""What ``retrain`` refuses before an hour of training is spent."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from search.deploy.export import export_config, write_export
from search.deploy.retrain import retrain
from spaces.config.trial import TrialConfig
from spaces.errors import ConfigError, ExportError, UnknownTaskError
from tests.search_tests import retrained
from workers.deploy.full_training import FullTraining


@pytest.fixture
def exported(make_study: Any, tmp_path: Path) -> Path:
    path = tmp_path / "best.json"
    write_export(export_config("fruit", make_study(n_trials=2)), path)
    return path


def test_nothing_that_a_file_names_is_imported_unasked(exported: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = tmp_path / "task.py"
    code.write_text(f"open({str(marker)!r}, 'w').close()\n")
    content = json.loads(exported.read_text())
    config = replace(TrialConfig.from_dict(content["config"]), task=f"{code}:TASK")
    content.update(task=config.task, config=config.to_dict(), config_hash=config.hash)
    exported.write_text(json.dumps(content))
    with pytest.raises(ExportError, match="--task"):
        retrain(exported, tmp_path / "deploy")
    assert not marker.exists()
    assert not (tmp_path / "deploy").exists()


def test_a_task_that_is_named_must_exist(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownTaskError, match="nowhere.py"):
        retrain(exported, tmp_path / "deploy", task="nowhere.py")


def test_earlier_files_are_not_overwritten(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"precious")
    with pytest.raises(ExportError, match="--force"):
        retrain(exported, folder)
    assert (folder / "model.tflite").read_bytes() == b"precious"


def test_a_folder_that_cannot_be_made_is_named(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be made"):
        retrain(exported, tmp_path / "file" / "deploy")


@pytest.mark.parametrize("option", [{"epochs": 0}, {"epochs": -3}, {"patience": 0}, {"seeds": -1}])
def test_counts_are_refused_before_training(
    exported: Path, tmp_path: Path, option: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=f"<= {next(iter(option))}"):
        retrain(exported, tmp_path / "deploy", **option)
    assert not (tmp_path / "deploy").exists()


def test_nobody_ends_a_training_by_pictures_that_it_learns_from(
    exported: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="Only one of patience and with_validation"):
        retrain(exported, tmp_path / "deploy", patience=3, with_validation=True)


def test_the_report_is_written_beside_the_metrics(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def run_job(target: str, kwargs: dict[str, Any], progress: Any) -> dict[str, Any]:
        asked.append(kwargs)
        (Path(kwargs["out_dir"]) / "model.tflite").write_bytes(b"a model")
        metrics = retrained.metrics()
        for row in metrics["grad_cam"]["images"]:
            row.update(picture=retrained.picture(), heatmap=None)
        return metrics

    monkeypatch.setattr("search.deploy.retrain.run_job", run_job)
    metrics = retrain(exported, tmp_path / "deploy", seeds=2, patience=3, tta=True)
    assert metrics == retrained.metrics()
    options = asked[0]["options"]
    assert (options["seeds"], options["patience"], options["tta"]) == (2, 3, True)
    assert set(options) == {one.name for one in fields(FullTraining)}
    report = (tmp_path / "deploy" / "report.html").read_text()
    assert retrained.picture() in report
    card = (tmp_path / "deploy" / "MODEL_CARD.md").read_text()
    assert "| test | 60 | 93.33 % | 84.07 to 97.38 % |" in card
    assert "RAM" in report and "21.0 kB" in report
    sums = (tmp_path / "deploy" / "SHA256SUMS").read_text()
    assert {"model.tflite", "report.html", "export.json"} <= set(sums.split())
    with pytest.raises(ExportError, match="model.tflite already"):
        retrain(exported, tmp_path / "deploy")
