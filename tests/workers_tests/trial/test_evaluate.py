"""One configuration becomes measured models: whole trials of a user's own task file."""

from __future__ import annotations

import hashlib
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest
from spaces.tasks.registry import resolve_task
from workers.conversion.runtime import outputs
from workers.messages.race import MIN_CURVES, Curve, Race
from workers.messages.result import EvaluateRequest, Limits, Point, TrialResult
from workers.trial.evaluate import TrialEvaluator

pytestmark = pytest.mark.slow

S = QuantizationScheme
PRUNED = PruningConfig("polynomial", 0.75, 0.2, 0.7)


class Corners:
    """A user's task file, its data and a worker's evaluator for it."""

    def __init__(self, folder: Path) -> None:
        path = folder / "corners.py"
        shutil.copy(Path(__file__).parents[1] / "corners_task.py", path)
        self.ref = f"{path}:TASK"
        from workers.training.keras_compat import configure_tensorflow

        configure_tensorflow(threads=1)
        request = DataRequest(None, folder)
        self.dataset: Dataset = resolve_task(self.ref).load_data(request)
        self.evaluator = TrialEvaluator(self.ref, self.dataset)

    def config(
        self,
        quantization: QuantizationScheme = S.FLOAT32,
        pruning: PruningConfig | None = None,
        learning_rate: float = 0.01,
        seed: int = 0,
        **hyperparameters: Any,
    ) -> TrialConfig:
        """A configuration which three epochs train well."""
        return TrialConfig(
            task=self.ref,
            data_fingerprint=self.dataset.fingerprint,
            hyperparameters=tuple({"units": 16, "exotic": False, **hyperparameters}.items()),
            training=TrainingConfig(learning_rate, batch_size=32, epochs=3, qat_epochs=2),
            pruning=pruning or PruningConfig(),
            quantization=quantization,
            seed=seed,
        )

    def evaluate(self, config: TrialConfig, **settings: Any) -> TrialResult:
        """Evaluate one trial, as an executor does."""
        return self.evaluator(EvaluateRequest(config, **settings))


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Corners:
    return Corners(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def plain(corners: Corners) -> TrialResult:
    """A trial without compression, and its siblings."""
    return corners.evaluate(corners.config())


@pytest.fixture(scope="module")
def pruned(corners: Corners) -> TrialResult:
    return corners.evaluate(corners.config(S.FLOAT16, PRUNED), size_metric="tflite")


def all_points(result: TrialResult) -> dict[QuantizationScheme, Point]:
    assert result.point is not None, result.reason
    return {point.config.quantization: point for point in (result.point, *result.siblings)}


def files(result: TrialResult) -> dict[QuantizationScheme, bytes]:
    return {scheme: point.tflite for scheme, point in all_points(result).items()}


def test_a_trial_gives_a_point_for_every_scheme(corners: Corners, plain: TrialResult) -> None:
    assert (plain.outcome, plain.reason) == ("complete", "")
    assert plain.skipped == {}
    assert plain.config == corners.config()
    points = all_points(plain)
    assert plain.point is not None
    assert plain.point.config == plain.config
    assert list(points) == [S.FLOAT32, *(s for s in POST_TRAINING_SCHEMES if s is not S.FLOAT32)]
    for scheme, point in points.items():
        assert point.config == plain.config.with_quantization(scheme)
        assert point.accuracy > 0.8
        assert point.size_bytes == point.ledger.gzip_bytes
        assert point.ledger.tflite_bytes == len(point.tflite)
        assert point.latency.device == "host"
        assert point.tflite_sha256 == hashlib.sha256(point.tflite).hexdigest()
        assert point.values == (point.accuracy, point.size_bytes, point.latency.median_ms)
    assert len({point.config.hash for point in points.values()}) == len(points)
    assert len({point.tflite for point in points.values()}) == len(points)


def test_an_accuracy_is_that_of_the_file(corners: Corners, plain: TrialResult) -> None:
    split = corners.dataset.val
    for point in all_points(plain).values():
        guesses = outputs(point.tflite, split.images).argmax(axis=1)
        assert point.accuracy == pytest.approx((guesses == split.labels).mean(), abs=1e-9)
    # Keras says the same of the network that was converted.
    assert plain.point is not None
    assert plain.point.accuracy == pytest.approx(plain.history["val_accuracy"][-1], abs=0.01)


def test_a_trial_tells_how_it_went(plain: TrialResult) -> None:
    assert plain.epochs_trained == 3
    assert set(plain.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(values) for values in plain.history.values()} == {3}
    assert {"gate", "build", "train", "convert", "measure"} <= set(plain.seconds)
    assert "qat" not in plain.seconds
    assert all(seconds >= 0 for seconds in plain.seconds.values())
    assert plain.sparsity["overall"] < 0.01
    assert plain.new_parameters == ()
    assert {"tensorflow", "ai-edge-litert", "python"} <= set(plain.versions)
    assert plain.worker
    assert plain.size_bytes is not None and plain.latency_ms is not None
    assert pickle.loads(pickle.dumps(plain)) == plain  # It travels between processes.


def test_a_parameter_that_nobody_gave_is_reported(corners: Corners) -> None:
    config = replace(corners.config(), hyperparameters=(("units", 8),))
    result = corners.evaluate(config, limits=Limits(max_size_bytes=1.0))
    assert [parameter.name for parameter in result.new_parameters] == ["exotic"]


def test_a_pruned_trial_has_the_sparsity_it_asked_for(
    plain: TrialResult, pruned: TrialResult
) -> None:
    assert pruned.outcome == "complete"
    assert pruned.sparsity["overall"] == pytest.approx(0.75, abs=0.02)
    assert len(pruned.sparsity) == 5  # Two convolutions, two dense layers, and overall.
    dense, sparse = all_points(plain), all_points(pruned)
    for scheme in POST_TRAINING_SCHEMES:
        assert sparse[scheme].ledger.gzip_bytes < 0.75 * dense[scheme].ledger.gzip_bytes
        assert sparse[scheme].ledger.n_nonzero < 0.4 * dense[scheme].ledger.n_nonzero
        assert sparse[scheme].ledger.n_params == dense[scheme].ledger.n_params
        assert sparse[scheme].ledger.macs == dense[scheme].ledger.macs


def test_by_raw_size_the_sparse_file_is_what_ships(pruned: TrialResult) -> None:
    for scheme, point in all_points(pruned).items():
        assert point.size_bytes == len(point.tflite)
        if scheme in (S.FLOAT32, S.FLOAT16):
            assert len(point.tflite) == point.ledger.sparse_bytes
            assert len(point.tflite) < 0.8 * point.ledger.tflite_bytes
        else:
            assert point.ledger.sparse_bytes is None
            assert len(point.tflite) == point.ledger.tflite_bytes


def test_a_trial_gives_the_same_bytes_again(corners: Corners, plain: TrialResult) -> None:
    other = corners.evaluate(corners.config(S.INT8, PRUNED, seed=1, units=24))
    assert files(other)[S.INT8] != files(plain)[S.INT8]
    again = corners.evaluate(corners.config())
    assert files(again) == files(plain)
    assert again.history == plain.history


@pytest.mark.parametrize("scheme", [s for s in POST_TRAINING_SCHEMES if s is not S.FLOAT32])
def test_a_sibling_evaluated_on_its_own_is_the_same_model(
    corners: Corners, plain: TrialResult, scheme: QuantizationScheme
) -> None:
    sibling = all_points(plain)[scheme]
    alone = corners.evaluate(sibling.config, fan_out=False)
    assert alone.siblings == ()
    assert alone.point is not None
    assert alone.point.config == sibling.config
    assert alone.point.tflite == sibling.tflite
    assert alone.point.accuracy == sibling.accuracy
    assert alone.point.ledger == sibling.ledger


def test_a_quantization_aware_trial_has_the_float_networks_siblings(
    corners: Corners, plain: TrialResult
) -> None:
    result = corners.evaluate(corners.config(S.QAT_INT8))
    assert result.point is not None, result.reason
    assert result.point.config.quantization is S.QAT_INT8
    assert result.point.accuracy > 0.8
    assert result.epochs_trained == 5
    assert {len(values) for values in result.history.values()} == {5}
    assert "qat" in result.seconds
    siblings = files(result)
    own = siblings.pop(S.QAT_INT8)
    assert own not in siblings.values()
    assert siblings == files(plain)


def test_a_pruned_quantization_aware_trial_stays_sparse(
    corners: Corners, plain: TrialResult
) -> None:
    result = corners.evaluate(corners.config(S.QAT_INT8, PRUNED))
    dense = all_points(plain)[S.INT8]
    assert result.point is not None, result.reason
    assert result.sparsity["overall"] == pytest.approx(0.75, abs=0.02)
    assert result.point.ledger.gzip_bytes < 0.75 * dense.ledger.gzip_bytes


def test_a_training_that_diverges_is_a_failed_trial(corners: Corners) -> None:
    result = corners.evaluate(corners.config(learning_rate=1e30))
    assert result.outcome == "failed"
    assert "loss became" in result.reason
    assert "\n" not in result.reason
    assert result.point is None
    assert result.siblings == ()
    assert "train" in result.seconds


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(max_size_bytes=100.0), "size .* exceeds the limit of 100"),
        (Limits(max_latency_ms=1e-6), "latency .* exceeds the limit of 1e-06"),
    ],
)
def test_what_breaks_a_limit_is_not_trained(corners: Corners, limits: Limits, says: str) -> None:
    result = corners.evaluate(corners.config(), limits=limits)
    assert result.outcome == "infeasible"
    assert re.search(says, result.reason)
    assert "train" not in result.seconds
    assert result.epochs_trained == 0
    assert result.size_bytes is not None and result.size_bytes > 100
    assert result.latency_ms is not None and result.latency_ms > 1e-6


