"""What of the data a class is made with."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.tasks.constructor_arguments import accepted, of_data


class Base:
    def __init__(self, name: str = "", tunable: bool = True) -> None:
        pass


class Named(Base):
    def __init__(self, input_shape: Any, classes: int, units: int = 3) -> None:
        super().__init__()


class HandsOn(Base):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class HandsOnNamed(Named):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class Reads(Base):
    def __init__(self, **kwargs: Any) -> None:
        self.shape = kwargs["input_shape"]
        self.n = kwargs.get("num_classes", 2)


class Nothing:
    pass


def factory(n_classes: int) -> None:
    pass


@pytest.mark.parametrize(
    ("maker", "names"),
    [
        (Named, {"input_shape", "classes"}),
        (HandsOn, set()),
        (HandsOnNamed, {"input_shape", "classes"}),
        (Reads, {"input_shape", "num_classes"}),
        (Base, set()),
        (Nothing, set()),
        (factory, {"n_classes"}),
        (dict, set()),
    ],
)
def test_only_what_somebody_takes(maker: Any, names: set[str]) -> None:
    found = accepted(maker, of_data((8, 8, 3), 5))
    assert set(found) == names
    assert all(
        value == ((8, 8, 3) if name == "input_shape" else 5) for name, value in found.items()
    )
