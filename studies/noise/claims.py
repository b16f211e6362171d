"""What the rows of the noise study say."""

from typing import TYPE_CHECKING

from studies.fits import PowerLaw, power_law, relative_error
from studies.noise.figures import bits_cost, estimate_cost, with_advantage
from studies.noise.formulas import asymptotic_strength, strength_allowed
from studies.study import Claim

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_LARGEST = 40  # log2 of N'
_FAR = 3.5  # standard errors
_NEAR = 0.2
_FEWEST_COPIES = 3  # fewer are too coarse a scale for an exponent
_FEWEST_SIZES = 4
_WIDEST = 0.6  # an interval that decides something


def claims(frame: "DataFrame") -> list[Claim]:
    """The claims that the stored rows bear on."""
    states = frame[frame["problem"] == "subspace"]
    noisy = states[(states["link"] != "erasure") & (states["strength"] > 0)]
    estimates = frame[frame["problem"] == "inference"]
    return [
        *_signals(noisy),
        *_growth(noisy[noisy["link"] == "depolarising"]),
        *_losses(with_advantage(frame)),
        *_erasures(states[(states["link"] == "erasure") & (states["strength"] > 0)]),
        *_biases(estimates[(estimates["link"] != "erasure") & (estimates["strength"] > 0)]),
        *_crossovers(frame),
    ]


def _signals(rows: "DataFrame") -> list[Claim]:
    if rows.empty:
        return []
    errors = (rows["signal_high"] - rows["signal_low"]) / (2 * 1.96)
    far = ((rows["signal"] - rows["damping"]) / errors).abs()
    return [
        Claim(
            text="a noisy message leaves of a decision's signal what the formula says",
            expected=f"within {_FAR} standard errors at every N and strength",
            measured=f"{len(rows)} cells, the farthest {far.max():.1f}, median {far.median():.1f}",
            holds=bool(far.max() <= _FAR),
        )
    ]


def _growth(rows: "DataFrame") -> list[Claim]:
    found = []
    for strength, own in rows.groupby("strength"):
        line = own[own["copies_low"] >= _FEWEST_COPIES].sort_values("size")
        if len(line) < _FEWEST_SIZES:
            continue
        measured = _law(line, "copies")
        expected = power_law(line["size"], line["predicted"], errors=[1.0] * len(line))
        goal = expected.exponents[0].value
        best = measured.exponents[0]
        found.append(
            Claim(
                text=f"copies grow as a power of N at depolarising strength {strength:g} a qubit",
                expected=f"exponent {goal:.2f} at these N by the formula "
                f"({_asymptotic(float(str(strength))):.2f} for large N)",
                measured=f"exponent {best}",
                holds=best.low <= goal <= best.high if best.width <= _WIDEST else None,
            )
        )
    return found


def _asymptotic(strength: float) -> float:
    """The exponent of N in the copies, for large N."""
    import math

    return -2 * math.log2(1 - 0.75 * strength)


def _law(line: "DataFrame", name: str) -> PowerLaw:
    return power_law(
        line["size"],
        line[name],
        errors=relative_error(line[f"{name}_low"], line[f"{name}_high"]),
    )


def _losses(both: "DataFrame") -> list[Claim]:
    """Where the advantage over the one-bit sketch is lost, by size."""
    import numpy as np

    both = both[both["link"] == "depolarising"] if len(both) else both
    measured, expected, near = [], [], []
    for size, own in both.groupby("size"):
        line = own.sort_values("strength")
        logs = np.log(line["advantage"].to_numpy())
        below = np.flatnonzero(logs < 0)
        if not len(below) or below[0] == 0:
            continue
        last = int(below[0])
        part = logs[last - 1] / (logs[last - 1] - logs[last])
        before, after = line["strength"].to_numpy()[last - 1 : last + 1]
        found = float(before + part * (after - before))
        copies = float(line["cost_sketch"].iloc[0]) / (int(str(size)).bit_length() - 1)
        formula = strength_allowed("depolarising", copies, size=int(str(size)))
        measured.append(f"N = {size}: {found:.3f}")
        expected.append(f"N = {size}: {formula:.3f}")
        near.append(abs(found - formula) <= _NEAR * formula)
    if not measured:
        return []
    own, theorem = (asymptotic_strength("depolarising", power) for power in (1 / 2, 1 / 3))
    return [
        Claim(
            text="the advantage over the one-bit sketch is lost from this depolarising strength on",
            expected=", ".join(expected)
            + f"; for large N {own:.3f}, and {theorem:.3f} against the theorem's N^(1/3)",
            measured=", ".join(measured),
            holds=all(near),
        )
    ]


