import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from fusionseq.page.graph import NODE_HEIGHT, NODE_WIDTH, Stage, draw_graph, find_needs, group_items, reduce_needs

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"]}


def test_items_of_a_matrix_are_one_stage() -> None:
    items = [("train@0", ["x", "y"], ["m/0"]), ("train@1", ["x"], ["m/1"]), ("score", ["m"], ["s"])]
    assert group_items(items) == [
        Stage("train", 2, ("x", "y"), ("m/0", "m/1")),
        Stage("score", 1, ("m",), ("s",)),
    ]


@pytest.mark.parametrize(
    ("path", "output", "is_needed"),
    [("a", "a", True), ("a/b", "a", True), ("a", "a/b", True), ("ab", "a", False), ("a", "ab", False)],
)
def test_a_stage_needs_whose_outputs_it_reads_in_part(path: str, output: str, is_needed: bool) -> None:
    needs = find_needs([Stage("one", 1, (), (output,)), Stage("two", 1, (path,), ())])
    assert needs == {"one": [], "two": ["one"] if is_needed else []}


def test_what_follows_through_another_stage_is_left_out() -> None:
    assert reduce_needs(DIAMOND) == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    assert reduce_needs({"d": ["c", "a"], "c": ["b"], "b": ["a"], "a": []})["d"] == ["c"]


def test_stages_stand_below_what_they_need_and_beside_each_other() -> None:
    drawing = draw_graph(DIAMOND)
    places = {node.name: node for node in drawing.nodes}
    assert places["a"].y < places["b"].y == places["c"].y < places["d"].y
    assert len(drawing.paths) == 4
    for one, other in combinations(drawing.nodes, 2):
        assert abs(one.x - other.x) >= NODE_WIDTH or abs(one.y - other.y) >= NODE_HEIGHT
    assert all(NODE_WIDTH / 2 <= node.x <= drawing.width - NODE_WIDTH / 2 for node in drawing.nodes)


def test_a_long_edge_crosses_no_node() -> None:
    # The edge from a to e passes by b, c and d.
    drawing = draw_graph({"a": [], "b": [], "c": ["b"], "d": ["c"], "e": ["a", "d"]})
    long = max(drawing.paths, key=len)
    # Where it runs straight down.
    columns = [float(x) for x in re.findall(r"([\d.]+),[\d.]+V", long)]
    assert len(columns) == 2
    for node in drawing.nodes:
        if node.name in "cd":
            assert all(abs(node.x - x) > NODE_WIDTH / 2 for x in columns)


def test_a_stage_alone_is_drawn() -> None:
    drawing = draw_graph({"only": []})
    assert ([node.name for node in drawing.nodes], drawing.paths) == (["only"], ())


def test_the_stages_of_this_project_follow_one_another() -> None:
    stages = yaml.safe_load((Path(__file__).parents[1] / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outputs = {
        name: [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"]]
        for name, stage in stages.items()
    }
    needs = find_needs([
        Stage(name, 1, tuple(stage["deps"]), tuple(outputs[name])) for name, stage in stages.items()
    ])  # fmt: skip
    order = [node.name for node in draw_graph(needs).nodes]
    assert order.index("fetch") < order.index("split") < order.index("train_fusion") < order.index("evaluate")
    assert needs["figures"] == ["preprocess", "split", "evaluate"]