def test_what_cannot_be_converted_is_not_trained(corners: Corners) -> None:
    result = corners.evaluate(corners.config(exotic=True))
    assert result.outcome == "infeasible"
    assert "Erfinv" in result.reason
    assert "train" not in result.seconds
    assert (result.size_bytes, result.latency_ms) == (None, None)


def test_values_that_build_refuses_are_a_failed_trial(corners: Corners) -> None:
    result = corners.evaluate(corners.config(units=-8))
    assert result.outcome == "failed"
    assert "units" in result.reason
    assert "\n" not in result.reason


@pytest.fixture(scope="module")
def parent(corners: Corners) -> TrialResult:
    """A trial whose weights are kept, for branches to begin with."""
    return corners.evaluate(corners.config(), keep_weights=True, fan_out=False)


BRANCH = PruningConfig("polynomial", 0.6, 0.0, 0.5, 0.05)


def branch_of(parent: TrialConfig, **changes: Any) -> TrialConfig:
    training = replace(parent.training, epochs=changes.pop("epochs", 1))
    return replace(parent, training=training, branched_from=parent, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"pruning": BRANCH, "quantization": S.INT8},
        {"pruning": BRANCH, "quantization": S.QAT_INT8},
        {"epochs": 0, "quantization": S.QAT_INT8},
    ],
    ids=["prune", "prune and qat", "qat"],
)
def test_a_branch_is_the_same_from_kept_weights_and_from_its_lineage(
    corners: Corners, plain: TrialResult, parent: TrialResult, changes: dict[str, Any]
) -> None:
    assert parent.weights is not None
    config = branch_of(corners.config(), **changes)
    fan_out = config.training.epochs > 0
    quick = corners.evaluate(config, start_weights=parent.weights, fan_out=fan_out)
    slow = corners.evaluate(config, fan_out=fan_out)
    assert files(quick) == files(slow)
    if config.quantization is S.INT8:  # The soonest trained.
        damaged = corners.evaluate(config, start_weights=b"damaged", fan_out=fan_out)
        assert files(quick) == files(damaged)
    assert quick.epochs_trained == config.training.epochs + 2 * ("qat" in str(changes).lower())
    if "pruning" in changes:
        assert quick.sparsity["overall"] == pytest.approx(0.6, abs=0.05)
        assert quick.point is not None
        assert quick.point.accuracy > 0.7
    assert quick.point is not None
    assert files(quick)[config.quantization] != files(plain).get(config.quantization)


