"""A study as it stands, and the points on its Pareto front: plain data, read by
:mod:`search.front.read`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from search.front.baseline import Baseline
from search.front.broken_limits import BrokenLimit
from search.front.lead_errors import lead_errors
from search.front.pareto import ReferencePoint, hypervolume
from search.front.picks import PickRule, pick
from search.front.scheme_failures import SchemeFailure
from search.units import format_accuracy, format_size
from spaces.config.trial import ParamValue
from spaces.data.accuracy_context import AccuracyContext
from spaces.data.samples import sample_kind
from spaces.wording import counted
from workers.messages.result import Limits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FrontPoint:
    """One measured model.

    Attributes:
        trial: Number of its trial.
        accuracy: Fraction of validation images labelled rightly.
        size_bytes: Size by the study's metric.
        latency_ms: Latency on the study's device.
        quantization: Its quantization scheme.
        sparsity: Achieved fraction of zeros among the prunable weights; None if not recorded.
        n_params: Weights and biases; None if not recorded.
        derived_from: Number of the trial whose training it shares; None for its own.
        branched_from: Number of the trial from whose weights its training started; None for
            random ones.
        params: Searched parameters.
        class_scores: Accuracy, balanced accuracy and macro F1; empty for studies begun before.
        score: Value of the study's first objective; None for the accuracy.
        ram_bytes: RAM of an inference, where the device or the microcontroller's interpreter
            told it.
        float_operations: How many operations of an integer file run in floats all the same, by
            name; None for other schemes, or if not recorded.
        metrics: What the model's ``compile`` names beside accuracy, by name.
        latency_noise: By how much its latency may differ when measured again, as a fraction;
            None if not known.
        same_speed_as: Number of a point no worse in accuracy and size, which this one is faster
            than by less than their noise; None if it is on the front for a better reason.
        same_accuracy_as: Number of a smaller point, no slower, which this one is more accurate
            than by no more than the standard error of that lead; None if there is none, or it
            cannot be told.
        hits: Which validation images it labels rightly (``workers.messages.hits``); empty if not
            recorded.
    """

    trial: int
    accuracy: float
    size_bytes: int
    latency_ms: float
    quantization: str
    sparsity: float | None
    n_params: int | None
    derived_from: int | None
    branched_from: int | None
    params: Mapping[str, ParamValue]
    latency_noise: float | None = None
    same_speed_as: int | None = None
    same_accuracy_as: int | None = None
    hits: str = field(default="", repr=False)
    ram_bytes: int | None = None
    class_scores: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    float_operations: Mapping[str, int] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_distinguishable(self) -> bool:
        """Whether it would be on the front if noise did not count as a lead."""
        return self.same_speed_as is None

    @property
    def is_mixed(self) -> bool:
        """Whether its scheme promises integers throughout, and its file has floats too."""
        return bool(self.float_operations)

    @property
    def values(self) -> tuple[float, float, float]:
        """Objective values in the order of ``spaces.config.objectives.OBJECTIVES``."""
        score = self.accuracy if self.score is None else self.score
        return score, float(self.size_bytes), self.latency_ms


@dataclass(frozen=True, repr=False)
class StudyFront:
    """A study as it stands, and its front.

    In a notebook it shows itself as a table; :meth:`plot` and :meth:`to_frame` need
    ``pip install 'litefront[notebook]'``.

    Attributes:
        study: Name of the study.
        task: Name of the task.
        data_name: Name of the data set.
        generated: Whether the program made the pictures itself.
        device: Device that every latency belongs to.
        size_metric: Which size is ``size_bytes``.
        n_target: Trials the study is to have; None if not recorded.
        n_trials: Trials that ended, derived and interrupted ones not counted.
        n_infeasible: Those of them that are infeasible.
        n_stopped: Those of them that the race stopped.
        n_branches: Those of them that started from the weights of another.
        n_failed: Those of them that failed.
        n_points: Measured models, derived ones too.
        n_val: Validation images that accuracies are of.
        reference: Where the hypervolume is measured from.
        last_activity: When a trial was last started or ended; None without trials.
        points: The front, the smallest model first.
        notes: What a person should know of its data and model.
        baseline: What became of the configuration made by hand; None without one.
        model_notes: Those of the notes that are about model and device: what is left out.
        class_names: In the order of the labels.
        leaks: Those of the notes that make accuracies doubtful.
        metric: The first objective.
        class_counts: For each split, images of every class; empty for studies begun before
            they were stored.
        ignored: Files of the data that were left out, by kind.
        scheme_failures: Quantization schemes that gave no model in most trainings, and why.
        broken_limits: Where no model keeps the limits: which are broken, and by how many.
        kind: What a sample is (``spaces.data.samples``).
        n_foreign: Trials that this program did not make; they count nowhere.
        limits: What all points keep.
        why_no_model: Why most trials without a model failed; empty if none did.
    """

    study: str
    task: str
    data_name: str
    generated: bool
    device: str
    size_metric: str
    n_target: int | None
    n_trials: int
    n_infeasible: int
    n_stopped: int
    n_branches: int
    n_failed: int
    n_points: int
    n_val: int
    reference: ReferencePoint
    last_activity: datetime | None
    points: tuple[FrontPoint, ...]
    notes: tuple[str, ...] = ()
    baseline: Baseline | None = None
    model_notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    class_counts: Mapping[str, Sequence[int]] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    metric: str = "accuracy"
    ignored: Mapping[str, int] = field(default_factory=dict)
    scheme_failures: tuple[SchemeFailure, ...] = ()
    why_no_model: str = ""
    n_foreign: int = 0
    kind: str = "image"
    broken_limits: tuple[BrokenLimit, ...] = ()
    limits: Limits = Limits()

    @cached_property
    def hypervolume(self) -> float:
        """Normalized hypervolume of the front."""
        return hypervolume([point.values for point in self.points], self.reference)

    @property
    def accuracy_context(self) -> AccuracyContext:
        """What accuracies have to be read against."""
        counts = self.class_counts.get("val")
        nouns = sample_kind(self.kind).nouns
        return AccuracyContext.of_counts("validation", self.class_names, counts, self.n_val, nouns)

    def pick(self, rule: PickRule, limits: Limits | None = None) -> FrontPoint:
        """Return the point that a rule picks (see ``search.front.picks.pick``).

        The compromise is one between points that are no less accurate than the baseline, where
        there are such: nobody wants to be given less than what they had. A point whose lead in
        accuracy is no more than its standard error does not take the place of a smaller one.

        Raises:
            ConfigError: If the front is empty, or no point keeps the limits.
        """
        values = [point.values for point in self.points]
        ram_bytes = [point.ram_bytes for point in self.points]
        had = self.baseline.values[0] if self.baseline and self.baseline.values else None
        index = pick(
            values,
            rule,
            limits,
            ram_bytes,
            at_least=had,
            reference=self.reference,
            lead_errors=self._lead_errors if rule == "knee" else None,
        )
        return self.points[index]

    @cached_property
    def _lead_errors(self) -> npt.NDArray[np.float64] | None:
        """Standard error of each point's lead over each other; None for another metric."""
        if self.metric != "accuracy":
            return None
        return lead_errors([point.hits for point in self.points], self.n_val)

    def __repr__(self) -> str:
        """Return the study and what its front spans, in one line."""
        if not self.points:
            return f"<StudyFront {self.study}: {counted(self.n_trials, 'trial')}, no point yet>"
        best, smallest = self.pick("accuracy"), self.pick("size")
        return (
            f"<StudyFront {self.study}: {counted(len(self.points), 'point')}, "
            f"{format_size(smallest.size_bytes)} to "
            f"{format_size(max(point.size_bytes for point in self.points))}, best "
            f"{format_accuracy(best.accuracy)}, hypervolume {self.hypervolume:.4f}>"
        )

    def _repr_html_(self) -> str:
        """Return the front as a table for a notebook."""
        from search.front.notebook import front_html

        return front_html(self)

    def to_frame(self) -> pandas.DataFrame:
        """Return the points as a ``pandas.DataFrame``, a row each, indexed by trial.

        Columns are those of ``search front --csv``: objectives, figures, and the parameters as
        ``params_NAME``.

        Raises:
            SearchError: If pandas is not installed.
        """
        from search.front.notebook import front_frame

        return front_frame(self)

    def plot(self, x: str = "size") -> Figure:
        """Return the front as a ``matplotlib`` figure: accuracy against size or latency.

        The colour of a point is its other objective, the bars are 95 % intervals of its accuracy.
        The baseline, the best compromise and the study's limits are marked.

        Args:
            x: ``size`` or ``latency``.

        Raises:
            ConfigError: If ``x`` is neither.
            SearchError: If matplotlib is not installed.
        """
        from search.front.notebook import needs

        with needs("matplotlib"):
            from search.front.figure import front_figure
        return front_figure(self, x)
