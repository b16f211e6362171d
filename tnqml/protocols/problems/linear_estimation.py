"""Linear classification by amplitude estimation: qubits that grow as log2(N) / margin.

Alice and Bob make (|0>|x> + |1>|w>)/sqrt(2), each preparing a branch; the ancilla read in X gives 0
with probability (1 + x . w)/2, which the iterates of `amplitude_estimation` amplify. Each of them
carries the register of log2 N + 1 qubits to Alice and back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.execution.holders import State
from tnqml.protocols.inference.amplitude_estimation import Hands, Passage, estimate_hits, evolved
from tnqml.protocols.inference.estimation_schedule import (
    Schedule,
    decision_schedule,
    decision_schedules,
)
from tnqml.protocols.inference.likelihood import Counts, signs
from tnqml.protocols.problems.instances import (
    ALICE,
    BOB,
    LinearInstance,
    Real,
    check_margin,
    linear_instance,
)
from tnqml.protocols.problems.one_shot import half_encode, hybrid_state, measure, qubits_of
from tnqml.protocols.stopping import check_probability
from tnqml.protocols.streams import stream
from tnqml.protocols.trials import Answer, SuccessRate

_MANY = 2  # a stream of one seed: outcomes of many runs
_FAILURES = tuple(0.9**step for step in range(2, 30))  # nominal, of the schedules tried
_BEYOND = (1.0, 1.3, 1.8, 2.5, 4.0, 8.0)  # values of |x . w| tried, in margins


@dataclass(frozen=True, eq=False)
class DataHands:
    """Alice's part: her turn is the first."""

    data: Real  # (N,)

    def prepare(self) -> State:
        """(1, 2N): (|0>|x> + |1>|0...0>)/sqrt(2)."""
        return half_encode(self.data)[None]

    def apply(self, turn: int, state: State, /) -> State:  # noqa: ARG002 - as every party's
        """The register as it is: all she does is in the preparation."""
        return state

    def undo(self, turn: int, state: State, /) -> State:  # noqa: ARG002
        """The register as it is."""
        return state


@dataclass(frozen=True, eq=False)
class WeightsHands:
    """Bob's part: his turn takes |0...0> to |w> where the ancilla is 1, and its X to Z."""

    weights: Real  # (N,)

    def prepare(self) -> State:
        """Refused: Alice begins."""
        raise InputError("Bob prepares nothing; expected Alice, whose turn is the first")

    def apply(self, turn: int, state: State, /) -> State:  # noqa: ARG002
        """(1, 2N): the register after his turn."""
        return hybrid_state(self.weights, state[0])[None]

    def undo(self, turn: int, state: State, /) -> State:  # noqa: ARG002
        """(1, 2N): the register before it. His turn is H C, with H and C their own inverses."""
        return _ancilla_turned(hybrid_state(self.weights, _ancilla_turned(state[0])))[None]


def linear_by_amplitude_estimation(
    instance: LinearInstance,
    *,
    seed: int,
    failure: float = 0.1,
    schedule: Schedule | None = None,
    processes: bool = False,
) -> Answer:
    """Linear classification by amplitude estimation: the sign on which the likelihood peaks.

    Args:
        instance: N a power of two; the protocol is told its margin, not |x . w|.
        seed: of the outcomes.
        failure: wrong with probability at most this, whatever |x . w| >= margin is.
        schedule: powers and copies in place of those that the margin and failure give.
        processes: each party in a process of its own.

    Raises:
        InputError: N is not a power of two, or failure is outside (0, 1).

    Example:
        >>> from tnqml.protocols import linear_instance
        >>> instance = linear_instance(16, margin=0.1, seed=3, answer=-1)
        >>> answer = linear_by_amplitude_estimation(instance, seed=0)
        >>> answer.value, answer.ledger.qubits, answer.ledger.rounds
        (-1, 380, 11)
    """
    if schedule is None:
        schedule = decision_schedule(margin=instance.margin, failure=failure)
    hits, ledger = estimate_hits(
        _hands(instance),
        _passage(instance.size, schedule),
        seed=seed,
        processes=processes,
    )
    value = int(signs(schedule, hits[None], margin=instance.margin, seed=seed)[0])
    return Answer(value, ledger)


def linear_outcomes(
    instance: LinearInstance, schedules: Sequence[Schedule], *, trials: int, seed: int
) -> list[Counts]:
    """For each schedule (trials, powers): how often the ancilla reads 0, in many runs at once.

    As `linear_by_amplitude_estimation`, whose registers are the same in every run; they are evolved
    once, up to the highest power, and whole bit strings are drawn from them for every run. Of these
    each schedule takes the first, so that schedules are compared on the same outcomes.

    Raises:
        InputError: as the protocol, no schedule, or trials under 1.
    """
    check_count(len(schedules), "the number of schedules")
    recorded = _recorded(instance, schedules, trials=trials, seed=seed)
    return [_hits(recorded, schedule) for schedule in schedules]


def linear_success(
    instances: Sequence[LinearInstance],
    schedules: Sequence[Schedule],
    *,
    margin: float,
    trials: int,
    seed: int,
) -> list[SuccessRate]:
    """For each schedule the success on that of the instances on which it succeeds least.

    Args:
        instances: that keep the promise of this margin.
        schedules: at least one.
        margin: that the protocol is told.
        trials: of each schedule on each instance.
        seed: of outcomes and ties.
    """
    check_margin(margin)
    check_count(len(instances), "the number of instances")
    right = []
    for index, instance in enumerate(instances):
        counts = linear_outcomes(instance, schedules, trials=trials, seed=seed + index)
        right.append(
            [
                int((signs(own, hits, margin=margin, seed=seed) == instance.answer).sum())
                for own, hits in zip(schedules, counts, strict=True)
            ]
        )
    return [SuccessRate(least, trials) for least in np.min(right, axis=0).tolist()]