def _erasures(rows: "DataFrame") -> list[Claim]:
    if rows.empty:
        return []
    errors = (rows["copies_high"] - rows["copies_low"]) / (2 * 1.96)
    far = ((rows["copies"] - 1 / (1 - rows["strength"])) / errors).abs()
    ranges = ", ".join(
        f"{own['copies'].median():.2f} at p = {strength:g}"
        for strength, own in rows.groupby("strength")
    )
    return [
        Claim(
            text="lost messages cost a factor that does not grow with N",
            expected="1/(1 - p) sends a copy",
            measured=ranges,
            holds=bool(far.max() <= _FAR),
        )
    ]


def _biases(rows: "DataFrame") -> list[Claim]:
    haar, local = rows[rows["model"] == "haar"], rows[rows["model"] == "brickwork"]
    found = []
    if len(haar):
        off = haar["slope"] - haar["damping"]
        inside = (haar["slope_low"] - 0.02 <= haar["damping"]) & (
            haar["damping"] <= haar["slope_high"] + 0.02
        )
        found.append(
            Claim(
                text="between Haar blocks M noisy messages shrink f by the M-th power of one's",
                expected="slope of noisy against exact f equal to the formula, within its interval "
                "and 0.02",
                measured=f"{len(haar)} cells, largest difference {off.abs().max():.3f}",
                holds=bool(inside.all()),
            )
        )
        strong = haar[haar["bias"] > haar["error"]]
        if len(strong):
            found.append(
                Claim(
                    text="no number of shots mends the bias; between Haar blocks, dividing by the "
                    "damping removes most of it for 1/damping^2 times the shots",
                    expected="debiased error below the plain one in every cell with a bias above "
                    "the error wanted",
                    measured=f"{len(strong)} cells: {_range(strong['plain'])} to "
                    f"{_range(strong['debiased'])}, with {strong['shots'].min():.0f} shots and "
                    f"{strong['shots_debiased'].min():.0f} to "
                    f"{strong['shots_debiased'].max():.0f}",
                    holds=bool((strong["debiased_high"] < strong["plain_low"]).all()),
                )
            )
    if len(haar) and len(local):
        relative = {
            name: float((own["residual"] / own["bias"]).median())
            for name, own in (("haar", haar), ("brickwork", local))
        }
        found.append(
            Claim(
                text="in shallow local models the same division is not justified",
                expected="what is left of the bias: a small part between Haar blocks, more than "
                "all of it in brickwork",
                measured=f"Haar {relative['haar']:.2f}, brickwork {relative['brickwork']:.2f} of "
                "the bias (medians)",
                holds=relative["haar"] < 1 / 2 and relative["brickwork"] > 1,
            )
        )
    return found


def _range(values: "Series[float]") -> str:
    return f"{values.min():.3f}-{values.max():.3f}"


def _crossovers(frame: "DataFrame") -> list[Claim]:
    """From which N' on an estimate takes fewer qubits than bits, by formula."""
    import numpy as np

    haar = frame[frame["model"] == "haar"]
    noisy = haar[(haar["problem"] == "inference") & (haar["link"] == "depolarising")]
    classical = haar[haar["problem"] == "classical"]
    noisy = noisy[noisy["layers"].isin(classical["layers"])]
    if noisy.empty or classical.empty:
        return []
    sizes = np.asarray(2.0 ** np.arange(3, _LARGEST + 1), np.float64)
    bits = bits_cost(classical, sizes)
    found = []
    for strength, own in noisy.groupby("strength"):
        qubits = np.array([estimate_cost(own.iloc[0], size=int(size)) for size in sizes])
        wins = np.flatnonzero(qubits < bits)
        where = f"2^{int(np.log2(sizes[wins[0]]))}" if len(wins) else f"none to 2^{_LARGEST}"
        found.append(f"s = {strength:g}: {where}")
    messages = int(noisy["messages"].iloc[0])
    limit = asymptotic_strength("depolarising", 1 / messages)
    return [
        Claim(
            text="an estimate takes fewer qubits than bits of rounded state vectors from this N' "
            "on (extrapolated by formula)",
            expected=f"for M = {messages} messages later with noise, never from s = {limit:.3f} on",
            measured=", ".join(found),
            holds=None,
        )
    ]
