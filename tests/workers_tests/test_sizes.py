"""Sizes of converted models."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from tests.workers_tests import corners
from workers.convert import float_tflite
from workers.flatbuffer import count_macs
from workers.prune import mask_smallest
from workers.result import Ledger
from workers.sizes import gzip_size, ledger


def test_gzip_is_deterministic_and_real(monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(0).integers(0, 20, 10_000).astype(np.uint8).tobytes()
    size = gzip_size(content)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert gzip_size(content) == size
    assert size == len(gzip.compress(content, 9, mtime=0))
    assert 0 < size < len(content)
    assert gzip_size(bytes(10_000)) < 100


@pytest.mark.slow
def test_the_ledger_counts_parameters_and_those_that_are_left(hypermodel: Any) -> None:
    from workers.evaluate import build

    model, _ = build(hypermodel, corners.make_config())
    # Convolutions without bias, normalizations of 4 values a filter, two dense layers.
    kernels = 9 * 8, 9 * 8 * 16, 256 * 16, 16 * 4
    n_params = sum(kernels) + 4 * 8 + 4 * 16 + 16 + 4
    assert model.count_params() == n_params
    model.set_weights(
        [np.full(w.shape, 0.5) + np.arange(w.size).reshape(w.shape) for w in model.get_weights()]
    )
    dense = float_tflite(model)
    full = ledger(dense, model, None)
    assert (full.n_params, full.n_nonzero) == (n_params, n_params)
    mask_smallest(model, 0.75)
    masked = float_tflite(model)
    sizes = ledger(masked, model, b"x" * 77)
    assert sizes.n_params == n_params
    assert sizes.n_nonzero == n_params - sum(kernels) * 3 // 4
    assert sizes.tflite_bytes == len(masked) == len(dense)
    assert sizes.gzip_bytes == gzip_size(masked) < full.gzip_bytes
    assert sizes.sparse_bytes == 77
    assert sizes.macs == full.macs == count_macs(dense)


@pytest.mark.parametrize(("sparse_bytes", "expected"), [(None, 1000), (400, 400), (1200, 1000)])
def test_the_metric_picks_the_size(sparse_bytes: int | None, expected: int) -> None:
    sizes = Ledger(1000, 600, sparse_bytes, 10, 5, 100)
    assert sizes.size_bytes("gzip") == 600
    assert sizes.size_bytes("tflite") == expected
