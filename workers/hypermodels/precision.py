"""Models of mixed precision become models of float32, with the same layers and weights.

Mixed precision saves time on hardware that we do not train on; pruning, quantization and the
converter know float32 weights only. A policy may be set for all by a module when it is imported,
within ``build(hp)``, or for a layer of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spaces.errors import TaskError

FLOAT32 = "float32"


@contextmanager
def built_in_float32(found: list[str]) -> Iterator[None]:
    """Have layers made in float32 within the block, whatever the global policy says.

    Args:
        found: Takes the name of a global policy that says something else.
    """
    import tf_keras

    mixed = tf_keras.mixed_precision
    before = mixed.global_policy()
    mixed.set_global_policy(FLOAT32)
    try:
        yield
        found += [p.name for p in (before, mixed.global_policy()) if p.name != FLOAT32]
    finally:
        mixed.set_global_policy(before)


def to_float32(model: Any) -> tuple[str, ...]:
    """Have all layers of a model compute in float32; return the policies that they had.

    Raises:
        TaskError: If a layer's weights are of another type.
    """
    import tf_keras

    found: dict[str, None] = {}
    for layer in model._flatten_layers(include_self=False, recursive=True):
        policy = getattr(layer, "dtype_policy", None)
        name = str(getattr(policy, "name", FLOAT32))
        numbers = ("float16", "bfloat16", "float64")
        if any(each in name for each in numbers) and layer.weights:
            types = {str(weight.dtype.name) for weight in layer.weights} & set(numbers)
            if types:
                raise TaskError(
                    f"Layers must have weights of float32, but layer {layer.name!r} has "
                    f"{', '.join(sorted(types))}. Take dtype={name!r} out of it."
                )
        if name.startswith("mixed_"):
            layer._set_dtype_policy(tf_keras.mixed_precision.Policy(FLOAT32))
            found[name] = None
    return tuple(found)


def precision_notes(policies: list[str]) -> tuple[str, ...]:
    """Return what a person should know, one line."""
    if not policies:
        return ()
    names = ", ".join(dict.fromkeys(policies))
    return (f"Training is in float32, not in {names}: so are pruning and conversion.",)
