import keras
import numpy as np
import pytest
from conftest import CUTS, Experiment
from numpy.typing import NDArray

from fusionseq.catalog import BACKBONES
from fusionseq.models.cutting import get_backbone, get_frozen, get_head, get_tail, list_backbones, make_trainable

EVERY_CUT = [(name, cut) for name, backbone in BACKBONES.items() for cut in backbone.clean_cuts]


@pytest.fixture(scope="module")
def few(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[:4]


def test_backbones_are_listed_in_the_order_of_the_catalog(fusion: keras.Model, sequential: keras.Model) -> None:
    assert list_backbones(fusion) == list(BACKBONES) == ["mobilenetv2", "vgg16"]
    assert list_backbones(sequential) == ["mobilenetv2"]


@pytest.mark.parametrize(("name", "cut"), EVERY_CUT)
def test_frozen_part_and_tail_are_the_whole(
    fusion: keras.Model, sequential: keras.Model, few: NDArray[np.uint8], name: str, cut: str
) -> None:
    model = sequential if name == "mobilenetv2" else fusion
    names = list_backbones(model)
    cuts = CUTS | {name: cut}
    activations = [get_frozen(model, cuts[of], of)(few, training=False)["cut"] for of in names]
    tail = get_tail(model, cuts)
    expected = np.asarray(model(few, training=False))
    np.testing.assert_allclose(np.asarray(tail(activations, training=False)), expected, rtol=1e-5, atol=1e-7)
    # The tail must depend on what it is given, or the comparison would mean nothing.
    changed = [values[::-1] if of == name else values for of, values in zip(names, activations, strict=True)]
    assert np.abs(np.asarray(tail(changed, training=False)) - expected).max() > 1e-3


@pytest.mark.parametrize(
    "cut", ["block_14_depthwise", "block_14_project_BN", "block_15_depthwise", "block_2_depthwise"]
)
def test_cut_within_a_residual_block_is_refused(sequential: keras.Model, cut: str) -> None:
    assert cut not in BACKBONES["mobilenetv2"].clean_cuts
    with pytest.raises(ValueError, match="not connected to"):
        get_tail(sequential, {"mobilenetv2": cut})


def test_head_continues_from_pooled_features(fusion: keras.Model, few: NDArray[np.uint8]) -> None:
    pooled = [get_frozen(fusion, CUTS[name], name)(few, training=False)["pooled"] for name in list_backbones(fusion)]
    assert [values.shape[1] for values in pooled] == [1280, 512]
    expected = np.asarray(fusion(few, training=False))
    np.testing.assert_allclose(np.asarray(get_head(fusion)(pooled)), expected, rtol=1e-5, atol=1e-7)


def test_backbone_ends_before_pooling(fusion: keras.Model, few: NDArray[np.uint8]) -> None:
    for name in list_backbones(fusion):
        feature_maps = np.asarray(get_backbone(fusion, name)(few, training=False))
        pooled = get_frozen(fusion, CUTS[name], name)(few, training=False)["pooled"]
        assert feature_maps.ndim == 4
        np.testing.assert_allclose(feature_maps.mean(axis=(1, 2)), np.asarray(pooled), rtol=1e-5, atol=1e-6)


def test_backbone_alone_has_the_weights_of_its_own_layers(fusion: keras.Model) -> None:
    assert [get_backbone(fusion, name).count_params() for name in BACKBONES] == [2_257_984, 14_714_688]


def test_frozen_part_ends_at_the_layer_before_the_cut(sequential: keras.Model) -> None:
    frozen = get_frozen(sequential, "block_16_expand", "mobilenetv2")
    assert frozen.output["cut"] is sequential.get_layer("block_15_add").output
    assert set(frozen.output) == {"cut", "pooled"}


def test_tail_trains_all_but_batch_normalization(sequential: keras.Model) -> None:
    tail = get_tail(sequential, CUTS)
    make_trainable(sequential, tail)
    normalizations = [layer for layer in tail.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(normalizations) == 4
    assert not any(layer.trainable for layer in normalizations)
    trained = {variable.path for variable in tail.trainable_variables}
    block = {f"block_16_{part}/kernel" for part in ("expand", "depthwise", "project")}
    head = {f"{layer}/{kind}" for layer in ("hidden", "probabilities") for kind in ("kernel", "bias")}
    assert trained == block | {"Conv_1/kernel"} | head


def test_batch_normalization_of_the_tail_infers_even_while_training(experiment: Experiment) -> None:
    model = experiment.build("sequential", dropout=0.0)
    tail = get_tail(model, CUTS)
    make_trainable(model, tail)
    cut = [experiment.features["mobilenetv2"].cut[:3]]
    training, inference = (np.asarray(tail(cut, training=training)) for training in (True, False))
    np.testing.assert_array_equal(training, inference)


def test_layers_outside_the_trained_part_are_frozen(experiment: Experiment) -> None:
    model = experiment.build("fusion")
    make_trainable(model, get_head(model))
    head = {f"{layer}/{kind}" for layer in ("hidden", "probabilities") for kind in ("kernel", "bias")}
    assert {variable.path for variable in model.trainable_variables} == head
    make_trainable(model, get_tail(model, CUTS))
    trained = {variable.path for variable in model.trainable_variables}
    assert head | {"block5_conv3/kernel", "block_16_expand/kernel"} < trained
    assert not {"block5_conv2/kernel", "block_15_project/kernel"} & trained


def test_tail_without_batch_normalization_has_nothing_frozen(fusion: keras.Model) -> None:
    tail = get_tail(fusion, CUTS)
    assert tail.get_layer("block5_conv3").trainable
    with pytest.raises(ValueError, match="No such layer"):
        tail.get_layer("block5_conv2")


def test_parts_share_their_weights_with_the_whole(experiment: Experiment, few: NDArray[np.uint8]) -> None:
    model = experiment.build("sequential")
    before = np.asarray(model(few))
    get_tail(model, CUTS).get_layer("Conv_1").kernel.assign_add(np.full((1, 1, 320, 1280), 0.5))
    assert np.abs(np.asarray(model(few)) - before).max() > 1e-3
    before = np.asarray(model(few))
    get_head(model).get_layer("hidden").bias.assign(np.ones(16))
    assert np.abs(np.asarray(model(few)) - before).max() > 1e-3
