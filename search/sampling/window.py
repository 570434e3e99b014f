"""Which of many trials TPE is shown, and a study in memory that shows no others."""

from __future__ import annotations

from collections.abc import Container, Sequence

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from search.front.pareto import Front
from search.sampling.trainings import thinned
from search.storage.batches import Unchanging

WINDOW = 200
"""Trials that TPE is shown at least, once there are twice as many."""


class WindowedStorage(InMemoryStorage):
    """One study in memory of which a sampler is shown a part.

    Ids of its trials are their numbers.

    Attributes:
        shown: Numbers of the ended trials that are there; None for all.
        newest: Number of the newest trial.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown: Container[int] | None = None
        self.newest = -1

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial; return its number."""
        self.newest = super().create_new_trial(study_id, template_trial)
        made = self.get_trial(self.newest)
        made.distributions = Unchanging(made.distributions)  # Also of what a sampler will propose.
        return self.newest

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials that are shown."""
        trials = super().get_all_trials(study_id, deepcopy, states)
        if self.shown is None or states == (TrialState.WAITING,):
            return trials
        return [t for t in trials if t.number in self.shown or not t.state.is_finished()]


class Window:
    """Which of many trials TPE is shown: those on the front, new ones, and a spread of others.

    It models a few of them as good (``search.sampling.samplers.MAX_GOOD_POINTS``), so that what
    is lost are further examples of bad ones; an ask over all of them would grow with their number.
    """

    def __init__(self) -> None:
        self.numbers: dict[int, None] = {}
        self._front = Front()

    def add(self, number: int, values: Sequence[float] | None) -> None:
        """Add a trial; ``values`` is None if it has none that count."""
        self.numbers[number] = None
        if values is not None:
            self._front.add(number, values)
        if len(self.numbers) > 2 * WINDOW:
            self._thin_out()

    def _thin_out(self) -> None:
        on_front = set(self._front.keys)
        good = [n for n in self.numbers if n in on_front][-WINDOW // 2 :]
        rest = [n for n in self.numbers if n not in on_front]
        kept = {*good, *thinned(rest, WINDOW - len(good))}
        self.numbers = {n: None for n in self.numbers if n in kept}
