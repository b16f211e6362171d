"""Figures of effective features and of feature orders against depth."""

from typing import TYPE_CHECKING

from studies.expressivity.spectrum import ORDERS
from studies.expressivity.statistics import over_seeds, student_reach
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_NAMES = {
    "haar": "Haar",
    "brickwork": "brickwork",
    "all-to-all": "all to all",
    "linear": "linear model",
}
_EFFECTIVE = "effective number of features"
_DEPTH = "depth $L$ (uploads of every feature)"


def full_cones(frame: "DataFrame", frequencies: str | None = "independent") -> "DataFrame":
    """Rows of the models with full cones, and of the linear control."""
    rows = frame[(frame["task"] == "spectrum") & (frame["model"] != "digits")]
    return rows if frequencies is None else rows[rows["frequencies"] == frequencies]


def wide(frame: "DataFrame") -> "DataFrame":
    """Rows of the 64-qubit model."""
    return frame[(frame["task"] == "spectrum") & (frame["model"] == "digits")]


def draw_features(ax: "Axes", frame: "DataFrame") -> None:
    """Effective features against depth, by ansatz and width, each point with its cone."""
    rows = full_cones(frame)
    if rows.empty:
        say_empty(ax)
        return
    ansaetze = [model for model in _NAMES if model in set(rows["model"])]
    for model in ansaetze:
        for qubits, own in rows[rows["model"] == model].groupby("qubits"):
            _draw_logs(ax, own, label=f"{_NAMES[model]}, $n$ = {qubits}")
    ax.set(xlabel=_DEPTH, ylabel=_EFFECTIVE, yscale="log")
    ax.set_xticks(sorted(rows["layers"].unique()))
    ax.set_title("uploads in the cone: $nL$ at every point ($n$ for the linear model)", fontsize=9)
    legend_below(ax)


def draw_encodings(ax: "Axes", frame: "DataFrame") -> None:
    """Effective features against depth for equal, independent and exponential lambda."""
    rows = full_cones(frame, None)
    rows = rows[rows["model"] == "haar"]
    if rows["frequencies"].nunique() < 2:
        say_empty(ax)
        return
    kinds = rows.groupby("qubits")["frequencies"].nunique()
    qubits = int(kinds[kinds == kinds.max()].index.max())
    rows = rows[rows["qubits"] == qubits]
    shifts = {"independent": -0.06, "exponential": 0.06, "equal": 0.0}
    for kind, shift in shifts.items():
        own = rows[rows["frequencies"] == kind]
        if not own.empty:
            _draw_logs(ax, own, label=rf"{kind} $\lambda$", shift=shift)
    depths = sorted(rows["layers"].unique())
    for label, most, dashes in (
        (r"$3^{nL}$ terms", [3.0 ** (qubits * depth) for depth in depths], "-"),
        (r"$(2L + 1)^n$ terms", [(2.0 * depth + 1) ** qubits for depth in depths], ":"),
    ):
        ax.plot(depths, most, color="0.6", marker="", linestyle=dashes, label=label)
    ax.set(xlabel=_DEPTH, ylabel=_EFFECTIVE, yscale="log")
    ax.set_xticks(depths)
    ax.set_title(f"Haar blocks, $n$ = {qubits}, $nL$ uploads in the cone", fontsize=9)
    legend_below(ax)


def draw_mean_order(ax: "Axes", frame: "DataFrame") -> None:
    """Mean feature order against depth, with the Haar average as lines."""
    rows = full_cones(frame)
    if rows.empty:
        say_empty(ax)
        return
    for model in [model for model in _NAMES if model in set(rows["model"])]:
        for qubits, own in rows[rows["model"] == model].groupby("qubits"):
            points = over_seeds(own, "layers", "mean_order")
            draw_interval(
                ax,
                points["layers"],
                low=points["low"],
                best=points["value"],
                high=points["high"],
                label=f"{_NAMES[model]}, $n$ = {qubits}",
            )
            if model == "haar":
                curve = own.groupby("layers")["haar_order"].median()
                ax.plot(curve.index, curve, color="0.6", marker="_", linestyle="-", linewidth=1)
    ax.set(xlabel=_DEPTH, ylabel="mean feature order")
    ax.set_xticks(sorted(rows["layers"].unique()))
    ax.set_ylim(bottom=0)
    ax.set_title(r"independent $\lambda$; thin grey: Haar average, derived", fontsize=9)
    legend_below(ax)


def draw_orders(ax: "Axes", frame: "DataFrame") -> None:
    """Shares of the feature orders stacked by depth: linear model, equal and independent lambda."""
    rows = full_cones(frame, None)
    haar = rows[rows["model"] == "haar"]
    both = haar.groupby("qubits")["frequencies"].agg(set)
    widths = [n for n, kinds in both.items() if {"equal", "independent"} <= kinds]
    if not widths:
        say_empty(ax)
        return
    haar = haar[haar["qubits"] == max(widths)]
    linear = rows[rows["model"] == "linear"]
    groups = [
        ("linear\nmodel", linear[linear["qubits"] == max(widths)]),
        (r"Haar, equal $\lambda$", haar[haar["frequencies"] == "equal"]),
        (r"Haar, independent $\lambda$", haar[haar["frequencies"] == "independent"]),
    ]
    _stack(ax, [(name, own) for name, own in groups if not own.empty])
    ax.set_title(f"$n$ = {max(widths)} features, every cone full", fontsize=9, pad=28)


