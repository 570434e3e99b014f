"""Draw the Pareto front of a study: the picture in README.

search front fruit --json | python scripts/plot_front.py -o docs/front.png
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import matplotlib
from matplotlib.collections import PathCollection

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  After the choice of a backend without a screen.

MARKERS = {
    "float32": "o",
    "float16": "s",
    "dynamic_range": "^",
    "dynamic_int4": "v",
    "int8": "D",
    "int16x8": "P",
    "qat_int8": "*",
}


def draw(front: dict[str, Any], path: str, commit: str = "") -> None:
    """Draw accuracy against size; colour is latency, the shape of a mark its scheme.

    Args:
        front: What ``search front STUDY --json`` prints.
        path: Picture to write.
        commit: Commit whose code searched; it stands in the picture's metadata.
    """
    points = front["front"]
    figure, axes = plt.subplots(figsize=(7.2, 4.2), dpi=110)
    latencies = [point["latency_ms"] for point in points]
    norm = matplotlib.colors.LogNorm(min(latencies), max(latencies))
    mark = None
    for scheme, marker in MARKERS.items():
        chosen = [point for point in points if point["quantization"] == scheme]
        if not chosen:
            continue
        mark = axes.scatter(
            [point["size_bytes"] / 1000 for point in chosen],
            [100 * point["accuracy"] for point in chosen],
            c=[point["latency_ms"] for point in chosen],
            norm=norm,
            cmap="viridis",
            marker=marker,
            s=90 if marker == "*" else 42,
            edgecolors="black",
            linewidths=0.5,
            label=scheme,
        )
    axes.set_xscale("log")
    axes.set_xlabel("size of the gzip-compressed .tflite (kB)")
    axes.set_ylabel("validation accuracy (%)")
    axes.grid(True, which="both", alpha=0.25)
    plain_numbers(axes.xaxis)
    legend = axes.legend(loc="lower right", fontsize=8)
    for handle in legend.legend_handles:
        assert isinstance(handle, PathCollection)
        handle.set_array(None)
        handle.set_facecolor("white")
    if mark is not None:
        bar = figure.colorbar(mark, label=f"latency, {front['device']} (ms)")
        plain_numbers(bar.ax.yaxis)
    generated = " (generated pictures)" if front["generated_pictures"] else ""
    axes.set_title(f"Pareto front of {front['study']}{generated}", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, metadata={"Source": commit} if commit else None)


def plain_numbers(axis: Any) -> None:
    """Label a logarithmic axis with 1, 2, 5, 10, ... as people read them."""
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def main() -> None:
    """Read a front from stdin and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", required=True, help="picture to write")
    parser.add_argument("--commit", default="", help="whose code searched; kept in the picture")
    arguments = parser.parse_args()
    draw(json.load(sys.stdin), arguments.output, arguments.commit)


if __name__ == "__main__":
    main()