def test_a_branch_of_a_branch_keeps_its_zeros(corners: Corners) -> None:
    pruned_parent = branch_of(corners.config(), pruning=BRANCH)
    config = branch_of(pruned_parent, epochs=0, quantization=S.QAT_INT8)
    result = corners.evaluate(config, fan_out=False)
    assert len(config.lineage) == 3
    assert result.sparsity["overall"] == pytest.approx(0.6, abs=0.05)
    assert result.point is not None
    assert result.point.ledger.n_nonzero < 0.6 * result.point.ledger.n_params


def test_weights_come_back_only_where_they_are_wanted(plain: TrialResult) -> None:
    assert plain.weights is None


def test_the_race_stops_a_training_that_can_only_be_dominated(corners: Corners) -> None:
    hopeless = Race(
        front=((0.999, 1.0, 1e-6),),
        curves=tuple(Curve((0.5, 0.5, 0.5)) for _ in range(MIN_CURVES)),
    )
    config = corners.config(S.QAT_INT8, learning_rate=1e-4)
    result = corners.evaluate(config, race=hopeless, keep_weights=True)
    assert result.outcome == "stopped"
    assert result.bar == 0.999
    assert result.epochs_trained == 1
    assert len(result.history["val_accuracy"]) == 1
    assert "epoch 1 of 3" in result.reason
    assert result.point is None and result.siblings == () and result.weights is None
    assert "qat" not in result.seconds and "measure" not in result.seconds


