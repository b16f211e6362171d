"""Figures and claims of the regression on planted interactions."""

import itertools
from typing import TYPE_CHECKING

from studies.expressivity.statistics import over_seeds
from studies.study import Claim
from studies.style import draw_interval, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_FITS = 0.9
_NOTHING = 0.1
_LEAST_SHOWN = -0.5


def _rows(frame: "DataFrame") -> "DataFrame":
    rows = frame[frame["task"] == "regression"]
    return rows[rows["qubits"] == rows["qubits"].max()]


def draw_regression(ax: "Axes", frame: "DataFrame") -> None:
    """R^2 of the models against their depth, for each interaction order; the linear model first."""
    _draw(ax, frame, "r2", "quantum model")


def draw_network(ax: "Axes", frame: "DataFrame") -> None:
    """The same for networks with as many parameters as the model of each depth."""
    _draw(ax, frame, "r2_network", "network of equal parameter count")


def _draw(ax: "Axes", frame: "DataFrame", column: str, name: str) -> None:
    import numpy as np

    rows = _rows(frame)
    if rows.empty:
        say_empty(ax)
        return
    depths = sorted(rows["layers"].unique())
    orders = sorted(rows["order"].unique())
    for order, shift in zip(orders, np.linspace(-0.12, 0.12, len(orders)), strict=True):
        own = rows[rows["order"] == order]
        points = over_seeds(own, "layers", column)
        linear = over_seeds(own[own["layers"] == depths[0]].assign(none=0), "none", "r2_linear")
        draw_interval(
            ax,
            points["layers"] + shift,
            low=np.maximum(points["low"], _LEAST_SHOWN),
            best=np.maximum(points["value"], _LEAST_SHOWN),
            high=np.maximum(np.minimum(points["high"], 1), points["value"]).clip(_LEAST_SHOWN),
            label=f"order {order:.0f}",
        )
        bars = ax.containers[-1]
        ax.errorbar(
            linear["none"] + shift,
            linear["value"],
            yerr=[linear["value"] - linear["low"], linear["high"] - linear["value"]],
            color=bars[0].get_color(),
            marker=bars[0].get_marker(),
            markerfacecolor="white",
            linestyle="none",
            capsize=3,
        )
    counts = rows.groupby("layers")[["parameters", "network_parameters", "cone_uploads"]].max()
    shown = "parameters" if column == "r2" else "network_parameters"
    labels = [
        f"{depth}\n{row[shown]:.0f} par.\n({row['cone_uploads']:.0f})"
        for depth, row in counts.iterrows()
    ]
    ax.set_xticks([0, *depths], ["linear\nmodel", *labels])
    ax.axhline(0, color="0.5", linewidth=0.8, linestyle=":", marker="")
    ax.set(xlabel="depth $L$ (uploads in the largest cone)", ylabel="$R^2$ on new data")
    ax.set_ylim(_LEAST_SHOWN - 0.05, 1.08)
    ax.set_title(f"{name}; below {_LEAST_SHOWN:g} drawn at {_LEAST_SHOWN:g}", fontsize=9)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=5, fontsize=8)


def claims(frame: "DataFrame") -> list[Claim]:
    """Which depth fits which order, and how the controls do."""
    rows = frame[frame["task"] == "regression"]
    found = []
    for qubits, own in rows.groupby("qubits"):
        mean = own.groupby(["order", "layers"])[["r2", "r2_network", "r2_linear"]].mean()
        orders = sorted(own["order"].unique())
        first = {name: _first(mean, name, orders) for name in ("r2", "r2_network")}
        needed = [first["r2"][order] for order in orders]
        reached = [depth for depth in needed if depth is not None]
        sequence = all(one <= two for one, two in itertools.pairwise(reached))
        unreached_last = all(depth is None for depth in needed[len(reached) :])
        found += [
            Claim(
                text=f"{qubits} features: higher interaction orders need deeper models "
                f"(mean R^2 of {_FITS:g} or more on new data)",
                expected="the least depth never falls with the order",
                measured=_text(first["r2"]) + "; " + _table(mean, "r2"),
                holds=bool(sequence and unreached_last)
                if own["seed"].nunique() > 2 and len(reached) > 1
                else None,
            ),
            Claim(
                text=f"{qubits} features: the linear model fits order 1 and no other",
                expected=f"R^2 1 at order 1, below {_NOTHING:g} beyond",
                measured=", ".join(
                    f"order {order:.0f}: {mean.loc[order, 'r2_linear'].mean():.2f}"
                    for order in orders
                ),
                holds=all(
                    (mean.loc[order, "r2_linear"].mean() > 1 - _NOTHING) == (order == 1)
                    and (order == 1 or mean.loc[order, "r2_linear"].mean() < _NOTHING)
                    for order in orders
                ),
            ),
            Claim(
                text=f"{qubits} features: networks of equal parameter count beside the models",
                expected="no claim; the least size at which a network fits each order",
                measured=_text(first["r2_network"]) + "; " + _table(mean, "r2_network"),
                holds=None,
            ),
        ]
    return found


def _first(mean: "DataFrame", column: str, orders: list[int]) -> dict[int, int | None]:
    """By order the least depth with a mean R^2 that counts as a fit."""
    found = {}
    for order in orders:
        good = mean.loc[order][mean.loc[order, column] >= _FITS]
        found[order] = int(good.index.min()) if len(good) else None
    return found


def _text(first: "dict[int, int | None]") -> str:
    return ", ".join(
        f"order {order:.0f}: " + (f"L = {depth}" if depth else "none")
        for order, depth in first.items()
    )


def _table(mean: "DataFrame", column: str) -> str:
    return "; ".join(
        f"L = {depth}: " + ", ".join(f"{value:.2f}" for value in own[column])
        for depth, own in mean.groupby("layers")
    )
