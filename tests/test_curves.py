"""The curves are the history: the mean and the range of the seeds, and the boundaries between the phases."""

from pathlib import Path

import numpy as np
import pytest
from drawn_text import assert_readable
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fusionseq.plotting.curves import plot_training_curves
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import choose_colours

METRICS = ("loss", "accuracy", "validation_loss", "validation_accuracy")
TITLES = {
    "fusion": "Fusion", "sequential": "Sequential", "vgg16": "VGG16", "stacked": "Stacked", "wide_head": "Wide head",
    "ensemble": "Ensemble", "resnet50": "ResNet50", "densenet121": "DenseNet121", "a": "A", "b": "W" * 20,
}  # fmt: skip


def make_history(num_seeds: int, frozen: int, fine_tuning: int, shift: float = 0) -> list[dict[str, str]]:
    """Rows in which every value tells its seed, epoch and metric."""
    return [row for seed in range(num_seeds) for row in make_rows(seed, frozen, fine_tuning, shift)]


def make_rows(seed: int, frozen: int, fine_tuning: int, shift: float = 0) -> list[dict[str, str]]:
    return [
        {"seed": str(seed), "phase": "frozen" if epoch <= frozen else "fine-tuning", "epoch": str(epoch)}
        | {name: str(shift + 0.2 * place + seed / 100 + epoch / 1000) for place, name in enumerate(METRICS)}
        for epoch in range(1, frozen + fine_tuning + 1)
    ]


HISTORY = {"fusion": make_history(3, 12, 4), "sequential": make_history(3, 12, 4, shift=0.1)}
# The first seed stops its frozen phase, the last its fine-tuning early.
STOPPED = [*make_rows(0, 3, 2), *make_rows(1, 5, 3), *make_rows(2, 5, 1)]


def read_means(axes: Axes) -> dict[str, Line2D]:
    return {str(line.get_linestyle()): line for line in axes.lines if line.get_linestyle() != ":"}


def read_boundaries(axes: Axes) -> list[float]:
    return [float(np.asarray(line.get_xdata())[0]) for line in axes.lines if line.get_linestyle() == ":"]


def read_bands(axes: Axes) -> list[NDArray[np.float64]]:
    """Lowest and highest values by epoch, of shape (2, num_epochs), of training and of validation."""
    bands = []
    for band in axes.collections:
        corners = np.asarray(band.get_paths()[0].vertices)
        epochs = sorted(set(corners[:, 0]))
        by_epoch = [corners[corners[:, 0] == epoch, 1] for epoch in epochs]
        bands.append(np.array([[values.min() for values in by_epoch], [values.max() for values in by_epoch]]))
    return bands


@pytest.mark.parametrize(("column", "shift"), [(0, 0), (1, 0.1)])
@pytest.mark.parametrize(("row", "metric", "scale"), [(0, 0, 1), (1, 1, 100)])
def test_lines_are_means_and_bands_are_ranges(column: int, shift: float, row: int, metric: int, scale: int) -> None:
    axes = plot_training_curves(HISTORY, TITLES).axes[2 * row + column]
    epochs = np.arange(1, 17)
    means, bands = read_means(axes), read_bands(axes)
    for style, band, place in (("--", bands[0], metric), ("-", bands[1], metric + 2)):
        seeds = [scale * (shift + 0.2 * place + seed / 100 + epochs / 1000) for seed in (0, 1, 2)]
        np.testing.assert_array_equal(np.asarray(means[style].get_xdata()), epochs)
        np.testing.assert_allclose(np.asarray(means[style].get_ydata(), dtype=float), seeds[1])
        np.testing.assert_allclose(band, [seeds[0], seeds[2]])


def test_rows_may_come_in_any_order() -> None:
    shuffled = {model: rows[::-1] for model, rows in HISTORY.items()}
    for axes, expected in zip(
        plot_training_curves(shuffled, TITLES).axes, plot_training_curves(HISTORY, TITLES).axes, strict=True
    ):
        for style, line in read_means(axes).items():
            values = np.asarray(read_means(expected)[style].get_ydata(), dtype=float)
            np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), values)


