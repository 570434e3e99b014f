"""Before the first trial: whether weights of a file fit any network that is searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.tasks.task import Task
from tests.workers_tests.corners import SHAPE, make_config, make_dataset
from workers.messages.result import TaskInfo
from workers.trial.prepare import describe_task
from workers.trial.train_config import build
from workers.trial.weights_fit import N_TRIED, starting_from

pytestmark = pytest.mark.slow


def load_data(request: DataRequest) -> Dataset:
    return make_dataset(160)


@pytest.fixture(scope="module")
def task(keras: Any) -> Task:
    from spaces.networks.families import ConvNet

    return Task("corners", "bright corners", ConvNet, load_data)


@pytest.fixture(scope="module")
def info(task: Task, tmp_path_factory: pytest.TempPathFactory) -> TaskInfo:
    return describe_task(task, "corners", None, make_dataset(160), tmp_path_factory.mktemp("c"))


def test_what_fits_is_said_and_searched(
    keras: Any, task: Task, info: TaskInfo, tmp_path: Path
) -> None:
    from spaces.networks.families import ConvNet

    path = tmp_path / "mine.keras"
    model, _ = build(ConvNet(SHAPE, 4), make_config(filters_1=24))
    model.save(path)
    found = starting_from(str(path), info, task, make_dataset(160))
    assert len(found.settled["weights"]) == 64  # type: ignore[arg-type]
    assert found.weights_path == str(path)
    names = found.space.names
    assert names[-2:] == ("frozen_share", "fine_tuning_factor")
    assert names[:-2] == info.space.names
    notes = [note for note in found.notes if note.startswith("Weights: ")]
    assert "layers with weights start from mine.keras" in notes[0]
    assert f"of {N_TRIED} networks that were tried have such layers" in notes[1]


def test_what_fits_nothing_is_refused(
    keras: Any, task: Task, info: TaskInfo, tmp_path: Path
) -> None:
    inputs = keras.Input((3,))
    path = tmp_path / "other.h5"
    keras.Model(inputs, keras.layers.Dense(7, name="head")(inputs)).save(path)
    with pytest.raises(DataError, match=r"none of 24 networks of task corners .* head \[3, 7\]"):
        starting_from(str(path), info, task, make_dataset(160))
