"""Pictures that would take all memory: a limit that says so, and room that is shared."""

from __future__ import annotations

import threading
from io import BytesIO

import pytest
from PIL import Image

from spaces.data.decoding_room import ROOM_BYTES, Room, bytes_to_decode
from spaces.data.pictures import MEGAPIXELS_VARIABLE, read_picture


def saved(mode: str, kind: str, side: int = 1000, **options: object) -> bytes:
    file = BytesIO()
    Image.new(mode, (side, side)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind", "options", "a_pixel"),
    [
        ("L", "PNG", {}, 7),
        ("RGB", "PNG", {}, 9),
        ("RGBA", "PNG", {}, 21),
        ("I;16", "PNG", {}, 21),
        ("F", "TIFF", {}, 33),
        ("RGB", "WEBP", {}, 17),
        ("RGB", "JPEG", {}, 9),
        ("RGB", "JPEG", {"progressive": True}, 15),
    ],
)
def test_what_a_picture_takes_follows_from_its_header(
    mode: str, kind: str, options: dict[str, object], a_pixel: int
) -> None:
    image = Image.open(BytesIO(saved(mode, kind, 100, **options)))
    assert bytes_to_decode(image, 100 * 100) == a_pixel * 100 * 100


def test_eight_bombs_do_not_go_off_at_once() -> None:
    """48 kB that hold 25 megapixels: two fit beside each other, where eight threads read."""
    image = Image.new("I;16", (5000, 5000))
    assert len(saved("I;16", "PNG", 5000)) < 50_000
    assert 1 <= ROOM_BYTES // bytes_to_decode(image, 5000 * 5000) <= 2


def test_room_is_waited_for() -> None:
    room, entered = Room(1000), threading.Event()

    def second() -> None:
        with room.taking(600):
            entered.set()

    thread = threading.Thread(target=second)
    with room.taking(600):
        with room.taking(400):  # It fits beside.
            thread.start()
        assert not entered.wait(0.2)
    thread.join(30)
    assert entered.is_set()
    with room.taking(5000):  # More than all: alone, but not never.
        pass


def test_a_progressive_jpeg_counts_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder holds all of it, however small it is decoded."""
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "0.5")
    assert read_picture(BytesIO(saved("RGB", "JPEG")), 8).shape == (8, 8, 3)
    with pytest.raises(ValueError, match="1000x1000 are 1 megapixels, and at most"):
        read_picture(BytesIO(saved("RGB", "JPEG", progressive=True)), 8)


def test_a_jpeg_may_not_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "0.05")
    with pytest.raises(ValueError, match="1000x1000.*set SEARCH_MAX_MEGAPIXELS"):
        read_picture(BytesIO(saved("RGB", "JPEG")), 8)
