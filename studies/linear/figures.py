"""The figures of the study `linear`."""

from typing import TYPE_CHECKING

from studies.linear.claims import (
    advantages,
    amplitude_rows,
    cost_law,
    passes_law,
    random_rows,
    sketched,
    swept,
)
from studies.linear.costs import AMPLITUDES, ANCILLA, NUMBERS, SIGNS, VECTOR
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_GREY = "0.4"
_COST = "bits or qubits for 90% success"


def draw_size(ax: "Axes", frame: "DataFrame") -> None:
    """Bits of the sign projections and qubits of the ancilla protocol against N, at each margin."""
    signs, ancilla = swept(random_rows(frame, SIGNS)), random_rows(frame, ANCILLA)
    if signs.empty:
        say_empty(ax)
        return
    for margin in sorted(signs["margin"].unique(), reverse=True):
        draw_cost(
            ax, signs[signs["margin"] == margin], "size", label=rf"bits, $\gamma$ = {margin:g}"
        )
        colour, marker = ax.containers[-1][0].get_color(), ax.containers[-1][0].get_marker()
        line = ancilla[ancilla["margin"] == margin].groupby("size")["cost"].median()
        ax.plot(
            line.index,
            line,
            color=colour,
            marker=marker,
            markerfacecolor="white",
            linestyle=":",
            label=rf"qubits, $\gamma$ = {margin:g}",
        )
    vectors = random_rows(frame, VECTOR)
    line = vectors.groupby("size")["cost_whole"].min()
    ax.plot(
        line.index,
        line,
        color=_GREY,
        marker="x",
        linestyle="-",
        label="bits, whole vector (at least)",
    )
    ax.set(xlabel="dimension $N$", ylabel=_COST, xscale="log", yscale="log")
    ax.set_xscale("log", base=2)
    legend_below(ax, title="filled: sign projections; open: copies with an ancilla")


def draw_margin(ax: "Axes", frame: "DataFrame") -> None:
    """Every protocol against 1/gamma at one N, with fitted exponents and the theorems' bounds."""
    import numpy as np

    signs = sketched(random_rows(frame, SIGNS))
    if signs.empty:
        say_empty(ax)
        return
    counts = signs.groupby("size")["margin"].nunique()
    size = int(counts[counts == counts.max()].index.max())
    here = frame[frame["size"] == size]
    for protocol in (SIGNS, NUMBERS, VECTOR, ANCILLA, AMPLITUDES):
        rows = random_rows(here, protocol)
        if rows.empty:
            continue
        rows = rows.assign(inverse=1 / rows["margin"])
        fitted = sketched(rows) if protocol == SIGNS else rows
        law = cost_law(fitted, fitted["inverse"])
        label = f"{protocol} ({rows['kind'].iloc[0]})"
        if law is None or protocol in {VECTOR, AMPLITUDES}:
            draw_cost(ax, rows, "inverse", label=label)
            continue
        label += rf", fit $\gamma^{{-{law.exponents[0].value:.2f}}}$"
        draw_cost(ax, rows, "inverse", label=label)
        points = ax.containers[-1][0]
        ends = np.array([rows["inverse"].min(), rows["inverse"].max()])
        ax.plot(
            ends,
            law.at(ends),
            color=points.get_color(),
            linestyle=points.get_linestyle(),
            marker="",
        )
        points.set_linestyle("none")
    inverse = np.geomspace(1 / here["margin"].max(), 1 / here["margin"].min(), 50)
    theorem = np.sqrt(size / np.maximum(1, np.ceil(size / inverse)))
    ax.plot(inverse, theorem, color=_GREY, marker="", linestyle="-", linewidth=1)
    ax.plot(inverse, inverse, color=_GREY, marker="", linestyle=(0, (4, 2)), linewidth=1)
    _end(ax, inverse[-1], theorem[-1], "paper's bound")
    _end(ax, inverse[-1], inverse[-1], r"$\Omega(1/\gamma)$")
    ax.set(xlabel=r"1 / margin, $1/\gamma$", ylabel=_COST, xscale="log", yscale="log")
    ticks = sorted((1 / here["margin"]).unique())
    ax.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_title(f"$N$ = {size}; thin grey: lower bounds on qubits, constants unknown", fontsize=9)
    legend_below(ax)


