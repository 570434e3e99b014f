"""What is recorded: data sets cut to a few thousand images, and networks that train in seconds.

A recorded training is one that a search could have asked for: the networks, recipes, pruning and
schemes of a built-in task, of family ``cnn``, with the numbers of filters cut so that a training
with all its schemes takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spaces.config.trial import ParamValue
from spaces.data.dataset import Dataset, Split
from spaces.space.search_space import SearchSpace


@dataclass(frozen=True)
class RecordedTask:
    """One data set and what is trained on it.

    Attributes:
        name: Of its files in ``benchmarks/data``.
        task: Built-in task whose networks and recipes are searched.
        what: The data, in words.
        needs_data: Whether it has to be named with ``--data``.
        n_train: Images trained on.
        n_val: Images that the objectives are measured on.
        n_test: Images that only the tables see.
        epochs: Of a whole training.
        highest: Highest values of numbers, where the task's own are higher.
        choices: Values of choices, where the task has more.
    """

    name: str
    task: str
    what: str
    needs_data: bool
    n_train: int
    n_val: int
    n_test: int
    epochs: int
    highest: Mapping[str, int]
    choices: Mapping[str, tuple[ParamValue, ...]]

    def cut_space(self, space: SearchSpace) -> SearchSpace:
        """Return the part of the task's space that is recorded."""
        parameters = []
        for parameter in space.parameters:
            if parameter.name in self.highest:
                high = self.highest[parameter.name]
                assert isinstance(parameter.default, int)
                parameter = replace(parameter, high=high, default=min(parameter.default, high))
            if parameter.name in self.choices:
                kept = self.choices[parameter.name]
                default = parameter.default if parameter.default in kept else kept[0]
                parameter = replace(parameter, choices=kept, default=default)
            parameters.append(parameter)
        return SearchSpace(tuple(parameters))

    def cut_data(self, dataset: Dataset) -> Dataset:
        """Return the first images of every split."""
        return replace(
            dataset,
            train=_first(dataset.train, self.n_train),
            val=_first(dataset.val, self.n_val),
            test=_first(dataset.test, self.n_test),
        )


def _first(split: Split, n: int) -> Split:
    return Split(split.images[:n], split.labels[:n])


TASKS = {
    task.name: task
    for task in (
        RecordedTask(
            name="mnist",
            task="mnist",
            what="MNIST",
            needs_data=True,
            n_train=1_500,
            n_val=1_000,
            n_test=2_000,
            epochs=5,
            highest={"filters_1": 16, "filters_2": 32, "filters_3": 48, "filters_4": 64},
            choices={},
        ),
        RecordedTask(
            name="cifar10",
            task="cifar100",
            what="CIFAR-10, with the networks of task cifar100",
            needs_data=True,
            n_train=5_000,
            n_val=1_000,
            n_test=2_000,
            epochs=8,
            highest={"filters_1": 24, "filters_2": 48, "filters_3": 64, "filters_4": 64},
            choices={"augmentation": ("flip+shift", "none")},
        ),
        RecordedTask(
            name="fruit",
            task="fruit",
            what="generated fruit",
            needs_data=False,
            n_train=1_000,
            n_val=600,
            n_test=1_000,
            epochs=5,
            highest={"filters_1": 16, "filters_2": 32, "filters_3": 48, "filters_4": 64},
            choices={"input_pooling": (2, 4)},
        ),
    )
}
