"""Quantization schemes that gave no model in most trainings of a study, and why.

One network that cannot be quantized in some way is no news; where it is all of them, a person
who looks at a front without ``int8`` has to be told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.storage import attributes
from spaces.wording import one_line
from workers.messages.fan_out import PASSED_OVER

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MAX_REASON = 160
"""Characters of a reason: what LiteRT says can be long."""

NOT_CONVERTED = "cannot be converted"
"""What the gate says of a network that has no file under the trial's scheme."""


@dataclass(frozen=True)
class SchemeFailure:
    """A scheme that failed in more than half of the trainings it was tried on.

    Attributes:
        scheme: Its name.
        n_failed: Trainings, or networks before training, without a model of it.
        n_tried: All that it was tried on.
        reason: The most frequent one, as it was last told.
    """

    scheme: str
    n_failed: int
    n_tried: int
    reason: str

    def __str__(self) -> str:
        of = f"{self.n_failed:,} of {self.n_tried:,}"
        which = "all" if self.n_failed == self.n_tried else "most"
        noun = "training" if self.n_tried == 1 else "trainings"
        which = "" if self.n_tried == 1 else f"{which}, "
        reason = self.reason.removeprefix(f"{self.scheme}: ")
        return f"{self.scheme} gave no model in {which}{of} {noun}: {reason}"


def scheme_failures(trials: Iterable[FrozenTrial]) -> tuple[SchemeFailure, ...]:
    """Return schemes that failed in more than half of the trainings they were tried on.

    Args:
        trials: Of one study, derived ones too.
    """
    tried: Counter[str] = Counter()
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for trial in trials:
        stored = trial.user_attrs
        own = stored.get(attributes.CONFIG, {}).get("quantization")
        if stored.get(attributes.OUTCOME) == "complete" and own is not None:
            tried[own] += 1
        if attributes.DERIVED_FROM in stored:
            continue  # What its training did not give, the trial itself tells.
        skipped: dict[str, str] = stored.get(attributes.SKIPPED, {})
        failed = {s: why for s, why in skipped.items() if not why.startswith(PASSED_OVER)}
        reason = str(stored.get(attributes.REASON, ""))
        if own is not None and reason.startswith(NOT_CONVERTED):
            failed.setdefault(own, reason)
        for scheme, why in failed.items():
            tried[scheme] += 1
            reasons[scheme].append(one_line(why))
    return tuple(
        SchemeFailure(scheme, len(whys), tried[scheme], most_frequent(whys))
        for scheme, whys in sorted(reasons.items())
        if 2 * len(whys) > tried[scheme]
    )


def why_no_model(trials: Iterable[FrozenTrial]) -> str:
    """Return the most frequent reason why trials failed; empty if none did."""
    reasons = []
    for trial in trials:
        stored = trial.user_attrs
        reason = one_line(stored.get(attributes.REASON, ""))
        failed = stored.get(attributes.OUTCOME) == "failed"
        if reason and (failed or reason.startswith(NOT_CONVERTED)):
            reasons.append(reason)
    return most_frequent(reasons) if reasons else ""


def most_frequent(reasons: list[str]) -> str:
    """Return the last of the most frequent reasons; two that differ in numbers are the same."""
    kinds = [re.sub(r"\d[\d.,]*", "0", reason) for reason in reasons]
    kind, _ = Counter(kinds).most_common(1)[0]
    reason = next(r for r, k in zip(reversed(reasons), reversed(kinds), strict=True) if k == kind)
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 3].rstrip() + "..."
