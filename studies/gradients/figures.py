"""The figures of the study `gradients`."""

from typing import TYPE_CHECKING

from studies.gradients.claims import FEWEST_POINTS, NAMES, logarithmic, power, smallest_depth
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame, Series


def draw_qubits(ax: "Axes", frame: "DataFrame") -> None:
    """Qubits at equal measured error against P, with fits, and the tomography bound as a line."""
    import numpy as np

    rows = smallest_depth(frame)
    if rows.empty:
        say_empty(ax)
        return
    axis = np.geomspace(rows["parameters"].min(), rows["parameters"].max(), 50)
    for method, name in NAMES.items():
        mine = rows[rows["method"] == method]
        if mine.empty:
            continue
        _draw_points(ax, mine, "parameters", name)
        if mine["parameters"].nunique() >= FEWEST_POINTS:
            fit = power(mine, "parameters").at if method == "shift" else logarithmic(mine).at
            ax.plot(axis, fit(axis), marker="", linestyle="-", color="grey", linewidth=0.8)
    bound = rows.groupby("parameters")["tomography_bound"].median()
    ax.plot(
        bound.index,
        bound,
        marker="",
        linestyle=":",
        color="grey",
        label="shadow tomography: a bound, not run",
    )
    error, layers = rows["error"].median(), int(rows["layers"].median())
    ax.set(
        xlabel=f"parameters $P$ (at $n$ = {int(rows['qubits'].median())}, $L$ = {layers})",
        ylabel=f"qubits sent at measured error {error:g}",
        yscale="log",
    )
    _set_ticks(ax, rows["parameters"])
    legend_below(ax, title="95% intervals; thin grey: fits; bound without its constants")


def draw_errors(ax: "Axes", frame: "DataFrame") -> None:
    """The measured error with the planned copies against P, below the error planned for."""
    rows = smallest_depth(frame)
    if rows.empty:
        say_empty(ax)
        return
    for method, name in NAMES.items():
        mine = rows[rows["method"] == method].groupby("parameters")
        best = mine["planned_error"].median()
        if best.empty:
            continue
        draw_interval(
            ax,
            best.index,
            low=mine["planned_error_low"].min(),
            best=best,
            high=mine["planned_error_high"].max(),
            label=name,
        )
    ax.axhline(rows["error"].median(), color="grey", linewidth=0.8, marker="", linestyle=":")
    ax.annotate(
        "error planned for",
        (rows["parameters"].min(), rows["error"].median()),
        textcoords="offset points",
        xytext=(0, -10),
        fontsize=8,
    )
    share = 1 - rows["failure"].median()
    ax.set(
        xlabel="parameters $P$",
        ylabel=f"largest error: its {share:.0%} quantile",
    )
    ax.set_ylim(bottom=0)
    _set_ticks(ax, rows["parameters"])
    legend_below(ax)


def draw_layers(ax: "Axes", frame: "DataFrame") -> None:
    """Qubits at equal measured error against the depth, P growing with it."""
    rows = frame[frame["sweep"] == "layers"]
    if rows.empty:
        say_empty(ax)
        return
    for method, name in NAMES.items():
        mine = rows[rows["method"] == method]
        if not mine.empty:
            _draw_points(ax, mine, "layers", name)
    per_layer = int((rows["parameters"] / rows["layers"]).median())
    ax.set(
        xlabel=f"depth $L$ ($P$ = {per_layer} $L$, $n$ = {int(rows['qubits'].median())})",
        ylabel=f"qubits sent at measured error {rows['error'].median():g}",
        yscale="log",
    )
    _set_ticks(ax, rows["layers"])
    legend_below(ax)


def _set_ticks(ax: "Axes", values: "Series") -> None:
    """A logarithmic axis with a tick at every value measured."""
    ticks = sorted(values.unique())
    ax.set_xscale("log")
    ax.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    ax.xaxis.minorticks_off()


def _draw_points(ax: "Axes", rows: "DataFrame", axis: str, label: str) -> None:
    """Qubits along an axis: the median over seeds, from the lowest to the highest interval end."""
    grouped = rows.groupby(axis)
    best = grouped["qubits_sent"].median()
    draw_interval(
        ax,
        best.index,
        low=grouped["qubits_sent_low"].min(),
        best=best,
        high=grouped["qubits_sent_high"].max(),
        label=label,
    )