def test_what_training_on_may_bring_to_the_limit_is_trained_to_its_end(corners: Corners) -> None:
    """None of its models keeps the limit; its weights may become what does."""
    curves = tuple(Curve((0.5, 0.5, 0.5)) for _ in range(MIN_CURVES))
    limits = Limits(min_accuracy=0.999)
    config = corners.config(learning_rate=1e-4)
    for hope, outcome, bar in ((1.0, "stopped", 0.999), (0.001, "complete", 0.0)):
        race = Race(curves=curves, hope=hope)
        result = corners.evaluate(config, race=race, limits=limits, keep_weights=True)
        assert (result.outcome, result.bar) == (outcome, bar)
        assert (result.weights is None) == (outcome == "stopped")


def test_what_nothing_can_lift_onto_the_front_is_not_trained_at_all(corners: Corners) -> None:
    perfect = Race(front=((1.0, 1.0, 1e-6),))
    result = corners.evaluate(corners.config(), race=perfect, keep_weights=True)
    assert (result.outcome, result.bar, result.epochs_trained) == ("stopped", 1.0, 0)
    assert result.reason.startswith("not trained: ")
    assert result.point is None and result.siblings == () and result.weights is None
    assert result.size_bytes is not None and result.latency_ms is not None
    assert "train" not in result.seconds


def test_what_cannot_get_onto_the_front_is_not_converted(
    corners: Corners, plain: TrialResult
) -> None:
    """The smallest model is smaller than what is far more accurate; others are not."""
    points = all_points(plain)
    smallest = min(points.values(), key=lambda point: point.size_bytes)
    race = Race(
        front=((0.9999, 1.1 * smallest.size_bytes, 1e-6),),
        curves=tuple(Curve((0.5, 0.6, 1.0)) for _ in range(MIN_CURVES)),
    )
    assert points[S.FLOAT16].size_bytes > 1.3 * smallest.size_bytes
    result = corners.evaluate(corners.config(learning_rate=1e-4), race=race)
    assert result.outcome == "complete", result.reason
    assert max(result.history["val_accuracy"]) < 0.99
    assert {S.FLOAT32, smallest.config.quantization} <= set(all_points(result))
    assert S.FLOAT16 in result.skipped
    assert all(why.startswith("not converted: ") for why in result.skipped.values())
    assert set(result.skipped) | set(all_points(result)) == set(POST_TRAINING_SCHEMES)


def test_the_race_changes_nothing_for_those_it_lets_go_on(
    corners: Corners, plain: TrialResult
) -> None:
    easy = Race(
        front=((0.1, 1.0, 1e-6),),
        curves=tuple(Curve((0.5, 0.6, 0.7)) for _ in range(MIN_CURVES)),
    )
    result = corners.evaluate(corners.config(), race=easy)
    assert result.bar == 0.1
    assert files(result) == files(plain)
