"""Whole trials for a device: what is searched, what the gate foretells, what is measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest, no_progress
from spaces.errors import DeviceError
from spaces.tasks.registry import resolve_task
from tests.workers_tests.full_training import asked
from workers.deploy.retrain import retrain_job
from workers.messages.limits import SIZE_TOLERANCE
from workers.messages.result import EvaluateRequest, Limits, TrialResult
from workers.trial.evaluate import TrialEvaluator
from workers.trial.prepare import prepare_job, prepare_task

pytestmark = pytest.mark.slow

S = QuantizationScheme
PRUNED = PruningConfig("polynomial", 0.8, 0.2, 0.7)
ETHOS = "ethos-u55-128"

BOARD = """
from spaces import QuantizationScheme
from workers import Device, Measurement, modelled_latency


class Board(Device):
    name = "board"
    schemes = (QuantizationScheme.FLOAT32, QuantizationScheme.INT8)
    tells_flash = True

    def measure(self, tflite):
        latency = modelled_latency(len(tflite) / 1000, self.name, "a sum")
        return Measurement(latency, flash_bytes=len(tflite) + 7)


DEVICE = Board()
"""


class Trials:
    """A task file, its data and a worker's evaluator for it."""

    def __init__(self, folder: Path) -> None:
        from workers.training.keras_compat import configure_tensorflow

        configure_tensorflow(threads=1)
        path = folder / "corners.py"
        shutil.copy(Path(__file__).parents[1] / "corners_task.py", path)
        self.board = folder / "board.py"
        self.board.write_text(BOARD)
        self.ref = f"{path}:TASK"
        self.dataset: Dataset = resolve_task(self.ref).load_data(DataRequest(None, folder))
        self._evaluator = TrialEvaluator(self.ref, self.dataset)

    def config(
        self, scheme: QuantizationScheme, pruning: PruningConfig | None = None
    ) -> TrialConfig:
        return TrialConfig(
            task=self.ref,
            data_fingerprint=self.dataset.fingerprint,
            hyperparameters=(("units", 32), ("exotic", False)),
            training=TrainingConfig(0.01, batch_size=32, epochs=3, qat_epochs=1),
            pruning=pruning or PruningConfig(),
            quantization=scheme,
        )

    def evaluate(
        self, scheme: QuantizationScheme, pruning: PruningConfig | None = None, **settings: Any
    ) -> TrialResult:
        return self._evaluator(EvaluateRequest(self.config(scheme, pruning), **settings))


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return Trials(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def dense(trials: Trials) -> TrialResult:
    return trials.evaluate(S.INT8, device=ETHOS, size_metric="flash")


@pytest.fixture(scope="module")
def pruned(trials: Trials) -> TrialResult:
    return trials.evaluate(S.INT8, PRUNED, device=ETHOS, size_metric="flash")


def points_of(result: TrialResult) -> dict[QuantizationScheme, Any]:
    assert result.point is not None, result.reason
    return {p.config.quantization: p for p in (result.point, *result.siblings)}


# --- Ethos-U --------------------------------------------------------------------------------


def test_only_what_the_device_runs_is_measured(dense: TrialResult) -> None:
    points = points_of(dense)
    assert set(points) == {S.INT8, S.INT16X8}
    assert not dense.skipped
    for point in points.values():
        assert point.latency.device == ETHOS
        assert point.size_bytes == point.ledger.flash_bytes > 0
        assert point.ledger.arena_bytes > 0
        assert point.ledger.device_agreement is None


def test_pruning_pays_in_size_and_latency(dense: TrialResult, pruned: TrialResult) -> None:
    thick, thin = points_of(dense)[S.INT8], points_of(pruned)[S.INT8]
    assert thin.ledger.tflite_bytes == pytest.approx(thick.ledger.tflite_bytes, rel=0.01)
    assert thin.size_bytes < 0.75 * thick.size_bytes
    assert thin.latency.median_ms < 0.9 * thick.latency.median_ms


@pytest.mark.parametrize("name", ["dense", "pruned"])
def test_the_gate_foretells_flash_latency_and_ram(
    name: str, request: pytest.FixtureRequest
) -> None:
    result: TrialResult = request.getfixturevalue(name)
    point = points_of(result)[S.INT8]
    assert result.size_bytes is not None and result.ram_bytes is not None
    assert result.size_bytes <= (1 + SIZE_TOLERANCE) * point.size_bytes
    assert result.size_bytes == pytest.approx(point.size_bytes, rel=0.2)
    assert result.latency_ms == pytest.approx(point.latency.median_ms, rel=0.2)
    assert result.ram_bytes == pytest.approx(point.ledger.arena_bytes, rel=0.05)


def test_quantization_aware_training_runs_on_it_too(trials: Trials) -> None:
    result = trials.evaluate(S.QAT_INT8, device=ETHOS, size_metric="flash", fan_out=False)
    assert result.point is not None, result.reason
    assert result.point.ledger.flash_bytes == result.point.size_bytes


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (Limits(max_size_bytes=4000), "size"),
        (Limits(max_latency_ms=0.001), "latency"),
        (Limits(max_ram_bytes=1000), "RAM"),
    ],
)
def test_what_breaks_a_limit_is_not_trained(trials: Trials, limits: Limits, word: str) -> None:
    result = trials.evaluate(S.INT8, device=ETHOS, size_metric="flash", limits=limits)
    assert result.outcome == "infeasible"
    assert result.reason.startswith(f"{word} ")
    assert "exceeds the limit of" in result.reason
    assert result.epochs_trained == 0


