"""Figures of the noise study."""

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

from studies.noise.formulas import (
    damping_of_blocks,
    damping_of_state,
    predicted_copies,
    spread_of_state,
)
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    Array = NDArray[np.float64]

_POINTS = 60
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_LARGEST = 20
_LINES = {"depolarising": 5, "erasure": 2}  # as many as stay apart in grey
_LOSS = "noise on each qubit of a message, strength $s$"


def draw_copies(ax: "Axes", frame: "DataFrame") -> None:
    """Copies for 90% right decisions against the strength, a line a size, the formula beside."""
    import numpy as np

    rows = frame[(frame["problem"] == "subspace") & (frame["link"] == "depolarising")]
    if rows.empty:
        say_empty(ax)
        return
    strengths = np.linspace(0, float(rows["strength"].max()), _POINTS)
    markers, dashes = cycle("os^DvPX"), cycle(_DASHES)
    for size, own in rows.groupby("size"):
        ax.errorbar(
            own["strength"],
            own["copies"],
            yerr=[own["copies"] - own["copies_low"], own["copies_high"] - own["copies"]],
            linestyle="none",
            marker=next(markers),
            capsize=3,
            label=f"$N$ = {size}",
        )
        predicted = [_predicted(float(s), int(size)) for s in strengths]
        colour = ax.lines[-1].get_color()
        ax.plot(strengths, predicted, marker="", linestyle=next(dashes), color=colour)
    ax.set(xlabel=f"depolarising {_LOSS}", ylabel="copies for 90% right decisions", yscale="log")
    legend_below(ax, title="Vector in Subspace; points: measured, lines: formula")


def _predicted(strength: float, size: int) -> float:
    damping = damping_of_state("depolarising", strength, size=size)
    spread = spread_of_state("depolarising", strength, size=size)
    return predicted_copies(damping, spread=spread)


def draw_advantage(ax: "Axes", frame: "DataFrame") -> None:
    """Bits of the one-bit sketch over qubits of the noisy state against N, a line a strength."""
    both = with_advantage(frame)
    both = both[both["link"].isin(["depolarising", "erasure"])] if len(both) else both
    if both.empty:
        say_empty(ax)
        return
    names = {"depolarising": "depolarising, $s$", "erasure": "message lost, $p$"}
    shown = {link: _few(own["strength"], _LINES[str(link)]) for link, own in both.groupby("link")}
    for (link, strength), own in both.groupby(["link", "strength"]):
        if strength not in shown[link]:
            continue
        line = own.sort_values("size")
        draw_interval(
            ax,
            line["size"],
            low=line["advantage_low"],
            best=line["advantage"],
            high=line["advantage_high"],
            label=f"{names[str(link)]} = {strength:g}" if strength else "no noise",
        )
    ax.axhline(1, color="grey", linewidth=1, marker="", linestyle=":")
    ax.annotate(
        "advantage lost below", (1, 1), xycoords=("axes fraction", "data"), ha="right",
        textcoords="offset points", xytext=(0, -11), fontsize=8,
    )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set(
        xlabel="dimension $N$",
        ylabel="one-bit sketch / state, bits / qubits",
        yscale="log",
    )
    legend_below(ax, title="both at 90% right decisions; the sketch without noise")


def _few(values: "Series[float]", most: int) -> "list[float]":
    """At most so many of the distinct values, evenly spaced in their order, the ends included."""
    import numpy as np

    distinct = sorted(values.unique())
    places = np.linspace(0, len(distinct) - 1, min(most, len(distinct))).round().astype(int)
    return [float(distinct[place]) for place in places]


def with_advantage(frame: "DataFrame") -> "DataFrame":
    """The rows of `subspace` with the advantage over the one-bit sketch of their size."""
    states = frame[frame["problem"] == "subspace"]
    sketches = frame[frame["problem"] == "sketch"]
    if states.empty or sketches.empty:
        return states[:0]
    best = sketches.groupby("size")[["cost", "cost_low", "cost_high"]].median()
    both = states.join(best.add_suffix("_sketch"), on="size", how="inner").copy()
    both["advantage"] = both["cost_sketch"] / both["cost"]
    both["advantage_low"] = both["cost_low_sketch"] / both["cost_high"]
    both["advantage_high"] = both["cost_high_sketch"] / both["cost_low"]
    return both


