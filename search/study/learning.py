"""What a study knows that saves it time: how trainings went, and the weights of good ones.

The race compares with learning curves, branches start from kept weights. :class:`Shortcuts`
learns both from every trial that ends, and again from the trials of earlier runs.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from search.front.pareto import Front
from search.sampling.branch_costs import spent
from search.sampling.branch_effects import Values
from search.sampling.branch_kinds import is_trained_on, kind_of
from search.sampling.branching import Branch, Brancher
from search.sampling.outlook import Further
from search.sampling.training_on import left_to_learn
from search.storage import attributes
from search.storage.attributes import COUNTED
from search.storage.constraints import is_feasible
from search.storage.settings import StudySettings
from search.storage.trial_attributes import is_sound
from search.storage.weights import WeightKeeper
from search.study.model_files import FrontFiles
from search.study.running import Running
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.search_space import SearchSpace
from workers.messages.checkpoint import Checkpoint
from workers.messages.race import Curve, Race, curve_recipe, settled_from
from workers.messages.result import TrialResult

MAX_CURVES = 200
"""Trainings that the race compares with: the newest ones."""


class Shortcuts:
    """The race and the branches of one study.

    Args:
        settings: What the run wants of its study.
        space: What it searches.
        files: Its front.
        weights: Weights of good trainings.

    Attributes:
        n_branches: Complete trials that started from the weights of another.
    """

    def __init__(
        self,
        settings: StudySettings,
        space: SearchSpace,
        files: FrontFiles,
        weights: WeightKeeper,
    ) -> None:
        self.n_branches = 0
        self._max_ram_bytes = settings.limits.max_ram_bytes
        self._asks_for_accuracy = settings.branch and settings.limits.min_accuracy is not None
        self._n_val = settings.task.n_val
        self._code = json.dumps(settings.task.code, sort_keys=True)
        self._files = files
        self._weights = weights
        self._brancher = Brancher(
            settings.task.epochs,
            space,
            settings.limits,
            least_error=files.reference.error_floor,
        )
        # A training is raced against what was trained for as long: any of them may be trained on.
        self._rivals = Front()
        self._curves: deque[Curve] = deque(maxlen=MAX_CURVES)
        self._training_of: dict[int, int] = {}

    @property
    def space(self) -> SearchSpace:
        """What the study searches; it may grow."""
        return self._brancher.space

    @space.setter
    def space(self, space: SearchSpace) -> None:
        self._brancher.space = space

    def race(self, config: TrialConfig) -> Race:
        """Return what a training that begins now is judged by."""
        front = tuple((a, s, t) for a, s, t in self._rivals.values.tolist())
        reference = self._files.reference
        # As long as nothing is of use, on a hard task or at the start, all that comes nearer is.
        useful = reference.min_accuracy if self._files.counting else 0.0
        return Race(
            front,
            tuple(self._curves),
            useful=useful,
            least_error=reference.error_floor,
            hope=self._hope(config),
            n_images=self._n_val,
        )

    def _hope(self, config: TrialConfig) -> float:
        """Return by which factor training on may lessen a new training's error.

        Only an accuracy that somebody asks for may be out of reach of a single training. What
        counts otherwise begins far below what searches are for (``ReferencePoint``).
        """
        if not self._asks_for_accuracy:
            return 1.0
        params = {"augmentation": config.training.augmentation}
        return min(further.error_of(params) for further in self.outlook())

    def next_branch(self, seconds_left: float) -> Branch | None:
        """Return the branch to try now; None if a new training is worth more.

        Args:
            seconds_left: Of the run.
        """
        kept, hypervolume = self._weights.numbers, self._files.hypervolume_with
        return self._brancher.propose(kept, hypervolume, seconds_left)

    def outlook(self, seconds_left: float = math.inf) -> tuple[Further, ...]:
        """Return what a new training may still become by branches.

        Args:
            seconds_left: Of the run.
        """
        return self._brancher.outlook(seconds_left)

    def weights_of(self, number: int) -> bytes | None:
        """Return a trial's kept weights; None if they are not kept any more."""
        return self._weights.get(number)

    def checkpoint_of(self, config: TrialConfig) -> Checkpoint | None:
        """Return where a trial keeps how its training stands; None if nothing is kept."""
        folder = self._weights.checkpoint(config.hash)
        return None if folder is None else Checkpoint(str(folder.absolute()), self._code)

    def drop_checkpoints(self, is_over: Callable[[str], bool]) -> None:
        """Let go of checkpoints of configurations, by their hash."""
        self._weights.drop_checkpoints(is_over)

    def remember(self, trials: list[FrozenTrial]) -> None:
        """Learn from earlier runs what the race and branches go by."""
        points: dict[int, dict[Any, Values]] = {}
        trainings: list[tuple[int, TrialConfig, FrozenTrial]] = []
        configs: dict[int, TrialConfig] = {}
        for trial in trials:
            if attributes.CONFIG not in trial.user_attrs:
                continue  # Plain Optuna's.
            parent = trial.user_attrs.get(attributes.DERIVED_FROM)
            stored_config = trial.user_attrs[attributes.CONFIG]
            number = trial.number if parent is None else int(parent)
            if number not in configs:  # Derived trials differ in their schemes alone.
                configs[number] = TrialConfig.from_dict(stored_config)
            config = configs[number]
            if trial.values is not None:
                self._training_of[trial.number] = number
                if is_feasible(trial.system_attrs):
                    self._note_rivals(config, {trial.number: trial.values})
                ram_bytes = trial.user_attrs.get(attributes.LEDGER, {}).get("arena_bytes")
                if self._fits_ram(ram_bytes):
                    accuracy, size_bytes, latency_ms = trial.values
                    scheme = QuantizationScheme(stored_config["quantization"])
                    points.setdefault(number, {})[scheme] = (accuracy, size_bytes, latency_ms)
            if parent is None and trial.user_attrs.get(attributes.OUTCOME) in COUNTED:
                trainings.append((number, config, trial))
        for number, config, trial in trainings:
            stored = trial.user_attrs
            if stored[attributes.OUTCOME] == "complete":
                self._note_curve(config, stored.get(attributes.CURVE, ()))
                self.n_branches += attributes.BRANCHED_FROM in stored
            self._brancher.note(
                number,
                config,
                points.get(number, {}),
                gain=stored.get(attributes.GAIN, 0.0),
                took=spent(stored.get(attributes.SECONDS, {})),
                parent=stored.get(attributes.BRANCHED_FROM),
                predicted=stored.get(attributes.PREDICTED_GAIN),
                left=left_of(
                    config, stored.get(attributes.TRAIN_ACCURACY), stored.get(attributes.CURVE, ())
                ),
            )

    def learn(
        self,
        number: int,
        running: Running,
        result: TrialResult,
        gain: float,
        points: Iterable[int],
        feasible: Mapping[int, Sequence[float]],
    ) -> None:
        """Learn from a trial that the study has taken.

        Args:
            number: Of the trial.
            running: What it was.
            result: What came of it.
            gain: Hypervolume that it added.
            points: Numbers of its points, its own and derived ones.
            feasible: Values of those that keep the limits, by number.
        """
        config, branch = running.config, running.branch
        self._note_rivals(config, feasible)
        self._training_of.update(dict.fromkeys(points, number))
        if result.outcome == "complete":
            self._note_curve(config, result.history.get("val_accuracy", ()))
            self.n_branches += branch is not None
        models = [*result.siblings, *([] if result.point is None else [result.point])]
        self._brancher.note(
            number,
            config,
            {
                m.config.quantization: m.values
                for m in models
                if is_sound(m) and self._fits_ram(m.ledger.arena_bytes)
            },
            gain=gain,
            took=spent(result.seconds),
            parent=None if branch is None else branch.parent,
            predicted=None if branch is None else branch.predicted,
            left=left_of(config, result.train_accuracy, result.history.get("val_accuracy", ())),
        )
        if result.weights is not None:
            self._weights.put(number, result.weights, self._worth)

    def _fits_ram(self, ram_bytes: float | None) -> bool:
        """Whether a model keeps the limit on RAM: branches of one that does not break it too."""
        limit = self._max_ram_bytes
        return not limit or ram_bytes is None or ram_bytes <= limit

    def _note_curve(self, config: TrialConfig, accuracies: Sequence[float]) -> None:
        """Let the race compare with a training that went on to its end."""
        epochs = config.training.epochs
        if config.branched_from is None and len(accuracies) >= epochs:
            curve = Curve(tuple(accuracies[:epochs]), settled_from(config), curve_recipe(config))
            self._curves.append(curve)

    def _note_rivals(self, config: TrialConfig, points: Mapping[int, Sequence[float]]) -> None:
        """Let new trainings be raced against points, unless those were trained for longer."""
        if not is_trained_on(config):
            for number, values in points.items():
                self._rivals.add(number, values)

    def _worth(self, number: int) -> float:
        """Return what a training's weights are kept for.

        That is how much of the hypervolume is its own, or what branches may add. Not how many
        points it has on the front: a small network has one of every scheme, all of them worth
        little, and the most accurate one may have a single one.
        """
        own = self._files.contributions(self._training_of).get(number, 0.0)
        return max(own, self._brancher.promise(number, self._files.hypervolume_with))


def left_of(config: TrialConfig, train_accuracy: float | None, curve: Sequence[float]) -> float:
    """Return what a training leaves to learn, before any quantization-aware epochs."""
    trained = curve[: config.training.epochs]
    return left_to_learn(train_accuracy, trained[-1] if trained else None)


def branch_of(trial: FrozenTrial) -> Branch | None:
    """Return the branch that an interrupted trial was; None for a new training."""
    parent = trial.user_attrs.get(attributes.BRANCHED_FROM)
    if parent is None:
        return None
    config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
    predicted = float(trial.user_attrs.get(attributes.PREDICTED_GAIN, 0.0))
    return Branch(int(parent), kind_of(config), config, predicted)
