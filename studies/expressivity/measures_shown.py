"""Figures and claims of the other measures against depth."""

from typing import TYPE_CHECKING

from studies.study import Claim
from studies.style import draw_interval, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame, Series

_DEPTH = "depth $L$ (plain brickwork layers)"


def _rows(frame: "DataFrame") -> "DataFrame":
    return frame[frame["task"] == "measures"]


def _widest(frame: "DataFrame") -> "DataFrame":
    rows = _rows(frame)
    return rows[rows["qubits"] == rows["qubits"].max()]


def draw_states(ax: "Axes", frame: "DataFrame") -> None:
    """Divergence from Haar states and entanglement against depth."""
    rows = _widest(frame)
    if rows.empty:
        say_empty(ax)
        return
    haar = float(rows["cut_entropy_haar"].iloc[0])
    _draw(ax, rows, "divergence", label="divergence from Haar states (nats)")
    _draw(ax, rows, "cut_entropy", label="entropy across the cut (ebits)")
    ax.axhline(haar, color="0.5", linestyle=":", marker="", linewidth=1)
    ax.annotate(
        "Haar states (Page)",
        (rows["layers"].min(), haar),
        textcoords="offset points",
        xytext=(0, -10),
        fontsize=8,
    )
    ax.set(xlabel=_DEPTH, ylabel="nats or ebits")
    _finish(ax, rows)


def draw_counts(ax: "Axes", frame: "DataFrame") -> None:
    """Ranks of the Fisher information and the kernel against depth, with what they can be."""
    rows = _widest(frame)
    if rows.empty:
        say_empty(ax)
        return
    _draw(ax, rows, "fisher_rank", label="rank of the Fisher information")
    _draw(ax, rows, "kernel_rank", label="rank of the fidelity kernel")
    _draw(ax, rows, "kernel_effective", label="effective rank of the kernel")
    parameters = rows.groupby("layers")["parameters"].max()
    most = 4.0 ** rows["qubits"].iloc[0]
    ax.plot(  # behind the rank, which it may equal
        parameters.index,
        parameters,
        color="0.75",
        linewidth=5,
        marker="",
        linestyle="-",
        label="parameters",
        zorder=1,
    )
    ax.axhline(most, color="0.6", marker="", linestyle=":", label="$4^n$, the most for the kernel")
    ax.set(xlabel=_DEPTH, ylabel="count", yscale="log")
    _finish(ax, rows)


def draw_gradients(ax: "Axes", frame: "DataFrame") -> None:
    """Gradient variance of a local and a global observable against depth, at every width."""
    import numpy as np

    rows = _rows(frame)
    if rows.empty:
        say_empty(ax)
        return
    for qubits, own in rows.groupby("qubits"):
        for name, label in (("local", "$Z$ of one qubit"), ("global", "parity")):
            columns = [f"log_variance_{name}{end}" for end in ("_low", "", "_high")]
            values = own[["layers"]].assign(
                **{
                    key: own[column] / np.log(10)
                    for key, column in zip(("low", "value", "high"), columns, strict=True)
                }
            )
            points = values.groupby("layers").mean()
            draw_interval(
                ax,
                points.index,
                low=points["low"],
                best=points["value"],
                high=points["high"],
                label=f"{label}, $n$ = {qubits}",
            )
    ax.set(xlabel=_DEPTH, ylabel=r"$\log_{10}$ Var $\partial f / \partial \theta$ (rad$^{-2}$)")
    _finish(ax, rows)


def _draw(ax: "Axes", rows: "DataFrame", name: str, *, label: str) -> None:
    """A measure by depth, the interval that it came with; the mean over seeds of both."""
    points = rows.groupby("layers")[[f"{name}_low", name, f"{name}_high"]].mean()
    draw_interval(
        ax,
        points.index,
        low=points[f"{name}_low"],
        best=points[name],
        high=points[f"{name}_high"],
        label=label,
    )


def _finish(ax: "Axes", rows: "DataFrame") -> None:
    cones = rows[rows["qubits"] == rows["qubits"].max()].groupby("layers")["cone_uploads"].max()
    ax.set_xticks(list(cones.index), [f"{depth}\n({cone:.0f})" for depth, cone in cones.items()])
    widest = f"$n$ = {rows['qubits'].max()}"
    ax.set_title(
        f"in brackets: most uploads in the cone of $Z$ at {widest}"
        if rows["qubits"].nunique() > 1
        else f"{widest}; in brackets: most uploads in the cone of $Z$",
        fontsize=9,
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2, fontsize=8)


def claims(frame: "DataFrame") -> list[Claim]:
    """Expressibility, entanglement and gradients from the shallowest to the deepest circuit."""
    rows = _widest(frame)
    if rows.empty or rows["layers"].nunique() < 2:
        return []
    first = rows[rows["layers"] == rows["layers"].min()].iloc[0]
    last = rows[rows["layers"] == rows["layers"].max()].iloc[0]
    steps = f"L = {first['layers']} and {last['layers']}"
    shown = {
        name: f"{first[name]:.3g} [{first[f'{name}_low']:.3g}, {first[f'{name}_high']:.3g}] and "
        f"{last[name]:.3g} [{last[f'{name}_low']:.3g}, {last[f'{name}_high']:.3g}]"
        for name in ("divergence", "cut_entropy", "log_variance_local", "kernel_effective")
    }
    below = rows["fisher_rank"] <= rows["parameters"]
    return [
        Claim(
            text="deeper brickwork: states closer to Haar, more entangled across the cut",
            expected="divergence falls, entropy rises towards "
            f"{first['cut_entropy_haar']:.3g} ebits",
            measured=f"{steps}: {shown['divergence']} nats; {shown['cut_entropy']} ebits",
            holds=_all_apart(
                [_order(last, first, "divergence"), _order(first, last, "cut_entropy")]
            ),
        ),
        Claim(
            text="deeper brickwork: smaller gradients of a local observable, a kernel that spreads "
            "further",
            expected="log variance falls, effective rank rises",
            measured=f"{steps}: {shown['log_variance_local']}; {shown['kernel_effective']}",
            holds=_all_apart(
                [
                    _order(last, first, "log_variance_local"),
                    _order(first, last, "kernel_effective"),
                ]
            ),
        ),
        Claim(
            text="Fisher information: rank at most the parameters",
            expected=", ".join(
                f"{value:.0f}" for value in rows.groupby("layers")["parameters"].max()
            ),
            measured=", ".join(
                f"{value:.0f}" for value in rows.groupby("layers")["fisher_rank"].max()
            ),
            holds=bool(below.all()),
        ),
    ]


def _order(less: "Series", more: "Series", name: str) -> bool | None:
    """Whether a measure is below another; None where their intervals overlap."""
    if less[f"{name}_high"] < more[f"{name}_low"]:
        return True
    return False if less[f"{name}_low"] > more[f"{name}_high"] else None


def _all_apart(verdicts: list[bool | None]) -> bool | None:
    if False in verdicts:
        return False
    return None if None in verdicts else True
