"""The generated fruit pictures: what their callers are promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spaces.drawn_fruit.pictures import (
    FRUIT_LABELS,
    draw_fruit_picture,
    draw_fruit_pictures,
    draw_sheet,
    main,
)
from spaces.drawn_fruit.shapes import RoundProfile, round_surface
from spaces.drawn_fruit.view import View, frame_about
from spaces.errors import ConfigError

APPLE, ORANGE, MANDARIN, BANANA = range(4)


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    return draw_fruit_pictures({"train": 160}, processes=1)["train"]


def test_shapes_and_types() -> None:
    drawn = draw_fruit_pictures({"train": 9, "val": 2, "test": 0}, size=32, processes=1)
    assert list(drawn) == ["train", "val", "test"]
    for (images, labels), count in zip(drawn.values(), (9, 2, 0), strict=True):
        assert images.shape == (count, 32, 32, 3) and images.dtype == np.uint8
        assert labels.shape == (count,) and labels.dtype == np.int64


@pytest.mark.parametrize("size", [16, 33, 96, 128])
def test_any_size(size: int) -> None:
    picture = draw_fruit_picture(ORANGE, np.random.default_rng(3), size)
    assert picture.shape == (size, size, 3)
    assert picture.std() > 2


@pytest.mark.parametrize("count", [1, 6, 40, 41])
def test_classes_are_balanced_and_shuffled(count: int) -> None:
    _, labels = draw_fruit_pictures({"train": count}, size=16, processes=1)["train"]
    found = np.bincount(labels, minlength=4)
    assert found.max() - found.min() <= 1
    if count >= 40:
        assert not np.array_equal(labels, np.arange(count) % 4)


def test_processes_change_nothing() -> None:
    counts = {"train": 50, "val": 20}
    alone = draw_fruit_pictures(counts, size=24, seed=7, processes=1)
    shared = draw_fruit_pictures(counts, size=24, seed=7, processes=2)
    for split in counts:
        np.testing.assert_array_equal(alone[split][0], shared[split][0])
        np.testing.assert_array_equal(alone[split][1], shared[split][1])


def test_a_longer_split_begins_with_a_shorter_one() -> None:
    short, short_labels = draw_fruit_pictures({"val": 6}, size=24, processes=1)["val"]
    long, long_labels = draw_fruit_pictures({"train": 3, "val": 19}, size=24, processes=1)["val"]
    np.testing.assert_array_equal(short, long[:6])
    np.testing.assert_array_equal(short_labels, long_labels[:6])


def test_seeds_splits_and_pictures_differ() -> None:
    counts = {"train": 8, "val": 8}
    one = draw_fruit_pictures(counts, size=24, seed=1, processes=1)
    other = draw_fruit_pictures(counts, size=24, seed=2, processes=1)
    everything = [*one["train"][0], *one["val"][0], *other["train"][0], *other["val"][0]]
    assert len({picture.tobytes() for picture in everything}) == len(everything)


def test_one_picture_follows_from_its_generator() -> None:
    first, again, next_one = (
        draw_fruit_picture(BANANA, np.random.default_rng(seed), 48) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_one)


def test_progress_reaches_the_total() -> None:
    seen: list[tuple[int, int]] = []
    draw_fruit_pictures(
        {"train": 40, "val": 3}, size=16, processes=1, progress=lambda *now: seen.append(now)
    )
    assert [total for _, total in seen] == [43] * len(seen)
    done = [count for count, _ in seen]
    assert done == sorted(done) and done[-1] == 43 and len(done) > 1


@pytest.mark.parametrize("seed", range(12))
def test_a_dimpled_fruit_has_no_holes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = View(64, elevation=1.0, roll=0.0)
    profile = RoundProfile(
        flatness=rng.uniform(0.6, 1.05), top_depth=0.35, top_width=0.35, bottom_depth=0.2
    )
    frame = frame_about(rng.normal(0, 1, 3) + [0, 0, 1], spin=0.0)
    surface = round_surface(view, np.zeros(3, np.float32), 0.8, frame, profile)
    covered = np.zeros(64 * 64, dtype=bool)
    covered[surface.pixels] = True
    for row in covered.reshape(64, 64):
        found = np.flatnonzero(row)
        if len(found):
            # The dimple may dent the outline by a pixel or two; a hole would be wider.
            assert found[-1] - found[0] + 1 - len(found) <= 2


def _warm_hue(images: np.ndarray) -> np.ndarray:
    """Green over red where a picture is colourful and warm, averaged by colourfulness."""
    screen = images.astype(float) / 255
    red, green, blue = screen[..., 0], screen[..., 1], screen[..., 2]
    weight = np.clip(red - blue - 0.12, 0, None) ** 2
    share = np.clip(green / (red + 0.05), 0, 1.5)
    hue: np.ndarray = (share * weight).sum((1, 2)) / (weight.sum((1, 2)) + 1e-9)
    return hue


def test_colour_tells_bananas_from_citrus_in_part(
    pictures: tuple[np.ndarray, np.ndarray],
) -> None:
    images, labels = pictures
    hue = _warm_hue(images)
    citrus = hue[(labels == ORANGE) | (labels == MANDARIN)]
    bananas = hue[labels == BANANA]
    # How often a banana is yellower than a citrus fruit: 0.5 would be chance.
    yellower = (bananas[:, None] > citrus[None, :]).mean()
    assert 0.75 < yellower < 1.0


def test_the_average_colour_does_not_give_oranges_away(
    pictures: tuple[np.ndarray, np.ndarray],
) -> None:
    images, labels = pictures
    average = images.mean((1, 2))
    centers = np.stack([average[labels == label].mean(0) for label in range(4)])
    nearest = ((average[:, None] - centers) ** 2).sum(2).argmin(1)
    assert 0.25 < (nearest == labels).mean() < 0.65


def test_pictures_are_neither_black_nor_burnt(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    images, _ = pictures
    brightness = images.mean((1, 2, 3))
    assert brightness.min() > 20 and brightness.max() < 240
    assert images.std((1, 2)).mean(1).min() > 8


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"counts": {"train": -1}}, "0 or more pictures"),
        ({"counts": {"train": 1}, "size": 8}, "16 pixels or more"),
        ({"counts": {"train": 1}, "seed": -1}, "`seed` must be"),
        ({"counts": {"train": 1}, "processes": 0}, "`processes` must be"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        draw_fruit_pictures(**arguments)  # type: ignore[arg-type]


def test_unknown_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="but got 4"):
        draw_fruit_picture(4, np.random.default_rng(0))


def test_sheet_holds_every_class(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    sheet = draw_sheet(columns=2, rows=1, size=16)
    assert sheet.shape == (len(FRUIT_LABELS) * 18, 64 + 2 * 18, 3)
    target = tmp_path / "sheet.png"
    main(["-o", str(target), "--columns", "2", "--rows", "1", "--size", "16"])
    assert target.read_bytes().startswith(b"\x89PNG")


def test_works_from_a_script_and_without_tensorflow(tmp_path: Path) -> None:
    script = tmp_path / "draw"  # no suffix, as a console script has none
    script.write_text(
        "import sys\n"
        "from spaces.drawn_fruit.pictures import draw_fruit_pictures\n"
        "if __name__ == '__main__':\n"
        "    drawn = draw_fruit_pictures({'train': 40}, size=16, processes=2)\n"
        "    assert not {'tensorflow', 'keras', 'PIL'} & set(sys.modules)\n"
        "    print(drawn['train'][0].sum(dtype='int64'))\n"
    )
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(root), "PATH": ""},
    )
    expected = draw_fruit_pictures({"train": 40}, size=16, processes=1)["train"][0]
    assert int(result.stdout) == int(expected.sum(dtype="int64"))
