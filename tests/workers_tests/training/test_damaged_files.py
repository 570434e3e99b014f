"""Kept weights and checkpoints with flipped bytes: none escapes, none counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import StorageError
from workers.training.checkpoint import TrainingState
from workers.training.weights import pack_weights, unpack_weights

ARRAYS = (np.arange(40, dtype=np.float32).reshape(5, 8), np.zeros(7, np.float16), np.array(3))
ROWS = ((0.5, 0.25), (0.75, 0.125))


def flips(sound: bytes) -> Iterator[bytes]:
    """Return the content with each of its bytes broken in turn, and cut at some places."""
    for place in range(len(sound)):
        broken = bytearray(sound)
        broken[place] ^= 1 << place % 8
        yield bytes(broken)
    for length in range(0, len(sound), 37):
        yield sound[:length]


def test_no_flipped_byte_of_kept_weights_escapes_or_counts() -> None:
    refused = 0
    for broken in flips(pack_weights(ARRAYS)):
        try:
            found = unpack_weights(broken)
        except StorageError as error:
            assert str(error).isprintable()
            refused += 1
            continue
        assert len(found) == len(ARRAYS)
        for array, expected in zip(found, ARRAYS, strict=True):
            np.testing.assert_array_equal(array, expected)
    assert refused > 200


@pytest.mark.parametrize("kind", ["json", "npz"])
def test_no_flipped_byte_of_a_checkpoint_escapes_or_counts(tmp_path: Path, kind: str) -> None:
    state = TrainingState("a" * 16, ROWS, ARRAYS)
    state.save(tmp_path)
    (path,) = tmp_path.glob(f"*.{kind}")
    refused = 0
    for broken in flips(path.read_bytes()):
        path.write_bytes(broken)
        try:
            found = TrainingState.load(tmp_path)
        except StorageError as error:
            assert str(error).isprintable()
            refused += 1
            continue
        assert (found.config_hash, found.rows) == (state.config_hash, ROWS)
        for array, expected in zip(found.variables, ARRAYS, strict=True):
            np.testing.assert_array_equal(array, expected)
    assert refused > 50
