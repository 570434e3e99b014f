"""Exported configurations: written, read back, and refused when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.deploy.export import export_config, format_export, read_export, write_export
from search.front.read import load_front
from spaces.config.trial import TrialConfig
from spaces.errors import ConfigError, ExportError
from tests.search_tests.conftest import MakeStudy
from workers.messages.result import Limits

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def exported(make_study: MakeStudy, tmp_path: Path) -> Path:
    path = tmp_path / "best.json"
    write_export(export_config("fruit", make_study(n_trials=4)), path)
    return path


def test_it_holds_what_the_trial_was_and_measured(make_study: MakeStudy, tmp_path: Path) -> None:
    storage = make_study(n_trials=4)
    point = load_front("fruit", storage).pick("accuracy")
    content = export_config("fruit", storage, rule="accuracy")
    assert content["trial"] == point.trial
    assert content["study"] == content["task"] == "fruit"
    assert content["device"] == "host"
    assert content["size_metric"] == "gzip"
    measured = content["measured"]
    assert (measured["accuracy"], measured["size_bytes"]) == (point.accuracy, point.size_bytes)
    assert measured["latency_ms"] == measured["latency"]["median_ms"] == point.latency_ms
    assert measured["ledger"]["n_params"] == point.n_params
    assert measured["sparsity"]["overall"] == point.sparsity
    assert content["data"]["generated"] is True
    config = TrialConfig.from_dict(content["config"])
    assert config.quantization.value == point.quantization
    assert config.hyperparameter_dict["filters_1"] == point.params["filters_1"]
    path = tmp_path / "best.json"
    write_export(content, path)
    assert read_export(path) == content


def test_limits_choose_among_the_front(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=10)
    front = load_front("fruit", storage)
    limits = Limits(max_size_bytes=front.points[2].size_bytes)
    content = export_config("fruit", storage, rule="accuracy", limits=limits)
    assert content["trial"] == front.pick("accuracy", limits).trial
    with pytest.raises(ConfigError, match="No point keeps --max-size 1 B"):
        export_config("fruit", storage, limits=Limits(max_size_bytes=1))


def test_a_trial_by_number(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=2, n_failed=1)
    assert export_config("fruit", storage, trial=0)["trial"] == 0
    with pytest.raises(ExportError, match="Study 'fruit' has no trial 999; its trials are 0 to"):
        export_config("fruit", storage, trial=999)
    n_points = load_front("fruit", storage).n_points
    with pytest.raises(ExportError, match=f"Trial {n_points} .* has no model: its loss is NaN"):
        export_config("fruit", storage, trial=n_points)


def test_a_file_is_not_overwritten_unless_forced(exported: Path) -> None:
    content = read_export(exported)
    before = exported.read_text()
    with pytest.raises(ExportError, match="exists already.*--force"):
        write_export({**content, "study": "other"}, exported)
    assert exported.read_text() == before
    write_export({**content, "study": "other"}, exported, force=True)
    assert read_export(exported)["study"] == "other"
    assert [path.name for path in exported.parent.glob("*.tmp")] == []


def test_a_folder_that_is_not_there(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be written: No such file or directory"):
        write_export(read_export(exported), tmp_path / "no" / "best.json")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["config"]["training"].update(epochs=50), "'config' was edited"),
        (
            lambda c: c["config"].update(quantization="int7"),
            "`quantization` must be one of float32",
        ),
        (lambda c: c["config"].update(threads="1"), "`threads` must be a whole number, but"),
        (lambda c: c["config"]["training"].update(momentum=0.9), "Unknown key 'momentum'"),
        (lambda c: c["config"].pop("training"), "Key 'training' is missing"),
        (lambda c: c.update(devise=c.pop("device")), "Did you mean 'device'"),
        (lambda c: c.pop("size_metric"), "Key 'size_metric' is missing"),
        (lambda c: c.update(size_metric="zip"), "`size_metric` must be one of gzip, tflite"),
        (lambda c: c.update(trial="7"), "`trial` must be a whole number"),
        (lambda c: c.update(trial=True), "`trial` must be a whole number"),
        (lambda c: c.update(measured=[]), "`measured` must be a table"),
        (lambda c: c.update(task="mnist"), "'task' must be the one of 'config', 'fruit'"),
        (lambda c: c.update(version=99), "another version"),
        (lambda c: c.update(format="onnx"), "'search-export'"),
        (lambda c: c.clear(), "'search-export'"),
    ],
)
def test_what_is_wrong_in_an_edited_file_is_said_in_one_line(
    exported: Path, edit: Edit, message: str
) -> None:
    content = json.loads(exported.read_text())
    edit(content)
    exported.write_text(format_export(content))
    with pytest.raises(ExportError) as caught:
        read_export(exported)
    assert str(caught.value).startswith(f"{exported}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_edited_configuration_is_taken_without_its_hash(exported: Path) -> None:
    content = json.loads(exported.read_text())
    content["config"]["training"]["epochs"] = 50
    del content["config_hash"]
    exported.write_text(format_export(content))
    assert read_export(exported)["config"]["training"]["epochs"] == 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "line 1, column 2"),
        (b"", "must be JSON"),
        (b"\xff\xfe\x00", "is no text at all"),
        (b"[1, 2]", "'search-export'"),
        (b"null", "'search-export'"),
        (b"[" * 100_000, "must be JSON"),
    ],
)
def test_what_is_no_exported_file(exported: Path, text: bytes, message: str) -> None:
    exported.write_bytes(text)
    with pytest.raises(ExportError, match=message):
        read_export(exported)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="does not exist"):
        read_export(tmp_path / "none.json")
    with pytest.raises(ExportError, match="cannot be read: Is a directory"):
        read_export(tmp_path)
