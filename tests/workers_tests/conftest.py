"""One small network, trained once a session, for all that converts and measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from spaces.data.dataset import Dataset
from tests.workers_tests import corners

if TYPE_CHECKING:
    from workers.trial.train_config import Trained


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras 2, set up as in a worker."""
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=1)
    import tf_keras

    return tf_keras


@pytest.fixture(scope="session")
def corner_pictures() -> Dataset:
    """Pictures which two convolutions learn without a mistake."""
    return corners.make_dataset()


@pytest.fixture(scope="session")
def hypermodel(keras: Any) -> Any:
    """The network that tasks use, for those pictures."""
    return corners.load_model()


@pytest.fixture(scope="session")
def trained(hypermodel: Any, corner_pictures: Dataset) -> Trained:
    """The network with a flat head, trained; not to be changed."""
    from workers.trial.train_config import train_config

    return train_config(hypermodel, corner_pictures, corners.make_config())


@pytest.fixture(scope="session")
def float_model(trained: Trained) -> bytes:
    """Its float32 file."""
    from workers.conversion.convert import float_tflite

    return float_tflite(trained.model)
