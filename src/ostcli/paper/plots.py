"""Plots of the tables, by matplotlib: an extra, as only researchers want them.

Every function returns an SVG file.
"""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostcli.paper.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, OURS, PUBLISHED = "#1c1c1e", "#2f6fbb", "#c4572b"
BASELINES = {"UNIT": "#e0a526", "CycleGAN": "#c4572b"}
"""As in the talk's figure 3, by how a line's name begins …"""
COLOURS = (OURS, "#4f9d69", "#7b5ea7", "#8a8a8e")
"""… and those of all other lines, blue for the method."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A row of a plot of bars."""

    name: str
    value: Estimate | None
    published: float | None = None


Points = Mapping[float, Estimate]
"""A line: its height at some places."""


def can_plot() -> bool:
    """Tell whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def plot_bars(panels: Mapping[str, Sequence[Bar]], *, title: str) -> bytes:
    """Plot a bar for each row, with its interval, and a mark where the paper's figure is.

    Args:
        panels: the same rows by what is measured, side by side.
        title: above them.
    """
    rows = next(iter(panels.values()))
    figure = _page(5.0 + 3.0 * len(panels), 1.6 + 0.3 * len(rows))
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (name, bars) in zip(grid, panels.items(), strict=True):
        _bare(axes)
        _bars(axes, bars)
        axes.set_xlabel(name)
    grid[0].set_yticks(range(len(rows)), [bar.name for bar in rows])
    grid[0].invert_yaxis()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.legend(*grid[0].get_legend_handles_labels(), frameon=False, loc="outside lower right")
    return _saved(figure)


def _bars(axes: "Axes", bars: Sequence[Bar]) -> None:
    measured = [(place, bar.value) for place, bar in enumerate(bars) if bar.value is not None]
    values = [value for _, value in measured]
    axes.barh(
        [place for place, _ in measured],
        [value.value for value in values],
        xerr=_reaches(values),
        color=OURS,
        ecolor=INK,
        height=0.6,
        label="ours, with its 95 % interval",
    )
    known = [(bar.published, place) for place, bar in enumerate(bars) if bar.published is not None]
    if known:
        published, places = zip(*known, strict=True)
        axes.plot(published, places, "D", color=PUBLISHED, markersize=5, label="published")


def plot_lines(
    panels: Mapping[str, Mapping[str, Points]], *, title: str, x_axis: str, log: bool = True
) -> bytes:
    """Plot lines, each place with its interval.

    Args:
        panels: lines by their names, by what is measured, side by side.
        title, x_axis: what is written.
        log: whether equal factors, rather than equal steps, are equally far on the x axis.
    """
    figure = _page(0.5 + 4.5 * len(panels), 4.0)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (measured, lines) in zip(grid, panels.items(), strict=True):
        _bare(axes)
        _lines(axes, lines)
        axes.set_xscale("log" if log else "linear")
        every = sorted({place for points in lines.values() for place in points})
        axes.set_xticks(every, [f"{place:g}" for place in every])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel(x_axis)
        axes.set_ylabel(measured)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.legend(*grid[0].get_legend_handles_labels(), frameon=False, loc="outside right upper")
    return _saved(figure)


def _lines(axes: "Axes", lines: Mapping[str, Points]) -> None:
    others = iter(COLOURS)
    for name, points in lines.items():
        baseline = name.partition(",")[0]
        colour = BASELINES[baseline] if baseline in BASELINES else next(others)
        if not points:  # It keeps its colour for when there are some.
            continue
        places = sorted(points)
        values = [points[place] for place in places]
        axes.errorbar(
            places,
            [value.value for value in values],
            yerr=_reaches(values),
            color=colour,
            marker="o",
            markersize=4,
            capsize=3,
            label=name,
        )


Shaded = Sequence[tuple[float, float, float]]
"""Points of a plane with their shades: x, y, 0 to 1."""


def plot_panels(panels: Mapping[str, Shaded], *, title: str, columns: int = 4) -> bytes:
    """Plot sets of points, each in a panel of its own."""
    rows = -(-len(panels) // columns)
    figure, grid = _panels(rows, min(columns, len(panels)))
    for axes, (name, points) in zip(grid, panels.items(), strict=False):
        x, y, shade = zip(*points, strict=True)
        axes.scatter(x, y, c=shade, cmap="viridis", s=9)
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return _saved(figure)


def _bare(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _panels(rows: int, columns: int) -> tuple["Figure", list["Axes"]]:
    figure = _page(2.4 * columns, 2.5 * rows)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _page(width: float, height: float) -> "Figure":
    # Without pyplot, which would choose a window to draw in.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _saved(figure: "Figure") -> bytes:
    """Return an SVG file, the same for the same plot, its words as text."""
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ost"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _reaches(values: Sequence[Estimate]) -> list[list[float]]:
    """Return how far the intervals reach, below and above."""
    ends = [(each.value, *_ends(each)) for each in values]
    return [
        [max(0.0, value - low) for value, low, _ in ends],
        [max(0.0, high - value) for value, _, high in ends],
    ]


def _ends(estimate: Estimate) -> tuple[float, float]:
    if estimate.low is None or estimate.high is None:
        return estimate.value, estimate.value
    return estimate.low, estimate.high