def draw_passes(ax: "Axes", frame: "DataFrame") -> None:
    """Passes of the register in amplitude estimation against 1/gamma, with the fitted exponent."""
    import numpy as np

    rows = amplitude_rows(frame)
    if rows.empty:
        say_empty(ax)
        return
    rows = rows.assign(inverse=1 / rows["margin"])
    draw_interval(
        ax,
        rows["inverse"],
        low=rows["numbers_low"],
        best=rows["numbers"],
        high=rows["numbers_high"],
        label="cheapest schedule with 90% success",
    )
    points = ax.containers[-1][0]
    points.set_linestyle("none")
    law = passes_law(rows)
    if law is not None:
        ends = np.array([rows["inverse"].min(), rows["inverse"].max()])
        exponent = law.exponents[0]
        ax.plot(
            ends,
            law.at(ends),
            color=points.get_color(),
            linestyle="--",
            marker="",
            label=rf"fit $\gamma^{{-{exponent.value:.2f}}}$, 95%: {exponent.low:.2f} to "
            f"{exponent.high:.2f}",
        )
    ax.set(
        xlabel=r"1 / margin, $1/\gamma$",
        ylabel=r"passes of $\log_2 N + 1$ qubits",
        xscale="log",
        yscale="log",
    )
    legend_below(ax)


def draw_advantage(ax: "Axes", frame: "DataFrame") -> None:
    """Bits over qubits against N, at each margin, and the line that falls as 1 / (log2 N + 1)."""
    import numpy as np

    ratios = advantages(frame)
    if ratios.empty:
        say_empty(ax)
        return
    shifts = np.linspace(-0.06, 0.06, ratios["margin"].nunique())
    for shift, (margin, rows) in zip(
        shifts, sorted(ratios.groupby("margin"), reverse=True), strict=True
    ):
        mean = rows.groupby("size")[["low", "value", "high"]].median()
        draw_interval(
            ax,
            mean.index * 2**shift,
            low=mean["low"],
            best=mean["value"],
            high=mean["high"],
            label=rf"$\gamma$ = {margin:g}",
        )
        ax.containers[-1][0].set_linestyle("none")
    sizes = np.geomspace(ratios["size"].min(), ratios["size"].max(), 50)
    ax.plot(
        sizes,
        99 / 41 / (np.log2(sizes) + 1),
        color=_GREY,
        marker="",
        linestyle="-",
        label=r"99 / (41 ($\log_2 N + 1$)), $\gamma$ = 0.2",
    )
    ax.axhline(1, color="black", linewidth=0.8, linestyle=":", marker="")
    ax.annotate(
        "above: quantum cheaper",
        (sizes[0], 1),
        textcoords="offset points",
        xytext=(0, 3),
        fontsize=8,
    )
    ax.set(xlabel="dimension $N$", ylabel="advantage = bits / qubits", ylim=(0, 1.15))
    ax.set_xscale("log", base=2)
    ax.set_title("bits: sign projections; qubits: copies with an ancilla", fontsize=9)
    legend_below(ax)


def draw_real(ax: "Axes", frame: "DataFrame") -> None:
    """Bits and qubits of each protocol on real data, at equal accuracy."""
    real = frame[frame["data"] != "random"]
    if real.empty:
        say_empty(ax)
        return
    real = real[real["above_chance"].astype(bool)]
    sets = sorted(set(zip(real["size"], real["data"], strict=True)))
    markers = {SIGNS: "o", VECTOR: "x", ANCILLA: "s", AMPLITUDES: "D"}
    for step, (protocol, marker) in enumerate(markers.items()):
        rows = real[real["protocol"] == protocol]
        if rows.empty:
            continue
        best = rows.groupby(["size", "data"])[["cost_low", "cost", "cost_high"]].median()
        draw_interval(
            ax,
            [sets.index(place) + 0.12 * (step - 1) for place in best.index],
            low=best["cost_low"],
            best=best["cost"],
            high=best["cost_high"],
            label=f"{protocol} ({rows['kind'].iloc[0]})",
        )
        line = ax.containers[-1][0]
        line.set_linestyle("none")
        line.set_marker(marker)
    accuracy = real.groupby(["size", "data"])["accuracy"].median()
    ax.set_xticks(
        range(len(sets)),
        [f"{data}\n$N$ = {size}\n{accuracy[size, data]:.2f}" for size, data in sets],
        fontsize=8,
    )
    ax.set(ylabel="bits or qubits", yscale="log")
    ax.set_title("for the accuracy printed below (that of exact weights) less 2 points", fontsize=9)
    legend_below(ax)


def draw_cost(ax: "Axes", rows: "DataFrame", column: str, *, label: str) -> None:
    """A line of costs with intervals against a column; the median where seeds repeat a point."""
    line = rows.groupby(column)[["cost_low", "cost", "cost_high"]].median()
    draw_interval(
        ax,
        line.index,
        low=line["cost_low"],
        best=line["cost"],
        high=line["cost_high"],
        label=label,
    )


def _end(ax: "Axes", x: float, y: float, text: str) -> None:
    """A name at the end of a line."""
    ax.annotate(
        text, (x, y), textcoords="offset points", xytext=(0, 4), ha="right", fontsize=8, color=_GREY
    )
