"""What the rows of the study `communication` say: exponents, crossovers, real patches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studies.communication.matching_costs import ASKING, SUBSET
from studies.communication.matching_costs import STATE as MATCHING_STATE
from studies.communication.subspace_costs import COEFFICIENTS, NUMBERS, SIGNS, STATE
from studies.errors import StudyError
from studies.fits import Interval, PowerLaw, inside, power_law, relative_error
from studies.study import Claim

if TYPE_CHECKING:
    from pandas import DataFrame

LEAST_FITTED = 64  # finite size biases the exponent low below
_THEORY: dict[
    str, dict[int, float]
] = {  # numbers at 90% for N = 16, 64, 256, 1024, 4096: the theory, section 2
    SIGNS: {16: 13, 64: 24, 256: 46, 1024: 92, 4096: 175},
    NUMBERS: {16: 9.4, 64: 16.3, 256: 30.1, 1024: 56.8, 4096: 112},
}
_NEAR = 0.1
_SIMULATED = 100_000  # trials a row, beside which the protocol's own runs are few
_APART = 3  # standard errors; chance alone reaches so many once in 370 studies


def problem_rows(frame: "DataFrame", problem: str, protocol: str | None = None) -> "DataFrame":
    """The rows of a problem, of one protocol or of all, by N."""
    rows = frame[frame["problem"] == problem]
    if protocol is not None:
        rows = rows[rows["protocol"] == protocol]
    return rows.sort_values("size")


def size_law(frame: "DataFrame", protocol: str, problem: str = "subspace") -> PowerLaw | None:
    """How the numbers that a problem takes grow with N, from N = 64; None if unknown."""
    rows = problem_rows(frame, problem, protocol)
    rows = rows[rows["size"] >= LEAST_FITTED]
    try:
        return power_law(
            rows["size"],
            rows["numbers"],
            errors=relative_error(rows["numbers_low"], rows["numbers_high"]),
        )
    except StudyError:
        return None


def cheapest(rows: "DataFrame") -> "DataFrame":
    """For each N, the row of bits with the least cost."""
    bits = rows[rows["kind"] == "bits"]
    return bits.loc[bits.groupby("size")["cost_whole"].idxmin()]


def patch_rows(frame: "DataFrame", content: str) -> "DataFrame":
    """The rows of the photographs with a cost, of those seeds whose accuracies can be compared.

    The accuracy to reach depends on which models beat chance on a seed's patches. At each N the
    seeds on which most often the same ones did are kept.
    """
    from pandas import concat

    rows = problem_rows(frame, "photographs")
    rows = rows[(rows["content"] == content) & (rows["protocol"] != "none")]
    kept = []
    for _, part in rows.groupby("size"):
        able = part.groupby("seed")["model"].agg(lambda models: " ".join(sorted(set(models))))
        usual = able.value_counts().sort_index(ascending=False).idxmax()
        kept.append(part[part["seed"].map(able) == usual])
    return concat(kept) if kept else rows


@dataclass(frozen=True)
class Crossover:
    """Where the best classical protocol that ran begins to cost more bits than the state qubits.

    Attributes:
        size: N, interpolated in logarithms between measured ones; None where none enclose it.
        ratios: bits / qubits by N.
    """

    size: Interval | None
    ratios: dict[int, Interval]


def crossover(frame: "DataFrame", error: float) -> Crossover:
    """The crossover N of estimating a quadratic form to an error.

    Its interval is where the ratio passes 1 if it is off, at all N alike, by 1.96 of the larger of
    its standard errors at the two N that enclose it.
    """
    import numpy as np

    rows = problem_rows(frame, "estimate")
    rows = rows[rows["error"] == error]
    bits = cheapest(rows).groupby("size")[["cost_low", "cost", "cost_high"]].median()
    state = rows[rows["protocol"] == STATE].groupby("size")
    qubits = state[["cost_low", "cost", "cost_high"]].median()
    errors = np.hypot(
        *(relative_error(cost["cost_low"], cost["cost_high"]) for cost in (bits, qubits))
    )
    spread = np.exp(1.96 * errors)
    best = (bits["cost"] / qubits["cost"]).to_numpy(float)
    ratios = {
        int(size): Interval(float(value), float(value / off), float(value * off))
        for size, value, off in zip(bits.index, best, spread, strict=True)
    }
    above = [size for size, ratio in ratios.items() if ratio.value > 1]
    below = [size for size, ratio in ratios.items() if ratio.value <= 1]
    if not above or not below or max(below) > min(above):
        return Crossover(None, ratios)
    ends = (max(below), min(above))
    level, after = (np.log(ratios[size].value) for size in ends)
    slope = (after - level) / np.log(ends[1] / ends[0])
    off = max(np.log(ratios[size].high / ratios[size].value) for size in ends)
    places = (float(ends[0] * np.exp((shift - level) / slope)) for shift in (0, -off, off))
    return Crossover(Interval(*places), ratios)


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of Vector in Subspace, of the crossovers and of the photographs."""
    return [
        *_subspace_claims(frame),
        *_matching_claims(frame),
        *_crossover_claims(frame),
        *_linear_claims(frame),
        *_photograph_claims(frame),
    ]


