"""Figures and claims of the dimension of the function span, and of the ranks on the digits."""

from itertools import cycle
from typing import TYPE_CHECKING

from studies.study import Claim
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_SAFE_GAP = 100.0


def _of(frame: "DataFrame", *models: str) -> "DataFrame":
    """The rows of this task of some models."""
    return frame[(frame["task"] == "dimension") & frame["model"].isin(models)]


def draw_dimension(ax: "Axes", frame: "DataFrame") -> None:
    """Measured dimension against depth on a logarithmic axis, the formula as a line."""
    scalar = _of(frame, "scalar", "linear-scalar")
    if scalar.empty:
        say_empty(ax)
        return
    markers, sizes = cycle("osD^vPX"), cycle([6, 9, 6, 6, 6, 5, 6])
    dashes = cycle(["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))])
    for (model, uploads, frequencies, qubits), rows in scalar.groupby(
        ["model", "uploads", "frequencies", "qubits"]
    ):
        name = f"{uploads}, {frequencies} $\\lambda$, $n$ = {qubits}"
        line = rows.groupby("layers")[["rank", "formula"]].median()
        ax.plot(
            line.index,
            line["rank"],
            linestyle="none",
            marker=next(markers),
            markerfacecolor="none",
            markersize=next(sizes),
            label="linear model" if model == "linear-scalar" else name,
        )
        colour = ax.lines[-1].get_color()
        ax.plot(line.index, line["formula"], marker="", linestyle=next(dashes), color=colour)
    ax.set(xlabel="depth $L$ (uploads)", ylabel="dimension of the function span", yscale="log")
    ax.set_xticks(sorted(scalar["layers"].unique()))
    legend_below(ax, title="points: measured; lines: formula")


def draw_digits(ax: "Axes", frame: "DataFrame") -> None:
    """Numerical and effective rank on the digits against depth, beside the linear model."""
    on_digits = _of(frame, "digits", "linear-digits")
    if on_digits.empty:
        say_empty(ax)
        return
    names = {"digits": "64-qubit brickwork", "linear-digits": "linear model"}
    for model, rows in on_digits.groupby("model"):
        for column, kind in (("rank", "rank"), ("effective_rank", "effective rank")):
            values = rows.groupby("layers")[column]
            best = values.median()
            draw_interval(
                ax,
                best.index,
                low=values.min(),
                best=best,
                high=values.max(),
                label=f"{names[str(model)]}, {kind}",
            )
    most = int(on_digits["images"].max())
    ax.axhline(most, color="grey", linewidth=0.8, marker="", linestyle=":")
    ax.annotate(
        f"{most} images", (1, most), textcoords="offset points", xytext=(0, -10), fontsize=8
    )
    ax.set_xticks(sorted(on_digits["layers"].unique()))
    ax.set(xlabel="depth $L$ (uploads of every pixel)", ylabel="rank on the digits", yscale="log")
    legend_below(ax)


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of the dimension formulas, the collapse and the digits."""
    found = []
    names = {
        ("scalar", "diagonal", "independent"): "diagonal uploads span (N'^2 - N' + 1)^L",
        ("scalar", "qubitwise", "independent"): "qubit-wise uploads span 3^(nL)",
        ("scalar", "qubitwise", "equal"): "equal frequencies collapse to 2nL + 1",
        ("linear-scalar", "diagonal", "independent"): "the linear model stays at 2",
    }
    scalar = _of(frame, "scalar", "linear-scalar")
    for key, rows in scalar.groupby(["model", "uploads", "frequencies"]):
        if key not in names or rows["formula"].isna().any():
            continue
        clear = bool((rows["gap"] > _SAFE_GAP).all())
        ordered = rows.sort_values(["qubits", "layers", "seed"])
        found.append(
            Claim(
                text=names[key],
                expected=", ".join(f"{int(value)}" for value in ordered["formula"]),
                measured=", ".join(f"{int(value)}" for value in ordered["rank"])
                + f" (singular values drop by {rows['gap'].min():.1g} or more)",
                holds=bool((rows["rank"] == rows["formula"]).all()) if clear else None,
            )
        )
    return found + _digit_claims(frame)


def _digit_claims(frame: "DataFrame") -> list[Claim]:
    wide = _of(frame, "digits")
    linear = _of(frame, "linear-digits")
    if wide.empty or linear.empty:
        return []
    effective = wide.groupby("layers")["effective_rank"].median()
    rank = wide.groupby("layers")["rank"].median()
    cones = ", ".join(
        f"L = {layers}: {int(rows['cone_pixels_least'].min())} to "
        f"{int(rows['cone_pixels_most'].max())} pixels, "
        f"{int(rows['cone_uploads_most'].max())} uploads"
        for layers, rows in wide.groupby("layers")
    )
    return [
        Claim(
            text="rank on the digits exceeds the linear model's at every depth",
            expected=f"> {int(linear['rank'].max())}",
            measured=", ".join(f"L = {k}: {int(v)}" for k, v in rank.items())
            + f" (of at most {int(wide['images'].max())} images)",
            holds=bool(rank.min() > linear["rank"].max()),
        ),
        Claim(
            text="effective rank on the digits grows with depth, the linear model's does not",
            expected=f"growing; linear {linear['effective_rank'].median():.1f}",
            measured=", ".join(f"L = {k}: {v:.1f}" for k, v in effective.items()),
            holds=bool(effective.is_monotonic_increasing) if len(effective) > 1 else None,
        ),
        Claim(
            text="the outputs together see every pixel (light cones of the outputs)",
            expected="64 pixels",
            measured=f"{int(wide['pixels_seen'].min())} pixels; {cones}",
            holds=bool((wide["pixels_seen"] == 64).all()),
        ),
    ]
