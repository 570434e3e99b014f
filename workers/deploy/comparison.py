"""Models of one configuration side by side: float, pruned and deployed, and other seeds.

Each is judged as a ``.tflite`` run by LiteRT on the test split. The *float* model is what the
same configuration gives without pruning and quantization, from the same seed, in as many epochs:
what its compression is to be read against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from spaces.config.schemes import QuantizationScheme
from spaces.config.training import augmentation_parts
from spaces.config.trial import TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import Progress
from spaces.errors import ConversionError, TrialFailedError
from spaces.tasks.task import Task
from workers.conversion.accuracy import tflite_scores
from workers.conversion.sizes import gzip_size
from workers.deploy.evaluation import judge, predicted_labels, probabilities, spread
from workers.deploy.test_time_augmentation import views_of
from workers.devices.device import Device, Measurement
from workers.messages.result import SizeMetric
from workers.training.early_stopping import EarlyStopping
from workers.training.hooks import Hooks
from workers.training.losses import interface_of
from workers.trial.measure import N_REPRESENTATIVE, convert_trained
from workers.trial.train_config import Trained, Weights, train_config


@dataclass(frozen=True)
class Bench:
    """What every model of one retraining is trained and judged with.

    Attributes:
        hypermodel: Builds the network.
        dataset: Trained on ``train``, judged on ``test``.
        device: Whose latency counts.
        size_metric: Which size is ``size_bytes``.
        source_fingerprint: Of the data as they were loaded, whatever of them is trained on.
        flips: Whether mirrored pictures show the same thing.
        progress: Called after every epoch.
        early_stopping: When trainings end before their last epoch; not those that branch off.
        baseline_ms: What the reference network took at the study's start, to whose speed of the
            machine latencies are scaled like the promised one; None for latencies as measured.
    """

    hypermodel: Any
    dataset: Dataset
    device: Device
    size_metric: SizeMetric
    source_fingerprint: str
    flips: bool
    progress: Progress
    early_stopping: EarlyStopping | None = None
    baseline_ms: float | None = None

    def measure(self, tflite: bytes) -> Measurement:
        """Measure a model on the device, with its latency on the study's scale.

        Raises:
            ConversionError: If the device cannot run it.
        """
        found = self.device.measure(tflite)
        return replace(found, latency=found.latency.scaled_to(self.baseline_ms))

    def row(
        self, trained: Trained, tflite: bytes, latency_ms: float | None = None
    ) -> dict[str, Any]:
        """Return what is reported of one model on the test split, as JSON data.

        Args:
            trained: What was converted.
            tflite: The model.
            latency_ms: On the device, where it is known.

        Returns:
            As :func:`workers.deploy.evaluation.judge`, and ``tflite_bytes``, ``gzip_bytes``,
            ``latency_ms`` and ``sparsity``.

        Raises:
            ConversionError: If the runtime cannot run the model.
        """
        split = self.dataset.test
        are_logits = interface_of(trained.model).are_logits
        scores, step = tflite_scores(tflite, split.images, are_logits=are_logits)
        names = self.dataset.class_names
        return {
            **judge(scores, split.labels, names, are_logits=are_logits, step=step),
            "tflite_bytes": len(tflite),
            "gzip_bytes": gzip_size(tflite),
            "latency_ms": latency_ms,
            "sparsity": trained.sparsity.get("overall", 0.0),
        }

    def float_row(self, trained: Trained, *, tta: bool) -> dict[str, Any]:
        """Return the same of trained weights in float32.

        Args:
            trained: Weights before any quantization.
            tta: Whether to tell, under ``tta``, how good it is with test-time augmentation.

        Raises:
            ConversionError: If the network cannot be converted, or the runtime cannot run it.
        """
        from workers.conversion.convert import float_tflite

        tflite = float_tflite(trained.model)
        latency_ms, why_none = None, "it runs no such models"
        if QuantizationScheme.FLOAT32 in self.device.schemes:
            try:
                latency_ms = self.measure(tflite).latency.latency_ms
            except ConversionError as error:
                why_none = str(error)
        row = self.row(trained, tflite, latency_ms)
        if latency_ms is None:
            row["why_none"] = why_none
        if tta:
            row["tta"] = self._augmented(trained, tflite)
        return row

    def _augmented(self, trained: Trained, tflite: bytes) -> dict[str, Any]:
        """Return how good the mean answer to several views of each image is."""
        views = views_of(self.dataset.input_shape, flips=self.flips)
        split = self.dataset.test
        are_logits = interface_of(trained.model).are_logits
        total: Any = 0.0
        for view in views.values():
            scores, _ = tflite_scores(tflite, view(split.images), are_logits=are_logits)
            total = total + probabilities(scores, are_logits=are_logits)
        found = judge(total / len(views), split.labels, self.dataset.class_names, are_logits=False)
        return {"views": list(views), "accuracy": found["accuracy"], "loss": found["loss"]}

    def float_twin(self, config: TrialConfig, *, tta: bool) -> dict[str, Any]:
        """Train a configuration without its compression; return its row, with ``history``.

        Raises:
            TrialFailedError: If its loss is no number.
            ConversionError: If the network cannot be converted, or the runtime cannot run it.
        """
        trainings = self.train(config.without_compression(), "training the float model")
        row = self.float_row(trainings[-1], tta=tta)
        return {**row, "history": joined_history(trainings)}

    def seeds(self, config: TrialConfig, n: int) -> dict[str, Any]:
        """Train a configuration from other seeds; return how its deployed models spread.

        Args:
            config: Its own seed is left out: the search chose it for what it measured.
            n: How many; the seeds that follow its own.

        Returns:
            ``runs``, a row for each seed with ``accuracy`` and ``val_accuracy``, ``size_bytes``,
            ``latency_ms``, or the ``reason`` why it has none; and mean and spread of each.
        """
        runs = []
        for number in range(1, n + 1):
            seed = (config.seed + number) % 2**31
            what = f"training from seed {seed} ({number} of {n})"
            run: dict[str, Any] = {"seed": seed}
            try:
                run |= self.measured(config.with_seed(seed), what)
                del run["hits"]
            except (TrialFailedError, ConversionError) as error:
                run["reason"] = str(error)
            runs.append(run)
        good = [run for run in runs if "reason" not in run]
        names = ("accuracy", "val_accuracy", "size_bytes", "latency_ms")
        return {
            "own_seed": config.seed,
            "runs": runs,
            **{name: spread([run[name] for run in good]) for name in names if good},
        }

    def measured(self, config: TrialConfig, what: str) -> dict[str, Any]:
        """Train a configuration and return what its deployed model measures.

        Args:
            config: What to train, with its seed.
            what: What it is called to the person who waits.

        Returns:
            ``accuracy`` (on the test split), ``val_accuracy``, ``size_bytes``, ``latency_ms``, and
            ``hits``, ``[n_test]``: which test images are labelled rightly.

        Raises:
            TrialFailedError: If its loss is no number.
            ConversionError: If the network cannot be converted, or the runtime cannot run it.
        """
        from workers.conversion.accuracy import tflite_accuracy, tflite_scores
        from workers.conversion.convert import float_tflite, representative_images
        from workers.devices.device import measure_on

        trained = self.train(config, what)[-1]
        images = representative_images(self.dataset.train, seed=config.seed, n=N_REPRESENTATIVE)
        tflite, sizes = convert_trained(
            trained, config.quantization, float_tflite(trained.model), images, self.size_metric
        )
        found, sizes = measure_on(self.device, tflite, sizes)
        are_logits = interface_of(trained.model).are_logits
        test = self.dataset.test
        scores, _ = tflite_scores(tflite, test.images, are_logits=are_logits)
        hits = predicted_labels(scores) == test.labels
        return {
            "accuracy": float(hits.mean()),
            "val_accuracy": tflite_accuracy(tflite, self.dataset.val, are_logits=are_logits),
            "hits": hits,
            "size_bytes": sizes.size_bytes(self.size_metric),
            "latency_ms": found.latency.scaled_to(self.baseline_ms).latency_ms,
        }

    def train(self, config: TrialConfig, what: str) -> list[Trained]:
        """Train what a configuration branched from, one after the other, and then itself.

        Args:
            config: What to train.
            what: What it is called to the person who waits.
        """
        total = sum(step.training.epochs for step in config.lineage)
        done = 0

        def on_epoch(epoch: int, metrics: Any) -> bool:
            self.progress(what, done + epoch + 1, total)
            return True

        weights: Weights | None = None
        trainings = []
        for step in config.lineage:
            trained = train_config(
                self.hypermodel,
                self.dataset,
                step,
                hooks=Hooks(
                    on_epoch,
                    early_stopping=self.early_stopping if step.branched_from is None else None,
                ),
                start_weights=weights,
            )
            weights = trained.model.get_weights()
            done += step.training.epochs
            trainings.append(trained)
        return trainings


def mirrored_shows_the_same(task: Task) -> bool:
    """Whether a task says that a mirrored picture keeps its label: it may be trained on those."""
    return any("flip" in augmentation_parts(policy) for policy in task.augmentations)


def joined_history(trainings: Sequence[Trained]) -> dict[str, list[float]]:
    """Return the metrics of trainings that went on from each other, by epoch."""
    return {
        name: [value for trained in trainings for value in trained.history[name]]
        for name in trainings[-1].history
    }


def phases(config: TrialConfig, trainings: Sequence[Trained]) -> list[dict[str, Any]]:
    """Return what happened in which epochs of a joined history, as JSON data.

    Returns:
        A row each: ``name``, ``epochs`` (how many), ``kept`` (after which of them, counted from
        1, its weights were taken), and where weights were pruned in it, ``pruning``: when that
        began and ended, as numbers within the row, from 0.
    """
    rows: list[dict[str, Any]] = []
    for step, trained in zip(config.lineage, trainings, strict=True):
        n_qat = 0 if trained.qat_model is None else step.training.qat_epochs
        n_float = len(trained.history["loss"]) - n_qat
        kept = n_float if trained.best_epoch is None else trained.best_epoch + 1
        name = "training"
        if step.branched_from is not None:
            is_pruned_further = (
                step.pruning.final_sparsity > step.branched_from.pruning.final_sparsity
            )
            name = "pruned further" if is_pruned_further else "trained on"
        row: dict[str, Any] = {"name": name, "epochs": n_float, "kept": kept}
        if step.pruning.is_active:
            planned = step.training.epochs
            row["pruning"] = [
                min(share * planned, n_float) for share in (step.pruning.begin, step.pruning.end)
            ]
        rows += [row] if n_float else []
        if n_qat:
            rows.append({"name": "quantization-aware", "epochs": n_qat, "kept": n_qat})
    return rows
