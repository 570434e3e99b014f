"""Before the first trial: whether weights of a file fit the networks that are searched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

from spaces.config.trial import ParamValue
from spaces.data.dataset import Dataset
from spaces.errors import DataError, TrialFailedError
from spaces.space.compression import build_values, config_from_params
from spaces.space.search_space import SearchSpace
from spaces.space.training_parameters import start_parameters
from spaces.tasks.task import Task
from workers.messages.result import TaskInfo

N_TRIED = 24
"""Networks that are built to see whether any layer of one starts from the file."""


def starting_from(
    weights: str,
    info: TaskInfo,
    task: Task,
    dataset: Dataset,
    fix: Mapping[str, ParamValue] = MappingProxyType({}),
) -> TaskInfo:
    """Return what is known of a task whose trainings start from weights of a file.

    Args:
        weights: The file.
        info: What is known of the task.
        task: The task.
        dataset: Its data.
        fix: Parameters that are held at a value: other networks are not searched, and the
            weights need not fit them. Texts as the parameters hold them.

    Returns:
        The same with the file's SHA-256 among what is settled, with parameters of fine-tuning in
        its space, and with notes that say which layers start from the file.

    Raises:
        ConfigError: If a parameter cannot be held so.
        DataError: If the file cannot be read, or no layer of any network tried starts from it.
    """
    from workers.hypermodels.describe import build_model, load_hypermodel
    from workers.training.keras_compat import configure_tensorflow
    from workers.training.start_weights import describe_match, match, weighted_layers
    from workers.training.weight_files import read_weight_file

    file = read_weight_file(weights)
    configure_tensorflow(threads=1)
    hypermodel = load_hypermodel(task.model, dataset.input_shape, dataset.n_classes, dataset)
    settled = {**info.settled, "weights": file.sha256}
    space = SearchSpace((*info.space.parameters, *start_parameters()))
    searched = space.fixed(space.typed(fix))
    random = _AtRandom()
    said, n_fitting, n_built = [], 0, 0
    for number in range(N_TRIED):
        config = config_from_params(
            searched.suggest(random) if number else searched.defaults(),
            task=info.ref,
            data_fingerprint="",
            epochs=1,
            seed=0,
            settled=settled,
        )
        try:
            model, _ = build_model(hypermodel, build_values(config))
        except TrialFailedError:
            continue
        n_built += 1
        n_fitting += bool(match(weighted_layers(model), file))
        if number == 0:
            said.append(f"Weights: of the network by default, {describe_match(model, file)}")
    if not n_fitting:
        shapes = ", ".join(f"{one.name} {list(one.shapes[0])}" for one in file.layers[:3])
        raise DataError(
            f"{weights}: some layer must have the name (but for a number at its end) and the "
            f"shapes of one that is searched, but none of {n_built} networks of task {info.name} "
            f"has one like {shapes}, ... Name other weights, or search networks with such layers."
        )
    said.append(f"Weights: {n_fitting} of {n_built} networks that were tried have such layers.")
    return replace(
        info,
        space=space,
        settled=settled,
        weights_path=weights,
        notes=(*info.notes, *said),
        model_notes=(*info.model_notes, *said),
    )


class _AtRandom:
    """Values at random, always the same ones: what ``SearchSpace.suggest`` asks."""

    def __init__(self) -> None:
        self._random = Random(0)

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return an integer in ``[low, high]``."""
        return self._random.randrange(low, high + 1, step)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number in ``[low, high]``."""
        if step is not None:
            return low + step * self._random.randint(0, int((high - low) / step + 1e-9))
        if log:
            return math.exp(self._random.uniform(math.log(low), math.log(high)))
        return self._random.uniform(low, high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of ``choices``."""
        return self._random.choice(choices)