# --- RAM of a microcontroller -----------------------------------------------------------------


def test_with_a_limit_on_ram_the_arena_is_known_and_the_interpreter_agrees(
    trials: Trials,
) -> None:
    result = trials.evaluate(S.FLOAT32, limits=Limits(max_ram_bytes=64_000))
    points = points_of(result)
    assert set(points) == {S.FLOAT32, S.INT8, S.INT16X8}
    for point in points.values():
        assert point.latency.device == "host"
        assert 0 < point.ledger.arena_bytes < 64_000
        assert point.ledger.device_agreement >= 0.9
        assert point.ledger.flash_bytes is None
    assert points[S.INT8].ledger.arena_bytes < points[S.FLOAT32].ledger.arena_bytes


def test_an_arena_is_foretold_without_tolerance(trials: Trials) -> None:
    known = trials.evaluate(S.INT8, limits=Limits(max_ram_bytes=64_000), fan_out=False)
    assert known.point is not None and known.ram_bytes is not None
    arena = known.point.ledger.arena_bytes
    assert arena is not None and 0.97 * arena < known.ram_bytes <= arena
    limits = Limits(max_ram_bytes=known.ram_bytes - 1)
    refused = trials.evaluate(S.INT8, limits=limits, fan_out=False)
    assert (refused.outcome, refused.epochs_trained) == ("infeasible", 0)
    assert refused.reason == (
        f"RAM {known.ram_bytes} bytes exceeds the limit of {known.ram_bytes - 1}"
    )
    assert refused.ram_bytes == known.ram_bytes


def test_without_a_limit_nobody_asks_for_the_arena(trials: Trials) -> None:
    result = trials.evaluate(S.INT8, fan_out=False)
    assert result.point is not None
    assert result.point.ledger.arena_bytes is None
    assert result.ram_bytes is None


def test_the_microcontroller_as_a_device(trials: Trials) -> None:
    result = trials.evaluate(S.INT8, device="micro", size_metric="flash", fan_out=False)
    assert result.point is not None, result.reason
    assert result.point.latency.device == "micro"
    assert result.point.size_bytes == len(result.point.tflite)
    assert result.point.ledger.device_agreement is not None


# --- A device of one's own, and the search space ----------------------------------------------


def test_a_device_of_ones_own_measures_trials(trials: Trials) -> None:
    result = trials.evaluate(S.INT8, device=f"{trials.board}:DEVICE", size_metric="flash")
    points = points_of(result)
    assert set(points) == {S.INT8, S.FLOAT32}
    for point in points.values():
        assert point.latency.median_ms == len(point.tflite) / 1000
        assert point.latency.device == "board"
        assert point.size_bytes == len(point.tflite) + 7


