"""What the rows of the study `linear` say: costs, exponents, and how the advantage vanishes."""

from typing import TYPE_CHECKING

from studies.costs import whole_number
from studies.errors import StudyError
from studies.fits import Interval, PowerLaw, inside, power_law, relative_error
from studies.linear.costs import AMPLITUDES, ANCILLA, SIGNS, VECTOR, sign_bits
from studies.study import Claim

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    Array = NDArray[np.float64]

SMALL_MARGIN = 0.1  # above it amplitude estimation has hardly an iterate
_FEWEST_MARGINS = 8  # for the exponent of amplitude estimation, whose costs go by steps
_LEAST_NUMBERS = {  # of the theory, section 2, at 90%
    SIGNS: {0.5: 15, 0.2: 99, 0.1: 403, 0.05: 1619},
    ANCILLA: {0.5: 7, 0.2: 41, 0.1: 163, 0.05: 657},
}


def random_rows(frame: "DataFrame", protocol: str) -> "DataFrame":
    """The rows of a protocol on random instances."""
    rows = frame[(frame["data"] == "random") & (frame["protocol"] == protocol)]
    return rows.sort_values(["margin", "size"])


def swept(rows: "DataFrame") -> "DataFrame":
    """The rows of the margins that were measured at several N, or all where none was."""
    sizes = rows.groupby("margin")["size"].transform("nunique")
    return rows if rows.empty or sizes.max() == 1 else rows[sizes > 1]


def sketched(rows: "DataFrame") -> "DataFrame":
    """The rows whose N is above the bits of the sign projections: else the whole vector is less."""
    return rows[rows["size"] > rows["margin"].map(sign_bits)]


def cost_law(rows: "DataFrame", *variables: "Array") -> PowerLaw | None:
    """The power law of the costs in the variables given; None where the rows do not determine it.

    Where the numbers are whole, the error of rounding them, 1/sqrt(12), is added to that of the
    threshold.
    """
    import numpy as np

    numbers = rows["numbers"].to_numpy(float)
    rounding = np.where(numbers == rows["whole"], 1 / (12**0.5 * numbers), 0)
    errors = np.hypot(relative_error(rows["cost_low"], rows["cost_high"]), rounding)
    try:
        return power_law(np.column_stack(variables), rows["cost"], errors=errors)
    except StudyError:
        return None


def amplitude_rows(frame: "DataFrame") -> "DataFrame":
    """The sweep of amplitude estimation over margins of at most `SMALL_MARGIN`, apart from others.

    Cells at other N would repeat a margin with the same steps of its schedules.
    """
    rows = random_rows(frame, AMPLITUDES)
    return rows[(rows["protocols"] == "amplitudes") & (rows["margin"] <= SMALL_MARGIN)]


def passes_law(rows: "DataFrame") -> PowerLaw | None:
    """The passes of amplitude estimation against 1/gamma; None for fewer than 8 margins.

    All rows weigh the same, with the root mean square of their errors. The schedules, and so the
    passes, go by steps, and many a cell has its interval within one; the scatter of the rows, by
    which `power_law` widens the exponent's interval, sees them.
    """
    import numpy as np

    if rows["margin"].nunique() < _FEWEST_MARGINS:
        return None
    errors = relative_error(rows["numbers_low"], rows["numbers_high"])
    alike = np.full(len(rows), np.sqrt(np.mean(errors**2)))
    try:
        return power_law(1 / rows["margin"], rows["numbers"], errors=alike)
    except StudyError:
        return None


