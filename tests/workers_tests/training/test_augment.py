"""Augmentation: what each part does to a picture, and that only seed and step decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.config.training import AUGMENTATIONS, MIXING
from spaces.config.trial import TrainingConfig
from spaces.data.dataset import Split
from workers.training.augment import Augment

pytestmark = pytest.mark.usefixtures("keras")

N, HEIGHT, WIDTH = 64, 20, 24


def pictures(channels: int = 3, scale: float = 1.0) -> Any:
    """Smooth pictures with a bright spot left of the middle, as networks see them."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    spot = np.exp(-((rows - 10) ** 2 + (columns - 6) ** 2) / 8)[None, :, :, None]
    tints = rng.uniform(0.2, 0.9, (N, 1, 1, channels))
    return (scale * tints * (0.2 + 0.8 * spot)).astype(np.float32)


def augmented(
    policy: str, images: Any, strength: float = 0.5, seed: int = 3, step: int = 0
) -> tuple[Any, Any]:
    import tensorflow as tf

    stored = images if images.max() > 1 else (images * 255).astype(np.uint8)
    augment = Augment(
        TrainingConfig(0.1, N, augmentation=policy, augmentation_strength=strength),
        Split(stored, np.zeros(N, np.int64)),
        seed,
    )
    found, shares = tf.function(augment)(tf.constant(images), tf.constant(step))
    return found.numpy(), None if shares is None else shares.numpy()


def spots(images: Any) -> Any:
    """Row and column of the brightest pixel of each picture."""
    flat = images.sum(axis=-1).reshape(len(images), -1).argmax(axis=1)
    return np.stack(np.divmod(flat, WIDTH), axis=1)


@pytest.mark.parametrize("policy", [*AUGMENTATIONS, "flip+shift", "flip+zoom+colour+cutmix"])
@pytest.mark.parametrize("channels", [1, 3])
def test_seed_and_step_decide(policy: str, channels: int) -> None:
    images = pictures(channels)
    first, _ = augmented(policy, images)
    np.testing.assert_array_equal(augmented(policy, images)[0], first)
    for other in (augmented(policy, images, step=1), augmented(policy, images, seed=4)):
        assert (np.abs(other[0] - first).max(axis=(1, 2, 3)) > 0.01).mean() > 0.2
    assert first.shape == images.shape and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1


@pytest.mark.parametrize("policy", AUGMENTATIONS)
def test_strength_decides_how_much(policy: str) -> None:
    images = pictures()
    weak, strong = (np.abs(augmented(policy, images, s)[0] - images).mean() for s in (0.01, 1.0))
    assert strong > 0.005
    if policy == "flip":
        assert weak == strong
    elif policy == "randaugment":  # Autocontrast has no strength.
        assert weak < strong
    else:
        assert weak < strong / 5


@pytest.mark.parametrize("policy", ["flip", "flip+colour", "flip+zoom"])
def test_half_of_the_pictures_are_mirrored(policy: str) -> None:
    images = pictures()
    changed, _ = augmented(policy, images, strength=0.01)
    is_right = spots(changed)[:, 1] > WIDTH / 2
    assert 0.3 < is_right.mean() < 0.7
    if policy == "flip":
        np.testing.assert_array_equal(changed[is_right], images[is_right][:, :, ::-1])
        np.testing.assert_array_equal(changed[~is_right], images[~is_right])


@pytest.mark.parametrize("policy", ["shift", "shift+rotation"])
def test_shifts_reach_as_far_as_they_say(policy: str) -> None:
    images = pictures()
    moved = spots(augmented(policy, images)[0]) - spots(images)
    most = np.abs(moved).max(axis=0)
    turned = 2 if "rotation" in policy else 0
    assert (most >= 1).all()
    assert (most <= np.array([0.1 * HEIGHT, 0.1 * WIDTH]) + 0.5 + turned).all()
    assert {-1, 1} <= set(np.sign(moved).ravel())


def test_nothing_is_mirrored_or_mixed_that_was_not_asked_for() -> None:
    for policy in set(AUGMENTATIONS) - {"flip", *MIXING}:
        changed, shares = augmented(policy, pictures())
        assert shares is None
        if policy != "randaugment":  # It may turn bright into dark.
            assert (spots(changed)[:, 1] < WIDTH / 2).all()


@pytest.mark.parametrize("policy", ["rotation", "zoom", "shift", "flip"])
def test_moving_keeps_values_within_those_of_the_picture(policy: str) -> None:
    images = pictures()
    changed, _ = augmented(policy, images, 1.0)
    lowest, highest = (f(images, axis=(1, 2)) for f in (np.min, np.max))
    assert (changed.min(axis=(1, 2)) >= lowest - 1e-5).all()
    assert (changed.max(axis=(1, 2)) <= highest + 1e-5).all()


def test_a_picture_without_colours_stays_grey() -> None:
    grey = np.repeat(pictures(1), 3, axis=-1)
    for policy in ("colour", "randaugment"):
        changed, _ = augmented(policy, grey, 1.0)
        np.testing.assert_allclose(changed[..., 0], changed[..., 2], atol=1e-5)


def test_arrays_of_another_range_are_changed_within_it() -> None:
    images = pictures()
    for policy in ("colour", "randaugment"):
        large, _ = augmented(policy, 50 * images + 10, 0.7)
        assert large.min() >= (50 * images + 10).min() - 1e-3
        assert large.max() <= (50 * images + 10).max() + 1e-3
        assert np.abs(large - 50 * images - 10).mean() > 0.3


def test_mixup_blends_pictures_as_it_says() -> None:
    images = pictures()
    changed, shares = augmented("mixup", images)
    own = shares[:, None, None, None]
    np.testing.assert_allclose(changed, own * images + (1 - own) * images[::-1], atol=1e-6)
    assert shares.min() >= 0.5
    # Most pictures are hardly blended: both parameters of the distribution are 0.2.
    assert 0.4 < (shares > 0.9).mean() < 0.95


def test_cutmix_replaces_the_part_it_says() -> None:
    images = pictures()
    changed, shares = augmented("cutmix", images)
    is_other = (changed != images).any(axis=-1)
    np.testing.assert_array_equal(changed[is_other], images[::-1][is_other])
    np.testing.assert_allclose(1 - is_other.mean(axis=(1, 2)), shares, atol=1e-6)
    assert 0.3 < (shares < 1).mean() < 0.7  # A share as large as the strength.
    assert shares.min() < 0.6
