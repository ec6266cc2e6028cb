"""The graph of the stages: who waits for whom, and where each is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

# In the unit of the drawing, which is about a pixel.
NODE_WIDTH, NODE_HEIGHT = 112, 36
_COLUMN, _ROW = 120, 70
_SWEEPS = 6


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml.

    Attributes
    ----------
    name
        Its name; items of a matrix are one stage.
    num_items
        How many they are; 1 where there is no matrix.
    inputs, outputs
        Paths from the root, of files and folders, without repetition.
    """

    name: str
    num_items: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def group_items(items: Sequence[tuple[str, Sequence[str], Sequence[str]]]) -> list[Stage]:
    """Take the items of a matrix, such as train_fusion@0, for one stage.

    Parameters
    ----------
    items
        Name, inputs and outputs of each item and of each other stage.
    """
    grouped: dict[str, tuple[int, dict[str, None], dict[str, None]]] = {}
    for name, inputs, outputs in items:
        key = name.partition("@")[0]
        number, known_inputs, known_outputs = grouped.get(key, (0, {}, {}))
        grouped[key] = (number + 1, known_inputs | dict.fromkeys(inputs), known_outputs | dict.fromkeys(outputs))
    return [Stage(name, number, tuple(inputs), tuple(outputs)) for name, (number, inputs, outputs) in grouped.items()]


def find_needs(stages: Sequence[Stage]) -> dict[str, list[str]]:
    """Find the stages whose outputs each stage reads, in whole or in part, in the order of the stages."""
    return {
        stage.name: [
            other.name
            for other in stages
            if other is not stage
            and any(_overlap(path, output) for path in stage.inputs for output in other.outputs)
        ]
        for stage in stages
    }  # fmt: skip


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def reduce_needs(needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Leave out what a stage needs of one that it waits for anyway, through another."""
    reach: dict[str, set[str]] = {}
    for name in TopologicalSorter(needs).static_order():
        direct = needs.get(name, ())
        reach[name] = set(direct).union(*(reach[other] for other in direct))
    return {
        name: [other for other in direct if not any(other in reach[between] for between in direct)]
        for name, direct in needs.items()
    }


@dataclass(frozen=True)
class Node:
    """A stage where it is drawn; `x` and `y` are of its centre."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """The drawn graph.

    Attributes
    ----------
    width, height
        Of all of it.
    nodes
        From the top down.
    paths
        Paths of SVG, from the lower side of a node to the upper side of one that waits for it.
    """

    width: float
    height: float
    nodes: tuple[Node, ...]
    paths: tuple[str, ...]


def draw_graph(needs: Mapping[str, Sequence[str]]) -> Drawing:
    """Place each stage in a row below all that it needs, and draw the needs that no other one implies.

    Parameters
    ----------
    needs
        Of each stage, by name; without cycles.
    """
    edges = [(other, name) for name, others in reduce_needs(needs).items() for other in others]
    rows = _split_into_rows(needs)
    depth = {name: row for row, names in enumerate(rows) for name in names}
    # A long edge passes through a place of its own in each row, so that it crosses no node.
    chains = []
    for start, end in edges:
        chain = [start, *(f"{start}>{end}@{row}" for row in range(depth[start] + 1, depth[end])), end]
        for row, place in enumerate(chain[1:-1], depth[start] + 1):
            rows[row].append(place)
        chains.append(chain)
    _order(rows, [pair for chain in chains for pair in pairwise(chain)])
    width = _COLUMN * max(map(len, rows), default=1)
    centres = {
        place: ((column + 0.5) * _COLUMN + (width - _COLUMN * len(row)) / 2, (number + 0.5) * _ROW)
        for number, row in enumerate(rows)
        for column, place in enumerate(row)
    }
    nodes = tuple(Node(name, *centres[name]) for row in rows for name in row if name in needs)
    paths = tuple(_draw_chain([centres[place] for place in chain]) for chain in chains)
    return Drawing(width, _ROW * len(rows), nodes, paths)


def _split_into_rows(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    rows = []
    while sorter.is_active():
        ready = sorter.get_ready()
        rows.append([name for name in needs if name in ready])
        sorter.done(*ready)
    return rows


def _order(rows: list[list[str]], links: Sequence[tuple[str, str]]) -> None:
    """Bring what is linked close together, in alternating sweeps by the mean place of the neighbours."""
    neighbours: dict[str, list[str]] = {}
    for start, end in links:
        neighbours.setdefault(start, []).append(end)
        neighbours.setdefault(end, []).append(start)
    for sweep in range(_SWEEPS):
        for number in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
            beside = number - 1 if sweep % 2 == 0 else number + 1
            if not 0 <= beside < len(rows):
                continue
            places = {name: place - len(rows[beside]) / 2 for place, name in enumerate(rows[beside])}

            def find_mean(name: str, places: Mapping[str, float] = places) -> float:
                found = [places[other] for other in neighbours.get(name, ()) if other in places]
                return sum(found) / len(found) if found else 0.0

            rows[number].sort(key=find_mean)


def _draw_chain(points: Sequence[tuple[float, float]]) -> str:
    (x, y), half = points[0], NODE_HEIGHT / 2
    path = f"M{x:g},{y + half:g}"
    y += half
    for place, (next_x, centre) in enumerate(points[1:], start=1):
        next_y = centre - half
        middle = (y + next_y) / 2
        path += f"C{x:g},{middle:g} {next_x:g},{middle:g} {next_x:g},{next_y:g}"
        x, y = next_x, next_y
        if place < len(points) - 1:
            y = centre + half
            path += f"V{y:g}"
    return path
