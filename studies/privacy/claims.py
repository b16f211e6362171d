"""What the rows of the study `privacy` say."""

from typing import TYPE_CHECKING

from studies.study import Claim

if TYPE_CHECKING:
    from pandas import DataFrame

    from studies.fits import PowerLaw

_ERRORS = 4.0  # standard errors that a mean may be off among so many cells
_HALF = 0.5
_NEW = ("by the list", "by the moments")
_LEAST_QUERIES = 100  # below, whole maxima are still mistaken
_LEAST_BITS = 3  # below, the error of rounding is not yet uniform
_WIDE = 0.5  # an interval of an exponent that decides nothing


def claims(frame: "DataFrame") -> list[Claim]:
    """What holds of the bound, of real data, of Bob's parameters and of classical messages."""
    return [
        *_state_claims(frame),
        *_accuracy_claims(frame),
        *_data_claims(frame),
        *_parameter_claims(frame),
        *_classical_claims(frame),
    ]


def real_rows(frame: "DataFrame") -> "DataFrame":
    """The rows of attacks on copies of real data."""
    return frame[frame["kind"].isin(["digits", "photographs"]) & (frame["copies"] > 0)]


def fitted_errors(frame: "DataFrame") -> "PowerLaw | None":
    """The power law of the error of Bob's angles in the queries, where two points give one."""
    from studies.fits import power_law, relative_error

    rows = frame[(frame["kind"] == "parameters") & (frame["copies"] >= _LEAST_QUERIES)]
    if rows["copies"].nunique() < 2:
        return None
    return power_law(
        rows["copies"], rows["value"], errors=relative_error(rows["low"], rows["high"])
    )


def _off(rows: "DataFrame") -> "DataFrame":
    """Rows with how many standard errors the mean lies above the bound."""
    half = (rows["high"] - rows["low"]) / 2 / 1.96
    return rows.assign(off=(rows["value"] - rows["bound"]) / half)


def _state_claims(frame: "DataFrame") -> list[Claim]:
    states = frame[frame["kind"].isin(["states", "accuracy"])]
    if states.empty:
        return []
    together = _off(states[states["attack"] == "collective"])
    worst = together["off"].abs().max()
    found = [
        Claim(
            text="copies of Haar states measured together give (T + 1)/(T + N')",
            expected=f"within {_ERRORS:g} standard errors in all {len(together)} cells",
            measured=f"off by at most {worst:.1f} standard errors, "
            f"{(together['value'] - together['bound']).abs().max():.1g}",
            holds=bool(worst < _ERRORS),
        )
    ]
    alone = _off(states[states["attack"] != "collective"])
    if not alone.empty:
        nearest = alone.loc[(alone["value"] / alone["bound"]).idxmax()]
        found.append(
            Claim(
                text="measuring each copy alone stays under the bound",
                expected=f"under it, or within {_ERRORS:g} standard errors",
                measured=f"at most {nearest['value'] / nearest['bound']:.3f} of it "
                f"(T/N' = {nearest['copies'] / nearest['size']:g}, {nearest['attack']})",
                holds=bool((alone["off"] < _ERRORS).all()),
            )
        )
    return found


def _accuracy_claims(frame: "DataFrame") -> list[Claim]:
    rows = frame[frame["kind"] == "accuracy"]
    if rows.empty:
        return []
    many = rows[rows["copies"] >= rows["size"]]
    few = rows[rows["copies"] < rows["size"] / 4]
    ends = [
        f"{kept['value'].min():.3f} to {kept['value'].max():.3f}" if len(kept) else "no cell"
        for kept in (many, few)
    ]
    return [
        Claim(
            text="privacy is gone once the 1/error^2 copies pass N'",
            expected="fidelity over 0.5 for T >= N', at most 0.25 for T < N'/4",
            measured=f"T >= N': {ends[0]}; T < N'/4: {ends[1]}",
            holds=bool((many["high"] > _HALF).all() and (few["low"] < _HALF / 2).all())
            if len(many) and len(few)
            else None,
        )
    ]


def _data_claims(frame: "DataFrame") -> list[Claim]:
    found = []
    for kind, rows in real_rows(frame).groupby("kind"):
        best = rows[rows["attack"].isin(_NEW)]
        clear = best[best["copies"] >= best["size"]]
        blind = rows[rows["attack"] == "blind"]
        found.append(
            Claim(
                text=f"{kind}: an attack that knows the prior beats its blind guess",
                expected="gain above 0 for new images at all T >= N",
                measured=f"blind {blind['value'].min():.2f} to {blind['value'].max():.2f}; gains "
                f"from {clear['gain'].min():.2f} to {clear['gain'].max():.2f}"
                if len(clear)
                else "no cell with T >= N",
                holds=bool((clear["gain_low"] > 0).all()) if len(clear) else None,
            )
        )
        over = best[best["low"] > best["bound"]]
        most = best.loc[(best["value"] - best["bound"]).idxmax()]
        found.append(
            Claim(
                text=f"{kind}: the bound for Haar states does not hold for real data",
                expected="some attack over (T + 1)/(T + N) on new images",
                measured=f"in {len(over)} of {len(best)} cells; most at T/N = "
                f"{most['copies'] / most['size']:g}: {most['value']:.2f} over {most['bound']:.2f}",
                holds=bool(len(over)) or None,
            )
        )
        listed = rows[rows["attack"] == "on the list"]
        found.append(
            Claim(
                text=f"{kind}: T copies tell at most log2 C(N + T - 1, T) bits",
                expected=f"under {listed['holevo'].min():.1f} bits at the fewest copies",
                measured=f"{listed['learned'].iloc[0]:.1f} bits there; at most "
                f"{(listed['learned'] / listed['holevo']).max():.2f} of the bound",
                holds=bool((listed["learned_low"] <= listed["holevo"]).all()),
            )
        )
    return found


def _parameter_claims(frame: "DataFrame") -> list[Claim]:
    law = fitted_errors(frame)
    if law is None:
        return []
    exponent = law.exponents[0]
    near = abs(exponent.value + _HALF) < 0.1
    open_still = exponent.width > _WIDE and exponent.low <= -_HALF <= exponent.high
    return [
        Claim(
            text="the error of Bob's angles falls as the root of the queries",
            expected="exponent within 0.1 of -0.5",
            measured=str(exponent),
            holds=None if open_still else near,
        )
    ]


def _classical_claims(frame: "DataFrame") -> list[Claim]:
    from studies.fits import power_law

    sent = frame[(frame["attack"] == "classical") & (frame["bits"] >= _LEAST_BITS)]
    found = []
    for kind, rows in sent.groupby("kind"):
        if rows["bits"].nunique() < 2:
            continue
        missing = 1 - rows["value"]
        errors = (rows["high"] - rows["low"]) / 2 / 1.96 / missing
        exponent = power_law(2.0 ** rows["bits"], missing, errors=errors).exponents[0]
        found.append(
            Claim(
                text=f"{kind}: a classical vector reveals all but its rounding",
                expected="1 - fidelity as 2^(-2 b), exponent -2 within 0.2",
                measured=f"exponent {exponent}; fidelity {rows['value'].max():.6f} at "
                f"{rows['bits'].max()} bits a number",
                holds=abs(exponent.value + 2) < 0.2,
            )
        )
    return found
