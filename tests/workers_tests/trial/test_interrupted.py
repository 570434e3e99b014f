"""A trial whose worker was killed goes on where its training stood, to the same bytes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset
from tests.workers_tests import corners
from workers.messages.checkpoint import Checkpoint
from workers.messages.race import MIN_CURVES, Curve, Race, curve_recipe
from workers.messages.result import EvaluateRequest, TrialResult
from workers.training.checkpoint import TrainingState
from workers.trial.evaluate import TrialEvaluator
from workers.trial.interrupted import InterruptedTraining

pytestmark = pytest.mark.slow

TASK = """
from spaces.tasks.task import Task

TASK = Task("corners", "", "spaces.networks.families:ConvNet", load_data=None)
"""
PRUNED = PruningConfig("polynomial", 0.6, 0.1, 0.7)


class Killed(BaseException):
    """What a kill does to a worker, without taking the test along."""


@pytest.fixture(scope="module")
def evaluator(
    corner_pictures: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> TrialEvaluator:
    path = tmp_path_factory.mktemp("task") / "corners.py"
    path.write_text(TASK)
    return TrialEvaluator(f"{path}:TASK", corner_pictures)


def config_of(
    quantization: QuantizationScheme = QuantizationScheme.INT8,
    pruning: PruningConfig = PRUNED,
    dropout: float = 0.0,
    learning_rate: float = 0.01,
) -> TrialConfig:
    training = TrainingConfig(learning_rate, batch_size=32, epochs=4, qat_epochs=1, ema=0.1)
    return corners.make_config(quantization, pruning, training, dropout=dropout)


def request_of(config: TrialConfig, folder: Path, every_s: float = 0.0) -> EvaluateRequest:
    checkpoint = Checkpoint(str(folder), every_s=every_s, max_share=math.inf)
    return EvaluateRequest(config, checkpoint=checkpoint)


def killed_after(evaluator: TrialEvaluator, request: EvaluateRequest, epochs: int) -> None:
    """Evaluate, and die in the epoch after so many."""

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> bool:
        if epoch == epochs:
            raise Killed
        return True

    result = evaluator(request, on_epoch)
    assert "Killed" in result.reason


def epochs_of(
    evaluator: TrialEvaluator, request: EvaluateRequest
) -> tuple[TrialResult, list[int]]:
    epochs: list[int] = []

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> bool:
        epochs.append(epoch)
        return True

    return evaluator(request, on_epoch), epochs


def models(result: TrialResult) -> dict[QuantizationScheme, str]:
    assert result.point is not None, result.reason
    points = (result.point, *result.siblings)
    return {point.config.quantization: point.tflite_sha256 for point in points}


@pytest.mark.parametrize("scheme", [QuantizationScheme.INT8, QuantizationScheme.QAT_INT8])
def test_it_goes_on_to_the_same_bytes(
    evaluator: TrialEvaluator, tmp_path: Path, scheme: QuantizationScheme
) -> None:
    config = config_of(scheme)
    unbroken = evaluator(EvaluateRequest(config))
    request = request_of(config, tmp_path / "artifacts" / "trial")
    killed_after(evaluator, request, 2)
    result, epochs = epochs_of(evaluator, request)
    assert epochs == [2, 3]
    assert result.epochs_spared == 2
    assert models(result) == models(unbroken)
    assert result.history == unbroken.history
    assert result.epochs_trained == unbroken.epochs_trained


def test_seconds_are_those_of_the_whole_training(
    evaluator: TrialEvaluator, tmp_path: Path
) -> None:
    """What a training costs is learned from them."""
    request = request_of(config_of(), tmp_path / "trial")
    killed_after(evaluator, request, 2)
    before = replace(TrainingState.load(tmp_path / "trial"), seconds=1000.0)
    before.save(tmp_path / "trial")
    killed_after(evaluator, request, 3)
    again = TrainingState.load(tmp_path / "trial")
    assert (again.epochs, again.seconds > 1000.0) == (3, True)
    result, epochs = epochs_of(evaluator, request)
    assert epochs == [3]
    assert result.seconds["train"] > again.seconds


def test_dropout_keeps_nothing_as_it_would_begin_anew(
    evaluator: TrialEvaluator, tmp_path: Path
) -> None:
    request = request_of(config_of(dropout=0.3), tmp_path / "trial")
    killed_after(evaluator, request, 2)
    assert list(tmp_path.iterdir()) == []
    result, epochs = epochs_of(evaluator, request)
    assert (epochs, result.epochs_spared) == ([0, 1, 2, 3], 0)


def test_another_configuration_s_checkpoint_is_left_alone(
    evaluator: TrialEvaluator, tmp_path: Path
) -> None:
    config = config_of()
    killed_after(evaluator, request_of(config, tmp_path / "trial"), 2)
    other = replace(config, seed=7)
    _, epochs = epochs_of(evaluator, request_of(other, tmp_path / "trial"))
    assert epochs == [0, 1, 2, 3]


@pytest.mark.parametrize("file", ["variables.npz", "training.json"])
def test_a_damaged_checkpoint_begins_anew(
    evaluator: TrialEvaluator, tmp_path: Path, file: str
) -> None:
    config = config_of()
    unbroken = models(evaluator(EvaluateRequest(config)))
    request = request_of(config, tmp_path / "trial")
    killed_after(evaluator, request, 2)
    path = tmp_path / "trial" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result, epochs = epochs_of(evaluator, request)
    assert epochs == [0, 1, 2, 3]
    assert models(result) == unbroken


def test_a_kill_while_a_checkpoint_is_written_loses_none(
    evaluator: TrialEvaluator, tmp_path: Path
) -> None:
    """The new one is whole before the old one goes, and is found under either name."""
    request = request_of(config_of(), tmp_path / "trial")
    killed_after(evaluator, request, 2)
    shutil.move(tmp_path / "trial", tmp_path / "trial.0123")
    _, epochs = epochs_of(evaluator, request)
    assert epochs == [2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["trial"]


def test_what_other_code_trained_is_not_gone_on_with(
    evaluator: TrialEvaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes would be those of neither: the task's own code, the program, its libraries."""
    request = request_of(config_of(), tmp_path / "trial")
    assert request.checkpoint is not None
    killed_after(evaluator, request, 2)
    of_other_code = replace(request.checkpoint, code="another")
    _, epochs = epochs_of(evaluator, replace(request, checkpoint=of_other_code))
    assert epochs == [0, 1, 2, 3]
    killed_after(evaluator, request, 2)
    other = {"python": "3", "tensorflow": "1"}
    with monkeypatch.context() as patch:
        patch.setattr("workers.training.keras_compat.versions", lambda: other)
        _, epochs = epochs_of(evaluator, request)
    assert epochs == [0, 1, 2, 3]
    killed_after(evaluator, request, 2)
    monkeypatch.setattr("workers.trial.interrupted._own_source", lambda: "another")
    _, epochs = epochs_of(evaluator, request)
    assert epochs == [0, 1, 2, 3]


