"""How figures look, and the one way to draw a line whose points have intervals.

Lines differ in colour, marker and dashes at once, so that they stay apart in grey.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from studies.errors import FigureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

FIGURE_INCHES = (5.0, 4.2)
FIGURE_DPI = 200

# Okabe and Ito's colours, which colour-blind readers tell apart, from dark to light.
_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES: tuple[str | tuple[float, Sequence[float]], ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1)),
    (0, (3, 1, 1, 1)),
    (0, (1, 1)),
)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of this project within the context, whatever the user's own settings."""
    import matplotlib as mpl
    from matplotlib.rcsetup import cycler

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "axes.grid": True,
                "axes.labelsize": 11,
                "axes.prop_cycle": cycler(color=_COLOURS, marker=_MARKERS, linestyle=_DASHES),
                "axes.spines.right": False,
                "axes.spines.top": False,
                "axes.titlesize": 11,
                "figure.figsize": FIGURE_INCHES,
                "font.size": 10,
                "grid.alpha": 0.3,
                "legend.fontsize": 9,
                "legend.frameon": False,
                "lines.linewidth": 1.5,
                "lines.markersize": 5,
                "pdf.fonttype": 42,
                "savefig.dpi": FIGURE_DPI,
            }
        )
        yield


def new_figure() -> "tuple[Figure, Axes]":
    """Return an empty figure, 5 by 3.6 inches, and its axes; make and fill it within `styled`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_INCHES, dpi=FIGURE_DPI, layout="constrained")
    return figure, figure.add_subplot()


def say_empty(ax: "Axes") -> None:
    """Say on the axes that no stored cell belongs to the figure."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, "no cell of this figure is stored", ha="center", transform=ax.transAxes)


def legend_below(ax: "Axes", *, title: str | None = None) -> None:
    """The legend in two columns under the axes, where it hides no point."""
    ax.legend(title=title, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=8)


def draw_interval(
    ax: "Axes",
    x: "ArrayLike",  # (points,)
    *,
    low: "ArrayLike",  # (points,)
    best: "ArrayLike",  # (points,)
    high: "ArrayLike",  # (points,)
    label: str | None = None,
    band: bool = False,
) -> None:
    """Draw a line through `best` with the interval from `low` to `high` at every point.

    Colour, marker and dashes are the next ones of the axes' cycle.

    Args:
        ax: where to draw.
        x: positions of the points.
        low: lower ends, at most `best`; a NaN leaves its point without an interval.
        best: the estimates.
        high: upper ends, at least `best`.
        label: the line's entry in the legend.
        band: shade the interval instead of drawing error bars.

    Raises:
        FigureError: the arrays differ in length or are not flat, or an estimate lies outside its
            interval.
    """
    import numpy as np

    places, lower, middle, upper = (np.asarray(given, float) for given in (x, low, best, high))
    shapes = [array.shape for array in (places, lower, middle, upper)]
    if len(set(shapes)) > 1 or places.ndim != 1:
        raise FigureError(f"x, low, best, high have shapes {shapes}; expected one shape (points,)")
    outside = (lower > middle) | (middle > upper)
    if outside.any():
        first = int(np.argmax(outside))
        raise FigureError(
            f"point {first} has low {lower[first]}, best {middle[first]}, high {upper[first]}; "
            "expected low <= best <= high"
        )
    if band:
        (line,) = ax.plot(places, middle, label=label)
        ax.fill_between(places, lower, upper, color=line.get_color(), alpha=0.2, linewidth=0)
    else:
        ax.errorbar(
            places, middle, yerr=np.stack([middle - lower, upper - middle]), capsize=3, label=label
        )
