"""Pictures of fruit that the program draws itself, for when there are no photos at hand.

``search run fruit`` without ``--data`` trains on these. They are generated, and whoever shows
a figure measured on them says so. A picture depends on the seed, its split and its number in
the split, and on nothing else: neither the number of processes nor the length of the split.

``python -m spaces.drawn_fruit.pictures -o sheet.png`` draws a sheet of them to look at.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from spaces.drawn_fruit.noise import Array
from spaces.drawn_fruit.scene import draw_scene
from spaces.errors import ConfigError

DRAWING_VERSION = 3
"""Goes up whenever the same seed draws other pictures; belongs into the keys of caches."""

FRUIT_LABELS: tuple[str, ...] = ("apple", "orange", "mandarin", "banana")
"""Names of the classes; the place of a name is its label."""

_CHUNK = 16
"""Pictures a process draws at a time: about a fifth of a second's work."""

_Piece = tuple[str, int, int]
"""A split, the first picture to draw and the one after the last."""


def draw_fruit_picture(label: int, rng: np.random.Generator, size: int = 96) -> Array:
    """Draw one picture that shows fruit of one class, one or several.

    Args:
        label: 0 apple, 1 orange, 2 mandarin, 3 banana.
        rng: Source of all randomness: the same state draws the same picture.
        size: Side in pixels, at least 16.

    Returns:
        ``[size, size, 3]`` uint8.

    Raises:
        ConfigError: If there is no such class or the picture would be too small.
    """
    if not 0 <= label < len(FRUIT_LABELS):
        raise ConfigError(
            f"`label` must be 0 to {len(FRUIT_LABELS) - 1} ({', '.join(FRUIT_LABELS)}), "
            f"but got {label}."
        )
    _check_size(size)
    return draw_scene(label, rng, size)


def draw_fruit_pictures(
    counts: Mapping[str, int],
    size: int = 96,
    seed: int = 0,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, tuple[Array, Array]]:
    """Draw whole splits of pictures.

    Every four pictures that follow each other from a multiple of four hold each class once,
    in random order, so classes are balanced to within one however long a split is, and a
    longer split begins with the pictures of a shorter one.

    With several processes, a script that calls this should guard its entry point with
    ``if __name__ == "__main__":``, as with all that starts processes afresh; without it, the
    other processes fail noisily and this one draws all pictures alone.

    Args:
        counts: Number of pictures by split, such as ``{"train": 3000, "val": 600}``.
        size: Side of the pictures in pixels, at least 16.
        seed: Other seeds draw other pictures. 0 or more.
        processes: Processes to draw with; by default one for each core this process may use.
        progress: Called in this process with the pictures drawn so far and their total.

    Returns:
        For each split its images, ``[n, size, size, 3]`` uint8, and labels, ``[n]`` int64.

    Raises:
        ConfigError: If a count, the size, the seed or the number of processes is out of range.
    """
    _check_size(size)
    for split, count in counts.items():
        if count < 0:
            raise ConfigError(f"A split must have 0 or more pictures, but {split!r} got {count}.")
    if seed < 0:
        raise ConfigError(f"`seed` must be 0 or more, but got {seed}.")
    if processes is not None and processes < 1:
        raise ConfigError(f"`processes` must be 1 or more, but got {processes}.")

    drawn = {
        split: (
            np.empty((count, size, size, 3), dtype=np.uint8),
            np.array([_label(seed, split, number) for number in range(count)], dtype=np.int64),
        )
        for split, count in counts.items()
    }
    pieces = [
        (split, first, min(first + _CHUNK, count))
        for split, count in counts.items()
        for first in range(0, count, _CHUNK)
    ]
    total, done = sum(counts.values()), 0
    for (split, first, end), images in _draw_pieces(pieces, size, seed, _workers(processes)):
        drawn[split][0][first:end] = images
        done += end - first
        if progress is not None:
            progress(done, total)
    return drawn


def _check_size(size: int) -> None:
    if size < 16:
        raise ConfigError(f"`size` must be 16 pixels or more, but got {size}.")


