"""Devices by name."""

from __future__ import annotations

import pytest

from spaces.errors import DeviceError
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.devices import device_names, get_device


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


@pytest.mark.parametrize("name", device_names())
def test_every_device_answers_to_its_name(name: str) -> None:
    assert get_device(name).name == name


def test_an_unknown_name_is_refused_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(DeviceError, match="'hots'.*Known devices: .*host.*Did you mean 'host'?"):
        get_device("hots")


def test_a_name_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(DeviceError) as caught:
        get_device("zzzzzzzz")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.slow
def test_a_latency_names_its_device(converted: Converted) -> None:
    assert get_device("host").measure(converted.float_model).latency.device == "host"
