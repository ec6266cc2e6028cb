import keras
import numpy as np
import pytest
from conftest import BACKBONES, IMAGE_SIZE, Experiment
from numpy.typing import NDArray

from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head


@pytest.mark.parametrize(("image_size", "side"), [(32, 4), (56, 7), (224, 28)])
def test_mobilenetv2_begins_where_both_have_an_eighth_of_the_side(image_size: int, side: int) -> None:
    model = build_architecture("stacked", BACKBONES, image_size, Head(4, 6, 0.3, 1))
    assert model.get_layer("adapter").input is model.get_layer("block3_pool").output
    assert model.get_layer("adapter").output.shape == (None, side, side, 32)
    assert model.get_layer("block_6_expand").input is model.get_layer("adapter").output
    assert model.output_shape == (None, 4)


def test_nothing_else_of_either_backbone_is_in_it() -> None:
    names = {layer.name for layer in build_architecture("stacked", BACKBONES, 32, Head(4, 6, 0.3, 1)).layers}
    assert not {"block4_conv1", "Conv1", "block_5_add", "vgg16_pooled"} & names
    assert {"block1_conv1", "block_16_project", "out_relu"} < names


def test_its_layers_hold_the_weights_of_both_backbones(experiment: Experiment, fusion: keras.Model) -> None:
    model = experiment.build("stacked")
    new = ("adapter", "hidden", "probabilities")
    ours = [layer for layer in model.layers if layer.weights and layer.name not in new]
    assert len(ours) > 50
    for layer in ours:
        for value, expected in zip(layer.get_weights(), fusion.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(value, expected)


def test_seed_decides_the_adapter() -> None:
    models = [build_architecture("stacked", BACKBONES, IMAGE_SIZE, Head(4, 6, 0.3, seed)) for seed in (0, 0, 1)]
    first, same, other = (np.asarray(model.get_layer("adapter").kernel) for model in models)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_it_trains_in_both_phases_to_the_same_weights_from_images(
    experiment: Experiment, images: NDArray[np.uint8]
) -> None:
    stored, streamed = experiment.build("stacked"), experiment.build("stacked")
    before = np.asarray(stored.get_layer("adapter").kernel).copy()
    history = experiment.train(stored)
    assert [epoch.phase for epoch in history] == ["frozen"] * 2 + ["fine-tuning"] * 2
    assert (np.asarray(stored.get_layer("adapter").kernel) != before).any()
    assert experiment.train(streamed, inputs=images) == history
    for ours, theirs in zip(stored.get_weights(), streamed.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