def draw_orders_wide(ax: "Axes", frame: "DataFrame") -> None:
    """Shares of the feature orders of all 64 outputs by depth, the uploads in the cones above."""
    rows = wide(frame)
    if rows.empty:
        say_empty(ax)
        return
    groups = [
        (rf"{kind} $\lambda$", rows[rows["frequencies"] == kind])
        for kind in ("equal", "independent")
    ]
    _stack(ax, [(name, own) for name, own in groups if not own.empty], cones=True)
    ax.set_title("64-qubit brickwork on the digits; above: uploads in a cone", fontsize=9, pad=28)


def draw_features_wide(ax: "Axes", frame: "DataFrame") -> None:
    """Effective features of outputs of the 64-qubit model, beside each point its uploads."""
    rows = wide(frame)
    if rows.empty:
        say_empty(ax)
        return
    rows = rows.dropna(subset=["effective"])
    for shift, (kind, own) in zip((-0.05, 0.05), rows.groupby("frequencies"), strict=False):
        points = _draw_logs(ax, own, label=rf"{kind} $\lambda$", shift=shift)
        cones = own.groupby("layers")["cone_uploads"].agg(["min", "max"])
        if kind == "independent" or rows["frequencies"].nunique() == 1:
            for (depth, cone), top in zip(cones.iterrows(), points["high"], strict=True):
                low, most = cone["min"], cone["max"]
                ax.annotate(
                    f"{low:.0f} uploads" if low == most else f"{low:.0f} to {most:.0f} uploads",
                    (depth, top),
                    textcoords="offset points",
                    xytext=(0, 7),
                    ha="center",
                    fontsize=8,
                )
    ax.set(xlabel="depth $L$ (uploads of every pixel)", ylabel=_EFFECTIVE, yscale="log")
    ax.set_xticks(sorted(rows["layers"].unique()))
    ax.margins(x=0.15, y=0.12)
    ax.set_title("64-qubit brickwork; geometric mean over outputs", fontsize=9)
    legend_below(ax)


def _draw_logs(ax: "Axes", rows: "DataFrame", *, label: str, shift: float = 0.0) -> "DataFrame":
    """The geometric mean of the effective features over seeds and outputs, by depth."""
    import numpy as np

    points = over_seeds(rows, "layers", "entropy")
    points[["low", "value", "high"]] = np.exp(points[["low", "value", "high"]])
    draw_interval(
        ax,
        points["layers"] + shift,
        low=points["low"],
        best=points["value"],
        high=points["high"],
        label=label,
    )
    return points


def _stack(ax: "Axes", groups: "list[tuple[str, DataFrame]]", *, cones: bool = False) -> None:
    """Bars of the shares of orders for each group and depth; the interval at every boundary."""
    import numpy as np
    from matplotlib import colormaps

    columns = [f"order_{order}" for order in range(1, ORDERS + 1)]
    used = max(
        order
        for order in range(1, ORDERS + 1)
        if any((own[f"order_{order}"] > 1e-3).any() for _, own in groups)
    )
    shades = colormaps["cividis"](np.linspace(0.95, 0.05, max(used, 2)))
    ticks: list[tuple[float, str]] = []
    place = 0.0
    for name, own in groups:
        first = place
        for depth, rows in own.groupby("layers"):
            shares = rows[columns].to_numpy()[:, :used]
            means = shares.mean(0)
            edges = np.cumsum(means)
            reach = student_reach(np.cumsum(shares, 1))
            for order in range(used):
                ax.bar(
                    place,
                    means[order],
                    bottom=edges[order] - means[order],
                    color=shades[order],
                    width=0.85,
                    edgecolor="white",
                    linewidth=0.4,
                    label=f"order {order + 1}" if not ticks else None,
                )
            inner = [order for order in range(used - 1) if 1e-3 < edges[order] < 1 - 1e-3]
            ax.errorbar(
                [place] * len(inner),
                edges[inner],
                yerr=reach[inner],
                color="black",
                linestyle="none",
                marker="",
                elinewidth=0.8,
                capsize=2,
            )
            if cones:
                low, high = rows["cone_uploads"].min(), rows["cone_uploads"].max()
                text = f"{low:.0f}" if low == high else f"{low:.0f}-{high:.0f}"
                ax.text(place, 1.01, text, ha="center", fontsize=8)
            ticks.append((place, str(depth)))
            place += 1.0
        ax.text(
            (first + place - 1) / 2,
            1.07 if cones else 1.02,
            name,
            ha="center",
            va="bottom",
            fontsize=8,
        )
        place += 0.7
    ax.set(xlabel="depth $L$", ylabel="share of the variance", ylim=(0, 1))
    ax.set_xticks([tick for tick, _ in ticks], [name for _, name in ticks])
    ax.grid(visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4, fontsize=8)
