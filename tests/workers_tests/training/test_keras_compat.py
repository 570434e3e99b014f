"""Setting TensorFlow up: once, quietly, with Keras 2."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import ConfigError
from workers.training.keras_compat import configure_tensorflow, versions

CHECKOUT = Path(__file__).parents[3]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new process, started in the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=100
    )


def test_versions_are_those_of_this_process() -> None:
    assert versions()["python"] == platform.python_version()
    assert versions()["numpy"] == np.__version__
    assert {"tensorflow", "tf_keras", "tensorflow-model-optimization"} < set(versions())


def test_training_modules_import_without_tensorflow() -> None:
    done = run_python(
        "import sys, workers.training.loop, workers.training.prune, workers.training.qat;"
        "import workers.training.keras_compat as k;"
        "k.versions();"
        "print(sorted({'tensorflow', 'tf_keras', 'ray', 'optuna'} & set(sys.modules)))"
    )

    assert done.stdout.strip() == "[]", done.stderr


def test_at_least_one_thread() -> None:
    with pytest.raises(ConfigError, match="1 <= threads"):
        configure_tensorflow(threads=0)


@pytest.mark.slow
def test_a_process_has_one_number_of_threads() -> None:
    configure_tensorflow(threads=1)
    configure_tensorflow(threads=1)
    with pytest.raises(ConfigError, match="asked for 2"):
        configure_tensorflow(threads=2)


@pytest.mark.slow
def test_a_process_that_computed_already_is_told_so() -> None:
    done = run_python(
        "import tensorflow as tf; tf.constant(1) + 1;"
        "from workers.training.keras_compat import configure_tensorflow;"
        "configure_tensorflow(threads=1)"
    )

    assert done.returncode == 1
    assert "ConfigError: TensorFlow's threads must be set before" in done.stderr


@pytest.mark.slow
def test_nothing_is_printed_and_tfmot_takes_its_models() -> None:
    done = run_python(
        "from workers.training.keras_compat import configure_tensorflow\n"
        "configure_tensorflow(threads=1)\n"
        "import tensorflow as tf, tf_keras, tensorflow_model_optimization as tfmot\n"
        "model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(2,))])\n"
        "tfmot.sparsity.keras.prune_low_magnitude(model)\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads())"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


@pytest.mark.slow
def test_what_no_trial_calls_is_imported_when_it_is_used() -> None:
    done = run_python(
        "import sys\n"
        "from workers.training.keras_compat import configure_tensorflow\n"
        "configure_tensorflow(threads=1)\n"
        "names = {'pandas', 'matplotlib', 'sklearn', 'IPython', 'cv2', 'keras_tuner'}\n"
        "print(sorted(names & set(sys.modules)))\n"
        "import pandas, tf_keras\n"
        "tf_keras.utils.set_random_seed(0)\n"
        "model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(1,))])\n"
        "model.compile(loss='mse')\n"
        "table = pandas.DataFrame({'a': [1.0, 2.0, 3.0]})\n"
        "model.fit(table, pandas.Series([1.0, 2.0, 3.0]), verbose=0)\n"
        "print(model.predict(table, verbose=0).shape)"
    )

    assert (done.returncode, done.stdout) == (0, "['keras_tuner']\n(3, 2)\n"), done.stderr
