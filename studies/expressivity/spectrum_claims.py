"""What the rows say of effective features and feature orders."""

import math
from typing import TYPE_CHECKING

from studies.expressivity.spectrum import ORDERS, haar_entropy
from studies.expressivity.spectrum_shown import full_cones, wide
from studies.expressivity.statistics import mean_interval, over_seeds, rises, slopes
from studies.study import Claim

if TYPE_CHECKING:
    from pandas import DataFrame

_FLAT = 1e-9
_STRAIGHT = 0.99  # share of the variance of the means that a straight line explains
_NEAR_HAAR = 0.1


def claims(frame: "DataFrame") -> list[Claim]:
    """Growth of effective features and mean order at full cones, the controls, the wide models."""
    return [
        *_growth(full_cones(frame)),
        *_haar_order(full_cones(frame)),
        *_encodings(full_cones(frame, None)),
        *_linear(full_cones(frame)),
        *_wide(wide(frame)),
    ]


def _growth(rows: "DataFrame") -> list[Claim]:
    found = []
    for (model, qubits), own in rows[rows["model"] != "linear"].groupby(["model", "qubits"]):
        if own["layers"].nunique() < 3 or own["seed"].nunique() < 2:
            continue
        slope = mean_interval(slopes(own, "entropy"))
        line = _straightness(own)
        bound = haar_entropy(int(qubits))
        haar = f"; {bound:.3g} or less for Haar blocks" if model == "haar" else ""
        found.append(
            Claim(
                text=f"{model}, n = {qubits}, independent lambda, every cone full: log effective "
                f"features linear in L with positive slope",
                expected=f"slope above 0, line explains {_STRAIGHT:.0%}{haar}",
                measured=f"slope {slope} a layer (95% over {own['seed'].nunique()} seeds), line "
                f"explains {line:.2%}; {_points(own, 'effective')}",
                holds=line >= _STRAIGHT if rises(slope) else rises(slope),
            )
        )
        order = over_seeds(own, "layers", "mean_order")
        trend = mean_interval(slopes(own, "mean_order"))
        found.append(
            Claim(
                text=f"{model}, n = {qubits}: mean feature order grows with L, towards n",
                expected="growing at every step of L",
                measured=", ".join(
                    f"L = {row.layers}: {row.value:.2f}" for row in order.itertuples()
                )
                + f"; slope {trend}",
                holds=bool(order["value"].is_monotonic_increasing)
                if rises(trend)
                else rises(trend),
            )
        )
    return found


def _straightness(rows: "DataFrame") -> float:
    """The share of the variance of the mean log effective features that a line in L explains."""
    import numpy as np

    means = rows.groupby("layers")["entropy"].mean()
    return float(np.corrcoef(means.index, means)[0, 1] ** 2)


def _haar_order(rows: "DataFrame") -> list[Claim]:
    haar = rows[rows["model"] == "haar"]
    if haar.empty:
        return []
    widest = haar[haar["qubits"] == haar["qubits"].max()]
    if widest["seed"].nunique() < 3:
        return []
    measured = over_seeds(widest, "layers", "mean_order")
    predicted = widest.groupby("layers")["haar_order"].median().to_numpy()
    inside = (measured["value"].to_numpy() - predicted).__abs__() < _NEAR_HAAR
    return [
        Claim(
            text=f"Haar blocks, n = {widest['qubits'].max()}: mean feature order as the Haar "
            "average of |C|^2 has it",
            expected=", ".join(f"{value:.2f}" for value in predicted)
            + f" (to {_NEAR_HAAR:g}, or within the interval)",
            measured=", ".join(
                f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in measured.itertuples()
            ),
            holds=bool(
                (
                    inside
                    | (
                        (measured["low"].to_numpy() <= predicted)
                        & (predicted <= measured["high"].to_numpy())
                    )
                ).all()
            ),
        )
    ]


