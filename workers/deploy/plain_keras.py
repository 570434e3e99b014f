"""The trained network as a Keras file that loads where none of our packages is.

Layers and initializers of our own only matter in training: a saved network has its weights, and
drops nothing. What is written instead are the layers that Keras has. A network with a person's own
layers keeps them, and loads where their code is.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.wording import one_line

KERAS3_TOLERANCE = 1e-4
"""By how much the answers of Keras 3 may differ: its kernels add in another order."""


def plain_model(model: Any) -> Any:
    """Return the same network, with the same weights, of Keras's own layers and initializers.

    Args:
        model: A model of ``tf_keras``.
    """
    import tf_keras

    def plain(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return plain_model(layer)
        if type(layer).__module__.startswith("spaces."):
            # All of them leave their input as it is, but in training.
            return tf_keras.layers.Activation("linear", name=layer.name)
        config = layer.get_config()
        for name, value in config.items():
            if isinstance(value, dict) and _is_ours(value) and name.endswith("_initializer"):
                config[name] = "zeros"
        return type(layer).from_config(config)

    cloned = tf_keras.models.clone_model(model, clone_function=plain)
    cloned.set_weights(model.get_weights())
    return cloned


def save_keras3(model: Any, path: Path, samples: npt.NDArray[np.float32]) -> str:
    """Write a network as a file of Keras 3, after a look whether that answers alike.

    Args:
        model: From :func:`plain_model`.
        path: A file that ends in ``.keras``.
        samples: What to ask both: a few inputs.

    Returns:
        Why it was not written; empty if it was.

    Raises:
        OSError: If it cannot be written.
    """
    path.unlink(missing_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder, _quiet():
            import keras

            # Of Keras 2's files, Keras 3 reads those of HDF5.
            old = Path(folder) / "model.h5"
            model.save(old, include_optimizer=False)
            converted = keras.models.load_model(
                old, custom_objects=_keras3_layers(keras), compile=False
            )
            expected = model.predict(samples, verbose=0)
            found = np.asarray(converted.predict(samples, verbose=0))
            converted.save(path)
    except OSError:
        raise
    except Exception as error:  # Layers that Keras 3 lacks raise anything at all.
        return f"Keras 3 cannot take the network: {one_line(error, 150)}"
    if not np.allclose(found, expected, atol=KERAS3_TOLERANCE):
        path.unlink(missing_ok=True)
        return f"Keras 3 answers otherwise, by up to {np.abs(found - expected).max():.3g}"
    return ""


def _keras3_layers(keras: Any) -> dict[str, Any]:
    """Return layers of Keras 3 whose Keras 2 namesakes store settings that mean nothing there."""

    def without_unused(layer: Any) -> Any:
        class Reader:
            @classmethod
            def from_config(cls, config: dict[str, Any]) -> Any:
                return layer(**{name: v for name, v in config.items() if name not in _UNUSED})

        return Reader

    names = ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
    return {name: without_unused(getattr(keras.layers, name)) for name in names}


_UNUSED = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
"""What convolutions by channel inherit from ordinary ones."""


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep progress and warnings about old formats, which are meant here, off the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _is_ours(config: dict[str, Any]) -> bool:
    return str(config.get("module", "")).startswith("spaces.")
