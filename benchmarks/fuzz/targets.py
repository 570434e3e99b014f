"""Everything that parses what others made, as functions of bytes: one of our errors, or none.

Each takes any bytes. What a person can get wrong is a ``SearchError`` and is swallowed; whatever
else is raised is a finding, as a person would see a traceback.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from search.deploy.export import read_export
from search.front.where import parse_where
from search.storage.urls import artifacts_dir, masked, scrubbed, sqlite_path, storage_url
from search.study.sources import read_source
from search.units import parse_accuracy, parse_duration, parse_fraction, parse_latency, parse_size
from spaces.data.class_folders import find_pictures
from spaces.data.npz import load_npz
from spaces.data.pictures import read_picture
from spaces.data.request import DataRequest
from spaces.errors import SearchError
from workers.deploy.signal_classifier import read_signals

Target = Callable[[bytes], None]
MAX_NAMES = 12

_folder = Path(tempfile.mkdtemp(prefix="search-fuzz-"))


def clear() -> None:
    """Remove the files that targets left."""
    shutil.rmtree(_folder, ignore_errors=True)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _file(name: str, data: bytes) -> Path:
    _folder.mkdir(exist_ok=True)
    path = _folder / name
    path.write_bytes(data)
    return path


def units(data: bytes) -> None:
    """Sizes, times, fractions."""
    text = _text(data)
    for parse in (parse_size, parse_latency, parse_duration, parse_accuracy, parse_fraction):
        with suppress(SearchError):
            value = parse(text)
            assert np.isfinite(value) and value >= 0, (parse.__name__, text, value)


def urls(data: bytes) -> None:
    """Storage URLs."""
    text = _text(data)
    masked(text)
    with suppress(SearchError):
        url = storage_url(text)
        sqlite_path(url)
        artifacts_dir(url)
        scrubbed(masked(url))


def where(data: bytes) -> None:
    """Conditions of ``--where``."""
    with suppress(SearchError):
        parse_where(_text(data), {"size", "accuracy", "scheme", "latency"})


def export(data: bytes) -> None:
    """Exported configurations."""
    with suppress(SearchError):
        read_export(_file("export.json", data))


def json_source(data: bytes) -> None:
    """Configurations to try, in JSON."""
    with suppress(SearchError):
        read_source(_file("source.json", data))


def csv_source(data: bytes) -> None:
    """Configurations to try, in CSV."""
    with suppress(SearchError):
        read_source(_file("source.csv", data))


def npz(data: bytes) -> None:
    """Data sets and readings in ``.npz``."""
    path = _file("data.npz", data)
    # Of one name only, and so not kept from input to input.
    with suppress(SearchError):
        load_npz(path, DataRequest(path, _folder / "cache"))
    with suppress(SearchError):
        read_signals(path)
    shutil.rmtree(_folder / "cache", ignore_errors=True)


def arrays(data: bytes) -> None:
    """An ``.npz`` that is a sound archive of files that need be no arrays."""
    parts = data.split(b"\x1f\x1e")
    names = ("x_train", "y_train", "x_test", "y_test", "class_names")
    sound = io.BytesIO()
    with zipfile.ZipFile(sound, "w") as archive:
        for name, part in zip(names, parts, strict=False):
            archive.writestr(f"{name}.npy", part)
    npz(sound.getvalue())


def readings(data: bytes) -> None:
    """Readings in ``.csv`` and ``.npy``."""
    for name in ("readings.csv", "readings.npy"):
        with suppress(SearchError):
            read_signals(_file(name, data))


def picture(data: bytes) -> None:
    """Pictures: what cannot be decoded is a ValueError, which callers put into a line."""
    with suppress(SearchError, ValueError, MemoryError):
        read_picture(io.BytesIO(data), 8)


def folder_names(data: bytes) -> None:
    """Names of folders and files of pictures."""
    root = _folder / "pictures"
    shutil.rmtree(root, ignore_errors=True)
    for number, line in enumerate(data.split(b"\n")[:MAX_NAMES]):
        path = Path(os.fsdecode(line.replace(b"\0", b"").strip(b"/")) or "x")
        if ".." in path.parts:
            continue
        with suppress(OSError):  # No file system has such a name.
            (root / path).mkdir(parents=True)
            (root / path / f"{number}.png").touch()
    root.mkdir(parents=True, exist_ok=True)
    with suppress(SearchError):
        find_pictures(root)


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (
        units,
        urls,
        where,
        export,
        json_source,
        csv_source,
        npz,
        arrays,
        readings,
        picture,
        folder_names,
    )
}


def seeds(name: str) -> list[bytes]:
    """Return sound inputs of a target, from which a fuzzer starts."""
    array = io.BytesIO()
    np.save(array, np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    labels = io.BytesIO()
    np.save(labels, np.arange(3))
    whole = io.BytesIO()
    pixels = np.zeros((12, 4, 4, 3), np.uint8)
    np.savez(whole, x_train=pixels, y_train=np.arange(12) % 2, x_test=pixels, y_test=np.arange(12))
    parts = [array.getvalue(), labels.getvalue()]
    known: dict[str, list[bytes]] = {
        "units": [b"20KB", b"1.5 MiB", b"250us", b"30m", b"93.5%", b"1e3s"],
        "urls": [b"studies.db", b"sqlite:///a.db", b"postgresql+psycopg://me:p%40@h:5/db?x=y"],
        "where": [b"size<20KB and accuracy>=90%", b"scheme=int8 or not latency>1ms"],
        "export": [json.dumps({"format": "search export", "version": 1, "config": {}}).encode()],
        "json_source": [b'[{"learning_rate": 0.001, "accuracy": 0.9}]', b'{"params": {"a": 1}}'],
        "csv_source": [b"learning_rate,batch_size\n0.001,32\n", b"params_a,accuracy\n1,0.9\n"],
        "npz": [whole.getvalue()],
        "arrays": [b"\x1f\x1e".join(parts), b"\x1f\x1e".join(parts * 2)],
        "readings": [b"1,2,3\n4,5,6\n", array.getvalue()],
        "picture": [_saved("PNG"), _saved("JPEG"), _saved("GIF"), _saved("BMP"), _saved("TIFF")],
        "folder_names": [b"train/a\ntrain/b\ntest/a", b"fold1/a\nfold2/a", b"a/images\nb"],
    }
    return known[name]


def _saved(kind: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (9, 7), (10, 200, 30)).save(file, kind)
    return file.getvalue()
