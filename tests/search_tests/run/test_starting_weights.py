"""A search that starts from weights of a file: which it has to fit, and that it stays the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from search.front.read import load_fronts
from search.run.options import RunOptions
from search.run.preparation import prepare_run
from search.run.run_study import run_study
from spaces.errors import ConfigError, DataError
from tests.search_tests import analytic
from workers.training.weight_files import read_weight_file

TASK_FILE = """
import numpy as np
import tf_keras
from spaces import Dataset, Split, Task, fingerprint_arrays

NAMES = ("dark", "light")


def load(request):
    labels = np.arange(20, dtype=np.int64) % 2
    images = (100 * labels[:, None, None, None] + np.zeros((20, 8, 8, 1))).astype(np.uint8)
    splits = (Split(images, labels),) * 3
    return Dataset("greys", *splits, NAMES, fingerprint_arrays(NAMES, splits))


def build(hp):
    family = hp.Choice("family", [f"a{n}" for n in range(500)])
    inputs = tf_keras.Input((8, 8, 1))
    x = tf_keras.layers.Conv2D(4, 3, name=f"stem_{family}")(inputs)
    x = tf_keras.layers.Dense(2, activation="softmax")(tf_keras.layers.Flatten()(x))
    return tf_keras.Model(inputs, x)


TASK = Task(name="greys", description="greys", model=build, load_data=load)
"""


def write_weights(path: Path, layer: str = "stem_a437", seed: int = 0) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer]
        file.create_group(layer).attrs["weight_names"] = [f"{layer}/kernel:0", f"{layer}/bias:0"]
        kernel = np.random.default_rng(seed).random((3, 3, 1, 4), np.float32)
        file[f"{layer}/{layer}/kernel:0"] = kernel
        file[f"{layer}/{layer}/bias:0"] = np.zeros(4, np.float32)
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_weights_fit_what_is_held_and_need_to_fit_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    task = tmp_path / "greys.py"
    task.write_text(TASK_FILE)
    weights = write_weights(tmp_path / "mine.h5")

    def prepared(**options: Any) -> Any:
        options = {"weights": weights, "storage": tmp_path / "studies.db", **options}
        return prepare_run(str(task), RunOptions(**options))[0]

    with pytest.raises(DataError, match="none of 24 networks"):
        prepared()
    for options in ({"family": "a437"}, {"fix": {"family": "a437", "frozen_share": "0.5"}}):
        info = prepared(**options)
        assert info.space["family"].choices == ("a437",)
        assert any("1 of its 2 layers with weights start from" in note for note in info.notes)
        assert any("24 of 24 networks" in note for note in info.notes)
    assert info.space["frozen_share"].low == info.space["frozen_share"].high == 0.5
    with pytest.raises(DataError, match="none of 24 networks"):
        prepared(family="a12")
    with pytest.raises(ConfigError, match="'family' cannot be fixed at 'b'"):
        prepared(family="b")


def test_a_file_that_changes_while_it_is_prepared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = write_weights(tmp_path / "mine.h5")

    def prepare(*_: Any, **__: Any) -> tuple[Any, Any]:
        sha256 = read_weight_file(weights).sha256
        write_weights(weights, seed=1)
        settled = {"weights": sha256}
        return analytic.task_info(
            name="fruit", ref="fruit", settled=settled, weights_path=str(weights)
        ), None

    monkeypatch.setattr("search.run.preparation.prepare_run", prepare)
    storage = tmp_path / "studies.db"
    with pytest.raises(DataError, match=r"mine\.h5 must stay as it is .* but it changed"):
        run_study("fruit", weights=weights, storage=storage, trials=2)
    assert load_fronts(storage) == []  # No study was begun.
