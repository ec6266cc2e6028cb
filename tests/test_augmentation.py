import keras
import numpy as np
import pytest
from conftest import TRAINING, Experiment, Trained
from numpy.typing import NDArray

from fusionseq.augmentation import augment
from fusionseq.sections import AugmentationParams

pytestmark = pytest.mark.usefixtures("runtime")

NONE = {"horizontal_flip": False, "rotation": 0.0, "translation": 0.0}


def make(**settings: object) -> AugmentationParams:
    return AugmentationParams.model_validate(NONE | settings)


@pytest.fixture
def identity() -> keras.Model:
    image = keras.Input((8, 8, 3), dtype="uint8")
    return keras.Model([image], keras.ops.cast(image, "float32"))


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)


def test_nothing_asked_for_changes_nothing(identity: keras.Model) -> None:
    assert augment(identity, make(), 0) is identity


@pytest.mark.parametrize("settings", [{"horizontal_flip": True}, {"rotation": 30}, {"translation": 0.3}])
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


def test_same_seed_gives_the_same_changes(identity: keras.Model, pixels: NDArray[np.uint8]) -> None:
    one, same, other = (
        np.asarray(augment(identity, make(rotation=30), seed)([pixels], training=True)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_augmented_training_changes_what_is_learnt_and_repeats(experiment: Experiment, trained: Trained) -> None:
    training = TRAINING.model_copy(update={"augmentation": make(horizontal_flip=True, translation=0.2)})
    first, second = (
        experiment.train(experiment.build("sequential"), inputs=experiment.images, training=training) for _ in range(2)
    )
    assert first == second
    assert first != trained.history
