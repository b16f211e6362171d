"""Figures and claims of the regression on planted interactions."""

from typing import TYPE_CHECKING

from studies.study import Claim
from studies.style import draw_interval, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_FITS = 0.9
_NOTHING = 0.1
_LEAST_SHOWN = -0.5
_ABSENT = 1e-12  # share of the variance that rounding alone may give
_NAMES = {"brickwork": "uploaded once", "reuploading": "uploaded in every layer"}


def _rows(frame: "DataFrame", model: str) -> "DataFrame":
    rows = frame[(frame["task"] == "regression") & (frame["model"] == model)]
    return rows[rows["qubits"] == rows["qubits"].max()]


def draw_regression(ax: "Axes", frame: "DataFrame") -> None:
    """R^2 against depth for each interaction order, the data uploaded once; linear model first."""
    _draw(ax, _rows(frame, "brickwork"), "r2", f"quantum model, {_NAMES['brickwork']}")


def draw_reuploads(ax: "Axes", frame: "DataFrame") -> None:
    """The same with the data uploaded in every layer."""
    _draw(ax, _rows(frame, "reuploading"), "r2", f"quantum model, {_NAMES['reuploading']}")


def draw_network(ax: "Axes", frame: "DataFrame") -> None:
    """The same for networks with as many parameters as the model of each depth."""
    rows = _rows(frame, "brickwork")
    _draw(ax, rows, "r2_network", "network of equal parameter count")


def _draw(ax: "Axes", rows: "DataFrame", column: str, name: str) -> None:
    import numpy as np

    if rows.empty:
        say_empty(ax)
        return
    depths = sorted(rows["layers"].unique())
    orders = sorted(rows["order"].unique())
    for order, shift in zip(orders, np.linspace(-0.2, 0.2, len(orders)), strict=True):
        own = rows[rows["order"] == order]
        shown = own.assign(value=own[column].clip(_LEAST_SHOWN, 1))
        points = shown.groupby("layers")["value"].agg(["min", "median", "max"])
        draw_interval(
            ax,
            np.array(depths) + shift,
            low=points["min"],
            best=points["median"],
            high=points["max"],
            label=f"order {order:.0f}",
        )
        bars = ax.containers[-1][0]
        style = {"color": bars.get_color(), "marker": bars.get_marker(), "linestyle": "none"}
        if column == "r2":
            held = (own["term_share"] > _ABSENT).groupby(own["layers"]).mean()
            lacking = points[held < 1 / 2]
            ax.plot(
                lacking.index + shift,
                lacking["median"],
                markerfacecolor="white",
                zorder=5,
                **style,
            )
        linear = own[own["layers"] == depths[0]]["r2_linear"].clip(_LEAST_SHOWN, 1)
        best = linear.median()
        ax.errorbar(
            [shift], [best], yerr=[[best - linear.min()], [linear.max() - best]], capsize=3, **style
        )
    counts = rows.groupby("layers")[["parameters", "network_parameters", "cone_features"]].max()
    shown_count = "parameters" if column == "r2" else "network_parameters"
    labels = [
        f"{depth}\n{row[shown_count]:.0f} par.\n({row['cone_features']:.0f})"
        for depth, row in counts.iterrows()
    ]
    ax.set_xticks([0, *depths], ["linear\nmodel", *labels])
    ax.axhline(0, color="0.5", linewidth=0.8, linestyle=":", marker="")
    ax.set(xlabel="depth $L$ (features in the largest cone)", ylabel="$R^2$ on new data")
    ax.set_ylim(_LEAST_SHOWN - 0.05, 1.08)
    hollow = "\nhollow: the spectrum lacks most of these targets" if column == "r2" else ""
    ax.set_title(
        f"{name}, {int(rows['qubits'].max())} features\nmedian and range over "
        f"{rows['seed'].nunique()} targets, cut at {_LEAST_SHOWN:g}{hollow}",
        fontsize=9,
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=5, fontsize=8)


