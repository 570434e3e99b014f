"""Recorded trainings as they are read again.

``benchmarks/replay/record.py`` writes them.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from spaces.config.trial import ParamValue
from spaces.space.search_space import SearchSpace

DATA = Path(__file__).parents[1] / "data"

Row: TypeAlias = Mapping[str, Any]
"""One training: what was asked for, and what came of it."""


@dataclass(frozen=True)
class Recording:
    """Recorded trainings of one data set.

    Attributes:
        name: Of the data set.
        about: How they were recorded.
        space: What was searched.
        rows: Trainings that have models, each with another configuration.
    """

    name: str
    about: Mapping[str, Any]
    space: SearchSpace
    rows: Sequence[Row]

    @classmethod
    def load(cls, name: str, folder: Path = DATA, n_rows: int | None = None) -> Recording:
        """Read a recording, or its first rows."""
        about = json.loads((folder / f"{name}.json").read_text())
        rows = [
            row
            for row in read_rows(folder / f"{name}.jsonl")
            if "float32" in row.get("points", {})
        ]
        return cls(
            name,
            about,
            SearchSpace.from_list(about["space"]),
            rows,
        )

    def only(self, rows: Sequence[Row]) -> Recording:
        """Return it with some of its rows."""
        return replace(self, rows=rows)

    @property
    def branches(self) -> list[tuple[Row, Row]]:
        """Recorded branches that prune, each with the training whose weights it started from."""
        found = []
        for row in self.rows:
            branches = row.get("branches", [row["branch"]] if "branch" in row else [])
            found += [(row, one) for one in branches if "float32" in one["points"]]
        return found

    @property
    def trained_on(self) -> list[tuple[Row, Row]]:
        """Recorded trainings that were trained on, each with what came of that."""
        found = [(row, row["trained_on"]) for row in self.rows if "trained_on" in row]
        return [(row, one) for row, one in found if "float32" in one["points"]]

    @property
    def trained_space(self) -> SearchSpace:
        """The space without the scheme, which one training has all of."""
        return SearchSpace(tuple(p for p in self.space.parameters if p.name != "quantization"))

    def nearest(self, params: Mapping[str, ParamValue], used: set[int]) -> int:
        """Return which recorded training is nearest to a configuration, of those not used."""
        return min(
            (index for index in range(len(self.rows)) if index not in used),
            key=lambda index: self.distance(self.rows[index]["params"], params),
        )

    def distance(self, a: Mapping[str, ParamValue], b: Mapping[str, ParamValue]) -> float:
        """Return how far two configurations are apart; the scheme does not count."""
        total = 0.0
        for parameter in self.trained_space.parameters:
            name = parameter.name
            if (name in a) != (name in b):
                total += 1.0
            elif name in a:
                total += _difference(parameter, a[name], b[name]) ** 2
        return total


def _difference(parameter: Any, a: ParamValue, b: ParamValue) -> float:
    if parameter.kind == "categorical":
        if all(isinstance(choice, int) for choice in parameter.choices):
            ordered = sorted(parameter.choices)
            return abs(ordered.index(a) - ordered.index(b)) / max(1, len(ordered) - 1)
        return float(a != b)
    low, high = float(parameter.low), float(parameter.high)
    if low == high:
        return 0.0
    if parameter.log:
        return abs(math.log(float(a) / float(b))) / math.log(high / low)
    return abs(float(a) - float(b)) / (high - low)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read recorded rows, of a file that is packed or is not yet; each knows its index."""
    if path.exists():
        text = path.read_text()
    elif packed(path).exists():
        text = gzip.decompress(packed(path).read_bytes()).decode()
    else:
        return []
    return [{"index": index, **json.loads(line)} for index, line in enumerate(text.splitlines())]


def packed(path: Path) -> Path:
    """Return where the compressed rows of a file are."""
    return path.with_name(path.name + ".gz")
