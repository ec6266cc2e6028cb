from typing import Any

import keras
import numpy as np
import pytest
from conftest import IMAGE_SIZE, TRAINING, Experiment, Trained
from numpy.typing import NDArray

from fusionseq.augmentation import augment
from fusionseq.training_sections import AugmentationParams

pytestmark = pytest.mark.usefixtures("runtime")

EACH: list[dict[str, Any]] = [
    {"horizontal_flip": True},
    {"rotation": 30},
    {"translation": 0.3},
    {"crop": 0.3},
    {"colour": 0.2},
]
ALL = {name: value for settings in EACH for name, value in settings.items()} | {"mixup": 0.4}


def make(**settings: object) -> AugmentationParams:
    return AugmentationParams.model_validate(TRAINING.augmentation.model_dump() | settings)


def make_identity(side: int) -> keras.Model:
    image = keras.Input((side, side, 3), dtype="uint8")
    return keras.Model([image], keras.ops.cast(image, "float32"))


@pytest.fixture
def identity() -> keras.Model:
    return make_identity(8)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)


def test_nothing_asked_for_changes_nothing(identity: keras.Model) -> None:
    assert augment(identity, make(), 0) is identity
    assert not make().is_on


@pytest.mark.parametrize("settings", [*EACH, {"mixup": 0.4}])
def test_each_change_counts_as_augmentation(settings: dict[str, object]) -> None:
    assert make(**settings).is_on


def test_images_are_not_mixed_one_by_one(identity: keras.Model) -> None:
    assert augment(identity, make(mixup=0.4), 0) is identity


@pytest.mark.parametrize("settings", [*EACH, ALL])
def test_images_change_in_training_alone(
    identity: keras.Model, pixels: NDArray[np.uint8], settings: dict[str, object]
) -> None:
    model = augment(identity, make(**settings), 0)
    np.testing.assert_array_equal(np.asarray(model([pixels], training=False)), pixels)
    first, second = (np.asarray(model([pixels], training=True)) for _ in range(2))
    assert (first != pixels).any()
    assert (first != second).any(), "anew each time"
    assert first.min() >= 0
    assert first.max() <= 255
    np.testing.assert_array_equal(first, first.round())


def test_flips_exchange_left_and_right_of_about_half(identity: keras.Model, pixels: NDArray[np.uint8]) -> None:
    flipped = np.asarray(augment(identity, make(horizontal_flip=True), 0)([pixels], training=True))
    is_same = (flipped == pixels).all(axis=(1, 2, 3))
    is_mirrored = (flipped == pixels[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (is_same ^ is_mirrored).all()
    assert 8 <= is_mirrored.sum() <= 32


def test_crops_are_enlarged_parts_of_the_image() -> None:
    side = IMAGE_SIZE
    # The value of a pixel is its place: across in red, down in green.
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    ramp = np.repeat(np.stack([across, down, across], axis=2)[None].astype(np.uint8), 200, axis=0)
    cropped = np.asarray(augment(make_identity(side), make(crop=0.3), 0)([ramp], training=True))
    left, right = cropped[:, 0, 0, 0], cropped[:, 0, -1, 0]
    top, bottom = cropped[:, 0, 0, 1], cropped[:, -1, 0, 1]
    kept = (right - left) / (side - 1)
    # Values are rounded at both ends.
    assert (abs(kept - (bottom - top) / (side - 1)) <= 2 / (side - 1)).all(), "the shape stays"
    assert kept.min() == pytest.approx(0.7, abs=0.05)
    assert kept.max() == pytest.approx(1, abs=0.05)
    assert 0 <= left.min() < left.max() <= 0.3 * (side - 1) + 1
    assert abs(np.corrcoef(left, top)[0, 1]) < 0.6
    for image in cropped[:5]:
        line = np.linspace(image[0, 0, 0], image[0, -1, 0], side)
        np.testing.assert_allclose(image[:, :, 0], line[None].repeat(side, axis=0), atol=1.1)


def test_strength_bounds_the_changes_of_colour(identity: keras.Model) -> None:
    strength = 0.2
    model = augment(identity, make(colour=strength), 0)

    def change(*values: tuple[int, int, int]) -> NDArray[np.float32]:
        """Images of two halves, changed at random: the colour of each half, of shape (500, 2, 3)."""
        halves = np.array(values, np.uint8).repeat(8 // len(values), axis=0)
        changed = np.asarray(model([np.tile(halves[None, None], (500, 8, 1, 1))], training=True))
        return changed[:, 0, [0, -1]]

    # Contrast leaves what is even as it is, and saturation what is grey.
    brightness = change((120, 120, 120))[:, 0, 0] - 120
    assert brightness.min() == pytest.approx(-strength * 255, abs=3)
    assert brightness.max() == pytest.approx(strength * 255, abs=3)
    light, dark = change((140, 140, 140), (100, 100, 100))[..., 0].T
    contrast = (light - dark) / 40
    assert contrast.min() == pytest.approx(1 - strength, abs=0.04)
    assert contrast.max() == pytest.approx(1 + strength, abs=0.04)
    reddish = change((160, 120, 120))[:, 0]
    saturation = (reddish.max(axis=1) - reddish.min(axis=1)) / 40
    assert saturation.min() == pytest.approx(0.8 / 1.2, abs=0.04)
    assert saturation.max() == pytest.approx(1.2 / 0.8, abs=0.04)
    assert abs(np.corrcoef(light + dark, contrast)[0, 1]) < 0.2, "each independent of the other"


def test_no_two_changes_draw_the_same_numbers(identity: keras.Model) -> None:
    model = augment(identity, make(**ALL), 5)
    states = [tuple(np.asarray(layer.generator.state)) for layer in model.layers if hasattr(layer, "generator")]
    assert len(states) == 7
    # Dropout starts from the seed itself.
    assert len({(5, 0), *states}) == 8


@pytest.mark.parametrize("settings", EACH)
def test_same_seed_gives_the_same_changes(
    identity: keras.Model, pixels: NDArray[np.uint8], settings: dict[str, object]
) -> None:
    one, same, other = (
        np.asarray(augment(identity, make(**settings), seed)([pixels], training=True)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_changes_are_computed_in_single_precision(identity: keras.Model, pixels: NDArray[np.uint8]) -> None:
    expected = np.asarray(augment(identity, make(**ALL), 0)([pixels], training=True))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        changed = np.asarray(augment(identity, make(**ALL), 0)([pixels], training=True))
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(changed, expected)


def test_augmented_training_changes_what_is_learnt_and_repeats(experiment: Experiment, trained: Trained) -> None:
    training = TRAINING.model_copy(update={"augmentation": make(**ALL)})
    first, second = (experiment.build("sequential") for _ in range(2))
    history, again = (experiment.train(model, inputs=experiment.images, training=training) for model in (first, second))
    assert history == again
    assert history != trained.history
    for weights, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, other)
    # Validation sees images and labels as they are.
    rows = experiment.subsets.rows("validation")
    probabilities = np.asarray(first(experiment.images[rows], training=False))
    expected = -np.log(probabilities[np.arange(len(rows)), experiment.subsets.labels[rows]]).mean()
    assert history[-1].validation_loss == pytest.approx(expected, rel=1e-4)
