import keras
import numpy as np
import pytest
from conftest import BACKBONES as BOTH
from conftest import CUTS, Experiment
from numpy.typing import NDArray

from fusionseq.catalog import BACKBONES
from fusionseq.models.cutting import (
    get_backbone,
    get_fine_tuning_phase,
    get_frozen,
    get_frozen_phase,
    list_backbones,
    list_frozen,
    list_stored,
    make_trainable,
)

EVERY_CUT = [(name, cut) for name in BOTH for cut in BACKBONES[name].clean_cuts]


@pytest.fixture(scope="module")
def few(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[:4]


def test_backbones_are_listed_in_the_order_of_the_catalog(fusion: keras.Model, sequential: keras.Model) -> None:
    assert list_backbones(fusion) == list(BOTH)
    assert list_backbones(sequential) == ["mobilenetv2"]


@pytest.mark.parametrize(("name", "cut"), EVERY_CUT)
def test_frozen_part_and_tail_are_the_whole(
    fusion: keras.Model, sequential: keras.Model, few: NDArray[np.uint8], name: str, cut: str
) -> None:
    model = sequential if name == "mobilenetv2" else fusion
    names = list_backbones(model)
    cuts = CUTS | {name: cut}
    activations = [get_frozen(model, cuts[of], of)(few, training=False)[f"{of}/cut"] for of in names]
    tail = get_fine_tuning_phase(model, cuts).part
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
        get_fine_tuning_phase(sequential, {"mobilenetv2": cut})


def test_head_continues_from_pooled_features(fusion: keras.Model, few: NDArray[np.uint8]) -> None:
    pooled = [get_frozen(fusion, CUTS[name], name)(few, training=False)[f"{name}/pooled"] for name in BOTH]
    assert [values.shape[1] for values in pooled] == [1280, 512]
    expected = np.asarray(fusion(few, training=False))
    np.testing.assert_allclose(np.asarray(get_frozen_phase(fusion).part(pooled)), expected, rtol=1e-5, atol=1e-7)


def test_backbone_ends_before_pooling(fusion: keras.Model, few: NDArray[np.uint8]) -> None:
    for name in list_backbones(fusion):
        feature_maps = np.asarray(get_backbone(fusion, name)(few, training=False))
        pooled = get_frozen(fusion, CUTS[name], name)(few, training=False)[f"{name}/pooled"]
        assert feature_maps.ndim == 4
        np.testing.assert_allclose(feature_maps.mean(axis=(1, 2)), np.asarray(pooled), rtol=1e-5, atol=1e-6)


def test_backbone_alone_has_the_weights_of_its_own_layers(fusion: keras.Model) -> None:
    assert [get_backbone(fusion, name).count_params() for name in BOTH] == [2_257_984, 14_714_688]


def test_frozen_part_ends_at_the_layer_before_the_cut(sequential: keras.Model) -> None:
    frozen = get_frozen(sequential, "block_16_expand", "mobilenetv2")
    assert frozen.output["mobilenetv2/cut"] is sequential.get_layer("block_15_add").output
    assert set(frozen.output) == {"mobilenetv2/cut", "mobilenetv2/pooled"}


def test_tail_trains_all_but_batch_normalization(sequential: keras.Model) -> None:
    phase = get_fine_tuning_phase(sequential, CUTS)
    tail = phase.part
    make_trainable(sequential, phase)
    normalizations = [layer for layer in tail.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(normalizations) == 4
    assert not any(layer.trainable for layer in normalizations)
    trained = {variable.path for variable in tail.trainable_variables}
    block = {f"block_16_{part}/kernel" for part in ("expand", "depthwise", "project")}
    head = {f"{layer}/{kind}" for layer in ("hidden", "probabilities") for kind in ("kernel", "bias")}
    assert trained == block | {"Conv_1/kernel"} | head


def test_batch_normalization_of_the_tail_infers_even_while_training(experiment: Experiment) -> None:
    model = experiment.build("sequential", dropout=0.0)
    phase = get_fine_tuning_phase(model, CUTS)
    tail = phase.part
    make_trainable(model, phase)
    cut = [experiment.features["mobilenetv2/cut"][:3]]
    training, inference = (np.asarray(tail(cut, training=training)) for training in (True, False))
    np.testing.assert_array_equal(training, inference)


def test_layers_outside_the_trained_part_are_frozen(experiment: Experiment) -> None:
    model = experiment.build("fusion")
    make_trainable(model, get_frozen_phase(model))
    head = {f"{layer}/{kind}" for layer in ("hidden", "probabilities") for kind in ("kernel", "bias")}
    assert {variable.path for variable in model.trainable_variables} == head
    make_trainable(model, get_fine_tuning_phase(model, CUTS))
    trained = {variable.path for variable in model.trainable_variables}
    assert head | {"block5_conv3/kernel", "block_16_expand/kernel"} < trained
    assert not {"block5_conv2/kernel", "block_15_project/kernel"} & trained


def test_tail_without_batch_normalization_has_nothing_frozen(fusion: keras.Model) -> None:
    tail = get_fine_tuning_phase(fusion, CUTS).part
    assert tail.get_layer("block5_conv3").trainable
    with pytest.raises(ValueError, match="No such layer"):
        tail.get_layer("block5_conv2")


def test_parts_share_their_weights_with_the_whole(experiment: Experiment, few: NDArray[np.uint8]) -> None:
    model = experiment.build("sequential")
    before = np.asarray(model(few))
    get_fine_tuning_phase(model, CUTS).part.get_layer("Conv_1").kernel.assign_add(np.full((1, 1, 320, 1280), 0.5))
    assert np.abs(np.asarray(model(few)) - before).max() > 1e-3
    before = np.asarray(model(few))
    get_frozen_phase(model).part.get_layer("hidden").bias.assign(np.ones(16))
    assert np.abs(np.asarray(model(few)) - before).max() > 1e-3


def test_what_is_stored_goes_by_the_names_of_its_arrays(experiment: Experiment, fusion: keras.Model) -> None:
    both = ["mobilenetv2/pooled", "vgg16/pooled", "mobilenetv2/cut", "vgg16/cut"]
    assert list_stored(fusion, CUTS) == both
    assert [list(part.output) for part in list_frozen(fusion, CUTS)] == [
        ["mobilenetv2/cut", "mobilenetv2/pooled"],
        ["vgg16/cut", "vgg16/pooled"],
    ]
    stacked = experiment.build("stacked")
    assert list_stored(stacked, CUTS) == ["stacked/cut"]
    assert [list(part.output) for part in list_frozen(stacked, CUTS)] == [["stacked/cut"]]


def test_one_pass_of_a_backbone_also_gives_what_others_build_on(experiment: Experiment, fusion: keras.Model) -> None:
    frozen = get_frozen(fusion, CUTS["vgg16"], "vgg16", {"stacked": "block3_pool"})
    assert frozen.output["stacked/cut"] is fusion.get_layer("block3_pool").output


def test_a_stem_leaves_frozen_layers_between_those_that_learn(experiment: Experiment) -> None:
    model = experiment.build("stacked")
    head = {f"{layer}/{kind}" for layer in ("hidden", "probabilities") for kind in ("kernel", "bias")}
    adapter = {"adapter/kernel", "adapter/bias"}
    frozen = get_frozen_phase(model)
    make_trainable(model, frozen)
    assert {variable.path for variable in frozen.part.trainable_variables} == head | adapter
    tuning = get_fine_tuning_phase(model, CUTS)
    make_trainable(model, tuning)
    block = {f"block_16_{part}/kernel" for part in ("expand", "depthwise", "project")}
    trained = {variable.path for variable in tuning.part.trainable_variables}
    assert trained == head | adapter | block | {"Conv_1/kernel"}
    assert "block_15_project" in {layer.name for layer in tuning.part.layers}


def test_phases_of_a_stem_are_the_whole(experiment: Experiment, few: NDArray[np.uint8]) -> None:
    model = experiment.build("stacked")
    expected = np.asarray(model(few, training=False))
    assert np.ptp(expected, axis=0).max() > 1e-3, "the images are told apart"
    (stem,) = list_frozen(model, CUTS)
    stored = list(stem(few, training=False).values())
    for phase in (get_frozen_phase(model), get_fine_tuning_phase(model, CUTS)):
        np.testing.assert_allclose(np.asarray(phase.part(stored, training=False)), expected, rtol=1e-5, atol=1e-7)
