"""How the parameters of a trial become its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from search.storage import attributes
from spaces.config.trial import ParamValue, TrialConfig
from spaces.space.compression import config_from_params

THREADS = 1
"""TensorFlow threads of one worker. Two workers with one thread each train 1.4 times as much
as one worker with two."""


class TaskFacts(Protocol):
    """What of a task goes into every configuration; ``TaskInfo`` has it."""

    @property
    def ref(self) -> str: ...
    @property
    def data_fingerprint(self) -> str: ...
    @property
    def epochs(self) -> int: ...
    @property
    def settled(self) -> Mapping[str, ParamValue]: ...


@dataclass(frozen=True)
class ConfigMaker:
    """Turns a trial's parameters into its configuration.

    Attributes:
        task: The task, with the epochs of a trial.
        seed: Of the study, and so of every training.
    """

    task: TaskFacts
    seed: int

    def __call__(self, params: Mapping[str, ParamValue]) -> TrialConfig:
        """Return the configuration, which the study's settings complete."""
        return config_from_params(
            params,
            task=self.task.ref,
            data_fingerprint=self.task.data_fingerprint,
            epochs=self.task.epochs,
            qat_epochs=qat_epochs(self.task.epochs),
            seed=self.seed,
            threads=THREADS,
            settled=self.task.settled,
        )


def qat_epochs(epochs: int) -> int:
    """Return how long quantization-aware training is: a fifth of the training before it."""
    return max(1, round(epochs / 5))


def make_config_of(stored: Mapping[str, Any]) -> ConfigMaker:
    """Return what makes the configurations of a study, by what is stored with it.

    Args:
        stored: User attributes of a study.
    """
    task = stored[attributes.TASK]
    facts = StoredFacts(
        ref=task["ref"],
        data_fingerprint=stored[attributes.DATA_FINGERPRINT],
        epochs=task["epochs"],
        settled=dict(task.get("settled", {})),
    )
    return ConfigMaker(facts, int(stored.get(attributes.SEED, 0)))


@dataclass(frozen=True)
class StoredFacts:
    """What a study stores of its task."""

    ref: str
    data_fingerprint: str
    epochs: int
    settled: Mapping[str, ParamValue]
