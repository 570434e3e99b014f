"""What an accuracy is worth: of how many images, how sure, and against always saying one class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spaces.wording import one_line

Z_95 = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it."""


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was found in ``n`` independent cases.

    Wilson's score interval (1927): it stays within [0, 1], and at 5 of 5 it still says how few
    five are.
    """
    if n < 1:
        return 0.0, 1.0
    z2 = Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # It holds the share; rounding must not say otherwise.
    low = 0.0 if share <= 0 else max(0.0, min(share, centre - half))
    high = 1.0 if share >= 1 else min(1.0, max(share, centre + half))
    return low, high


def standard_error(accuracy: float, n: int) -> float:
    """Return the standard error of a share that was found in ``n`` independent cases.

    Of the binomial distribution, by Laplace's rule of succession: where none or all of few cases
    are right, the next one may still be otherwise.
    """
    if n < 1:
        return 1.0
    share = (accuracy * n + 1) / (n + 2)
    return math.sqrt(share * (1 - share) / n)


@dataclass(frozen=True)
class AccuracyContext:
    """What accuracies on a split have to be read against.

    Attributes:
        split: What the images are called: ``validation``, ``test``.
        n_images: How many there are.
        largest_class: The class that has most of them; empty if not known.
        largest_share: Its share, which is the accuracy of always saying it.
        nouns: What its samples are called.
    """

    split: str
    n_images: int
    largest_class: str = ""
    largest_share: float | None = None
    nouns: str = "images"

    @classmethod
    def of_counts(
        cls,
        split: str,
        class_names: Sequence[str],
        counts: Sequence[int] | None,
        n_images: int,
        nouns: str = "images",
    ) -> AccuracyContext:
        """Return the context of a split.

        Args:
            split: What its images are called.
            class_names: In the order of the labels.
            counts: Images of every class; empty or None where not known.
            n_images: Images in all.
            nouns: What they are called.
        """
        if not counts or sum(counts) < 1:
            return cls(split, n_images, nouns=nouns)
        largest = max(range(len(counts)), key=lambda label: counts[label])
        share = counts[largest] / sum(counts)
        return cls(split, sum(counts), class_names[largest], share, nouns)

    def interval(self, accuracy: float) -> tuple[float, float]:
        """Return the 95 % interval of an accuracy on these images."""
        return wilson_interval(accuracy, self.n_images)

    def line(self, accuracy: float) -> str:
        """Return one sentence for below a table."""
        low, high = (100 * bound for bound in self.interval(accuracy))
        digits = 0 if high - low >= 2 else 1
        text = (
            f"Accuracy: of {self.n_images:,} {self.split} {self.nouns}; {100 * accuracy:.1f} % "
            f"means {low:.{digits}f} to {high:.{digits}f} % (95 %)"
        )
        if self.largest_share is not None:
            name = one_line(self.largest_class)
            text += f"; always saying {name!r} gives {100 * self.largest_share:.1f} %"
            if accuracy <= self.largest_share:
                text += ", so this is no success"
        return f"{text}."
