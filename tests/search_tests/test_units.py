"""Numbers with units, read and written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.units import (
    format_accuracy,
    format_duration,
    format_latency,
    format_size,
    parse_accuracy,
    parse_duration,
    parse_fraction,
    parse_latency,
    parse_size,
    typed,
)
from spaces.errors import ConfigError
from spaces.wording import counted

Parse = Callable[[str], float]

READERS: dict[str, Parse] = {
    "size": parse_size,
    "latency": parse_latency,
    "duration": parse_duration,
    "fraction": parse_accuracy,
}


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_size, "100KB", 100_000),
        (parse_size, "100 kB", 100_000),
        (parse_size, "1.5MB", 1_500_000),
        (parse_size, "64KiB", 65_536),
        (parse_size, "20000B", 20_000),
        (parse_size, "2e4b", 20_000),
        (parse_latency, "5ms", 5),
        (parse_latency, "5 MS", 5),
        (parse_latency, "250us", 0.25),
        (parse_latency, "250µs", 0.25),
        (parse_latency, ".5 s", 500),
        (parse_duration, "30m", 1800),
        (parse_duration, "1.5h", 5400),
        (parse_duration, "90s", 90),
        (parse_accuracy, "0.9", 0.9),
        (parse_accuracy, "90%", 0.9),
        (parse_accuracy, "1", 1.0),
    ],
)
def test_parse(parse: Parse, text: str, expected: float) -> None:
    assert parse(text) == pytest.approx(expected)


@pytest.mark.parametrize("parse", [parse_size, parse_latency, parse_duration, parse_accuracy])
@pytest.mark.parametrize("text", ["", "big", "-5", "0", "5 parsecs", "nan", "inf", "1e999", "1,5"])
def test_what_is_no_number_with_a_unit_is_refused(parse: Parse, text: str) -> None:
    with pytest.raises(ConfigError, match="such as .* but got"):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "known"),
    [
        (parse_size, "20B, 20kB or 20KiB"),
        (parse_latency, "20us, 20ms or 20s"),
        (parse_duration, "20s, 20m or 20h"),
    ],
)
def test_a_number_without_a_unit_is_asked_for_it(parse: Parse, known: str) -> None:
    with pytest.raises(ConfigError, match=f": {known}, but got '20'"):
        parse("20")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("size", 20_000, "20kB"),
        ("size", 20_480, "20480B"),
        ("size", 1_500_000, "1500kB"),
        ("size", 12e6, "12MB"),
        ("latency", 5, "5ms"),
        ("latency", 0.25, "0.25ms"),
        ("latency", 2000, "2s"),
        ("duration", 1800, "30m"),
        ("duration", 5400, "90m"),
        ("duration", 1.5, "1.5s"),
        ("fraction", 0.9, "0.9"),
    ],
)
def test_numbers_as_people_type_them(kind: str, value: float, text: str) -> None:
    assert typed(kind, value) == text


@given(
    st.sampled_from(sorted(READERS)),
    st.floats(1e-3, 1, allow_subnormal=False) | st.integers(1, 10**9),
)
def test_what_is_typed_is_read_as_it_was(kind: str, value: float) -> None:
    value = min(value, 1.0) if kind == "fraction" else value
    assert READERS[kind](typed(kind, value)) == pytest.approx(value, rel=1e-11)


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("0.25", 0.25), ("25 %", 0.25), ("100%", 1), ("1", 1)]
)
def test_a_fraction_may_be_nothing_and_all(text: str, expected: float) -> None:
    assert parse_fraction(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "much", "-0.1", "1.01", "101%", "nan", "5ms"])
def test_a_fraction_is_no_more_than_all(text: str) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1.*but got"):
        parse_fraction(text)


@pytest.mark.parametrize("text", ["95", "1.01", "101%"])
def test_an_accuracy_above_one_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="0.9 or 90%"):
        parse_accuracy(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (format_size(0), "0 B"),
        (format_size(999), "999 B"),
        (format_size(12_345), "12.3 kB"),
        (format_size(999_600), "1.00 MB"),
        (format_size(2.5e9), "2.50 GB"),
        (format_latency(0.2134), "0.213 ms"),
        (format_latency(0.0158), "0.0158 ms"),
        (format_latency(9.999), "10.0 ms"),
        (format_latency(1234), "1234 ms"),
        (format_latency(0), "0 ms"),
        (format_accuracy(0.9734), "97.3 %"),
        (format_duration(5), "5s"),
        (format_duration(65), "1m 05s"),
        (format_duration(3_725), "1h 02m"),
        (format_duration(90_000), "1d 01h"),
    ],
)
def test_format(text: str, expected: str) -> None:
    assert text == expected


@given(st.floats(1, 9.9e8))
def test_a_written_size_reads_back(n_bytes: float) -> None:
    assert parse_size(format_size(n_bytes)) == pytest.approx(n_bytes, rel=0.005, abs=0.5)


@given(st.floats(1e-4, 1e5))
def test_a_written_latency_reads_back(milliseconds: float) -> None:
    assert parse_latency(format_latency(milliseconds)) == pytest.approx(milliseconds, rel=0.005)


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (2000, "2,000 trials")]
)
def test_things_are_counted_in_words(n: int, text: str) -> None:
    assert counted(n, "trial") == text
