"""Quantization schemes: names that databases hold, and the table about them."""

from __future__ import annotations

import json

import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme


def test_stored_names_never_change() -> None:
    # Old databases and exported files hold these names: add to them, change none.
    assert {
        "float32",
        "float16",
        "dynamic_range",
        "dynamic_int4",
        "int8",
        "int16x8",
        "qat_int8",
    } <= {scheme.value for scheme in QuantizationScheme}


@pytest.mark.parametrize("scheme", QuantizationScheme)
def test_a_scheme_is_its_name(scheme: QuantizationScheme) -> None:
    assert str(scheme) == f"{scheme}" == scheme.value
    assert QuantizationScheme(json.loads(json.dumps(scheme))) is scheme


def test_every_scheme_is_described() -> None:
    assert set(SCHEMES) == set(QuantizationScheme)
    assert all(info.meaning for info in SCHEMES.values())


def test_what_is_fanned_out_needs_no_training() -> None:
    assert set(QuantizationScheme) - set(POST_TRAINING_SCHEMES) == {QuantizationScheme.QAT_INT8}


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        SCHEMES[QuantizationScheme.INT8] = SCHEMES[QuantizationScheme.FLOAT32]  # type: ignore[index]
