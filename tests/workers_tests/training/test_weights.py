"""Weights on their way: what goes in comes out, and nothing else does."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spaces.errors import StorageError
from workers.training.weights import pack_weights, unpack_weights

arrays = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))


@given(st.lists(arrays, max_size=12))
def test_weights_arrive_as_they_left(weights: list[np.ndarray]) -> None:
    back = unpack_weights(pack_weights(weights))
    assert [w.dtype for w in back] == [w.dtype for w in weights]
    assert [w.shape for w in back] == [w.shape for w in weights]
    assert [w.tobytes() for w in back] == [w.tobytes() for w in weights]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip at all",
        pack_weights([np.ones(1000, np.float32)])[:-40],
        pickle.dumps([1, 2]),
    ],
)
def test_damaged_weights_are_refused(content: bytes) -> None:
    with pytest.raises(StorageError, match="Kept weights cannot be read"):
        unpack_weights(content)


def test_no_code_comes_out_of_a_file() -> None:
    content = pack_weights([np.array([print], dtype=object)])
    with pytest.raises(StorageError):
        unpack_weights(content)
