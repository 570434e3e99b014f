"""Every size of a converted model, and the arithmetic of one inference."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np

from workers.conversion.flatbuffer import count_macs
from workers.messages.result import Ledger

GZIP_LEVEL = 6
"""zlib's default, which TFMOT's guides use by way of ``zipfile``. Level 9 makes files with many
zeros 2 to 3 % smaller and takes ten times as long."""


def gzip_size(tflite: bytes) -> int:
    """Return the size of a file compressed with gzip, level 6, without name and time.

    Raw bytes cannot see unstructured pruning: a zero weight takes as much room as any other.
    Compressed bytes can, which is how the guides of TFMOT measure it.
    """
    return len(gzip.compress(tflite, compresslevel=GZIP_LEVEL, mtime=0))


def ledger(tflite: bytes, model: Any, sparse: bytes | None) -> Ledger:
    """Return every size of one converted model.

    Args:
        tflite: The file as converted, not sparsity-encoded.
        model: The trained Keras model; its parameters are counted before batch normalization
            is folded into convolutions, as ``model.summary()`` counts them.
        sparse: The sparsity-encoded file, where there is one that runs.
    """
    weights = model.get_weights()
    return Ledger(
        tflite_bytes=len(tflite),
        gzip_bytes=gzip_size(tflite),
        sparse_bytes=None if sparse is None else len(sparse),
        n_params=int(sum(weight.size for weight in weights)),
        n_nonzero=int(sum(np.count_nonzero(weight) for weight in weights)),
        macs=count_macs(tflite),
    )
