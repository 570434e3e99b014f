"""Augmentation: training pictures changed at random, within the step and outside the model.

The exported network knows nothing of it, TFMOT would refuse it inside, and it costs no pass
over the pictures in Python. Random numbers hang on the seed and the step alone, so that the
same training sees the same pictures wherever it is cut into chunks.

What a policy is made of, and what strength ``s`` in (0, 1] means to it:

- ``flip``: half of the pictures are mirrored left to right, whatever the strength.
- ``shift``: up to ``0.2 s`` of the height and of the width, in whole pixels if nothing else
  moves them. The border is repeated where nothing is left.
- ``rotation``: up to ``30 s`` degrees. ``zoom``: in or out by a factor of up to ``1 + 0.4 s``.
- ``colour``: brightness and contrast by a factor of ``1 +- 0.4 s``, saturation by ``1 +- 0.8 s``.
- ``randaugment``: two operations of :data:`RANDAUGMENT` a picture (Cubuk et al., 2020), each at
  magnitude ``s`` and in either direction: rotation by ``30 s`` degrees, shears and shifts by
  ``0.3 s``, brightness, contrast and saturation by a factor of ``1 +- 0.9 s``, posterizing to
  ``8 - 4 s`` bits, solarizing from ``1 - s`` on, autocontrast. Moves come before colours,
  whatever the order in which they were drawn.
- ``mixup``: a picture and its label blended with another of its batch (Zhang et al., 2018), with
  shares of a Beta distribution with both parameters at ``0.4 s``, of which its own is the larger.
- ``cutmix``: a share ``s`` of the pictures get a rectangle of another one (Yun et al., 2019), of
  uniform share of the area, and that share of its label.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from spaces.config.training import augmentation_parts
from spaces.config.trial import TrainingConfig
from spaces.data.dataset import Split

RANDAUGMENT = (
    "identity",
    "rotation",
    "shear_x",
    "shear_y",
    "shift_x",
    "shift_y",
    "brightness",
    "contrast",
    "posterize",
    "solarize",
    "autocontrast",
    "saturation",
)
"""Nothing in it mirrors a picture. The last one is for pictures with colours only."""

N_OPERATIONS = 2
"""Operations of RandAugment on each picture."""

_N_DRAWS = 24
_BETA_TABLE = 4096
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Luma of red, green and blue (ITU-R BT.601)."""


