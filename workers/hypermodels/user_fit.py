"""The ``fit`` that a KerasTuner ``HyperModel`` may bring along, and what to make of it.

It is called once with a model whose own ``fit`` only listens. That way its hyperparameters are
found beside those of ``build``, and what it wants of ``model.fit`` is known without training. A
``fit`` that runs the model itself, or trains it in several goes, has a loop of its own: that one
is left to run as it is, where it is time to train.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.errors import TrialFailedError
from spaces.wording import kind_and_line
from workers.training.compiled import KERAS_BATCH_SIZE

if TYPE_CHECKING:
    import numpy.typing as npt

    from spaces.data.dataset import Dataset, Split

DRY_IMAGES = 64
"""Images that a ``fit`` is shown where there is no data set."""

DRY_EPOCHS = 1


@dataclass
class Listened:
    """What a ``fit`` did with a model that only listens.

    Attributes:
        calls: Arguments of every ``model.fit``, by name.
        ran_model: Whether it ran the model itself before any of them.
        images: The images that it was given.
        labels: The labels that it was given.
    """

    images: Any
    labels: Any
    calls: list[dict[str, Any]] = field(default_factory=list)
    ran_model: bool = False

    @property
    def is_loop(self) -> bool:
        """Whether it trains by a loop of its own."""
        return len(self.calls) != 1


class _Over(BaseException):
    """All is heard. No ``except Exception`` of the user's stops it."""


def overrides_fit(hypermodel: Any) -> bool:
    """Whether a hypermodel brings a ``fit`` of its own."""
    import keras_tuner

    own = getattr(type(hypermodel), "fit", None)
    return own is not None and own is not keras_tuner.HyperModel.fit


def listen(
    hypermodel: Any, hp: Any, model: Any, dataset: Dataset | None, n_classes: int
) -> Listened:
    """Call ``fit(hp, model, ...)`` without training.

    Args:
        hypermodel: With a ``fit`` of its own.
        hp: Takes the hyperparameters that it asks for.
        model: As ``build(hp)`` returned it; with an input shape.
        dataset: Its labels are shown, and as many empty images; None for a few random ones.
        n_classes: Number of classes.

    Raises:
        TrialFailedError: If it fails before it trains.
    """
    shape = tuple(model.input_shape[1:])
    train, val = _dry_split(dataset, "train", n_classes), _dry_split(dataset, "val", n_classes)
    # One empty image, seen as many: that takes no memory.
    images = [np.broadcast_to(np.zeros(shape, np.float32), (len(s), *shape)) for s in (train, val)]
    heard = Listened(images[0], train)
    with _listening(model, heard):
        try:
            _call(hypermodel, hp, model, images[0], train, (images[1], val), DRY_EPOCHS)
        except _Over:
            pass
        except Exception as error:
            if not heard.calls and not heard.ran_model:
                raise TrialFailedError(
                    f"fit(hp, model, ...) failed before it trained: {kind_and_line(error)}"
                ) from error
    return heard


def run_loop(
    hypermodel: Any, hp: Any, model: Any, dataset: Dataset, epochs: int, factor: float = 1.0
) -> None:
    """Train a model by the user's own loop.

    Args:
        hypermodel: With a ``fit`` of its own.
        hp: The trial's hyperparameters.
        model: As ``build(hp)`` returned it; its weights are changed.
        dataset: What is trained on; validated on ``val``.
        epochs: Of the trial, which the loop may heed or not.
        factor: What pictures from 0 to 1 are multiplied with.

    Raises:
        TrialFailedError: If it fails.
    """
    shape = tuple(model.input_shape[1:])
    images, val_images = (_images(split, shape, factor) for split in (dataset.train, dataset.val))
    try:
        # Progress bars of a worker would be seen by nobody, and by everybody without Ray.
        with contextlib.redirect_stdout(io.StringIO()):
            _call(
                hypermodel,
                hp,
                model,
                images,
                np.array(dataset.train.labels),
                (val_images, np.array(dataset.val.labels)),
                epochs,
            )
    except Exception as error:
        raise TrialFailedError(f"fit(hp, model, ...) failed: {kind_and_line(error)}") from error


def batch_size(call: Mapping[str, Any]) -> int:
    """Return the images a step of one ``model.fit``.

    Raises:
        TrialFailedError: If it is no number above 0.
    """
    found = call.get("batch_size")
    if found is None:
        return KERAS_BATCH_SIZE
    if int(found) != found or found < 1:
        raise TrialFailedError(f"model.fit got a batch_size of {found!r}, which must be 1 or more")
    return int(found)


def class_weight(call: Mapping[str, Any]) -> dict[int, float] | None:
    """Return the class weights of one ``model.fit``; None without."""
    found = call.get("class_weight")
    return {int(key): float(value) for key, value in found.items()} if found else None


def callbacks_of(call: Mapping[str, Any]) -> list[Any]:
    """Return the callbacks of one ``model.fit``."""
    found = call.get("callbacks") or []
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _with_monitor(callback: Any) -> str:
    monitor = getattr(callback, "monitor", None)
    name = type(callback).__name__
    return name if monitor is None else f"{name} of {monitor}"