def _subspace_claims(frame: "DataFrame") -> list[Claim]:
    found = []
    for protocol, expected in _THEORY.items():
        rows = problem_rows(frame, "subspace", protocol)
        rows = rows[rows["size"].isin(list(expected))]
        if rows.empty:
            continue
        known = rows["size"].map(expected)
        unit = "bits" if protocol == SIGNS else "numbers"
        found.append(
            Claim(
                text=f"Vector in Subspace, {protocol}: {unit} for 90% success at N = "
                + ", ".join(str(size) for size in rows["size"]),
                expected=", ".join(f"{value:g}" for value in known) + f", within {_NEAR:.0%}",
                measured=", ".join(
                    f"{row.numbers:.1f} [{row.numbers_low:.1f}, {row.numbers_high:.1f}]"
                    for row in rows.itertuples()
                ),
                holds=bool(
                    (
                        (rows["numbers_low"] <= known * (1 + _NEAR))
                        & (rows["numbers_high"] >= known * (1 - _NEAR))
                    ).all()
                ),
            )
        )
    found += [claim for claim in (_exponent_claim(frame), _state_claim(frame)) if claim]
    checked = problem_rows(frame, "subspace", SIGNS)
    if not checked.empty:
        found.append(_check_claim(checked))
    return found


def _exponent_claim(frame: "DataFrame") -> Claim | None:
    law = size_law(frame, SIGNS)
    if law is None:
        return None
    exponent = law.exponents[0]
    others = []
    for protocol in (NUMBERS, COEFFICIENTS):
        other = size_law(frame, protocol)
        if other is not None:
            others.append(f"{protocol} {other.exponents[0]}")
    return Claim(
        text=f"Vector in Subspace, {SIGNS}: bits grow as a power of N, from N = {LEAST_FITTED}",
        expected="exponent in [0.4, 0.55], 95% interval narrower than 0.15",
        measured=f"{exponent}; beside it " + ", ".join(others),
        holds=bool(exponent.low >= 0.4 and exponent.high <= 0.55 and exponent.width < 0.15),
    )


def _state_claim(frame: "DataFrame") -> Claim | None:
    import numpy as np

    rows = problem_rows(frame, "subspace", STATE)
    if rows.empty:
        return None
    right = bool((rows["cost_whole"] == np.log2(rows["size"])).all())
    return Claim(
        text="Vector in Subspace by one copy of the state: log2 N qubits, no error",
        expected="log2 N qubits, success 1",
        measured=f"{rows['cost_whole'].min():.0f} to {rows['cost_whole'].max():.0f} qubits for N = "
        f"{rows['size'].min()} to {rows['size'].max()}; {rows['success'].min():.3f} of "
        f"{rows['runs'].sum():.0f} measured strings right",
        holds=right and bool((rows["success"] == 1).all()),
    )


def _check_claim(rows: "DataFrame") -> Claim:
    """The protocol itself, with its rows of length N, beside new simulated trials.

    Both are at the whole numbers that ran: at large N rounding up adds little to 0.90, so that a
    fixed lower end of 0.90 would leave no room for chance.
    """
    from tnqml.protocols import SuccessRate
    from tnqml.protocols.problems.ensembles import subspace_sketches

    checks = int(rows["runs"].sum())
    rate = SuccessRate(round((rows["success"] * rows["runs"]).sum()), checks)
    low, high = rate.interval()
    simulated = 0.0
    for seed, row in enumerate(rows.itertuples()):
        whole = int(row.whole)
        right = subspace_sketches(row.size, numbers=[whole], bits=1, trials=_SIMULATED, seed=seed)
        simulated += float(right.mean()) * row.runs / checks
    variance = simulated * (1 - simulated) * (1 / checks + 1 / (_SIMULATED * len(rows)))
    apart = (rate.rate - simulated) / variance**0.5
    return Claim(
        text="the one-bit sketch itself, run with its rows at the threshold of the simulation "
        "by rotation invariance, is right as often",
        expected=f"{simulated:.3f}, simulated anew at the same whole numbers of bits, within "
        f"{_APART} standard errors",
        measured=f"{rate.rate:.3f} [{low:.3f}, {high:.3f}] of {checks} runs at all N, {apart:+.1f} "
        "standard errors off",
        holds=abs(apart) < _APART,
    )