def of_haar(frame: "DataFrame") -> "DataFrame":
    """The rows of estimates of Haar blocks of the smallest size and of the middle depth."""
    rows = frame[(frame["problem"] == "inference") & (frame["model"] == "haar")]
    if rows.empty:
        return rows
    rows = rows[rows["size"] == rows["size"].min()]
    depths = sorted(rows["layers"].unique())
    return rows[rows["layers"] == depths[len(depths) // 2]]


def draw_error(ax: "Axes", frame: "DataFrame") -> None:
    """Error of estimates against the strength: as they come, debiased, and of local models."""
    import numpy as np

    haar = of_haar(frame)
    rows = haar[haar["link"] == "depolarising"].sort_values("strength")
    if rows.empty:
        say_empty(ax)
        return
    for column, label in (("plain", "as it comes"), ("debiased", "divided by the damping")):
        draw_interval(
            ax,
            rows["strength"],
            low=rows[f"{column}_low"],
            best=rows[column],
            high=rows[f"{column}_high"],
            label=f"Haar blocks, {label}",
        )
    local = frame[(frame["problem"] == "inference") & (frame["model"] == "brickwork")]
    local = local[local["link"] == "depolarising"].sort_values("strength")
    if len(local):
        draw_interval(
            ax,
            local["strength"],
            low=local["debiased_low"],
            best=local["debiased"],
            high=local["debiased_high"],
            label="brickwork, divided by the damping",
        )
    strengths = np.linspace(0, float(rows["strength"].max()), _POINTS)
    size, messages = int(rows["size"].iloc[0]), int(rows["messages"].iloc[0])
    kept = np.array([damping_of_blocks("depolarising", float(s), size=size) for s in strengths])
    still = rows.loc[rows["strength"] > 0]
    size_of_f = float((still["bias"] / (1 - still["damping"])).median())
    ax.plot(
        strengths,
        size_of_f * (1 - kept**messages),
        marker="",
        linestyle=":",
        color="grey",
        label="formula of the bias, Haar blocks",
    )
    ax.axhline(float(rows["error"].iloc[0]), color="grey", linewidth=0.8, marker="", linestyle="-")
    ax.annotate(
        "error wanted", (1, float(rows["error"].iloc[0])), xycoords=("axes fraction", "data"),
        ha="right", textcoords="offset points", xytext=(0, 3), fontsize=8,
    )  # fmt: skip
    ax.set(
        xlabel=f"depolarising {_LOSS}",
        ylabel=f"root mean square error of $f$, {messages} messages",
    )
    legend_below(ax)


def draw_crossover(ax: "Axes", frame: "DataFrame") -> None:
    """Qubits and bits of an estimate against N': points counted, lines extrapolated by formula."""
    import numpy as np

    depths = sorted(of_haar(frame)["layers"].unique())
    haar = frame[(frame["model"] == "haar") & frame["layers"].isin(depths)]
    noisy = haar[(haar["problem"] == "inference") & (haar["link"] == "depolarising")]
    classical = haar[haar["problem"] == "classical"]
    if noisy.empty:
        say_empty(ax)
        return
    sizes = np.asarray(2.0 ** np.arange(3, _LARGEST + 1), np.float64)
    markers, dashes = cycle("os^DvPX"), cycle(_DASHES)
    for strength, own in noisy.groupby("strength"):
        label = f"qubits, depolarising $s$ = {strength:g}" if strength else "qubits, no noise"
        ax.plot(own["size"], own["cost_debiased"], marker=next(markers), ls="", label=label)
        one = own.iloc[0]
        line = [estimate_cost(one, size=int(size)) for size in sizes]
        ax.plot(sizes, line, marker="", ls=next(dashes), color=ax.lines[-1].get_color())
    if len(classical):
        ax.plot(
            classical["size"], classical["cost"], marker=next(markers), color="grey", ls="",
            label="bits, rounded state vectors",
        )  # fmt: skip
        ax.plot(sizes, bits_cost(classical, sizes), marker="", ls=next(dashes), color="grey")
    ax.set_xscale("log", base=2)
    ax.set(
        xlabel="amplitudes $N'$ of the register",
        ylabel="qubits or bits an estimate",
        yscale="log",
    )
    messages = int(noisy["messages"].iloc[0])
    legend_below(ax, title=f"{messages} messages, debiased; points: counted, lines: by formula")


def estimate_cost(row: "Series[Any]", *, size: int) -> float:
    """Qubits of a debiased estimate of N' amplitudes, else as this row, by formula."""
    damping = damping_of_blocks(row["link"], float(row["strength"]), size=size) ** row["messages"]
    return float(row["messages"] * math.log2(size) * row["shots"] / damping**2)


def bits_cost(classical: "DataFrame", sizes: "Array") -> "Array":
    """Bits of an estimate by rounded state vectors, at the most bits a number that were needed."""
    import numpy as np

    return np.asarray(2 * sizes * classical["bits"].max() * classical["messages"].iloc[0])
