"""Whatever is parsed: one of our errors or none, no traceback. The fuzzer is the long form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from benchmarks.fuzz.targets import TARGETS, clear, seeds

QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
ODD = st.sampled_from(["\n", "\x1b[31m", "<b>", "../", "..", "'", '"', "%", "\0", "é" * 300, " "])
NAMES = st.lists(
    st.one_of(
        st.text(max_size=40), ODD, st.sampled_from(["train", "test", "val", "fold1", "images"])
    ),
    min_size=1,
    max_size=3,
).map("/".join)


def npy(array: np.ndarray) -> bytes:
    """An array as its file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.fixture(scope="module", autouse=True)
def cleared() -> Iterator[None]:
    yield
    clear()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_sound_inputs_are_sound(name: str) -> None:
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_damaged_inputs(name: str) -> None:
    """Every seed cut short, and with bits flipped, at places that a generator draws."""
    dice = np.random.default_rng(0)
    for data in seeds(name):
        for _ in range(25):
            broken = bytearray(data[: int(dice.integers(1, len(data) + 1))])
            for _ in range(int(dice.integers(0, 4))):
                broken[int(dice.integers(len(broken)))] ^= 1 << int(dice.integers(8))
            TARGETS[name](bytes(broken))


@QUICK
@given(
    st.one_of(
        st.text(max_size=60),
        st.builds("{}{}".format, st.floats(), st.sampled_from(["KB", "MiB", "us", "m", "%", ""])),
        st.builds("{}://{}@{}:{}/{}".format, *[st.text(max_size=9)] * 5),
    )
)
@example("9" * 400 + "KB")
@example("1e999s")
@example("postgresql://u:p@[::1/x")
def test_texts(text: str) -> None:
    for name in ("units", "urls", "where"):
        TARGETS[name](text.encode("utf-8", "surrogateescape"))


@QUICK
@given(JSON, JSON)
@example([{"accuracy": 10**400, "lr": 1}], {})
@example({"params": {"accuracy": 1}, "accuracy": 10**400, "a": 1}, 10**5000)
def test_documents(content: object, inner: object) -> None:
    made = [content]
    for _ in range(2):
        export = {"format": "search export", "version": 1, "task": "fruit", "config": content}
        made += [export, {**export, "config": {"training": content, "task": inner}}]
        content, inner = inner, content
    for one in made:
        TARGETS["export"](dumped(one))
        TARGETS["json_source"](dumped(one))


def dumped(content: object) -> bytes:
    """JSON with numbers of any length, which Python itself refuses to write."""
    import sys

    limit = sys.get_int_max_str_digits() if hasattr(sys, "get_int_max_str_digits") else None
    if limit is not None:
        sys.set_int_max_str_digits(0)
    try:
        return json.dumps(content).encode("utf-8", "surrogatepass")
    finally:
        if limit is not None:
            sys.set_int_max_str_digits(limit)


@QUICK
@given(st.lists(st.lists(st.text(max_size=12) | ODD, min_size=1, max_size=4), max_size=4))
def test_tables(rows: list[list[str]]) -> None:
    file = io.StringIO()
    with_quotes = csv.writer(file, quoting=csv.QUOTE_ALL)
    with_quotes.writerows(rows)
    data = file.getvalue().encode("utf-8", "surrogatepass")
    TARGETS["csv_source"](data)
    TARGETS["readings"](data)


@QUICK
@given(
    st.dictionaries(
        st.sampled_from(["x_train", "y_train", "x_test", "y_test", "class_names", "x", "other"]),
        nps.arrays(
            nps.scalar_dtypes()
            | nps.unicode_string_dtypes(max_len=4)
            | nps.byte_string_dtypes(max_len=4),
            nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        ),
        max_size=5,
    )
)
def test_arrays(arrays: dict[str, Any]) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays)
    TARGETS["npz"](file.getvalue())


@pytest.mark.parametrize(
    "parts",
    [
        (b"no array", b"nor this"),
        (npy(np.zeros((0, 4, 4, 3), np.uint8)), npy(np.zeros(0, np.int64))),
        (npy(np.zeros((2, 4, 4, 3), np.uint8)), b""),
    ],
)
def test_archives_of_what_is_no_data(parts: tuple[bytes, bytes]) -> None:
    """Found by the fuzzer."""
    TARGETS["arrays"](b"\x1f\x1e".join(parts))


@QUICK
@given(st.lists(NAMES, max_size=6))
def test_names_of_folders(names: list[str]) -> None:
    TARGETS["folder_names"]("\n".join(names).encode("utf-8", "surrogatepass"))