def test_after_some_seeds_stopped_the_others_make_the_mean() -> None:
    axes = plot_training_curves({"fusion": STOPPED}, TITLES).axes[0]
    means = np.asarray(read_means(axes)["-"].get_ydata(), dtype=float)
    seeds_by_epoch = [(0, 1, 2)] * 5 + [(1, 2)] + [(1,)] * 2
    expected = [0.4 + np.mean(seeds) / 100 + epoch / 1000 for epoch, seeds in enumerate(seeds_by_epoch, start=1)]
    np.testing.assert_allclose(means, expected)
    low, high = read_bands(axes)[1]
    np.testing.assert_allclose(high - low, [0.02] * 5 + [0.01, 0, 0], atol=1e-12)


def test_boundary_lies_between_the_phases() -> None:
    for axes in plot_training_curves(HISTORY, TITLES).axes:
        assert read_boundaries(axes) == [12.5]


def test_seeds_that_stop_their_frozen_phase_early_have_boundaries_of_their_own() -> None:
    for axes in plot_training_curves({"fusion": STOPPED}, TITLES).axes:
        assert read_boundaries(axes) == [3.5, 5.5]


def test_columns_are_the_models_in_their_colours() -> None:
    history = HISTORY | {"stacked": make_history(2, 3, 3)}
    panels = plot_training_curves(history, TITLES).axes
    assert [axes.get_title() for axes in panels] == ["Fusion", "Sequential", "Stacked", "", "", ""]
    colours = choose_colours(TITLES)
    for axes, model in zip(panels, list(history) * 2, strict=True):
        assert {line.get_color() for line in read_means(axes).values()} == {colours[model]}
        for band in axes.collections:
            np.testing.assert_allclose(to_rgba_array(band.get_facecolor())[0, :3], to_rgb(colours[model]))


def test_axes_have_units_and_equal_scales() -> None:
    figure = plot_training_curves(HISTORY, TITLES)
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["Loss (nats)", "Accuracy (%)"]
    assert [text.get_text() for text in figure.texts] == ["Epoch"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[2].get_ylim() == figure.axes[3].get_ylim()


@pytest.mark.parametrize(
    ("losses", "scale"), [((0.5, 0.3), "linear"), ((1.0, 0.02), "log"), ((1.0, 0.0), "linear"), ((0.0, 0.0), "linear")]
)
def test_losses_of_different_magnitudes_have_a_logarithmic_scale(losses: tuple[float, float], scale: str) -> None:
    rows = make_rows(0, 1, 1)
    for row, loss in zip(rows, losses, strict=True):
        row["loss"] = row["validation_loss"] = str(loss)
    assert plot_training_curves({"fusion": rows}, TITLES).axes[0].get_yscale() == scale


def test_one_seed_has_no_band() -> None:
    figure = plot_training_curves({"fusion": make_history(1, 2, 2)}, TITLES)
    assert not any(axes.collections for axes in figure.axes)
    assert "range over seeds" not in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("num_models", "num_seeds", "frozen", "fine_tuning"),
    [(1, 1, 1, 1), (2, 10, 40, 20), (4, 3, 12, 4), (6, 3, 400, 100), (10, 2, 12, 4)],
)
def test_words_are_readable_and_the_figure_fits_a_page(
    num_models: int, num_seeds: int, frozen: int, fine_tuning: int
) -> None:
    history = dict.fromkeys(list(TITLES)[:num_models], make_history(num_seeds, frozen, fine_tuning))
    figure = plot_training_curves(history, TITLES)
    assert_readable(figure)
    assert figure.get_figheight() < 8
    assert len(figure.axes) == 2 * num_models


def test_small_losses_are_readable() -> None:
    rows = make_rows(0, 40, 10)
    for row in rows:
        row["loss"], row["validation_loss"] = str(0.9 ** (2 * int(row["epoch"]))), str(0.9 ** int(row["epoch"]))
    assert_readable(plot_training_curves(dict.fromkeys(list(TITLES)[:7], rows), TITLES))


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "curves", plot_training_curves(HISTORY, TITLES))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
