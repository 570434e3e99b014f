"""Frames in their order and captions that fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaces.errors import DataError
from workers.deploy.video import CODECS, VideoCopy, VideoSource, annotate


def frames(n: int) -> list[np.ndarray]:
    """Frames that get brighter, so that each tells its number."""
    return [np.full((48, 64, 3), 10 * number, np.uint8) for number in range(n)]


@pytest.mark.parametrize("extension", CODECS)
def test_what_is_written_is_read_again(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"video{extension}"
    with VideoCopy(path, fps=5) as copy:
        for pixels in frames(12):
            copy.write(pixels)
    with VideoSource(path) as video:
        assert video.fps == pytest.approx(5)
        found = list(video.frames(5))
    assert [frame.number for frame in found] == [0, 5, 10]
    np.testing.assert_allclose([frame.time_s for frame in found], [0, 1, 2], atol=0.01)
    np.testing.assert_allclose([frame.pixels.mean() for frame in found], [0, 50, 100], atol=8)


def test_a_copy_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), VideoCopy(path, fps=5) as copy:
        copy.write(frames(1)[0])
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["video.mp4"]


def test_frames_of_another_size_are_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with VideoCopy(path, fps=5) as copy:
        copy.write(np.zeros((48, 64, 3), np.uint8))
        copy.write(np.zeros((24, 32, 3), np.uint8))
    with VideoSource(path) as video:
        assert [frame.pixels.shape for frame in video.frames()] == [(48, 64, 3)] * 2


def test_a_copy_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="cannot be written"),
        VideoCopy(tmp_path / "nowhere" / "video.mp4", fps=5) as copy,
    ):
        copy.write(frames(1)[0])


@pytest.mark.parametrize("shape", [(1080, 1920), (240, 320), (60, 50), (5, 5), (1, 1)])
@pytest.mark.parametrize("label", ["apple", "Grüner Apfel, " * 20, ""])
def test_captions_fit_any_frame(shape: tuple[int, int], label: str) -> None:
    pixels = np.full((*shape, 3), 100, np.uint8)
    annotated = annotate(pixels, label, "99.2 %")
    assert annotated.shape == pixels.shape
    assert (annotated != pixels).any()
    assert (pixels == 100).all()
    if min(shape) > 50:
        assert (annotated == pixels)[shape[0] // 2 :].all()
        # Letters end before the strip does: nothing is cut off.
        strip = annotated[: shape[0] // 4]
        assert strip.max() > 200
        assert strip[:, -2:].max() <= 100
