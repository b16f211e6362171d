"""What the rows of the study `gradients` say: its fits and its claims."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studies.fits import CONFIDENCE, Interval, power_law, relative_error
from studies.study import Claim

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    from studies.fits import PowerLaw

    Array = NDArray[np.float64]

NAMES = {"shift": "parameter shift", "blocks": "commuting blocks", "shadows": "classical shadows"}
FEWEST_POINTS = 3

_BANDS = {"shift": (0.9, 1.25), "blocks": (-math.inf, 0.25), "shadows": (-math.inf, 0.25)}
_WIDEST = 0.15
_MISFIT = 2.0
_DEPTH_BAND = (1.9, 2.6)
_SHORTEST_AXIS = 16
_POINTS_OF_A_LAW = 6


@dataclass(frozen=True)
class Line:
    """start + slope ln(x), the slope with its interval; the misfit as of `PowerLaw`."""

    start: float
    slope: Interval
    misfit: float

    def at(self, x: "Array") -> "Array":
        """The fitted value at x, of any shape."""
        import numpy as np

        return np.asarray(self.start + self.slope.value * np.log(x))


def smallest_depth(frame: "DataFrame") -> "DataFrame":
    """The rows along the parameters at the smallest depth that they have."""
    rows = frame[frame["sweep"] == "parameters"]
    return rows[rows["layers"] == rows["layers"].min()]


def power(rows: "DataFrame", axis: str) -> "PowerLaw":
    """The power law of the qubits along a column."""
    return power_law(rows[axis], rows["qubits_sent"], errors=_errors(rows))


def logarithmic(rows: "DataFrame") -> Line:
    """The line a + b ln P of least squares, with weights and intervals as in `power_law`."""
    import numpy as np
    from scipy.stats import norm, t

    noise = _errors(rows) * rows["qubits_sent"].to_numpy()
    design = np.column_stack([np.ones(len(rows)), np.log(rows["parameters"])]) / noise[:, None]
    wanted = rows["qubits_sent"].to_numpy() / noise
    solution, *_ = np.linalg.lstsq(design, wanted, rcond=None)
    freedom = len(rows) - 2
    misfit = float(np.sum((wanted - design @ solution) ** 2)) / freedom
    quantile = float(norm.ppf((1 + CONFIDENCE) / 2))
    if misfit > 1:
        quantile = max(quantile, float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * misfit**0.5)
    side = quantile * float(np.sqrt(np.linalg.inv(design.T @ design)[1, 1]))
    best = float(solution[1])
    return Line(float(solution[0]), Interval(best, best - side, best + side), misfit)


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of the exponents, the logarithm, the guarantee and the depth."""
    rows = smallest_depth(frame)
    found: list[Claim] = []
    for method in NAMES:
        mine = rows[rows["method"] == method]
        span = mine["parameters"].max() / mine["parameters"].min() if len(mine) else 0
        if span >= _SHORTEST_AXIS and mine["parameters"].nunique() >= FEWEST_POINTS:
            found += _growth(method, mine)
    return found + _guarantee(frame) + _depth(frame[frame["sweep"] == "layers"])


def _growth(method: str, rows: "DataFrame") -> list[Claim]:
    import numpy as np
    from scipy.stats import norm

    name, (low, high) = NAMES[method], _BANDS[method]
    exponent = power(rows, "parameters").exponents[0]
    counts = rows["parameters"].to_numpy(float)
    planned = np.polyfit(np.log(counts), np.log(rows["planned_qubits"]), 1)[0]
    # the quantile of the largest of P independent normal errors, squared
    tail = norm.isf((1 - (1 - rows["failure"]) ** (1 / counts)) / 2) ** 2
    normal = np.polyfit(np.log(counts), np.log(tail), 1)[0] + (1 if method == "shift" else 0)
    inside = low <= exponent.value <= high
    found = [
        Claim(
            text=f"{name}: exponent of the qubits in P at equal measured error",
            expected=(f"in [{low:g}, {high:g}]" if math.isfinite(low) else f"at most {high:g}")
            + f", 95% interval narrower than {_WIDEST:g}",
            measured=f"{exponent} for P from {rows['parameters'].min()} to "
            f"{rows['parameters'].max()}; {planned:.3f} for the copies that the bounds ask for, "
            f"{normal:.3f} for independent normal errors",
            holds=inside if exponent.width < _WIDEST else None,
        )
    ]
    if method != "shift":
        line = logarithmic(rows)
        found.append(
            Claim(
                text=f"{name}: qubits grow as a + b ln P",
                expected=f"b above 0; chi-squared per degree of freedom under {_MISFIT:g}",
                measured=f"a = {line.start:.3g}, b = {line.slope}, "
                f"chi-squared per degree of freedom {line.misfit:.2f}",
                holds=bool(line.slope.low > 0 and line.misfit < _MISFIT)
                if len(rows) >= _POINTS_OF_A_LAW
                else None,
            )
        )
    return found


def _guarantee(frame: "DataFrame") -> list[Claim]:
    return [
        Claim(
            text=f"{NAMES[method]}: runs in which a derivative is off by more than planned for",
            expected=f"at most {rows['failure'].max():g} of the runs of every model",
            measured=f"at most {rows['missed'].max():.3f} in each of {len(rows)} models, "
            f"{int(rows['repetitions'].sum())} runs in all",
            holds=bool((rows["missed"] <= rows["failure"]).all()),
        )
        for method, rows in frame.groupby("method", sort=False)
    ]


def _depth(rows: "DataFrame") -> list[Claim]:
    found = []
    for method, mine in rows.groupby("method", sort=False):
        deep = mine[mine["layers"] > 1]
        if deep["layers"].nunique() < FEWEST_POINTS - 1:
            continue
        exponent = power(deep, "layers").exponents[0]
        found.append(
            Claim(
                text=f"{NAMES[str(method)]}: exponent of the qubits in L, P growing as L",
                expected=f"2 and what ln P adds: in [{_DEPTH_BAND[0]:g}, {_DEPTH_BAND[1]:g}]",
                measured=f"{exponent} for L from {deep['layers'].min()} to {deep['layers'].max()}",
                holds=_DEPTH_BAND[0] <= exponent.value <= _DEPTH_BAND[1]
                if exponent.width < 2 * _WIDEST
                else None,
            )
        )
    return found


def _errors(rows: "DataFrame") -> "Array":
    """Relative standard errors of the qubits."""
    return relative_error(rows["qubits_sent_low"], rows["qubits_sent_high"])
