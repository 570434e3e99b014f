"""Where a network looked: Grad-CAM on a few test images, wrong ones first.

Of a class's score, the gradient by the last convolution's feature map says which of its channels
speak for the class; their sum, weighted so, says where (Selvaraju et al., 2017). It is taken of
the trained Keras model before quantization; labels are what the deployed file answers.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.data.dataset import Split
from spaces.wording import one_line
from workers.conversion.runtime import network_input
from workers.deploy.evaluation import NO_ANSWER, predicted_labels, probabilities
from workers.training.losses import has_one_unit, interface_of

N_WRONG = 6
N_RIGHT = 6

MIN_PICTURE_PX = 112
"""Smaller pictures are shown enlarged, pixel by pixel."""

FOLLOWERS = ("BatchNormalization", "ReLU", "LeakyReLU", "PReLU", "ELU", "Activation")
"""What belongs to a convolution after it: the feature map is what comes out of these."""


def grad_cam(
    model: Any, split: Split, scores: npt.NDArray[Any], *, are_logits: bool
) -> dict[str, Any]:
    """Return pictures of a handful of images, and what the network looked at in them.

    Args:
        model: Trained Keras 2 model; it is left as it was.
        split: Images and labels.
        scores: What the deployed model answered, ``[n, classes]``.
        are_logits: Whether those are logits.

    Returns:
        JSON data: ``layer`` (None: no such pictures, for the reason in ``note``), and
        ``images``, a row for each: ``index`` in the split, ``label``, ``predicted`` (by the
        deployed model), ``confidence``, and ``picture`` and ``heatmap``, PNG files in base64.
    """
    picked = pick_images(scores, split.labels, are_logits=are_logits)
    predicted = predicted_labels(scores)
    feature_map, why_not = None, ""
    heatmaps: list[npt.NDArray[np.float32] | None] = [None] * len(picked)
    try:
        feature_map = last_feature_map(model)
        if feature_map is None:
            why_not = "This network has no convolution whose feature map is larger than a pixel."
        elif picked:
            found = _heatmaps(model, feature_map, split.images[picked], predicted[picked])
            heatmaps = list(found)
    except Exception as error:  # A network of one's own may do anything; the report goes on.
        feature_map, why_not = None, f"Not possible with this network: {one_line(error, 200)}"
    rows = []
    chances = probabilities(scores, are_logits=are_logits)
    for index, heatmap in zip(picked, heatmaps, strict=True):
        image = _as_picture(split.images[index], split.images)
        rows.append(
            {
                "index": index,
                "label": int(split.labels[index]),
                "predicted": int(predicted[index]),
                "confidence": float(chances[index, predicted[index]]),
                "picture": _png(image),
                "heatmap": None if heatmap is None else _png(_overlaid(image, heatmap)),
            }
        )
    layer = None if feature_map is None else feature_map.name
    return {"layer": layer, "note": why_not, "images": rows}


def pick_images(
    scores: npt.NDArray[Any], labels: npt.NDArray[np.int64], *, are_logits: bool
) -> list[int]:
    """Return indices of wrong answers, the surest first, and then of right ones.

    Right ones are the first of each class in turn.
    """
    predicted = predicted_labels(scores)
    is_wrong = (predicted != labels) & (predicted != NO_ANSWER)
    wrong = np.flatnonzero(is_wrong)
    chances = probabilities(scores[wrong], are_logits=are_logits).max(axis=1, initial=0.0)
    surest = wrong[np.argsort(-chances, kind="stable")][:N_WRONG]
    right = np.flatnonzero(predicted == labels)
    # Of images with equal ranks within their class, the lower class comes first.
    seen: dict[int, int] = {}
    ranks = []
    for index in right:
        label = int(labels[index])
        ranks.append((seen.get(label, 0), label, int(index)))
        seen[label] = seen.get(label, 0) + 1
    return [*map(int, surest), *(index for _, _, index in sorted(ranks)[:N_RIGHT])]


def last_feature_map(model: Any) -> Any | None:
    """Return the layer that gives the last feature map of more than one pixel, or None.

    A network within the network counts as a convolution if it gives such a map.
    """
    for layer in reversed(model.layers):
        is_conv = "Conv" in type(layer).__name__ or hasattr(layer, "layers")
        if not is_conv or not _gives_map(layer):
            continue
        while True:
            nodes = layer.outbound_nodes
            if len(nodes) != 1 or type(nodes[0].layer).__name__ not in FOLLOWERS:
                return layer
            layer = nodes[0].layer
    return None


def _gives_map(layer: Any) -> bool:
    shape = getattr(layer, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        return False
    return all(n is None or n > 1 for n in shape[1:3])


def _heatmaps(
    model: Any, layer: Any, images: npt.NDArray[Any], classes: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Return ``[n, height, width]`` of a feature map, from 0 to 1."""
    import tensorflow as tf
    import tf_keras

    with _logits(model) as outputs, tf.GradientTape() as tape:
        both = tf_keras.Model(model.inputs, [layer.get_output_at(-1), outputs])
        inputs = network_input(images) * np.float32(interface_of(model).factor)
        features, scores = both(tf.constant(inputs), training=False)
        if has_one_unit(scores):  # What speaks against the second class speaks for the first.
            scores = tf.concat([-scores, scores], axis=1)
        picked = tf.gather(scores, tf.constant(classes), axis=1, batch_dims=1)
        tape_target = tf.reduce_sum(picked)
    gradients = tape.gradient(tape_target, features)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    found = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()
    highest = found.max(axis=(1, 2), keepdims=True)
    scaled: npt.NDArray[np.float32] = found / np.where(highest > 0, highest, 1)
    return scaled


@contextmanager
def _logits(model: Any) -> Iterator[Any]:
    """Give a network's output below its softmax or sigmoid, where that is its last step.

    One that is sure of its answer has no gradient left.
    """
    import tf_keras

    last = model.get_layer(model.output_names[0])
    activation = getattr(last, "activation", None)
    if type(last).__name__ == "Softmax":
        yield last.input
    elif getattr(activation, "__name__", "") in ("softmax", "softmax_v2", "sigmoid"):
        last.activation = tf_keras.activations.linear
        try:
            yield model.output
        finally:
            last.activation = activation
    else:
        yield model.output


def _as_picture(image: npt.NDArray[Any], images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an image as RGB: of numbers that are no picture's, the lowest is black."""
    if image.dtype != np.uint8:
        low, high = float(images.min()), float(images.max())
        image = np.clip((image - low) / max(high - low, 1e-12) * 255, 0, 255).astype(np.uint8)
    if image.shape[2] != 3:
        image = np.repeat(image[:, :, :1], 3, axis=2)
    return image


def _overlaid(
    picture: npt.NDArray[np.uint8], heatmap: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Return a picture under a heatmap: dark blue where it is 0, over red to yellow at 1."""
    from PIL import Image

    height, width = picture.shape[:2]
    small = Image.fromarray((heatmap * 255).astype(np.uint8))
    heat = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.float64) / 255
    stops = np.array([[20, 20, 90], [200, 30, 60], [255, 230, 60]], np.float64)
    colours = np.stack(
        [np.interp(heat, (0, 0.5, 1), stops[:, channel]) for channel in range(3)], axis=-1
    )
    grey = picture.mean(axis=2, keepdims=True)
    mixed: npt.NDArray[np.uint8] = (0.45 * grey + 0.55 * colours).astype(np.uint8)
    return mixed


def _png(picture: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    image = Image.fromarray(picture)
    times = -(-MIN_PICTURE_PX // min(image.size))
    if times > 1:
        size = (image.width * times, image.height * times)
        image = image.resize(size, Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
