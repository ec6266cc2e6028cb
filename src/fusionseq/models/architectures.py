"""The architectures by name: what a file or a command line says becomes a builder."""

from collections.abc import Callable

import keras

from fusionseq.models.fusion import build_fusion
from fusionseq.models.sequential import build_sequential

ARCHITECTURES: dict[str, Callable[[int, int, int, float, int], keras.Model]] = {
    "fusion": build_fusion,
    "sequential": build_sequential,
}
