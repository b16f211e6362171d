"""What the rows of the study "peers" say of the figures to reach, beside peers of the same run."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studies.peers.registry import OURS
from studies.study import Claim

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_AGREE = 1e-3
_LARGE = 0.01
_FACTOR = 2.0
_SHARE = 0.9
_COLD_FACTOR = 150.0


@dataclass(frozen=True)
class Target:
    """A figure to reach.

    Attributes:
        model: fields of the cell.
        warm: seconds of value and gradient, or None.
        cold: seconds of the first call, or None.
        peer: whom to beat, or empty.
        faster: by which factor, warm.
        colder: by which factor, cold; or 0.
    """

    model: dict[str, str | int]
    warm: float | None = None
    cold: float | None = None
    peer: str = ""
    faster: float = 0.0
    colder: float = 0.0


def _chain(
    qubits: int, layers: int, inputs: int, observable: str = "local"
) -> dict[str, str | int]:
    return {
        "family": "chain",
        "qubits": qubits,
        "layers": layers,
        "inputs": inputs,
        "observable": observable,
    }


_TENSOR = "tensorcircuit-ng"
_ADJOINT = "lightning.qubit"
TARGETS = (
    Target(_chain(100, 4, 32), 0.008, 0.3, _TENSOR, 5.0, _COLD_FACTOR),
    Target(_chain(100, 6, 32), 0.025, 0.8, _TENSOR, 100.0, _COLD_FACTOR),
    Target(_chain(100, 8, 32), 0.105, 1.5),
    Target(_chain(100, 10, 8), 0.375, 3.0),
    Target(_chain(16, 8, 1), peer=_ADJOINT, faster=15.0),
    Target(_chain(20, 6, 1), peer=_ADJOINT, faster=300.0),
    Target(_chain(100, 4, 32, "sum"), 0.1),
    Target(_chain(1000, 4, 8, "sum"), cold=2.0),
)


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of the figures to reach, of agreement, and of the predicted seconds."""
    found = [claim for target in TARGETS for claim in _of_target(frame, target)]
    return [*found, *_agreement(frame), *_graphs(frame), *_prediction(frame)]


def _of_target(frame: "DataFrame", target: Target) -> list[Claim]:
    rows = frame
    for name, value in target.model.items():
        rows = rows[rows[name] == value]
    ours = _only(rows, OURS)
    if ours is None:
        return []
    model = target.model
    text = (
        f"{model['observable']} Z, n = {model['qubits']}, L = {model['layers']}, "
        f"inputs {model['inputs']}"
    )
    found = []
    for what, limit in (("warm", target.warm), ("cold", target.cold)):
        seconds = ours[f"{what}_seconds"]
        if limit is not None:
            found.append(
                Claim(
                    text=f"{text}: {what} value and gradient",
                    expected=f"{1e3 * limit:g} ms or less",
                    measured=str(ours.status) if math.isnan(seconds) else f"{1e3 * seconds:.3g} ms",
                    holds=bool(seconds <= limit),
                )
            )
    theirs = _only(rows, target.peer)
    if theirs is not None:
        for what, factor in (("warm", target.faster), ("cold", target.colder)):
            if factor:
                found.append(_faster(text, ours, theirs, what=what, factor=factor))
    return found


def _faster(
    text: str, ours: "Series[Any]", theirs: "Series[Any]", *, what: str, factor: float
) -> Claim:
    """A peer's seconds over ours; where it did not finish, its limit bounds them from below."""
    text = f"{text}: {what} seconds of {theirs.peer} over ours"
    expected = f"{factor:g} or more"
    seconds, own = theirs[f"{what}_seconds"], ours[f"{what}_seconds"]
    if what == "warm" and not math.isnan(theirs.get("over_ours", math.nan)):
        best, low, high = (theirs[f"over_ours{end}"] for end in ("", "_low", "_high"))
        return Claim(
            text=text,
            expected=expected,
            measured=f"{best:.3g} (quartiles {low:.3g} to {high:.3g}), called in turn",
            holds=bool(best >= factor),
        )
    bounded = bool(math.isnan(seconds)) and str(theirs.status).startswith("did not finish")
    if bounded:
        seconds = theirs["limit"]
    ratio, than = seconds / own, "more than " if bounded else ""
    holds: bool | None = bool(ratio >= factor)
    if math.isnan(ratio) or (bounded and not holds):
        holds = None
    return Claim(
        text=text,
        expected=expected,
        measured=str(theirs.status)
        if math.isnan(ratio)
        else f"{than}{seconds:.3g} s / {own:.3g} s = {than}{ratio:.3g}",
        holds=holds,
    )


def _only(rows: "DataFrame", peer: str) -> "Series[Any] | None":
    """The row of a simulator, or None; seconds that it does not have are NaN."""
    mine = rows[rows["peer"] == peer]
    if mine.empty:
        return None
    row = mine.iloc[0].copy()
    for column in ("cold_seconds", "warm_seconds"):
        known = row.get(column)
        row[column] = math.nan if known is None else float(known)
    return row


def _agreement(frame: "DataFrame") -> list[Claim]:
    found = []
    for name, rows in frame[frame["peer"] != OURS].groupby("peer"):
        for what in ("value", "gradient"):
            known = rows.dropna(subset=[f"{what}_deviation"])
            if known.empty:
                continue
            worst = known[f"{what}_deviation"].max()
            found.append(
                Claim(
                    text=f"{what}s of {name} and ours, largest relative difference",
                    expected=f"{_AGREE:g} or less",
                    measured=f"{worst:.1g} over {len(known)} models",
                    holds=bool(worst <= _AGREE),
                )
            )
    return found


def _graphs(frame: "DataFrame") -> list[Claim]:
    """2D grids and random graphs beside quimb with cotengra, which searches as long as we do."""
    if "over_ours" not in frame:
        return []
    rows = frame[frame["family"].isin(["grid", "regular"]) & (frame["peer"] == "quimb")]
    ratios = 1 / rows["over_ours"].dropna()
    if ratios.empty:
        return []
    return [
        Claim(
            text="2D grids and random graphs: our warm seconds over those of quimb with cotengra, "
            "the same search time",
            expected="1 or less",
            measured=f"median {ratios.median():.3g}, worst {ratios.max():.3g} of {len(ratios)}",
            holds=bool(ratios.max() <= 1),
        )
    ]


def _prediction(frame: "DataFrame") -> list[Claim]:
    if "measured_over_predicted" not in frame:
        return []
    rows = frame[frame["peer"] == OURS].dropna(subset=["measured_over_predicted"])
    rows = rows[rows["warm_seconds"] > _LARGE]
    if rows.empty:
        return []
    ratios = rows["measured_over_predicted"]
    inside = ((ratios <= _FACTOR) & (ratios >= 1 / _FACTOR)).mean()
    return [
        Claim(
            text="measured over predicted seconds of ours, cases above 10 ms",
            expected=f"within a factor {_FACTOR:g} in {100 * _SHARE:g}%",
            measured=f"{100 * inside:.0f}% of {len(rows)}, from {ratios.min():.2g} to "
            f"{ratios.max():.2g}, median {ratios.median():.2g}",
            holds=bool(inside >= _SHARE),
        )
    ]