def advantages(frame: "DataFrame") -> "DataFrame":
    """Bits of the sign projections over qubits of the ancilla protocol, both as their ledgers say.

    `low` and `high` take the ends of both thresholds' 95% intervals, rounded up to odd numbers as
    the protocols do; `error` is the relative standard error, that of rounding among it.
    """
    import numpy as np

    keys = ["size", "margin", "seed"]
    both = swept(random_rows(frame, SIGNS)).merge(
        random_rows(frame, ANCILLA), on=keys, suffixes=("_bits", "_qubits")
    )

    def rounded(column: str) -> "Array":
        return np.array([whole_number(number, odd=True) for number in both[column]], float)

    width = both["cost_whole_qubits"] / both["whole_qubits"]
    parts = [
        relative_error(both[f"numbers_low_{kind}"], both[f"numbers_high_{kind}"])
        for kind in ("bits", "qubits")
    ]
    parts += [1 / (3**0.5 * both[f"whole_{kind}"]) for kind in ("bits", "qubits")]
    value = both["cost_whole_bits"] / both["cost_whole_qubits"]
    low = rounded("numbers_low_bits") / (rounded("numbers_high_qubits") * width)
    high = rounded("numbers_high_bits") / (rounded("numbers_low_qubits") * width)
    return both[keys].assign(
        value=value,
        low=np.minimum(low, value),  # equal ones may differ in the last digit
        high=np.maximum(high, value),
        error=np.sqrt(sum(np.asarray(part) ** 2 for part in parts)),
    )


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of the costs, their exponents and the advantage."""
    return [
        *_threshold_claims(frame),
        *_exponent_claims(frame),
        *_advantage_claims(frame),
        *_vector_claims(frame),
        *_real_claims(frame),
    ]


def _threshold_claims(frame: "DataFrame") -> list[Claim]:
    found = []
    for protocol, expected in _LEAST_NUMBERS.items():
        rows = random_rows(frame, protocol)
        best = {
            margin: part.loc[(part["numbers_high"] / part["numbers_low"]).idxmin()]
            for margin, part in rows.groupby("margin")
            if margin in expected
        }
        if not best:
            continue
        margins = sorted(best, reverse=True)
        found.append(
            Claim(
                text=f"{protocol}: least odd number with 90% success at gamma = "
                + ", ".join(f"{margin:g}" for margin in margins)
                + ", of any N",
                expected=", ".join(str(expected[margin]) for margin in margins),
                measured=", ".join(
                    f"{best[margin]['whole']:.0f} (threshold {best[margin]['numbers']:.4g} "
                    f"[{best[margin]['numbers_low']:.4g}, {best[margin]['numbers_high']:.4g}])"
                    for margin in margins
                ),
                holds=all(
                    best[margin]["numbers_low"] <= expected[margin]
                    and best[margin]["numbers_high"] >= expected[margin] - 2
                    for margin in margins
                ),
            )
        )
    return found


def _exponent_claims(frame: "DataFrame") -> list[Claim]:
    found = []
    rows = sketched(random_rows(frame, SIGNS))
    law = cost_law(rows, rows["size"], 1 / rows["margin"])
    if law is not None:
        in_size, in_margin = law.exponents
        found += [
            Claim(
                text="sign projections: bits do not grow with N (where N > 4.05/gamma^2)",
                expected="exponent of N in [-0.1, 0.1]",
                measured=str(in_size),
                holds=inside(in_size, -0.1, 0.1),
            ),
            Claim(
                text="sign projections: bits grow as 1/gamma^2 (where N > 4.05/gamma^2)",
                expected="exponent of 1/gamma in [1.8, 2.2]",
                measured=str(in_margin),
                holds=inside(in_margin, 1.8, 2.2),
            ),
        ]
    rows = amplitude_rows(frame)
    law = passes_law(rows)
    if law is not None:
        found.append(
            Claim(
                text="amplitude estimation: passes of the register, log2 N + 1 qubits each, grow "
                f"near 1/gamma; all {len(rows)} cells of the sweep at N = "
                + ", ".join(str(size) for size in sorted(rows["size"].unique()))
                + f" with gamma <= {SMALL_MARGIN:g}, down to {rows['margin'].min():.4g}",
                expected="exponent of 1/gamma near 1: in [0.85, 1.15]",
                measured=f"{law.exponents[0]}, misfit {law.misfit:.1f}",
                holds=inside(law.exponents[0], 0.85, 1.15),
            )
        )
    rows = random_rows(frame, AMPLITUDES)
    rows = rows[rows["margin"] <= SMALL_MARGIN]
    both = rows.merge(random_rows(frame, SIGNS), on=["size", "margin", "seed"], suffixes=("", "_b"))
    wins = both[both["cost_whole"] < both["cost_whole_b"]]
    if not both.empty:
        largest = wins.loc[wins.groupby("size")["margin"].idxmax()]
        found.append(
            Claim(
                text="amplitude estimation wins over sign projections at small gamma",
                expected="fewer qubits than bits at the least gamma, by a polynomial at most",
                measured="; ".join(
                    f"N = {row.size}: from gamma = {row.margin:g} down ({row.cost_whole:.0f} "
                    f"qubits, {row.cost_whole_b:.0f} bits there)"
                    for row in largest.itertuples()
                )
                or "nowhere measured",
                holds=bool((wins["margin"] == both["margin"].min()).any()),
            )
        )
    return found


def _advantage_claims(frame: "DataFrame") -> list[Claim]:
    ratios = advantages(frame)
    if ratios.empty:
        return []
    found = [
        Claim(
            text="advantage = bits of sign projections / qubits of the ancilla protocol: below 1",
            expected="below 1 at every N and gamma",
            measured=f"{ratios['value'].min():.2f} to {ratios['value'].max():.2f}",
            holds=True
            if (ratios["high"] < 1).all()
            else (False if (ratios["low"] >= 1).any() else None),
        )
    ]
    for size, low, high, expected in (
        (16, 0.425, 0.495, "0.43 to 0.49"),
        (1024, 0.19, 0.225, "about 0.2 (0.19 to 0.225)"),
    ):
        rows = ratios[ratios["size"] == size].sort_values("margin", ascending=False)
        if rows.empty:
            continue
        found.append(
            Claim(
                text=f"the advantage at N = {size}",
                expected=expected,
                measured=", ".join(
                    f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}] at gamma = {row.margin:g}"
                    for row in rows.itertuples()
                ),
                holds=bool(((rows["low"] <= high) & (rows["high"] >= low)).all()),
            )
        )
    law = _advantage_law(ratios)
    if law is not None:
        found.append(
            Claim(
                text="the advantage falls as 1 / (log2 N + 1)",
                expected="exponent of log2 N + 1 in [-1.2, -0.8]",
                measured=str(law.exponents[0]),
                holds=inside(law.exponents[0], -1.2, -0.8),
            )
        )
    return found


def _advantage_law(ratios: "DataFrame") -> PowerLaw | None:
    """In log2 N + 1 and 1/gamma, of which the ratio depends a little, the numbers being whole."""
    import numpy as np

    try:
        return power_law(
            np.column_stack([1 + _log2(ratios), 1 / ratios["margin"]]),
            ratios["value"],
            errors=ratios["error"],
        )
    except StudyError:
        return None


def _vector_claims(frame: "DataFrame") -> list[Claim]:
    keys = ["size", "margin", "seed"]
    both = swept(random_rows(frame, SIGNS)).merge(
        random_rows(frame, VECTOR), on=keys, suffixes=("_signs", "_vector")
    )
    if both.empty:
        return []
    both = both.assign(less=both["cost_whole_vector"] < both["cost_low_signs"])
    limit = both["margin"].map(sign_bits)
    parts = []
    for margin, rows in both.groupby("margin"):
        taken = rows.loc[rows["less"], "size"]
        parts.append(
            f"gamma = {margin:g}: "
            + (f"to N = {taken.max()}" if len(taken) else "at no N measured")
        )
    return [
        Claim(
            text="sending the whole vector takes over at small N: O(min(N, 1/gamma^2)) bits",
            expected="only where N < 4.05/gamma^2",
            measured="whole vector cheaper: " + "; ".join(parts[::-1]),
            holds=bool((both["less"] <= (both["size"] < limit)).all()),
        )
    ]


def _real_claims(frame: "DataFrame") -> list[Claim]:
    found = []
    for (data, size), rows in frame[frame["data"] != "random"].groupby(["data", "size"]):
        if not rows["above_chance"].all():
            continue
        cost = rows.groupby("protocol")[["cost_low", "cost", "cost_high"]].median()
        if not {SIGNS, ANCILLA} <= set(cost.index):
            continue
        bits, qubits = cost.loc[SIGNS], cost.loc[ANCILLA]
        found.append(
            Claim(
                text=f"{data}, N = {size}: bits of sign projections / qubits of the ancilla "
                f"protocol, both within 2 points of the accuracy {rows['accuracy'].median():.3f}",
                expected="below 1",
                measured=f"{bits['cost']:.0f} / {qubits['cost']:.0f} = "
                f"{bits['cost'] / qubits['cost']:.2f}",
                holds=inside(
                    Interval(
                        bits["cost"] / qubits["cost"],
                        bits["cost_low"] / qubits["cost_high"],
                        bits["cost_high"] / qubits["cost_low"],
                    ),
                    0,
                    1,
                ),
            )
        )
    return found


def _log2(rows: "DataFrame") -> "Array":
    import numpy as np

    return np.asarray(np.log2(rows["size"].to_numpy(float)))
