from typing import Any

import pytest

from fusionseq.feature_files import estimate_size
from fusionseq.model_catalog import find_stems
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.params import Params, validate_params
from fusionseq.planning import estimate_needs


def make_params(content: dict[str, Any], **changes: object) -> Params:
    content["image_size"] = 32
    return validate_params(content | changes, "params.yaml")


def test_disk_is_what_the_stages_write(params_content: dict[str, Any]) -> None:
    params = make_params(params_content, seeds=[0, 1])
    needs = estimate_needs(params, 100, 3, 5000)
    frozen = [
        get_frozen(build_pooled(name, 32), params.first_trained_layer[name], name, find_stems(name, params.controls))
        for name in params.first_trained_layer
    ]
    assert needs.disk["encoded images"] == 10_000
    assert needs.disk["decoded images"] == 2 * 100 * 32 * 32 * 3
    assert needs.disk["features"] == 2 * estimate_size(frozen, 100, "float32")
    # Millions of parameters of four bytes, for two seeds, in two places.
    assert needs.disk["models"] == pytest.approx(2 * 2 * 4 * (17.43 + 2.59 + 14.85 + 4.27 + 2.72) * 1e6, rel=0.01)
    assert needs.seconds > 0


def test_time_grows_with_images_seeds_and_epochs(params_content: dict[str, Any]) -> None:
    params = make_params(params_content, seeds=[0])
    base = estimate_needs(params, 100, 3, 0).operations
    assert estimate_needs(params, 200, 3, 0).operations == pytest.approx(2 * base, rel=1e-6)
    more_seeds = estimate_needs(make_params(params_content, seeds=[0, 1]), 100, 3, 0).operations
    assert base < more_seeds < 2 * base, "each image passes the frozen layers once, whatever the number of seeds"
    params_content["controls"] = ["vgg16"]
    base = estimate_needs(make_params(params_content, seeds=[0]), 100, 3, 0).operations
    params_content["training"]["frozen"]["epochs"] += 10
    more_epochs = estimate_needs(make_params(params_content, seeds=[0]), 100, 3, 0).operations
    assert base < more_epochs < 1.1 * base, "the frozen phase starts from pooled features"


def test_streaming_takes_no_disk_for_features_and_more_time(params_content: dict[str, Any]) -> None:
    cached = estimate_needs(make_params(params_content, seeds=[0]), 100, 3, 0)
    params_content["features"]["mode"] = "streaming"
    streaming = estimate_needs(make_params(params_content, seeds=[0]), 100, 3, 0)
    assert streaming.disk["features"] == 0
    assert streaming.operations > 3 * cached.operations
