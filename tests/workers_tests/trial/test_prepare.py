"""Loading a task's data and reading its search space, before the first trial."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from spaces.config.documents import from_plain, to_plain
from spaces.errors import DataError, SearchError, TaskError, UnknownTaskError
from workers.messages.result import TaskInfo
from workers.trial.prepare import prepare_task

TASK_FILE = """
import numpy as np
import tf_keras
from spaces import Dataset, Split, Task, fingerprint_arrays

NAMES = ("dark", "light")


def load(request):
    print("user code may print")
    rng = np.random.default_rng(0)
    request.progress("making pictures", 1, 2)

    def split(n):
        labels = np.arange(n, dtype=np.int64) % 2
        images = rng.integers(0, 100, (n, 8, 8, 1)) + 100 * labels[:, None, None, None]
        return Split(images.astype(np.uint8), labels)

    splits = (split(40), split(10), split(10))
    return Dataset("two greys", *splits, NAMES, fingerprint_arrays(NAMES, splits))


def build(hp):
    inputs = tf_keras.Input((8, 8, 1))
    x = tf_keras.layers.Conv2D(hp.Int("filters_1", 8, 16, step=8), 3, activation="relu")(inputs)
    x = tf_keras.layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(inputs, tf_keras.layers.Dense(UNITS, activation="softmax")(x))


UNITS = 2
TASK = Task(name="greys", description="two greys", model=build, load_data=load)
"""


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    path = tmp_path / "greys.py"
    path.write_text(TASK_FILE)
    return path


@pytest.mark.slow
def test_a_user_task_is_described_without_tensorflow_in_this_process(
    task_file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seen: list[tuple[str, int, int]] = []
    before = "tensorflow" in sys.modules
    info, dataset = prepare_task(
        str(task_file), cache_dir=tmp_path / "cache", progress=lambda *event: seen.append(event)
    )
    assert ("tensorflow" in sys.modules) == before
    assert ("making pictures", 1, 2) in seen
    assert info.name == "greys"
    assert info.class_names == ("dark", "light")
    assert info.input_shape == (8, 8, 1)
    assert (info.n_train, info.n_val, info.n_test) == (40, 10, 10)
    assert {"learning_rate", "batch_size", "filters_1", "quantization"} <= set(info.space.names)
    assert info.space["filters_1"].low == 8 and info.space["filters_1"].high == 16
    assert dataset.fingerprint == info.data_fingerprint
    np.testing.assert_array_equal(dataset.val.labels, np.arange(10) % 2)
    # Again, wherever: the same files, and the same answer.
    request.getfixturevalue("in_this_process")
    again, _ = prepare_task(str(task_file), cache_dir=tmp_path / "cache")
    assert again == info
    assert len(list((tmp_path / "cache" / "prepared").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "kind", "says"),
    [
        ("UNITS = 2", "UNITS = 3", TaskError, "2 units"),
        ("(8, 8, 1))\n    x", "(9, 9, 1))\n    x", TaskError, r"\(8, 8, 1\)"),
        ("return Dataset(", "return print(", TaskError, "NoneType"),
        ("np.arange(n, dtype=np.int64) % 2", "np.arange(n) % 3", DataError, "0 to 1"),
        ('print("user code may print")', "1 / 0", SearchError, "ZeroDivisionError"),
    ],
)
def test_a_task_that_cannot_be_used_gets_one_line(
    task_file: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    old: str,
    new: str,
    kind: type[SearchError],
    says: str,
) -> None:
    if kind is not SearchError:  # That one ends its process; of these one line is made here.
        request.getfixturevalue("in_this_process")
    assert old in TASK_FILE
    task_file.write_text(TASK_FILE.replace(old, new))
    with pytest.raises(kind, match=says) as error:
        prepare_task(str(task_file), cache_dir=tmp_path / "cache")
    assert "\n" not in str(error.value)


def test_an_unknown_task_costs_no_process() -> None:
    with pytest.raises(UnknownTaskError, match="fruit"):
        prepare_task("friut")


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    """Rows of features: of all that built-in tasks take, the network that is read soonest."""
    path = tmp_path / "readings.npz"
    x = np.random.default_rng(0).normal(0, 1, (60, 8))
    y = np.arange(60) % 3
    np.savez(path, x_train=x, y_train=y, x_test=-x, y_test=y)
    return path


@pytest.mark.usefixtures("in_this_process")
def test_a_builtin_task_is_described_once(
    readings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    info, _ = prepare_task("signals", readings, cache)
    (described,) = (cache / "described").iterdir()
    # A second run reads that file, so that nothing is built: spoil it to see.
    data = json.loads(described.read_text())
    data["notes"].append("read from the cache")
    described.write_text(json.dumps(data))
    with monkeypatch.context() as patch:
        patch.delattr("workers.hypermodels.describe.describe_model")
        again, _ = prepare_task("signals", readings, cache)
    assert again.notes == (*info.notes, "read from the cache")
    assert again.space == info.space
    # A damaged one is written anew.
    described.write_text("{")
    assert prepare_task("signals", readings, cache)[0] == info
    assert from_plain(TaskInfo, json.loads(json.dumps(to_plain(info))), "task") == info
