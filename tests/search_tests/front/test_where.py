"""Conditions that people type: what they choose, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.front.where import MAX_DEPTH, parse_where
from spaces.errors import ConfigError

ROW: dict[str, Any] = {
    "size": 20_000.0,
    "latency": 0.5,
    "accuracy": 0.9,
    "scheme": "int8",
    "filters_1": 32,
    "front": True,
    "ram": None,
    "sparsity": 0.0,
}
NAMES = frozenset(ROW)


def holds(text: str) -> bool:
    return parse_where(text, NAMES)(ROW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size<=20KB", True),
        ("size<20KB", False),
        ("size < 20.1 KB", True),
        ("size>19KiB", True),
        ("latency>=500us", True),
        ("latency<0.4ms", False),
        ("accuracy>=90%", True),
        ("accuracy>0.9", False),
        ("sparsity=0", True),
        ("scheme=int8", True),
        ("scheme == 'int8'", True),
        ("scheme!=int8", False),
        ("filters_1=32", True),
        ("filters_1!=32.5", True),
        ("front=yes", True),
        ("front=false", False),
        ("ram<1MB", False),
        ("ram!=1MB", False),  # Nobody knows it.
        ("not ram<1MB", True),
        ("size<30KB and accuracy>95%", False),
        ("size<30KB, accuracy>80%", True),
        ("size<1KB or accuracy>80%", True),
        ("size<1KB or accuracy>80% and latency<0.1ms", False),  # `and` binds closer.
        ("(size<1KB or accuracy>80%) and latency<1ms", True),
        ("not (size<1KB or accuracy>80%)", False),
        ("NOT size<1KB AND scheme=int8", True),
        ("size<30 KB and latency<1 ms or accuracy=10 %", True),
    ],
)
def test_a_condition_holds_or_not(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a name is missing"),
        ("size", "'size' has no <, <="),
        ("size 20KB", "not '20KB'"),
        ("size<", "'size<' has no value"),
        ("size<<20KB", "has no value, but '<'"),
        ("size<20", "20B, 20kB or 20KiB, but got '20'"),
        ("size<big", "A size is a number above 0"),
        ("accuracy>95", "from 0 to 1"),
        ("(size<20KB", "a bracket is not closed"),
        ("size<20KB)", "')' comes after a whole condition"),
        ("size<20KB accuracy>1%", "'accuracy' comes after"),
        ("size<20KB and", "a name is missing"),
        ("and", "a name is missing"),
        ("sise<20KB", "Did you mean 'size'?"),
        ("scheme<int8", "only = and != compare it"),
        ("filters_1=many", "is a number such as 32"),
        ("scheme='int8", "is none"),
        ("__import__('os').system('true')=1", "There is no '__import__'"),
        ("(" * 500 + "size<1KB" + ")" * 500, f"more than {MAX_DEPTH} brackets"),
        ("not " * 5000 + "size<1KB", f"more than {MAX_DEPTH} brackets"),
    ],
)
def test_what_is_no_condition_is_told_why(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as raised:
        holds(text)
    assert why in str(raised.value)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_condition_or_refused(text: str) -> None:
    try:
        assert holds(text) in (True, False)
    except ConfigError as error:
        assert "\n" not in str(error) or "\n" in text


@given(st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), st.integers(1, 60_000))
def test_numbers_compare_as_in_python(sign: str, n_bytes: int) -> None:
    compared = {
        "<": ROW["size"] < n_bytes,
        "<=": ROW["size"] <= n_bytes,
        ">": ROW["size"] > n_bytes,
        ">=": ROW["size"] >= n_bytes,
        "=": ROW["size"] == n_bytes,
        "!=": ROW["size"] != n_bytes,
    }
    assert holds(f"size{sign}{n_bytes}B") is compared[sign]