def test_only_its_schemes_are_in_the_space(trials: Trials, tmp_path: Path) -> None:
    info, _ = prepare_task(trials.ref, cache_dir=tmp_path, device=f"{trials.board}")
    assert info.space["quantization"].choices == ("float32", "int8")
    assert "board runs float32, int8; float16, dynamic_range, " in info.notes[-1]


@pytest.mark.parametrize(
    ("device", "with_ram", "choices"),
    [
        # Quantization-aware training takes this model unless it is exotic.
        (ETHOS, False, ("int8", "int16x8", "qat_int8")),
        ("micro", False, ("float32", "int8", "int16x8", "qat_int8")),
        ("host", True, ("float32", "int8", "int16x8", "qat_int8")),
    ],
)
def test_the_space_is_that_of_the_device(
    trials: Trials, tmp_path: Path, device: str, with_ram: bool, choices: tuple[str, ...]
) -> None:
    answer = prepare_job(
        no_progress, trials.ref, None, str(tmp_path), device=device, with_ram=with_ram
    )
    space = {parameter["name"]: parameter for parameter in answer["info"]["space"]["parameters"]}
    assert tuple(space["quantization"]["choices"]) == choices


def test_a_device_that_runs_nothing_of_the_model_is_refused(
    trials: Trials, tmp_path: Path
) -> None:
    path = tmp_path / "board.py"
    path.write_text(BOARD.replace("(QuantizationScheme.FLOAT32, QuantizationScheme.INT8)", "()"))
    with pytest.raises(DeviceError, match="'board' runs nothing, but the model can be converted"):
        prepare_job(no_progress, trials.ref, None, str(tmp_path), device=str(path))


def test_a_device_that_does_not_tell_flash_is_refused_before_the_data_is_read(
    trials: Trials, tmp_path: Path
) -> None:
    path = tmp_path / "board.py"
    path.write_text(BOARD.replace("tells_flash = True", ""))
    with pytest.raises(DeviceError, match="but got 'board'. Such devices: micro, "):
        prepare_job(
            no_progress, "no_such:TASK", None, str(tmp_path), str(path), size_metric="flash"
        )


# --- Retraining -------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", [ETHOS, "board.py"])
def test_retraining_measures_on_the_device(trials: Trials, tmp_path: Path, ref: str) -> None:
    device = f"{trials.board}:DEVICE" if ref == "board.py" else ref
    result = trials.evaluate(S.INT8, PRUNED, device=device, size_metric="flash", fan_out=False)
    assert result.point is not None, result.reason
    export = {
        "config": result.config.to_dict(),
        "device": "nowhere.py:DEVICE" if ref == "board.py" else device,
        "size_metric": "flash",
        "measured": {"tflite_sha256": result.point.tflite_sha256},
    }
    named = device if ref == "board.py" else None
    metrics = retrain_job(
        no_progress,
        export,
        str(tmp_path),
        str(tmp_path),
        asked(device=named),
    )
    assert metrics["identical_to_trial"]
    assert metrics["measured"]["size_bytes"] == result.point.size_bytes
    assert metrics["measured"]["latency_ms"] == result.point.latency.median_ms
    assert metrics["latency"]["device"] == result.point.latency.device
    models = metrics["models"]
    assert models["deployed"]["latency_ms"] == result.point.latency.median_ms
    # An NPU runs no float32, and no other device's time stands in its place.
    assert (models["pruned"]["latency_ms"] is None) == (ref == ETHOS)
    assert any("runs no such models" in note for note in metrics["notes"]) == (ref == ETHOS)
    compiled = tmp_path / "model_compiled.tflite"
    assert compiled.is_file() == (metrics["compiled_file"] == compiled.name) == (ref == ETHOS)
    if ref == ETHOS:
        assert compiled.stat().st_size == result.point.ledger.flash_bytes
