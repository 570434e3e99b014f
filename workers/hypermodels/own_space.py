"""What a model's own training leaves to be searched, read from the builds of its variants."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from spaces.config.trial import ParamValue
from spaces.space.search_space import Parameter

if TYPE_CHECKING:
    from workers.hypermodels.conditions import BranchExplorer


def own_space(
    hypermodel: Any, explorer: BranchExplorer
) -> tuple[tuple[Parameter, ...], dict[str, ParamValue], tuple[str, ...]]:
    """Return what is searched, which training settings are settled, and notes.

    What only ``fit`` asks for, and changes nothing that our training takes from it (its number of
    epochs, a callback's patience), is not searched.

    Args:
        hypermodel: What was explored.
        explorer: When it has explored.
    """
    parameters = explorer.parameters()
    default = explorer.variants[0][2]
    settled = default.settled
    if any(own.before is not None for _, _, own in explorer.variants):
        settled["as_written"] = True
    notes = [note for _, _, own in explorer.variants for note in own.notes]
    if not settled:
        return parameters, settled, tuple(dict.fromkeys(notes))
    # One of the name that means it here serves as it is.
    if any(parameter.name == "batch_size" for parameter in parameters):
        settled.pop("batch_size", None)
    elif len({own.batch_size for _, _, own in explorer.variants}) > 1:
        followed = [
            parameter.name
            for parameter in parameters
            if not parameter.conditions
            and all(
                active.get(parameter.name) == o.batch_size for active, _, o in explorer.variants
            )
        ]
        if followed:
            settled["batch_size"] = followed[0]
        else:
            notes.append(
                "The batch size follows from several parameters of fit(hp, model, ...); the "
                "configuration of a trial has the one of the defaults beside them."
            )
    fit_names = frozenset[str]().union(*(own.fit_names for _, _, own in explorer.variants))
    if default.loop is not None or not fit_names:
        return parameters, settled, tuple(dict.fromkeys(notes))
    useless = [p.name for p in parameters if p.name in fit_names and not _matters(hypermodel, p)]
    if useless:
        notes.append(f"Not searched, as nothing comes of it here: {', '.join(useless)}.")
    kept = tuple(p for p in parameters if p.name not in useless)
    return kept, settled, tuple(dict.fromkeys(notes))


def _matters(hypermodel: Any, parameter: Parameter) -> bool:
    """Whether some other value of a parameter gives another training."""
    from workers.hypermodels.hyperparameters import active_values, build_fresh, new_hyperparameters
    from workers.training.compiled import own_training

    found: Counter[str] = Counter()
    values = parameter.choices or (parameter.low, parameter.high)
    for value in values:
        if value is None:
            continue
        hp = new_hyperparameters({parameter.name: value})
        settings = own_training(build_fresh(hypermodel, hp)).settings
        if parameter.name not in active_values(hp):
            return True  # Which branch it belongs to is not worth finding out.
        found[settings] += 1
    return len(found) > 1
