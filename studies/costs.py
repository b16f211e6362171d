"""A protocol's cost at its threshold, with a run of the protocol itself as a check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from studies.fits import Interval
from studies.study import JsonScalar, Row

if TYPE_CHECKING:
    from tnqml.protocols import Ledger, SuccessRate
    from tnqml.protocols.trials import Decides, Promised

    InstanceT = TypeVar("InstanceT", bound=Promised)


@dataclass(frozen=True)
class Effort:
    """How much is run for each threshold.

    Attributes:
        draws: random numbers or measured bit strings that the trials take, about.
        checks: runs of the protocol itself, one by one, at the threshold.
        seed: of everything.
    """

    draws: int
    checks: int
    seed: int

    def trials(self, each: float) -> int:
        """How many trials that take `each` draws: at least 200, at most 20,000."""
        return int(min(max(self.draws / each, 200), 20_000))


def cost_row(
    name: str,
    threshold: Interval,
    *,
    protocol: "Callable[[int], Decides[InstanceT]]",
    instances: "Sequence[InstanceT]",
    effort: Effort,
    odd: bool = False,
) -> Row:
    """The numbers that a protocol needs, what they cost, and how often it is right with them.

    `numbers` and its interval are the threshold, `whole` the least whole number, or odd one, not
    under it; `cost` is the threshold in bits or qubits, `cost_whole` what the protocol's ledger
    counts at `whole`, and `success` the share of right answers of `checks` runs of it there.

    Args:
        name: of the protocol, as figures show it.
        threshold: numbers, or copies, for 90% success.
        protocol: from so many numbers, what decides an instance.
        instances: to check it on, in turn.
        effort: `checks` and `seed` are read.
        odd: whether only odd numbers make sense.
    """
    from tnqml.protocols import success_rate

    whole = whole_number(threshold.value, odd=odd)
    run = protocol(whole)
    rate = success_rate(run, instances, trials=effort.checks, seed=effort.seed)
    ledger = run(instances[0], seed=effort.seed).ledger
    return counted_row(name, threshold, whole, ledger) | rate_columns(rate)


def counted_row(
    name: str, threshold: Interval, whole: int, ledger: "Ledger"
) -> dict[str, JsonScalar]:
    """The columns of a cost that come from a threshold and the ledger of `whole` numbers."""
    total = ledger.qubits + ledger.bits
    unit = total / whole
    return {
        "protocol": name,
        "kind": "qubits" if ledger.qubits else "bits",
        "numbers": threshold.value,
        "numbers_low": threshold.low,
        "numbers_high": threshold.high,
        "whole": whole,
        "cost": threshold.value * unit,
        "cost_low": threshold.low * unit,
        "cost_high": threshold.high * unit,
        "cost_whole": total,
        "rounds": ledger.rounds,
    }


def rate_columns(rate: "SuccessRate") -> dict[str, JsonScalar]:
    """The columns of a success rate with its interval, and of how many runs it is."""
    low, high = rate.interval()
    return {
        "success": rate.rate,
        "success_low": low,
        "success_high": high,
        "runs": rate.trials,
    }


def whole_number(number: float, *, odd: bool = False) -> int:
    """The least whole number, or odd one, not under a number."""
    whole = ceil(number)
    return whole + 1 if odd and whole % 2 == 0 else whole