def _workers(processes: int | None) -> int:
    if processes is not None:
        return processes
    if multiprocessing.current_process().daemon:
        return 1  # daemons may not start processes
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rng(seed: int, split: str, *key: int) -> np.random.Generator:
    """Randomness of its own for each part of each split."""
    name = zlib.crc32(split.encode())  # unlike hash(), the same in every process
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(name, *key)))


def _label(seed: int, split: str, number: int) -> int:
    """The class of a picture: its place in its group of four, shuffled."""
    group, place = divmod(number, len(FRUIT_LABELS))
    return int(_rng(seed, split, 0, group).permutation(len(FRUIT_LABELS))[place])


def _draw_piece(piece: _Piece, size: int, seed: int) -> Array:
    """The images of a part of a split; runs in any process."""
    split, first, end = piece
    return np.stack(
        [
            draw_fruit_picture(_label(seed, split, number), _rng(seed, split, 1, number), size)
            for number in range(first, end)
        ]
    )


def _draw_pieces(
    pieces: list[_Piece], size: int, seed: int, processes: int
) -> Iterator[tuple[_Piece, Array]]:
    """Draw pieces in any order, in several processes where there are several."""
    left = dict.fromkeys(pieces)  # a set that keeps its order
    if min(processes, len(pieces)) > 1:
        try:
            # Started afresh: forking a process that runs threads (TensorFlow, Ray) can hang.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(min(processes, len(pieces)), mp_context=context) as pool:
                futures: dict[Future[Array], _Piece] = {
                    pool.submit(_draw_piece, piece, size, seed): piece for piece in pieces
                }
                try:
                    for future in as_completed(futures):
                        images = future.result()
                        del left[futures[future]]
                        yield futures.pop(future), images
                finally:
                    for future in futures:
                        future.cancel()
        except (BrokenProcessPool, NotImplementedError, OSError):
            # A process died, or this system cannot start any. What is left is drawn here:
            # it comes out the same, only later.
            pass
    for piece in left:
        yield piece, _draw_piece(piece, size, seed)


def draw_sheet(columns: int = 12, rows: int = 2, size: int = 96, seed: int = 0) -> Array:
    """A sheet of pictures to look at: ``rows`` of each class, with the class names beside.

    Returns:
        ``[height, width, 3]`` uint8.
    """
    from PIL import Image, ImageDraw

    gap, margin = 2, 64
    step = size + gap
    width = margin + columns * step
    sheet = Image.new("RGB", (width, len(FRUIT_LABELS) * rows * step), "white")
    pen = ImageDraw.Draw(sheet)
    for label, name in enumerate(FRUIT_LABELS):
        top = label * rows * step
        pen.text((6, top + 6), name, fill="black")
        for place in range(rows * columns):
            picture = draw_fruit_picture(label, _rng(seed, "sheet", label, place), size)
            row, column = divmod(place, columns)
            corner = (margin + column * step, top + row * step)
            sheet.paste(Image.fromarray(picture), corner)
    return np.asarray(sheet)


def main(arguments: list[str] | None = None) -> None:
    """Draw a sheet of pictures into a file."""
    parser = argparse.ArgumentParser(
        prog="python -m spaces.drawn_fruit.pictures",
        description="Draw a sheet of the generated fruit pictures, to look at.",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="image file to write")
    parser.add_argument("--columns", type=int, default=12, help="pictures in a row (12)")
    parser.add_argument("--rows", type=int, default=2, help="rows for each class (2)")
    parser.add_argument("--size", type=int, default=96, help="side of a picture in pixels (96)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other pictures (0)")
    options = parser.parse_args(arguments)
    if options.columns < 1 or options.rows < 1:
        parser.error("--columns and --rows must be 1 or more")
    from PIL import Image

    try:
        sheet = draw_sheet(options.columns, options.rows, options.size, options.seed)
        Image.fromarray(sheet).save(options.output)
    except (ConfigError, OSError, ValueError) as error:
        parser.error(str(error))
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
