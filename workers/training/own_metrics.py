"""Metrics of a model's ``compile``, measured on what a deployed file answers.

Accuracy is measured anyway. What else a model was compiled with, be it an object, a name or a
function, is computed by Keras itself on the answers to a whole split. One unit has its area under
the ROC curve told too: its accuracy hangs on one threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.wording import kind_and_line
from workers.training.losses import interface_of
from workers.training.own_loss import flattened, snake_name, takes_one_hot

if TYPE_CHECKING:
    import numpy.typing as npt

ACCURACIES = (
    "accuracy",
    "acc",
    "sparse_categorical_accuracy",
    "categorical_accuracy",
    "binary_accuracy",
)
"""What is called accuracy here, by whatever name it was asked for."""

_USUAL_THRESHOLDS = (0.0, 0.5)

_OVER_THRESHOLDS = (
    "auc",
    "precision_at_recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
)


@dataclass(frozen=True)
class OwnMetric:
    """One metric.

    Attributes:
        name: As it is told, without a number that Keras appends.
        metric: Of Keras; it is reset before use.
        labels: ``one_hot``, ``index`` (``[n, 1]``) or ``unit`` (``[n, 1]``, 0 and 1).
        are_logits: Whether the model gives logits.
    """

    name: str
    metric: Any
    labels: str
    are_logits: bool

    def measure(self, labels: npt.NDArray[np.int64], outputs: npt.NDArray[Any]) -> float:
        """Return its value; the mean over classes where it has one for each.

        Args:
            labels: ``[n]`` class indices.
            outputs: ``[n, units]`` of the model, as real numbers.
        """
        found = np.asarray(outputs, np.float32)
        if not self.are_logits:
            found = np.clip(found, 0.0, 1.0)  # Integers stand for a little more than 1.
        elif snake_name(self.metric) in _OVER_THRESHOLDS and not _takes_logits(self.metric):
            found = _probabilities(found)  # Their thresholds are from 0 to 1.
        answers: npt.NDArray[Any] = labels[:, None]
        if self.labels == "one_hot":
            answers = np.eye(found.shape[1], dtype=np.float32)[labels]
        elif self.labels == "unit":
            answers = answers.astype(np.float32)
        self.metric.reset_state()
        self.metric.update_state(answers, found)
        return float(np.mean(np.asarray(self.metric.result())))


def measured(
    metrics: Sequence[OwnMetric], labels: npt.NDArray[np.int64], outputs: npt.NDArray[Any]
) -> dict[str, float]:
    """Return the values of metrics by name; those that are no finite number are left out."""
    found = {}
    for metric in metrics:
        try:
            value = metric.measure(labels, outputs)
        except Exception:  # Code of one's own: a metric that fails is none.
            continue
        if np.isfinite(value):
            found[metric.name] = value
    return found


def read_metrics(
    compiled: Any, model: Any, n_classes: int
) -> tuple[tuple[OwnMetric, ...], tuple[str, ...]]:
    """Return what is measured beside accuracy, and notes.

    Args:
        compiled: The model as the user's code built it.
        model: The one that is trained, with its interface.
        n_classes: Number of classes.
    """
    n_units = model.output_shape[-1]
    are_logits = interface_of(model).are_logits
    found: dict[str, OwnMetric] = {}
    failed: dict[str, str] = {}
    for metric, name in _asked_for(compiled):
        labels = "unit" if n_units == 1 else "index"
        if n_units > 1 and _takes_one_hot(metric, compiled):
            labels = "one_hot"
        own = OwnMetric(name, metric, labels, are_logits)
        why = _why_not(own, n_classes, n_units)
        if why:
            failed[name] = why
        else:
            found.setdefault(name, own)
    if n_units == 1 and not any(type(own.metric).__name__ == "AUC" for own in found.values()):
        import tf_keras

        area = tf_keras.metrics.AUC(from_logits=are_logits)
        found["auc"] = OwnMetric("auc", area, "unit", are_logits)
    notes = [
        f"Metric {name} of compile(...) cannot be measured: {failed[name]}." for name in failed
    ]
    return tuple(found.values()), tuple(notes)


def _asked_for(compiled: Any) -> Iterator[tuple[Any, str]]:
    """Give each metric but accuracy, as an object of Keras, with its name."""
    import tf_keras

    container = getattr(compiled, "compiled_metrics", None)
    for given in ("_user_metrics", "_user_weighted_metrics"):
        metrics = getattr(container, given, None) or []
        for each in metrics.values() if isinstance(metrics, Mapping) else [metrics]:
            for metric in flattened(each):
                if metric is None or _is_accuracy(metric):
                    continue
                if isinstance(metric, str):
                    metric = tf_keras.metrics.get(metric)
                if isinstance(metric, type):
                    metric = metric()
                if not isinstance(metric, tf_keras.metrics.Metric):
                    name = getattr(metric, "__name__", type(metric).__name__)
                    metric = tf_keras.metrics.MeanMetricWrapper(metric, name=name)
                yield metric, _plain_name(metric)


def _is_accuracy(metric: Any) -> bool:
    if isinstance(metric, str):
        return metric in ACCURACIES
    if getattr(metric, "threshold", 0.5) not in _USUAL_THRESHOLDS:
        return False
    if not _is_of_keras(metric):
        return False
    return snake_name(metric) in ACCURACIES


def _plain_name(metric: Any) -> str:
    """Return a metric's name without the number that tells a second one of its kind."""
    name = str(metric.name)
    kind = snake_name(metric)
    stem, _, number = name.rpartition("_")
    return stem if number.isdigit() and stem == kind else name


def _takes_one_hot(metric: Any, compiled: Any) -> bool:
    name = snake_name(getattr(metric, "_fn", metric))
    if "sparse" in name:
        return False
    if _is_of_keras(getattr(metric, "_fn", metric)):
        return True
    return takes_one_hot(compiled)


def _takes_logits(metric: Any) -> bool:
    return bool(getattr(metric, "_from_logits", False))


def _probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if logits.shape[1] == 1:
        found: npt.NDArray[Any] = 0.5 + 0.5 * np.tanh(0.5 * logits)
        return found
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found = powers / powers.sum(axis=1, keepdims=True)
    return found


def _is_of_keras(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return str(module).partition(".")[0] in ("keras", "tf_keras")


def _why_not(own: OwnMetric, n_classes: int, n_units: int) -> str:
    """Return why a metric cannot be measured on outputs such as these; empty if it can."""
    rng = np.random.default_rng(0)
    outputs = rng.random((2 * n_classes, n_units))
    if own.are_logits:
        outputs = 4.0 * outputs - 2.0
    elif n_units > 1:
        outputs /= outputs.sum(axis=1, keepdims=True)
    try:
        own.measure(np.arange(2 * n_classes) % n_classes, outputs)
    except Exception as error:
        if "in user code" in str(error):  # Then what autograph adds, and what was raised last.
            return str(error).strip().splitlines()[-1].strip()[:150].rstrip(".")
        return kind_and_line(error, 150)
    return ""


Measure = Callable[[], dict[str, float]]
"""Gives values of metrics by name, of a model as it is now."""
