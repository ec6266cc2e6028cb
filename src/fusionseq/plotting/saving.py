"""Figures on the disk, the same bytes for the same figure."""

import logging
from pathlib import Path

from matplotlib.figure import Figure

from fusionseq.artifacts import replacing
from fusionseq.plotting.style import figure_style

# It names every glyph that it keeps of a font.
logging.getLogger("fontTools").setLevel(logging.WARNING)

# Neither the day nor the version of matplotlib belongs into a file that is compared byte for byte.
_METADATA = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def write_figure(folder: Path, name: str, figure: Figure) -> None:
    """Write a figure as PDF for the paper and as PNG, 150 dots per inch, for the README."""
    # Some ticks are made only when a figure is drawn: they need the style once more.
    with figure_style():
        for extension, metadata in _METADATA.items():
            with replacing(folder / f"{name}.{extension}") as temporary:
                figure.savefig(temporary, format=extension, dpi=150, metadata=metadata)