def test_a_disk_has_room_for_other_things(
    evaluator: TrialEvaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    epochs_of(evaluator, request_of(config_of(), tmp_path / "trial"))
    assert list(tmp_path.iterdir()) == []


class Attempt:
    """An attempt at a training of three variables that draws nothing at random, and its clock."""

    def __init__(self, folder: Path, *, every_s: float = 0.0, waits_s: float = 0.0) -> None:
        self.now = 0.0
        self.folder = folder
        checkpoint = Checkpoint(str(folder), every_s=every_s, max_share=math.inf)

        def pause() -> None:
            self.now += waits_s

        self.kept = InterruptedTraining(checkpoint, "0" * 16, pause, clock=lambda: self.now)

    def begin(self, n: int = 3) -> None:
        """Begin, and train the first epoch that is left; ``n`` is how large the variables are."""
        nodes = SimpleNamespace(node=[], library=SimpleNamespace(function=[]))
        graph = SimpleNamespace(graph=SimpleNamespace(as_graph_def=lambda: nodes))
        steps = SimpleNamespace(get_concrete_function=lambda: graph)
        values = np.zeros(n)
        variable = SimpleNamespace(
            shape=values.shape,
            dtype=SimpleNamespace(as_numpy_dtype=values.dtype),
            numpy=lambda: values,
            assign=lambda value: None,
        )
        rows = self.kept.resume.begin([variable], steps)
        rows.append((0.5, 0.5, 0.5, 0.5))

    def keep(self, at_s: float) -> TrainingState | None:
        """Come between two epochs; return what is kept then."""
        self.now = at_s
        self.kept.keep()
        return TrainingState.load(self.folder) if self.folder.exists() else None


def test_seconds_count_from_where_the_training_itself_begins(tmp_path: Path) -> None:
    """Not those of a lineage before it, which the next attempt may have to take again."""
    first = Attempt(tmp_path / "trial")
    first.now = 100.0
    first.begin()
    kept = first.keep(103.0)
    assert kept is not None and kept.seconds == 3.0
    second = Attempt(tmp_path / "trial")
    second.now = 50.0
    second.begin()
    kept = second.keep(55.0)
    assert kept is not None and (kept.epochs, kept.seconds) == (2, 3.0 + 5.0)


def test_seconds_of_what_cannot_be_gone_on_with_do_not_count(tmp_path: Path) -> None:
    first = Attempt(tmp_path / "trial")
    first.begin()
    first.keep(3.0)
    second = Attempt(tmp_path / "trial")
    second.begin(n=4)
    kept = second.keep(5.0)
    assert kept is not None and (kept.epochs, kept.seconds) == (1, 5.0)


def test_the_next_checkpoint_waits_from_where_the_training_itself_begins(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path / "trial", every_s=15.0)
    attempt.now = 100.0  # A lineage before it took that long.
    attempt.begin()
    assert attempt.keep(114.0) is None
    assert attempt.keep(115.0) is not None


def test_nothing_is_written_while_a_latency_is_measured(tmp_path: Path) -> None:
    """The pause for it goes before the write, and is part of what the training takes."""
    attempt = Attempt(tmp_path / "trial", waits_s=4.0)
    attempt.begin()
    kept = attempt.keep(3.0)
    assert kept is not None and kept.seconds == 3.0 + 4.0
    assert attempt.now == 3.0 + 4.0  # No pause but that one.


@pytest.mark.parametrize(("limit", "is_kept"), [(24, True), (23, False)])
def test_what_is_too_large_is_not_kept_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, is_kept: bool
) -> None:
    monkeypatch.setattr("workers.trial.interrupted.MAX_BYTES", limit)
    attempt = Attempt(tmp_path / "trial")
    attempt.begin()  # Three numbers of 8 bytes.
    assert (attempt.keep(3.0) is not None) == is_kept
    assert bool(list(tmp_path.iterdir())) == is_kept


def test_the_race_knows_the_epochs_that_were_spared(
    evaluator: TrialEvaluator, tmp_path: Path
) -> None:
    """It judges by the whole curve: an epoch taken for an earlier one would be hopeful."""
    config = config_of(pruning=PruningConfig(), learning_rate=1e-6)
    request = request_of(config, tmp_path / "trial")
    killed_after(evaluator, request, 2)
    flat = Curve((0.3, 0.3, 0.3, 0.3), recipe=curve_recipe(config))
    race = Race(((0.9999, 1.0, 1e-6),), (flat,) * MIN_CURVES)
    result = evaluator(replace(request, race=race))
    assert result.outcome == "stopped"
    assert result.reason.startswith("after epoch 3 of 4")