class Augment:
    """Changes the pictures of a batch as a recipe says; to be called in a graph.

    Args:
        config: Policy, which is not ``none``, and strength.
        split: What is trained on; it tells the size of pictures, and the range of their values
            where those are no bytes.
        seed: Of the training.
    """

    def __init__(self, config: TrainingConfig, split: Split, seed: int) -> None:
        self._parts = frozenset(augmentation_parts(config.augmentation))
        self._strength = config.augmentation_strength
        self._seed = seed % 2**31  # Of quantization-aware training it is one more.
        self._height, self._width, self._channels = split.images.shape[1:]
        self._low, self._high = 0.0, 1.0
        if split.images.dtype != np.uint8:
            self._low, self._high = float(split.images.min()), float(split.images.max())
        if "mixup" in self._parts:
            alpha = 0.4 * self._strength
            drawn = np.random.default_rng(0).beta(alpha, alpha, _BETA_TABLE)
            # The larger share is the picture's own. A draw from a large sample is one from its
            # distribution.
            self._shares = np.maximum(drawn, 1.0 - drawn).astype(np.float32)

    def __call__(self, images: Any, step: Any) -> tuple[Any, Any | None]:
        """Return changed images, and how much of each is its own.

        Args:
            images: ``[batch, height, width, channels]``, as networks see them.
            step: Of the training, from 0.

        Returns:
            Images of the same shape, and ``[batch]`` shares: the rest of an image, and of its
            label, is that of the batch in reverse order. None if nothing is mixed.
        """
        import tensorflow as tf

        batch = images.shape[0]
        uniforms = tf.random.stateless_uniform(
            [_N_DRAWS, batch], seed=tf.stack([self._seed, step]), alg="philox"
        )
        draws = iter(tf.unstack(uniforms))
        parts = self._parts
        levels = self._randaugment(draws) if "randaugment" in parts else {}
        if levels or parts & {"rotation", "zoom"}:
            images = self._resampled(images, draws, levels)
        elif parts & {"flip", "shift"}:
            images = self._moved(images, draws)
        if levels or "colour" in parts:
            images = self._coloured(images, draws, levels)
        if "mixup" in parts:
            return self._mixup(images, draws)
        if "cutmix" in parts:
            return self._cutmix(images, draws)
        return images, None

    def _randaugment(self, draws: Iterator[Any]) -> dict[str, Any]:
        """Return for every operation by how much each picture gets it: -1, 0 or 1 strengths."""
        import tensorflow as tf

        n = len(RANDAUGMENT) - (self._channels != 3)
        picked = [tf.cast(next(draws) * n, tf.int32) for _ in range(N_OPERATIONS)]
        sign = tf.where(next(draws) < 0.5, -1.0, 1.0)
        return {
            name: sign * tf.cast(tf.reduce_any([p == i for p in picked], axis=0), tf.float32)
            for i, name in enumerate(RANDAUGMENT)
        }

    def _moved(self, images: Any, draws: Iterator[Any]) -> Any:
        """Mirror and shift by whole pixels, which costs a tenth of what resampling does."""
        import tensorflow as tf

        height, width, n = self._height, self._width, images.shape[0]
        rows, columns = tf.range(height)[None], tf.range(width)[None]
        if "flip" in self._parts:
            columns = tf.where(next(draws)[:, None] < 0.5, columns, width - 1 - columns)
        if "shift" in self._parts:
            most = 0.2 * self._strength
            down, right = (
                tf.cast(tf.round(_signed(next(draws)) * (most * side)), tf.int32)[:, None]
                for side in (height, width)
            )
            rows = tf.clip_by_value(rows + down, 0, height - 1)
            columns = tf.clip_by_value(columns + right, 0, width - 1)
        places = rows[:, :, None] * width + columns[:, None, :]
        places += (tf.range(n) * (height * width))[:, None, None]
        return tf.gather(tf.reshape(images, [-1, self._channels]), places)

    def _resampled(self, images: Any, draws: Iterator[Any], levels: dict[str, Any]) -> Any:
        """Do all that moves pixels at once, by where each of them comes from."""
        import tensorflow as tf

        parts, s = self._parts, self._strength
        zero = tf.zeros([images.shape[0]])
        angle, shear_x, shear_y, right, down = zero, zero, zero, zero, zero
        scale, mirror = zero + 1.0, zero + 1.0
        if levels:
            angle = levels["rotation"] * (math.radians(30) * s)
            shear_x, shear_y = levels["shear_x"] * (0.3 * s), levels["shear_y"] * (0.3 * s)
            right, down = levels["shift_x"] * (0.3 * s), levels["shift_y"] * (0.3 * s)
        if "flip" in parts:
            mirror = tf.where(next(draws) < 0.5, 1.0, -1.0)
        if "shift" in parts:
            right += _signed(next(draws)) * (0.2 * s)
            down += _signed(next(draws)) * (0.2 * s)
        if "rotation" in parts:
            angle += _signed(next(draws)) * (math.radians(30) * s)
        if "zoom" in parts:
            scale = tf.exp(_signed(next(draws)) * math.log(1 + 0.4 * s))
        cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
        # Rotation and zoom, then shears, then mirroring, about the middle of the picture.
        xx, xy = mirror * (cos + shear_x * sin), mirror * (shear_x * cos - sin)
        yx, yy = sin + shear_y * cos, cos - shear_y * sin
        x, y = (self._width - 1) / 2, (self._height - 1) / 2
        x0 = x - xx * x - xy * y + right * self._width
        y0 = y - yx * x - yy * y + down * self._height
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),
            output_shape=[self._height, self._width],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )

    def _coloured(self, images: Any, draws: Iterator[Any], levels: dict[str, Any]) -> Any:
        """Do all that changes values in place."""
        import tensorflow as tf

        s = self._strength
        ones = tf.ones([images.shape[0]])
        brightness, contrast, saturation = ones, ones, ones
        if levels:
            brightness += levels["brightness"] * (0.9 * s)
            contrast += levels["contrast"] * (0.9 * s)
            saturation += levels["saturation"] * (0.9 * s)
        if "colour" in self._parts:
            brightness *= 1 + _signed(next(draws)) * (0.4 * s)
            contrast *= 1 + _signed(next(draws)) * (0.4 * s)
            saturation *= 1 + _signed(next(draws)) * (0.8 * s)
        span = self._high - self._low
        images = images if (self._low, span) == (0.0, 1.0) else (images - self._low) / span
        if levels:
            images = self._randaugment_tones(images, levels)
        mean = tf.reduce_mean(images, axis=[1, 2, 3])
        # x -> contrast (brightness x - its mean) + its mean, in one product and one sum.
        gain, offset = contrast * brightness, (1 - contrast) * brightness * mean
        if self._channels == 3:
            grey = tf.reduce_sum(images * _GREY, axis=-1, keepdims=True)
            images = _each(gain * saturation) * images + (
                _each(gain * (1 - saturation)) * grey + _each(offset)
            )
        else:
            images = _each(gain) * images + _each(offset)
        images = tf.clip_by_value(images, 0.0, 1.0)
        return images if (self._low, span) == (0.0, 1.0) else images * span + self._low

    def _randaugment_tones(self, images: Any, levels: dict[str, Any]) -> Any:
        """Posterize, solarize and stretch the contrast of those pictures which drew it."""
        import tensorflow as tf

        step = 2.0 ** round(4 * self._strength) / 255  # Bytes whose lowest bits are cleared.
        is_posterized = _each(levels["posterize"] != 0)
        images = tf.where(is_posterized, tf.floor(images / step + 1e-3) * step, images)
        limit = _each(tf.where(levels["solarize"] != 0, 1 - self._strength, 2.0))
        images = tf.where(images >= limit, 1 - images, images)
        low = tf.reduce_min(images, axis=[1, 2], keepdims=True)
        high = tf.reduce_max(images, axis=[1, 2], keepdims=True)
        stretches = _each(levels["autocontrast"] != 0) & (high > low)
        low, span = tf.where(stretches, low, 0.0), tf.where(stretches, high - low, 1.0)
        return (images - low) / span

    def _mixup(self, images: Any, draws: Iterator[Any]) -> tuple[Any, Any]:
        import tensorflow as tf

        shares = tf.gather(self._shares, tf.cast(next(draws) * _BETA_TABLE, tf.int32))
        own = _each(shares)
        return own * images + (1.0 - own) * tf.reverse(images, [0]), shares

    def _cutmix(self, images: Any, draws: Iterator[Any]) -> tuple[Any, Any]:
        import tensorflow as tf

        is_cut = tf.where(next(draws) < self._strength, 1.0, 0.0)
        side = tf.sqrt(next(draws)) * is_cut  # As large a part of either side.
        in_rows, in_columns = (
            _in_middle(next(draws), side, n) for n in (self._height, self._width)
        )
        is_other = in_rows[:, :, None] & in_columns[:, None, :]
        shares = 1.0 - tf.reduce_mean(tf.cast(is_other, tf.float32), axis=[1, 2])
        return tf.where(is_other[..., None], tf.reverse(images, [0]), images), shares


def _signed(uniform: Any) -> Any:
    """Return numbers from -1 to 1."""
    return 2.0 * uniform - 1.0


def _each(values: Any) -> Any:
    """Return one value an image, in the shape that goes with images."""
    return values[:, None, None, None]


def _in_middle(centre: Any, side: Any, n: int) -> Any:
    """Return for each of ``n`` pixels whether it is within half a ``side`` of ``centre``."""
    import tensorflow as tf

    distance = tf.abs((tf.range(n, dtype=tf.float32)[None] + 0.5) / n - centre[:, None])
    return distance < side[:, None] / 2