def _matching_claims(frame: "DataFrame") -> list[Claim]:
    import numpy as np

    rows = problem_rows(frame, "matching")
    if rows.empty:
        return []
    state, asking = (rows[rows["protocol"] == name] for name in (MATCHING_STATE, ASKING))
    found = [
        Claim(
            text="Hidden Matching one way by one copy of the state; two-way by bits",
            expected="log2 N qubits; at most 2 log2 N + 1 bits in 2 messages; no error",
            measured=f"{state['cost_whole'].min():.0f} to {state['cost_whole'].max():.0f} qubits, "
            f"{asking['cost_whole'].min():.0f} to {asking['cost_whole'].max():.0f} bits for N = "
            f"{rows['size'].min()} to {rows['size'].max()}; at least "
            f"{min(state['success'].min(), asking['success'].min()):.3f} of "
            f"{state['runs'].sum() + asking['runs'].sum():.0f} runs right",
            holds=bool(
                (state["cost_whole"] == np.log2(state["size"])).all()
                and (asking["cost_whole"] <= 2 * np.log2(asking["size"]) + 1).all()
                and (asking["rounds"] == 2).all()
                and (state["success"] == 1).all()
                and (asking["success"] == 1).all()
            ),
        )
    ]
    law = size_law(frame, SUBSET, "matching")
    if law is not None:
        exponent = law.exponents[0]
        found.append(
            Claim(
                text=f"Hidden Matching one way by bits, from N = {LEAST_FITTED}: {SUBSET}",
                expected="sqrt(N): exponent in [0.45, 0.55]",
                measured=str(exponent),
                holds=inside(exponent, 0.45, 0.55),
            )
        )
    return found


def _crossover_claims(frame: "DataFrame") -> list[Claim]:
    found = []
    for error in sorted(problem_rows(frame, "estimate")["error"].unique(), reverse=True):
        cross = crossover(frame, error)
        ratios = ", ".join(
            f"{ratio.value:.2f} at N = {size}" for size, ratio in cross.ratios.items()
        )
        place = "not enclosed" if cross.size is None else f"N = {cross.size}"
        found.append(
            Claim(
                text=f"estimating u^T O u to {error:g} in 90% of the cases: N above which copies "
                "of the state take fewer qubits than the cheapest classical protocol that ran bits",
                expected="bits / qubits passes 1 among the N measured",
                measured=f"{place} (bits / qubits: {ratios})",
                holds=True if cross.size is not None else None,
            )
        )
    return found


def _linear_claims(frame: "DataFrame") -> list[Claim]:
    rows = problem_rows(frame, "linear")
    if rows.empty:
        return []
    bits = cheapest(rows).groupby("size")["cost_whole"].median()
    qubits = rows[rows["kind"] == "qubits"].groupby("size")["cost_whole"].min()
    ratio = bits / qubits
    return [
        Claim(
            text="linear classification beside it (gamma = 0.2): cheapest bits that ran / qubits "
            "of copies with an ancilla",
            expected="below 1 at every N",
            measured=", ".join(f"{value:.2f} at N = {size}" for size, value in ratio.items()),
            holds=bool((ratio < 1).all()),
        )
    ]


def _photograph_claims(frame: "DataFrame") -> list[Claim]:
    rows = problem_rows(frame, "photographs")
    if rows.empty:
        return []
    found = []
    texture = rows[rows["content"] == "texture"]
    if not texture.empty:
        accuracy = texture.groupby(["model", "size"])[["accuracy_low", "accuracy_high"]].median()
        failed = texture[(texture["protocol"] == "none") & (texture["model"] == "linear")]
        dropped = failed.groupby("size")["seed"].nunique()
        found.append(
            Claim(
                text="photographs by texture: the compositional model beats chance at every size, "
                "the linear one hardly",
                expected="accuracy above 0.5",
                measured="; ".join(
                    f"{model}, N = {size}: [{row['accuracy_low']:.2f}, {row['accuracy_high']:.2f}]"
                    + (
                        f" (dropped on {dropped[size]} of "
                        f"{texture[texture['size'] == size]['seed'].nunique()} seeds)"
                        if model == "linear" and size in dropped.index
                        else ""
                    )
                    for (model, size), row in accuracy.iterrows()
                ),
                holds=bool((accuracy.loc["compositional", "accuracy_low"] > 0.5).all()),
            )
        )
    for content in ("texture", "grey"):
        for size, part in patch_rows(frame, content).groupby("size"):
            costs = part.groupby(["model", "protocol", "kind"])["cost"].median().sort_values()
            listed = [
                f"{cost:.0f} {kind} ({model}, {protocol})"
                for (model, protocol, kind), cost in costs.items()
            ]
            found.append(
                Claim(
                    text=f"patches of {size} pixels, {content}: cost of the accuracy "
                    f"{part['target'].median():.2f}, cheapest first",
                    expected="reported; no number by theory",
                    measured=", ".join(listed),
                    holds=None,
                )
            )
    return found
