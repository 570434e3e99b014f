"""The one place that sets TensorFlow up, and chooses Keras 2 for it.

TFMOT prunes and quantizes models of Keras 2 (``tf_keras``) only. Whoever needs TensorFlow calls
:func:`configure_tensorflow` first; after that ``import tensorflow`` and ``import tf_keras`` are
quiet, deterministic and use the threads that were asked for. Importing this module imports
neither of them.
"""

from __future__ import annotations

import functools
import gc
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spaces.errors import ConfigError
from workers.processes.captured import captured
from workers.training.lean_imports import give_pandas_back, lean_imports

DISTRIBUTIONS = (
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "litert-quantizer",
    "ai-edge-litert",
    "numpy",
)
"""Libraries that decide which bytes come out of a configuration."""

_configured_threads: int | None = None


def configure_tensorflow(threads: int = 1) -> None:
    """Import TensorFlow with Keras 2, quiet, deterministic and with a fixed number of threads.

    To be called before the process runs its first TensorFlow operation. Calling it again with
    the same number does nothing.

    Args:
        threads: Threads of one operation, and operations side by side; at least 1. Another
            number gives other weights, because sums are split otherwise.

    Raises:
        ConfigError: If the process runs TensorFlow with other threads already.
    """
    global _configured_threads
    if threads < 1:
        raise ConfigError(f"`1 <= threads` must hold, but got (threads={threads}).")
    if threads == _configured_threads:
        return
    if _configured_threads is not None:
        raise ConfigError(
            f"A process has one number of TensorFlow threads, but this one has "
            f"{_configured_threads} and was asked for {threads}. Use another process."
        )
    # TFMOT and tf.keras read it when they are imported.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _stderr_kept_back():
        with lean_imports():
            import keras_tuner  # noqa: F401 - Every model is built with it, and it imports Keras 3.
            import tensorflow as tf
            import tf_keras  # noqa: F401
        give_pandas_back()
        tf.config.list_physical_devices()  # Says here that there is no GPU, and not later.
    for name in ("tensorflow", "tf_keras", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise ConfigError(
            f"TensorFlow's threads must be set before its first operation, but this process "
            f"has run some already and was asked for {threads} threads. Call "
            f"configure_tensorflow first."
        ) from None
    tf.config.experimental.enable_op_determinism()
    keep_for_good()
    _configured_threads = threads


def keep_for_good() -> None:
    """Tell garbage collection that what is there now stays; to be called after large imports.

    It need not look at half a million objects between two models then, which would take longer
    than to build the next one.
    """
    gc.collect()
    gc.freeze()


def seed_everything(seed: int) -> None:
    """Forget all models built before, and seed initial weights, dropout and shuffling.

    What is built and trained next is the same in every process, whatever ran before it. Models
    built before go on working.
    """
    import tf_keras

    # Layer names count up otherwise, and graphs of earlier models stay in memory.
    tf_keras.backend.clear_session()
    gc.collect()  # Models are full of reference cycles; waiting for them costs more memory.
    tf_keras.utils.set_random_seed(seed)


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of :data:`DISTRIBUTIONS`, without importing them."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@contextmanager
def _stderr_kept_back() -> Iterator[None]:
    """Keep what C++ writes to stderr, and show it only if the block fails.

    TensorFlow writes some lines before it reads any log level, so only the file descriptor
    can silence them.
    """
    sys.stderr.flush()
    try:
        with captured(2) as said:
            try:
                yield
            finally:
                sys.stderr.flush()
    except BaseException:
        if said.text:
            os.write(2, said.text.encode(errors="replace"))
        raise
