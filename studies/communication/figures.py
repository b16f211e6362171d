"""The figures of the study `communication`."""

from typing import TYPE_CHECKING

from studies.communication.claims import (
    LEAST_FITTED,
    cheapest,
    crossover,
    patch_rows,
    problem_rows,
    size_law,
)
from studies.communication.matching_costs import ASKING, EVERYTHING, SUBSET
from studies.communication.matching_costs import STATE as MATCHING_STATE
from studies.communication.photograph_costs import SHOTS, STATES
from studies.communication.subspace_costs import COEFFICIENTS, SIGNS, STATE, VECTOR
from studies.linear.costs import ANCILLA
from studies.linear.costs import SIGNS as PROJECTIONS
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_GREY = "0.45"
_BLUE, _RED, _YELLOW = "#0072B2", "#D55E00", "#E69F00"
_BOUND = (0, (6, 3))
_PATCHES = {
    ("compositional", SHOTS): ("sampled state, qubits", "s", "black"),
    ("compositional", STATES): ("whole states, bits", "x", "0.45"),
    ("compositional", SIGNS): ("one-bit sketch, bits", "o", "black"),
    ("linear", ANCILLA): ("ancilla, qubits", "v", _RED),
    ("linear", VECTOR): ("whole vector, bits", "P", _YELLOW),
    ("linear", PROJECTIONS): ("sign projections, bits", "^", _RED),
}


def draw_advantage(ax: "Axes", frame: "DataFrame") -> None:
    """Bits and qubits against N for Vector in Subspace and linear classification, with bounds."""
    import numpy as np

    rows, linear = problem_rows(frame, "subspace"), problem_rows(frame, "linear")
    if rows.empty:
        say_empty(ax)
        return
    sizes = np.geomspace(rows["size"].min(), rows["size"].max(), 60)
    law = size_law(frame, SIGNS)
    fit = ""
    if law is not None:
        fit = rf", fit $N^{{{law.exponents[0].value:.2f}}}$"
        fitted = sizes[sizes >= LEAST_FITTED * 0.99]
        ax.plot(fitted, law.at(fitted), color="black", marker="", linestyle="-")
    for part, protocol, marker, colour, label in (
        (rows, SIGNS, "o", "black", f"subspace, bits: one-bit sketch{fit}"),
        (rows, COEFFICIENTS, "D", _BLUE, "subspace, bits: largest coefficients"),
        (rows, VECTOR, "x", _GREY, "subspace, bits: whole vector"),
        (rows, STATE, "s", "black", r"subspace, qubits: state, $\log_2 N$"),
        (linear, PROJECTIONS, "^", _RED, "linear, bits: sign projections"),
        (linear, VECTOR, "+", _RED, "linear, bits: whole vector"),
        (linear, ANCILLA, "v", _RED, "linear, qubits: ancilla"),
    ):
        own = part[part["protocol"] == protocol]
        draw_points(ax, own, marker, colour, label=label, empty="qubits" in label)
    ax.plot(sizes, np.log2(sizes), color="black", marker="", linestyle=":")
    ax.plot(sizes, np.cbrt(sizes), color=_GREY, marker="", linestyle=_BOUND, linewidth=0.9)
    _name(ax, sizes[0], np.cbrt(sizes[0]), r"subspace, bits: $\Omega(N^{1/3})$")
    if not linear.empty:
        for protocol, dashes in ((PROJECTIONS, "-"), (ANCILLA, ":")):
            line = linear[linear["protocol"] == protocol].groupby("size")["cost"].median()
            ax.plot(line.index, line, color=_RED, marker="", linestyle=dashes)
        margin = linear["margin"].iloc[0]
        ax.plot(
            sizes, 0 * sizes + 1 / margin, color=_RED, marker="", linestyle=_BOUND, linewidth=0.9
        )
        _name(
            ax, sizes[36], 1 / margin, rf"linear, qubits: $\Omega(1/\gamma)$, $\gamma$ = {margin:g}"
        )
    for part, name in ((rows, "cheapest bits that ran"), (linear, "")):
        best = cheapest(part).groupby("size")["cost"].median()
        ax.plot(
            best.index,
            best,
            linestyle="none",
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor="0.3",
            label=name or None,
        )
    ax.set(xlabel="dimension $N$", ylabel="bits or qubits for 90% success", yscale="log", ylim=1.4)
    ax.set_xscale("log", base=2)
    ax.set_title("long dashes: theorems' lower bounds, constants unknown", fontsize=9)
    legend_below(ax)


def draw_points(
    ax: "Axes", rows: "DataFrame", marker: str, colour: str, *, label: str, empty: bool
) -> None:
    """Costs with intervals against N, without a line; medians where seeds repeat a point."""
    if rows.empty:
        return
    line = rows.groupby("size")[["cost_low", "cost", "cost_high"]].median()
    ax.errorbar(
        line.index,
        line["cost"],
        yerr=[line["cost"] - line["cost_low"], line["cost_high"] - line["cost"]],
        color=colour,
        marker=marker,
        markerfacecolor="white" if empty else colour,
        linestyle="none",
        capsize=2,
        elinewidth=0.9,
        label=label,
    )


