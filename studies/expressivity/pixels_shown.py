"""The pixel map: Sobol indices over the 8x8 image."""

from typing import TYPE_CHECKING

from studies.expressivity.pixels import MIDDLE
from studies.study import Claim
from studies.style import say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_SIDE = 8


def draw_pixels(ax: "Axes", frame: "DataFrame") -> None:
    """Total indices of the pixels at two depths: over all outputs, and of the middle output."""
    rows = frame[frame["task"] == "pixels"]
    if rows.empty:
        say_empty(ax)
        return
    depths = sorted(rows["layers"].unique())[-2:]
    ax.set_axis_off()
    panels = [
        (column, depth, left, bottom)
        for column, bottom in (("total", 0.55), ("middle_total", 0.0))
        for depth, left in zip(depths, (0.0, 0.43), strict=False)
    ]
    for column, depth, left, bottom in panels:
        inner = ax.inset_axes((left, bottom, 0.4, 0.38))
        values = rows[rows["layers"] == depth].groupby("pixel")[column].mean().to_numpy()
        most = rows[rows["layers"].isin(depths)].groupby(["layers", "pixel"])[column].mean().max()
        image = inner.imshow(values.reshape(_SIDE, _SIDE), cmap="cividis", vmin=0, vmax=most)
        what = "all outputs" if column == "total" else "middle output"
        inner.set_title(f"{what}, $L$ = {depth}", fontsize=9)
        inner.set_xticks([0, _SIDE - 1])
        inner.set_yticks([0, _SIDE - 1])
        inner.grid(visible=False)
        if left == 0:
            inner.set_ylabel("row", fontsize=9)
        if bottom == 0:
            inner.set_xlabel("column", fontsize=9)
            if column == "middle_total":
                inner.plot(
                    MIDDLE % _SIDE,
                    MIDDLE // _SIDE,
                    marker="s",
                    markersize=13,
                    color="white",
                    markerfacecolor="none",
                    linestyle="none",
                )
        if depth == depths[-1]:
            beside = ax.inset_axes((0.85, bottom, 0.03, 0.38))
            bar = ax.figure.colorbar(image, cax=beside)
            bar.ax.tick_params(labelsize=8)
            bar.set_label("total index", fontsize=8)


def claims(frame: "DataFrame") -> list[Claim]:
    """That the middle output depends on the pixels of its cone alone."""
    rows = frame[frame["task"] == "pixels"]
    if rows.empty:
        return []
    outside = rows.loc[~rows["in_middle_cone"].astype(bool), "middle_total"].max()
    inside = rows[rows["in_middle_cone"].astype(bool)].groupby("layers")["pixel"].nunique()
    return [
        Claim(
            text="Sobol indices: an output depends on the pixels of its cone and on no other",
            expected="total index 0 outside",
            measured=f"{outside:.1g} outside; pixels in the cone of qubit {MIDDLE}: "
            + ", ".join(f"L = {depth}: {count}" for depth, count in inside.items()),
            holds=bool(outside == 0),
        )
    ]