def notes_of(heard: Listened, callbacks: Sequence[Any] = ()) -> tuple[str, ...]:
    """Return what a ``fit`` asks for and does not get, one line each.

    Args:
        heard: What it did.
        callbacks: Those of its callbacks which are called.
    """
    if heard.is_loop:
        why = "calls model.fit several times" if heard.calls else "has a training loop of its own"
        return (
            f"fit(hp, model, ...) {why}: it runs as it is, at its own length, without early "
            f"stopping; pruning and quantization-aware training come after it, at the learning "
            f"rate and batch size of the trial.",
        )
    (call,) = heard.calls
    notes = []
    if call.get("epochs", DRY_EPOCHS) != DRY_EPOCHS:
        notes.append("Epochs that fit(hp, model, ...) asks for are not taken: --epochs says them.")
    taken = {id(each) for each in callbacks}
    left_out = [each for each in callbacks_of(call) if id(each) not in taken]
    if callbacks:
        names = ", ".join(dict.fromkeys(type(each).__name__ for each in callbacks))
        notes.append(f"Callbacks of fit(hp, model, ...) are called after every epoch: {names}.")
    if left_out:
        names = ", ".join(dict.fromkeys(_with_monitor(each) for each in left_out))
        notes.append(f"Callbacks of fit(hp, model, ...) are not called: {names}.")
    given = [name for name in ("validation_split", "steps_per_epoch") if call.get(name)]
    if given:
        notes.append(
            f"{' and '.join(given)} of fit(hp, model, ...) {'are' if len(given) > 1 else 'is'} "
            f"not taken: an epoch is all training images, judged on the validation split."
        )
    if call.get("sample_weight") is not None:
        notes.append("sample_weight of fit(hp, model, ...) is not taken; class_weight would be.")
    if call.get("x") is not heard.images:
        notes.append(
            "fit(hp, model, ...) changes the images. What is deployed sees them as they are, and "
            "so does training: put it into the model, or into the data."
        )
    if call.get("y") is not heard.labels and not _is_one_hot(call.get("y"), heard.labels):
        notes.append("Labels that fit(hp, model, ...) changes are not taken.")
    return tuple(notes)


def _is_one_hot(found: Any, labels: npt.NDArray[np.int64]) -> bool:
    try:
        rows = np.asarray(found)
        if rows.shape in ((len(labels),), (len(labels), 1)):
            return bool(np.array_equal(rows.reshape(-1), labels))
        return rows.ndim == 2 and bool(np.array_equal(rows.argmax(axis=1), labels))
    except (TypeError, ValueError):
        return False


def _call(
    hypermodel: Any,
    hp: Any,
    model: Any,
    images: Any,
    labels: Any,
    validation_data: tuple[Any, Any],
    epochs: int,
) -> None:
    """Call ``fit`` as a tuner would that was given images, validation data and epochs."""
    extra: dict[str, Any] = {
        "validation_data": validation_data,
        "epochs": epochs,
        "callbacks": [],
        "verbose": 0,
    }
    parameters = inspect.signature(hypermodel.fit).parameters.values()
    if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        names = {each.name for each in parameters}
        extra = {key: value for key, value in extra.items() if key in names}
    while True:
        try:
            hypermodel.fit(hp, model, images, labels, **extra)
            return
        except TypeError as error:
            # What it gives to model.fit itself, a tuner's user would not have given too.
            twice = [
                name
                for name in extra
                if f"multiple values for keyword argument '{name}'" in str(error)
            ]
            if not twice:
                raise
            del extra[twice[0]]


@contextlib.contextmanager
def _listening(model: Any, heard: Listened) -> Iterator[None]:
    """Have a model note what it is asked to do, and do nothing."""
    import tf_keras

    signature = inspect.signature(tf_keras.Model.fit)

    def fit(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(model, *args, **kwargs)
        except TypeError as error:
            raise TrialFailedError(f"model.fit was called wrongly: {error}") from None
        heard.calls.append(dict(bound.arguments))
        history = tf_keras.callbacks.History()
        history.history = _AnyMetric()
        return history

    def call(*args: Any, **kwargs: Any) -> Any:
        heard.ran_model = heard.ran_model or not heard.calls
        raise _Over

    with _replaced(model, fit=fit, call=call):
        yield


@contextlib.contextmanager
def _replaced(model: Any, **methods: Callable[..., Any]) -> Iterator[None]:
    """Give an object other methods within the block."""
    for name, method in methods.items():
        object.__setattr__(model, name, method)
    try:
        yield
    finally:
        for name in methods:
            object.__delattr__(model, name)


class _AnyMetric(dict[str, list[float]]):
    """A history that has whatever it is asked for."""

    def __missing__(self, key: str) -> list[float]:
        return [0.0]


def _dry_split(dataset: Dataset | None, name: str, n_classes: int) -> npt.NDArray[np.int64]:
    if dataset is None:
        return np.arange(DRY_IMAGES, dtype=np.int64) % n_classes
    return np.array(getattr(dataset, name).labels)


def _images(split: Split, shape: tuple[int, ...], factor: float) -> npt.NDArray[np.float32]:
    """Return images as networks see them, in the shape that the user's model takes."""
    images = np.asarray(split.images)
    numbers = images.astype(np.float32)
    if images.dtype == np.uint8:
        numbers /= np.float32(255 / factor)
    return numbers.reshape(len(images), *shape)