def _name(ax: "Axes", x: float, y: float, text: str) -> None:
    """A name under a line, from here to the right."""
    ax.annotate(text, (x, y), textcoords="offset points", xytext=(0, -10), fontsize=7.5)


def draw_matching(ax: "Axes", frame: "DataFrame") -> None:
    """Bits and qubits of Hidden Matching against N."""
    import numpy as np

    rows = problem_rows(frame, "matching")
    if rows.empty:
        say_empty(ax)
        return
    sizes = np.geomspace(rows["size"].min(), rows["size"].max(), 60)
    law = size_law(frame, SUBSET, "matching")
    fit = ""
    if law is not None:
        fit = rf", fit $N^{{{law.exponents[0].value:.2f}}}$"
        ax.plot(sizes, law.at(sizes), color="black", marker="", linestyle="-")
    for protocol, marker, colour, label in (
        (SUBSET, "o", "black", f"one-way bits: shared subset{fit}"),
        (EVERYTHING, "x", _GREY, "one-way bits: all"),
        (MATCHING_STATE, "s", "black", r"one-way qubits: state, $\log_2 N$"),
        (ASKING, "D", _RED, "two-way bits: Bob asks first"),
    ):
        own = rows[rows["protocol"] == protocol]
        draw_points(ax, own, marker, colour, label=label, empty="qubits" in label)
    ax.plot(sizes, np.sqrt(sizes), color=_GREY, marker="", linestyle=_BOUND, linewidth=0.9)
    _name(ax, sizes[0], np.sqrt(sizes[0]) * 0.8, r"one-way bits: $\Omega(\sqrt{N})$")
    ax.set(
        xlabel="number of bits $N$", ylabel="bits or qubits for 90% success", yscale="log", ylim=2
    )
    ax.set_xscale("log", base=2)
    ax.set_title("Hidden Matching; long dashes: lower bound, constant unknown", fontsize=9)
    legend_below(ax)


def draw_crossover(ax: "Axes", frame: "DataFrame") -> None:
    """Cheapest bits over qubits against N, at each error, and where it passes 1."""
    errors = sorted(problem_rows(frame, "estimate")["error"].unique(), reverse=True)
    if not errors:
        say_empty(ax)
        return
    for error in errors:
        cross = crossover(frame, error)
        label = rf"$\epsilon$ = {error:g}"
        if cross.size is not None:
            label += f": crossover at $N$ = {float(f'{cross.size.value:.2g}'):.0f}"
        ratios = list(cross.ratios.values())
        draw_interval(
            ax,
            list(cross.ratios),
            low=[ratio.low for ratio in ratios],
            best=[ratio.value for ratio in ratios],
            high=[ratio.high for ratio in ratios],
            label=label,
        )
    ax.axhline(1, color="black", linewidth=0.8, linestyle=":", marker="")
    ax.annotate(
        "above 1: fewer qubits than bits", (0.02, 0.95), xycoords="axes fraction", fontsize=8
    )
    ax.set(xlabel="dimension $N$", ylabel="bits / qubits", yscale="log", ylim=(0.1, 10))
    ax.set_xscale("log", base=2)
    ax.set_yticks([0.1, 0.2, 0.5, 1, 2, 5, 10], ["0.1", "0.2", "0.5", "1", "2", "5", "10"])
    ax.set_yticks([], minor=True)
    ax.set_title(
        r"$u^T O u$ to $\epsilon$ in 90%; bits: one-bit sketch or whole vector", fontsize=9
    )
    legend_below(ax)


def draw_texture(ax: "Axes", frame: "DataFrame") -> None:
    """Costs of telling the photographs apart by texture alone."""
    _draw_patches(ax, frame, "texture")


def draw_grey(ax: "Axes", frame: "DataFrame") -> None:
    """Costs of telling the photographs apart by grey values."""
    _draw_patches(ax, frame, "grey")


def _draw_patches(ax: "Axes", frame: "DataFrame", content: str) -> None:
    """Costs of one accuracy, printed under N, against the pixels of a patch."""
    rows = patch_rows(frame, content)
    if rows.empty:
        say_empty(ax)
        return
    for (model, protocol), (label, marker, colour) in _PATCHES.items():
        own = rows[(rows["model"] == model) & (rows["protocol"] == protocol)]
        empty = label.endswith("qubits")
        draw_points(ax, own, marker, colour, label=f"{model}, {label}", empty=empty)
        line = own.groupby("size")["cost"].median()
        ax.plot(line.index, line, color=colour, marker="", linestyle=":" if empty else "-")
    ax.set(yscale="log", ylabel="bits or qubits", xlabel="pixels $N$ (accuracy to reach)")
    ax.set_xscale("log", base=2)
    target = rows.groupby("size")["target"].median()
    ax.set_xticks(target.index, [f"{size} ({value:.2f})" for size, value in target.items()])
    ax.set_xticks([], minor=True)
    sizes = set(rows["size"]) - set(rows[rows["model"] == "linear"]["size"])
    dropped = ", ".join(str(size) for size in sorted(sizes))
    ax.set_title(
        f"patches, {content}"
        + (f"; linear is hardly better than chance at $N$ = {dropped}" * bool(dropped)),
        fontsize=9,
    )
    legend_below(ax)
