"""Latency, and the devices it belongs to. How fast this machine is, is not tested."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from spaces.dataset import Dataset
from spaces.errors import ConversionError, DeviceError
from spaces.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from workers.convert import float_tflite, quantize_variant, representative_images
from workers.devices import device_names, get_device
from workers.latency import MAX_RUNS, MIN_RUNS, MIN_WARMUP_RUNS, host_latency, quick_latency_ms
from workers.runtime import runtime_name


@pytest.mark.slow
@pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
def test_a_latency_says_how_it_was_measured(
    float_model: bytes, corner_pictures: Dataset, scheme: QuantizationScheme
) -> None:
    images = representative_images(corner_pictures.train, seed=0, n=20)
    latency = get_device("host").measure(quantize_variant(float_model, scheme, images))
    assert MIN_RUNS <= latency.n_runs <= MAX_RUNS
    assert latency.n_warmup >= MIN_WARMUP_RUNS
    assert 0 < latency.min_ms <= latency.median_ms
    assert latency.spread_ms >= 0
    assert latency.threads == 1
    assert latency.device == "host"
    assert latency.runtime == runtime_name()
    # Stored in a database and in JSON files: plain numbers, and not numpy's.
    for value in dataclasses.astuple(latency):
        assert type(value) in (int, float, str)


def test_a_slow_network_is_run_often_enough(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    monkeypatch.setattr("workers.latency.MAX_S", 0.0)
    assert host_latency(float_tflite(model)).n_runs == MIN_RUNS


@pytest.mark.slow
def test_a_rough_latency_takes_no_more_than_a_few_runs(float_model: bytes) -> None:
    assert quick_latency_ms(float_model) > 0


@pytest.mark.parametrize("measure", [host_latency, quick_latency_ms, get_device("host").measure])
def test_what_does_not_run_has_no_latency(measure: Any) -> None:
    with pytest.raises(ConversionError):
        measure(b"no model")


def test_every_device_is_found_by_its_name() -> None:
    assert "host" in device_names()
    for name in device_names():
        assert get_device(name).name == name


@pytest.mark.parametrize(
    ("name", "says"), [("hots", "Did you mean 'host'"), ("Host", "host"), ("zzz", "Known devices")]
)
def test_an_unknown_device_is_answered_with_those_there_are(name: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says) as error:
        get_device(name)
    assert repr(name) in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_guessed_for_a_name_unlike_any() -> None:
    with pytest.raises(DeviceError) as error:
        get_device("zzz")
    assert "Did you mean" not in str(error.value)
