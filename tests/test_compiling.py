import keras
import numpy as np
import pytest
from conftest import TRAINING
from numpy.typing import NDArray

from fusionseq.compiling import ExampleMean, build_optimizer, compile_model, soften_labels
from fusionseq.training_sections import TrainingParams

pytestmark = pytest.mark.usefixtures("runtime")

INPUTS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 0, 1])
MIXUP = TRAINING.augmentation.model_copy(update={"mixup": 0.2})
PHASE = TRAINING.frozen


def make(**settings: object) -> TrainingParams:
    return TRAINING.model_copy(update=settings)


@pytest.fixture
def model() -> keras.Model:
    image = keras.Input((4,))
    hidden = keras.layers.LayerNormalization(name="normalization")(image)
    kernel = keras.initializers.GlorotUniform(0)
    return keras.Model(image, keras.layers.Dense(3, "softmax", kernel_initializer=kernel, name="dense")(hidden))


def compute_by_hand(model: keras.Model, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cross-entropy of each example."""
    loss: NDArray[np.float64] = -(labels * np.log(np.asarray(model(INPUTS), np.float64))).sum(axis=1)
    return loss


def test_softened_labels_are_those_by_hand() -> None:
    expected = [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    np.testing.assert_allclose(soften_labels(np.array([0, 2]), 3, 0.3), expected, rtol=1e-6)
    softened = soften_labels(LABELS, 3, 0)
    assert softened.dtype == np.float32
    np.testing.assert_array_equal(softened, np.eye(3)[LABELS])


def test_everything_off_is_adam_on_integers(model: keras.Model) -> None:
    compile_model(model, TRAINING, PHASE, 10, 1, False)
    assert model.loss == "sparse_categorical_crossentropy"
    assert type(model.optimizer) is keras.optimizers.Adam
    assert model.optimizer.weight_decay is None
    assert float(model.optimizer.learning_rate) == np.float32(PHASE.learning_rate)
    loss, accuracy = model.evaluate(INPUTS, LABELS, verbose=0)
    assert loss == pytest.approx(compute_by_hand(model, np.eye(3)[LABELS]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((np.asarray(model(INPUTS)).argmax(axis=1) == LABELS).mean())


@pytest.mark.parametrize("settings", [{"label_smoothing": 0.2}, {"augmentation": MIXUP}], ids=["smoothing", "mixup"])
def test_loss_of_soft_labels_is_that_by_hand(model: keras.Model, settings: dict[str, object]) -> None:
    compile_model(model, make(**settings), PHASE, 10, 1, False)
    soft = 0.7 * soften_labels(LABELS, 3, 0.2) + 0.3 * soften_labels(np.roll(LABELS, 1), 3, 0.2)
    expected = compute_by_hand(model, np.asarray(soft, np.float64)).mean()
    dominating = (np.asarray(model(INPUTS)).argmax(axis=1) == LABELS).mean()
    loss, accuracy = model.evaluate(INPUTS, soft, verbose=0)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert accuracy == pytest.approx(dominating)
    assert model.train_on_batch(INPUTS, soft)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0, 0.2])
def test_full_batches_count_their_examples_alone(model: keras.Model, smoothing: float) -> None:
    training = make(label_smoothing=smoothing)
    compile_model(model, training, PHASE, 10, 2, False)
    labels = soften_labels(LABELS, 3, smoothing) if smoothing else LABELS
    weights = np.array([0.2] * 5 + [0, 0], np.float32)
    logs = model.evaluate(INPUTS, labels, sample_weight=weights, verbose=0, return_dict=True)
    by_hand = compute_by_hand(model, np.asarray(soften_labels(LABELS, 3, smoothing), np.float64))[:5].mean()
    assert logs["loss"] == pytest.approx(by_hand, rel=1e-5)
    assert logs["example_loss"] == pytest.approx(by_hand, rel=1e-5)
    is_right = np.asarray(model(INPUTS)).argmax(axis=1) == LABELS
    assert logs["accuracy"] == pytest.approx(is_right[:5].mean())


def test_mean_forgets_what_fills_a_batch_up() -> None:
    mean = ExampleMean(lambda y_true, y_pred: y_pred - y_true, "difference")
    mean.update_state(np.zeros(3), np.array([1.0, 5.0, 100.0]), np.array([0.5, 0.5, 0.0]))
    mean.update_state(np.zeros(2), np.array([3.0, 100.0]), np.array([1.0, 0.0]))
    assert float(mean.result()) == 3


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_decay_takes_its_share_of_kernels_alone(model: keras.Model, schedule: str) -> None:
    training = make(weight_decay=0.5, learning_rate_schedule=schedule)
    normalization, dense = model.get_layer("normalization"), model.get_layer("dense")
    for variable in (normalization.gamma, normalization.beta, dense.bias):
        variable.assign(np.full(variable.shape, 3, np.float32))
    before = {variable.path: np.array(variable) for variable in model.trainable_variables}
    optimizer = build_optimizer(model.trainable_variables, training, 0.1, num_steps=4)
    kernel = before["dense/kernel"]
    for step in range(2):
        rate = 0.1 * (1 + np.cos(np.pi * step / 4)) / 2 if schedule == "cosine" else 0.1
        optimizer.apply(
            [np.zeros(variable.shape, np.float32) for variable in model.trainable_variables],
            list(model.trainable_variables),
        )
        kernel = kernel * (1 - rate * 0.5)
        np.testing.assert_allclose(np.array(dense.kernel), kernel, rtol=1e-6)
    for variable in (normalization.gamma, normalization.beta, dense.bias):
        np.testing.assert_array_equal(np.array(variable), before[variable.path])


def test_decay_is_decoupled_from_the_gradient(model: keras.Model) -> None:
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    before = np.array(model.get_layer("dense").kernel)
    for trained, decay in ((model, 0.0), (twin, 0.5)):
        optimizer = build_optimizer(trained.trainable_variables, make(weight_decay=decay), 0.1, num_steps=4)
        gradients = [np.ones(variable.shape, np.float32) for variable in trained.trainable_variables]
        optimizer.apply(gradients, list(trained.trainable_variables))
    difference = np.array(model.get_layer("dense").kernel) - np.array(twin.get_layer("dense").kernel)
    np.testing.assert_allclose(difference, before * 0.1 * 0.5, atol=1e-7)
    np.testing.assert_array_equal(np.array(model.get_layer("dense").bias), np.array(twin.get_layer("dense").bias))


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1, 0.1]),
        ("cosine", [0.1, 0.1 * (2 + 2**0.5) / 4, 0.05, 0.1 * (2 - 2**0.5) / 4, 0.0]),
        ("exponential", [0.1, 0.1 / 10**0.5, 0.01, 0.01 / 10**0.5, 0.001]),
    ],
)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_learning_rate_follows_its_schedule_through_the_epochs(
    model: keras.Model, schedule: str, rates: list[float], decay: float
) -> None:
    steps_of_epoch, epochs = 3, 4
    training = make(learning_rate_schedule=schedule, weight_decay=decay)
    optimizer = build_optimizer(model.trainable_variables, training, 0.1, steps_of_epoch * epochs)
    for epoch, rate in enumerate(rates):
        optimizer.iterations.assign(steps_of_epoch * epoch)
        assert float(optimizer.learning_rate) == pytest.approx(rate, abs=1e-8)
