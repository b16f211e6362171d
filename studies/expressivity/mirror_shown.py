"""Figure and claims of the classical mirror."""

from typing import TYPE_CHECKING

from studies.expressivity.mirror import ERROR
from studies.study import Claim
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


def draw_mirror(ax: "Axes", frame: "DataFrame") -> None:
    """Frequencies that the mirror needs against depth, and how many there are."""
    rows = frame[frame["task"] == "mirror"]
    if rows.empty:
        say_empty(ax)
        return
    for qubits, own in rows.groupby("qubits"):
        points = _needed(own)
        draw_interval(
            ax,
            points.index,
            low=points["low"],
            best=points["value"],
            high=points["high"],
            label=f"needed, $n$ = {qubits}",
        )
        colour = ax.containers[-1][0].get_color()
        every = own.groupby("layers")["frequencies_in_all"].first()
        ax.plot(every.index, every, color=colour, marker="", linestyle=":", linewidth=1)
        for depth, count in own.groupby("layers")["cone_uploads"].first().items():
            ax.annotate(
                f"{count:.0f}",
                (depth, points.loc[depth, "value"]),
                textcoords="offset points",
                xytext=(6, -9),
                fontsize=8,
            )
    ax.set(
        xlabel="depth $L$ (uploads of every feature)",
        ylabel=f"distinct frequencies for an error of {ERROR:g}",
        yscale="log",
    )
    ax.set_xticks(sorted(rows["layers"].unique()))
    ax.set_title("dotted: all frequencies; numbers: uploads in the cone", fontsize=9)
    legend_below(ax)


def claims(frame: "DataFrame") -> list[Claim]:
    """That the surrogate needs exponentially many features as well."""
    from studies.expressivity.statistics import mean_interval, rises, slopes

    rows = frame[frame["task"] == "mirror"]
    found = []
    for qubits, own in rows.groupby("qubits"):
        if own["layers"].nunique() < 3 or own["seed"].nunique() < 2:
            continue
        import numpy as np

        known = own[np.isfinite(own["needed"])]
        known = known.assign(log_needed=np.log(known["needed"]))
        slope = mean_interval(slopes(known, "log_needed"))
        shown = ", ".join(
            f"L = {depth}: {row['value']:.3g} of {row['all']:.0f}"
            for depth, row in _needed(own).iterrows()
        )
        found.append(
            Claim(
                text=f"classical mirror, n = {qubits}: random features for a relative error of "
                f"{ERROR:g} grow exponentially with L",
                expected="slope of the logarithm above 0",
                measured=f"slope {slope} a layer; {shown}; error not reached in "
                f"{len(own) - len(known)} of {len(own)} cells",
                holds=rises(slope) if len(known) == len(own) else None,
            )
        )
    return found


def _needed(rows: "DataFrame") -> "DataFrame":
    """By depth the geometric mean over seeds, Student's interval cut to what is possible."""
    import numpy as np

    from studies.expressivity.statistics import over_seeds

    known = rows[np.isfinite(rows["needed"])]
    points = over_seeds(known.assign(log=np.log(known["needed"])), "layers", "log")
    points = points.set_index("layers")
    points = np.exp(points)
    points["all"] = rows.groupby("layers")["frequencies_in_all"].first()
    points["low"] = points["low"].clip(lower=1)
    points["high"] = points["high"].clip(upper=points["all"])
    return points