@dataclass(frozen=True)
class Needed:
    """Qubits that a protocol sends where it just succeeds as often as wanted.

    Attributes:
        qubits: of the cheapest schedule whose measured success is high enough.
        low: of the cheapest whose interval of the success reaches high enough.
        high: of the cheapest whose whole interval is high enough.
        success: of the schedule chosen.
        schedule: itself.
    """

    qubits: int
    low: int
    high: int
    success: SuccessRate
    schedule: Schedule


def linear_qubits_needed(
    size: int, *, margin: float, seed: int, success: float = 0.9, trials: int = 1000
) -> Needed:
    """Qubits for 90% success of `linear_by_amplitude_estimation` at a margin, by trials.

    The schedules are those of `decision_schedules` at falling nominal failures, the cheapest first.
    Each is tried on instances with |x . w| from the margin up to 8 times of it, the signs in turn,
    and counts by that on which it succeeds least, so that none is tuned to one value. The first
    that succeeds often enough is a little lucky, by less than the interval of its success.

    Args:
        size: N, a power of two.
        margin: gamma.
        seed: of instances and outcomes.
        success: wanted, in (0, 1).
        trials: of each schedule on each instance.

    Raises:
        InputError: N is not a power of two, the margin or success is out of its range, or no
            schedule succeeds often enough.
    """
    qubits_of(size)
    check_margin(margin)
    check_probability(success, "success")
    schedules = decision_schedules(margin=margin, failures=_FAILURES)
    products = [margin * times for times in _BEYOND if margin * times <= 1]
    instances = [
        linear_instance(size, margin=product, seed=seed + index, answer=1 - 2 * (index % 2))
        for index, product in enumerate(products)
    ]
    recorded = [
        _recorded(instance, schedules, trials=trials, seed=seed + index)
        for index, instance in enumerate(instances)
    ]
    rates: list[SuccessRate] = []
    for schedule in schedules:
        worst = trials
        for instance, outcomes in zip(instances, recorded, strict=True):
            found = signs(schedule, _hits(outcomes, schedule), margin=margin, seed=seed)
            worst = min(worst, int((found == instance.answer).sum()))
            if SuccessRate(worst, trials).interval()[1] < success:
                break  # whatever the other instances say, it is not good enough
        rates.append(SuccessRate(worst, trials))
        if rates[-1].interval()[0] >= success:
            break  # what costs more is not asked for

    def cheapest(reached: Sequence[float]) -> int:
        for index, value in enumerate(reached):
            if value >= success:
                return index
        raise InputError(
            f"no schedule reaches success {success} at margin {margin}; the best of {trials} "
            f"trials is {max(rate.rate for rate in rates)}: ask for less, or take more trials"
        )

    best = cheapest([rate.rate for rate in rates])
    low = cheapest([rate.interval()[1] for rate in rates])
    high = cheapest([rate.interval()[0] for rate in rates])
    width = qubits_of(size) + 1
    return Needed(
        qubits=width * schedules[best].passes,
        low=width * schedules[low].passes,
        high=width * schedules[high].passes,
        success=rates[best],
        schedule=schedules[best],
    )


def _recorded(
    instance: LinearInstance, schedules: Sequence[Schedule], *, trials: int, seed: int
) -> dict[int, NDArray[np.bool_]]:
    """By power (trials, most copies of any schedule): whether the ancilla of each copy reads 0."""
    check_count(trials, "trials")
    most: dict[int, int] = {}
    for schedule in schedules:
        for power, shots in zip(schedule.powers, schedule.shots, strict=True):
            most[power] = max(shots, most.get(power, 0))
    powers = sorted(most)
    every = Schedule(tuple(powers), tuple(most[power] for power in powers))
    registers = evolved(_hands(instance), _passage(instance.size, every))
    seeds = stream(seed, _MANY).integers(2**63, size=len(powers))
    return {
        power: measure(register, shots=trials * most[power], seed=int(own))[:, 0].reshape(
            trials, most[power]
        )
        == 0
        for power, register, own in zip(powers, registers, seeds, strict=True)
    }


def _hits(recorded: Mapping[int, NDArray[np.bool_]], schedule: Schedule) -> Counts:
    """(trials, powers): how often the ancilla reads 0 among the copies that a schedule takes."""
    return np.stack(
        [
            recorded[power][:, :shots].sum(1)
            for power, shots in zip(schedule.powers, schedule.shots, strict=True)
        ],
        axis=1,
    )


def _hands(instance: LinearInstance) -> dict[str, Hands]:
    return {ALICE: DataHands(instance.data), BOB: WeightsHands(instance.weights)}


def _passage(size: int, schedule: Schedule) -> Passage:
    return Passage((ALICE, BOB), ((0, "Z"),), qubits_of(size) + 1, schedule)


def _ancilla_turned(state: State) -> State:
    """A Hadamard on the first qubit."""
    zero, one = state.reshape(2, -1)
    turned: State = np.concatenate([zero + one, zero - one]) / np.sqrt(2)
    return turned