def _encodings(rows: "DataFrame") -> list[Claim]:
    haar = rows[rows["model"] == "haar"]
    if haar.empty:
        return []
    keys = ["qubits", "layers", "seed"]
    table = haar.pivot_table(index=keys, columns="frequencies", values="entropy")
    found = []
    if {"equal", "independent"} <= set(table):
        both = table[["equal", "independent"]].dropna()
        deep = both[both.index.get_level_values("layers") > 1]
        if not deep.empty:
            qubits = deep.index.get_level_values("qubits")
            layers = deep.index.get_level_values("layers")
            bound = [n * math.log(2 * depth + 1) for n, depth in zip(qubits, layers, strict=True)]
            found.append(
                Claim(
                    text="equal lambda: fewer effective features than independent at every L > 1, "
                    "at most (2L + 1)^n, so no longer exponential in L",
                    expected="log ratio below 0, and log features below n ln(2L + 1)",
                    measured="log ratio "
                    f"{(deep['equal'] - deep['independent']).max():.2f} or less; "
                    f"{(deep['equal'] / bound).max():.2f} of the bound or less",
                    holds=bool(
                        (deep["equal"] < deep["independent"]).all()
                        and (deep["equal"].to_numpy() < bound).all()
                    ),
                )
            )
    if {"exponential", "independent"} <= set(table):
        both = table[["exponential", "independent"]].dropna()
        gap = float((both["exponential"] - both["independent"]).abs().max())
        found.append(
            Claim(
                text="exponential lambda (powers of 3): as many effective features as independent",
                expected="log ratio 0, as all sums are distinct",
                measured=f"largest log ratio {gap:.2g}, from the same draws",
                holds=gap < 0.01,
            )
        )
    return found


def _linear(rows: "DataFrame") -> list[Claim]:
    linear = rows[rows["model"] == "linear"]
    if linear.empty:
        return []
    spread = float((linear["mean_order"] - 1).abs().max())
    found = [
        Claim(
            text="linear model: order 1 at every depth",
            expected="mean order 1",
            measured=f"1 to {spread:.1g}",
            holds=spread < _FLAT,
        )
    ]
    for qubits, own in linear.groupby("qubits"):
        slope = mean_interval(slopes(own, "entropy"))
        most = float((own["effective"] / (2 * own["qubits"] + 1)).max())
        found.append(
            Claim(
                text=f"linear model, n = {qubits}: effective features flat in L",
                expected="slope of the logarithm 0 within its interval; at most 2n + 1 features",
                measured=f"slope {slope}; {_points(own, 'effective')}; {most:.2f} of the most",
                holds=bool(slope.low <= 0 <= slope.high and most <= 1),
            )
        )
    return found


def _wide(rows: "DataFrame") -> list[Claim]:
    if rows.empty or rows["layers"].nunique() < 2:
        return []
    found = []
    for kind, own in rows.groupby("frequencies"):
        drawn = own.dropna(subset=["effective"])
        cones = own.groupby("layers")["cone_uploads"].agg(["min", "max"])
        features = over_seeds(drawn, "layers", "entropy")
        order = over_seeds(own, "layers", "mean_order")
        shown = ", ".join(
            f"L = {row.layers}: {math.exp(row.value):.3g} features, order {mean:.2f}, "
            f"{cones.loc[row.layers, 'min']:.0f} to {cones.loc[row.layers, 'max']:.0f} uploads"
            for row, mean in zip(features.itertuples(), order["value"], strict=True)
        )
        found.append(
            Claim(
                text=f"64-qubit brickwork, {kind} lambda: effective features and mean order grow "
                "with L, as do depth and cone together",
                expected="both growing; no claim about depth alone",
                measured=shown,
                holds=bool(
                    features["value"].is_monotonic_increasing
                    and order["value"].is_monotonic_increasing
                ),
            )
        )
    beyond = float(rows[f"order_{ORDERS}"].max())
    found.append(
        Claim(
            text="64-qubit brickwork: orders of all 64 outputs in full",
            expected="shares of every output sum to 1",
            measured=f"to {_sum_error(rows):.1g}; order {ORDERS} and beyond at most {beyond:.1g}",
            holds=_sum_error(rows) < _FLAT,
        )
    )
    return found


def _sum_error(rows: "DataFrame") -> float:
    columns = [f"order_{order}" for order in range(1, ORDERS + 1)]
    return float((rows[columns].sum(axis=1) - 1).abs().max())


def _points(rows: "DataFrame", column: str) -> str:
    import numpy as np

    logs = np.log(rows[column]).groupby(rows["layers"]).mean()
    cones = rows.groupby("layers")["cone_uploads"].max()
    return ", ".join(
        f"L = {depth}: {math.exp(value):.3g} ({cones[depth]:.0f} uploads)"
        for depth, value in logs.items()
    )
