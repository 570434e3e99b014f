"""Train one exported configuration from another seed, and measure what is deployed of it.

Runs in a process of its own, set up like a worker.
"""

from __future__ import annotations

from typing import Any

from spaces.config.trial import TrialConfig
from spaces.data.request import Progress
from spaces.errors import ConversionError, TrialFailedError
from workers.deploy.full_training import FullTraining, bench_of
from workers.messages.hits import packed_hits


def finalist_job(
    progress: Progress,
    export: dict[str, Any],
    cache_dir: str,
    seed: int,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Train and measure; JSON in and out (see ``workers.processes.child_process``).

    Args:
        progress: Called after every epoch.
        export: What ``search export`` writes, checked already.
        cache_dir: Where decoded images are kept.
        seed: Of the training, instead of its own.
        options: Fields of :class:`~workers.deploy.retrain.FullTraining`.

    Returns:
        ``seed`` and, as the study keeps them, ``val_accuracy``, ``accuracy``, ``size_bytes``,
        ``latency_ms`` and ``hits``; or the ``reason`` why there is no model.

    Raises:
        DataError: If the data is not what the trial was trained on.
    """
    from workers.training.keras_compat import configure_tensorflow

    asked = FullTraining(**options)
    config = TrialConfig.from_dict(export["config"])
    configure_tensorflow(threads=config.threads)
    bench = bench_of(progress, export, config, cache_dir, asked)
    if asked.epochs is not None:
        config = config.with_epochs(asked.epochs)
    try:
        found = bench.measured(config.with_seed(seed), "training")
    except (TrialFailedError, ConversionError) as error:
        return {"seed": seed, "reason": str(error)}
    return {"seed": seed, **found, "hits": packed_hits(found["hits"])}
