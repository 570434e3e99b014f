"""How long a run waits for a trial: what hangs ends some day, and what is large is left alone."""

from __future__ import annotations

FIRST_TRIAL_TIMEOUT_S = 6 * 3600.0
"""How long a trial may take as long as none was trained to its end in this run, in seconds."""

TRIAL_TIMEOUT_FACTOR = 20.0
"""How many times the longest trial so far one may take: networks differ that much."""

MIN_TRIAL_TIMEOUT_S = 1200.0
"""What any trial may take, in seconds, unless ``--trial-timeout`` says less."""

MIN_PATIENCE_S = 300.0
"""Seconds that trials under way get after ``--timeout``, or as long as it was, if that is less."""


def trial_timeout_s(given_s: float | None, longest_s: float | None) -> float:
    """Return how long a trial may take that starts now.

    Args:
        given_s: What was asked for; None for what follows from other trials.
        longest_s: What the longest of those that were trained to their end took; None for none.
    """
    if given_s is not None:
        return given_s
    if longest_s is None:
        return FIRST_TRIAL_TIMEOUT_S
    return max(MIN_TRIAL_TIMEOUT_S, TRIAL_TIMEOUT_FACTOR * longest_s)


def patience_s(timeout_s: float, longest_s: float | None) -> float:
    """Return how long trials may go on that are under way when time is up.

    Args:
        timeout_s: After which time was up.
        longest_s: See :func:`trial_timeout_s`.
    """
    if longest_s is None:
        return timeout_s
    return min(timeout_s, max(MIN_PATIENCE_S, 2 * longest_s))
