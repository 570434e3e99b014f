"""Parameters of training: the part of the joint space that decides how weights are learned.

A study can afford some hundred trials, so only what a task declares is searched: a recipe's
field with its usual value alone is no parameter at all, and how strong an augmentation is, is
asked for only where there is one.
"""

from __future__ import annotations

from spaces.config.training import RECIPE_DEFAULTS, augmentation_parts
from spaces.space.search_space import Condition, Parameter
from spaces.tasks.task import RECIPE_FIELDS, Task

RECIPE_NAMES = tuple(RECIPE_DEFAULTS)

TRAINING_NAMES = ("learning_rate", "batch_size", "optimizer", "weight_decay", *RECIPE_NAMES)
"""Parameters of training. A model that declares one of them decides its range."""

START_NAMES = ("frozen_share", "fine_tuning_factor")
"""Parameters of trainings that start from weights of a file; others have none of these names."""

MIN_WEIGHT_DECAY = 1e-6

MIN_STRENGTH = 0.1

USUAL_LEARNING_RATE = 3e-3
"""Where a search starts. Training lowers its rate along a cosine to zero, so that the highest
one may be a few times what a constant rate would be."""


def training_parameters(task: Task) -> tuple[Parameter, ...]:
    """Return how the weights are trained, as far as it is searched."""
    low, high = task.learning_rate
    parameters = [
        Parameter(
            "learning_rate",
            "float",
            low,
            high,
            log=True,
            default=min(max(USUAL_LEARNING_RATE, low), high),
        ),
        Parameter(
            "batch_size",
            "categorical",
            choices=task.batch_sizes,
            default=32 if 32 in task.batch_sizes else None,
        ),
        Parameter("optimizer", "categorical", choices=task.optimizers),
    ]
    if task.max_weight_decay > 0:
        parameters.append(
            Parameter(
                "weight_decay",
                "float",
                min(MIN_WEIGHT_DECAY, task.max_weight_decay),
                task.max_weight_decay,
                log=True,
            )
        )
    return (*parameters, *recipe_parameters(task))


def recipe_parameters(task: Task) -> tuple[Parameter, ...]:
    """Return what of the recipe a task declares beyond the usual."""
    parameters = []
    for name, field_name in RECIPE_FIELDS.items():
        usual = RECIPE_DEFAULTS[name]
        # 0 and 0.0 are equal, but not to Optuna.
        choices = tuple(type(usual)(value) for value in getattr(task, field_name))
        if choices == (usual,):
            continue
        parameters.append(Parameter(name, "categorical", choices=choices))
        graded = tuple(c for c in choices if name == "augmentation" and _is_graded(c))
        if graded:
            parameters.append(
                Parameter(
                    "augmentation_strength",
                    "float",
                    MIN_STRENGTH,
                    1.0,
                    default=RECIPE_DEFAULTS["augmentation_strength"],
                    conditions=(Condition("augmentation", graded),),
                )
            )
    return tuple(parameters)


def _is_graded(policy: str) -> bool:
    """Whether a policy can be stronger or weaker: a picture is mirrored or it is not."""
    return bool(set(augmentation_parts(policy)) - {"flip"})


def start_parameters() -> tuple[Parameter, ...]:
    """Return how layers that start from weights of a file are trained.

    A person would freeze them for the first third, and train them on at a third of the rate.
    """
    return (
        Parameter("frozen_share", "float", 0.0, 0.7, default=0.3),
        Parameter("fine_tuning_factor", "float", 0.03, 1.0, log=True, default=0.3),
    )