def claims(frame: "DataFrame") -> list[Claim]:
    """Which depth fits which order, whether the spectrum holds it, and how the controls do."""
    rows = frame[frame["task"] == "regression"]
    found = []
    for (model, qubits), own in rows.groupby(["model", "qubits"]):
        where = f"{qubits} features, {_NAMES[model]}"
        median = own.groupby(["order", "layers"])[["r2", "r2_network", "r2_linear"]].median()
        orders = sorted(own["order"].unique())
        needed = _first(median, "r2", orders)
        found += [
            _sequence(where, own, needed, judged=model == "brickwork"),
            *_held(where, own),
        ]
        if model == "brickwork":
            networks = _first(median, "r2_network", orders)
            linear = [float(median.loc[order, "r2_linear"].median()) for order in orders]
            found += [
                Claim(
                    text=f"{qubits} features: the linear model fits order 1 and no other",
                    expected=f"R^2 1 at order 1, below {_NOTHING:g} beyond",
                    measured=", ".join(
                        f"order {order:.0f}: {value:.2f}"
                        for order, value in zip(orders, linear, strict=True)
                    ),
                    holds=linear[0] > 1 - _NOTHING and max(linear[1:]) < _NOTHING,
                ),
                Claim(
                    text=f"{qubits} features: networks of equal parameter count beside the models",
                    expected="no claim; the least depth of a model of the size at which a network "
                    "fits each order",
                    measured=f"{_text(networks)}; {_table(own, 'r2_network')}",
                    holds=None,
                ),
            ]
    return found


def _sequence(
    where: str, own: "DataFrame", needed: "dict[int, int | None]", *, judged: bool
) -> Claim:
    """Which depth fits which order, against the depth at which the spectrum first has it."""
    present = own[own["order_share"] > _ABSENT].groupby("order")["layers"].min()
    known = {int(order): int(depth) for order, depth in present.items()}
    enough = own["seed"].nunique() > 2 and own["layers"].nunique() > 1
    good = all(
        depth is not None and order in known and depth >= known[order]
        for order, depth in needed.items()
    )
    first = ", ".join(f"order {order}: L = {depth}" for order, depth in known.items())
    return Claim(
        text=f"{where}: the depth that fits each interaction order (median R^2 of {_FITS:g} or "
        "more on new data)",
        expected=f"none before outputs have that order at all ({first}), each at some depth"
        if judged
        else "no claim; as no upload can be left out, a model need not hold those of less depth",
        measured=f"{_text(needed)}; {_table(own, 'r2')}",
        holds=good if judged and enough else None,
    )


def _held(where: str, own: "DataFrame") -> list[Claim]:
    """Beside the fits, whether the spectrum holds the term at all."""
    inside = own["term_share"] > _ABSENT
    counts = own.assign(inside=inside).groupby(["layers", "order"])["inside"].agg(["sum", "size"])
    shares = own.groupby(["layers", "order"])["order_share"].max()
    shown = "; ".join(
        f"L = {depth}: "
        + ", ".join(
            f"{part.loc[(depth, order), 'sum']} of {part.loc[(depth, order), 'size']} "
            f"(order {order:.0f}: {shares[depth, order]:.2g})"
            for _, order in part.index
        )
        for depth, part in counts.groupby("layers")
    )
    lacking = own.loc[~inside, "r2"]
    return [
        Claim(
            text=f"{where}: a target that the spectrum lacks is never fitted",
            expected=f"R^2 on new data below {_NOTHING:g} wherever it lacks it",
            measured=(f"{lacking.max():.2f} at most of {len(lacking)} fits" if len(lacking) else "")
            + f" (targets held, and the largest share of that order in any output: {shown})",
            holds=bool((lacking < _NOTHING).all()) if len(lacking) else None,
        )
    ]


def _first(median: "DataFrame", column: str, orders: list[int]) -> dict[int, int | None]:
    """By order the least depth whose median R^2 counts as a fit."""
    found = {}
    for order in orders:
        good = median.loc[order][median.loc[order, column] >= _FITS]
        found[order] = int(good.index.min()) if len(good) else None
    return found


def _text(first: "dict[int, int | None]") -> str:
    return ", ".join(
        f"order {order:.0f}: " + (f"L = {depth}" if depth else "none")
        for order, depth in first.items()
    )


def _table(rows: "DataFrame", column: str) -> str:
    """By depth the median of each order and how many of the targets are fitted."""
    fitted = rows.assign(fitted=rows[column] >= _FITS)
    return "; ".join(
        f"L = {depth}: "
        + ", ".join(
            f"{one[column].median():.2f} ({one['fitted'].sum()} of {len(one)} targets)"
            for _, one in own.groupby("order")
        )
        for depth, own in fitted.groupby("layers")
    )
