"""Amplitude estimation between parties: the register passes forth and back coherently.

A copy is made by A, the parties' turns one after another, and read by a reflection R, so that the
outcome 1 has probability (1 + f)/2, f = <A 0|R|A 0>. The iterate Q = A S_0 A^dagger S_R, with S_R
the reflection R itself at the last party and S_0 that about the first party's prepared state, takes
it to (1 - cos((2m+1) phi))/2 after m times, f = -cos phi (Brassard, Hoyer, Mosca, Tapp 2002); so
each iterate costs two passes of the register through all messages. Counts after several powers,
all measured from copies of their own, give f by maximum likelihood (Suzuki et al., Quantum Inf.
Process. 19, 75 (2020)); no phase estimation is needed. Copies of all powers travel together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from tnqml import statevector
from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.gates import Gate
from tnqml.model import DistributedModel
from tnqml.observables import String
from tnqml.protocols.execution.holders import State, holders, turns
from tnqml.protocols.execution.parties import Receive, Role, Send, run_parties
from tnqml.protocols.execution.readout import measured, readout
from tnqml.protocols.inference.estimation_schedule import Schedule, estimation_schedule
from tnqml.protocols.inference.infer import chosen
from tnqml.protocols.inference.likelihood import Counts, most_likely
from tnqml.protocols.ledger import Ledger
from tnqml.protocols.stopping import check_probability
from tnqml.protocols.streams import stream

_OUTCOMES = 0  # a stream of one seed
_MOST_ERROR = 0.9  # of one term of a sum; beyond 1 nothing would be asked


class Hands(Protocol):
    """What one party does with the register, as `execution.Holder` has it."""

    def prepare(self) -> State:
        """(1, 2^qubits): the register at the beginning, of the first party alone."""

    def apply(self, turn: int, state: State, /) -> State:
        """The register after one of the party's own turns."""

    def undo(self, turn: int, state: State, /) -> State:
        """The register before one of the party's own turns."""


@dataclass(frozen=True)
class Passage:
    """What every party knows beforehand: whose turn it is, what is read, and the schedule.

    Attributes:
        turns: parties in order, at least two; a message lies between each two.
        string: the Pauli string R.
        qubits: of the register.
        schedule: powers and copies.
    """

    turns: tuple[str, ...]
    string: String
    qubits: int
    schedule: Schedule

    @property
    def last(self) -> int:
        """The index of the last turn, which is the number of messages of one pass."""
        return len(self.turns) - 1

    @property
    def steps(self) -> int:
        """Messages that a copy of the highest power takes."""
        return self.last * (2 * self.schedule.powers[-1] + 1)

    def turn(self, step: int) -> int:
        """The index of the turn after so many messages: up to the last and down again."""
        place = step % (2 * self.last)
        return min(place, 2 * self.last - place)

    def forth(self, step: int) -> bool:
        """Whether the register is on its way from the first turn to the last."""
        return step % (2 * self.last) < self.last

    def copies(self, step: int) -> int:
        """Copies that go on after so many messages."""
        powers, shots = self.schedule.powers, self.schedule.shots
        return sum(
            count
            for power, count in zip(powers, shots, strict=True)
            if self.last * (2 * power + 1) > step
        )

    def measured_at(self, step: int) -> int | None:
        """The index of the power that is measured after so many messages, if one is."""
        power, rest = divmod(step - self.last, 2 * self.last)
        return (
            self.schedule.powers.index(power)
            if not rest and power in self.schedule.powers
            else None
        )


@dataclass(frozen=True)
class AmplitudeEstimate:
    """What amplitude estimation gave.

    Attributes:
        value: the maximum-likelihood estimate.
        interval: the profile-likelihood interval (`likelihood.most_likely`); of a sum, the sum of
            its terms' intervals.
        schedules: of each term that is not constant, powers and copies.
        hits: of each term the outcomes 1 after each power.
        ledger: all messages; those of different terms go side by side.
    """

    value: float
    interval: tuple[float, float]
    schedules: tuple[Schedule, ...]
    hits: tuple[tuple[int, ...], ...]
    ledger: Ledger


def infer_by_amplitude_estimation(
    model: DistributedModel,
    x_row: ArrayLike,  # (features,)
    *,
    seed: int,
    error: float = 0.05,
    failure: float = 0.1,
    observable: int = 0,
    processes: bool = False,
) -> AmplitudeEstimate:
    """An estimate of f(theta, x) by amplitude estimation between the model's parties.

    The qubits sent grow as 1/error, those of `infer` as 1/error^2; the register crosses
    M (2m + 1) times in one coherent run, where `infer` needs M. Everything is noiseless: under
    noise the iterates would no longer rotate by one angle.

    A sum c + sum_j w_j R_j is estimated term by term, because an iterate needs one reflection: each
    term with failure divided by their number and an error of its own, error_j proportional to
    1/sqrt(|w_j|) with sum_j |w_j| error_j = error, which makes the total, proportional to
    sum_j 1/error_j, least. A projector has one term, Z, and half of its error.

    Args:
        model: of at most 22 qubits, with at least two parties and a layer split.
        x_row: one input.
        seed: of the outcomes.
        error: the estimate is off by more than this with probability at most `failure`.
        failure: also of the interval.
        observable: which of the model's.
        processes: each party in a process of its own: the same numbers.

    Raises:
        InputError: as `execution.holders`; error or failure outside (0, 1), no such observable, or
            one without any term beside a constant.

    Example:
        >>> from tnqml import DistributedModel, Z, ansatz
        >>> model = DistributedModel(ansatz.brickwork(4, layers=1), Z(1), seed=2)
        >>> x = torch.linspace(0, 1, 4)
        >>> estimate = infer_by_amplitude_estimation(model, x, error=0.02, seed=1)
        >>> abs(estimate.value - model(x[None]).item()) < 0.02
        True
        >>> estimate.ledger.qubits, estimate.ledger.rounds
        (9240, 51)
    """
    check_count(seed, "seed", least=0)
    check_probability(error, "error")
    check_probability(failure, "failure")
    wanted = readout(chosen(model, observable))
    if not wanted.terms:
        raise InputError(
            f"observable {observable} is the constant {wanted.constant:g}; expected one with a "
            "Pauli string, as a constant needs no protocol"
        )
    known = holders(model, x_row)
    order = tuple(turn.party for turn in turns(model.circuit))
    roots = sum(abs(weight) ** 0.5 for weight, _ in wanted.terms)
    value = low = high = wanted.constant
    ledger, schedules, counts = Ledger(), [], []
    for index, (weight, string) in enumerate(wanted.terms):
        share = failure / len(wanted.terms)
        own_error = min(_MOST_ERROR, error / (abs(weight) ** 0.5 * roots))
        schedule = estimation_schedule(error=own_error, failure=share)
        passage = Passage(order, string, model.circuit.qubits, schedule)
        hits, messages = estimate_hits(known, passage, seed=seed, run=index, processes=processes)
        likely = most_likely(schedule, hits, failure=share)
        value += weight * likely.value
        ends = sorted(weight * end for end in likely.interval)
        low, high = low + ends[0], high + ends[1]
        ledger = ledger.beside(messages)
        schedules.append(schedule)
        counts.append(tuple(hits.tolist()))
    return AmplitudeEstimate(value, (low, high), tuple(schedules), tuple(counts), ledger)


def estimate_hits(
    known: Mapping[str, Hands],
    passage: Passage,
    *,
    seed: int,
    run: int = 0,
    processes: bool = False,
) -> tuple[Counts, Ledger]:
    """(powers,) outcomes 1 after each power, from registers that passed between the parties.

    Args:
        known: by party, what it does with the register.
        passage: what all of them know.
        seed: of the outcomes.
        run: which of several runs of one seed, whose outcomes are independent.
        processes: each party in a process of its own.
    """
    roles = {
        party: partial(coherent_role, hands, party, passage, (seed, run))
        for party, hands in known.items()
    }
    done = run_parties(roles, processes=processes)
    hits: Counts = np.array(done.results[passage.turns[-1]], dtype=np.int64)
    return hits, done.ledger


def coherent_role(hands: Hands, party: str, passage: Passage, seeds: tuple[int, int]) -> Role:
    """One party's program; that of the last turn returns the outcomes 1 after each power.

    All copies that are still under way are in one state, so one payload stands for them. `seeds`
    are the seed of the outcomes and the run.
    """
    seed, run = seeds
    generator = stream(seed, _OUTCOMES, run)
    hits: list[int] = []
    for step in range(passage.steps + 1):
        if passage.turns[passage.turn(step)] != party:
            continue
        state = None
        if step:
            state = yield Receive(passage.turns[passage.turn(step - 1)])
        state = arrived(hands, passage, step, state)
        index = passage.measured_at(step)
        if index is not None:
            shots = passage.schedule.shots[index]
            strings = measured(state, passage.string, shots=shots, generator=generator)
            places = [qubit for qubit, _ in passage.string]
            hits.append(int((strings[:, places].sum(1) % 2 == 0).sum()))
        if step == passage.steps:
            break
        state = left(hands, passage, step, state)
        forth = passage.forth(step)
        purpose = "prepare" if step < passage.last else "forth" if forth else "back"
        yield Send(
            passage.turns[passage.turn(step + 1)],
            state,
            "qubit",
            passage.qubits,
            copies=passage.copies(step),
            purpose=purpose,
        )
    return hits


def arrived(hands: Hands, passage: Passage, step: int, state: State | None) -> State:
    """(1, 2^qubits): the register after what its holder does when it arrives."""
    turn = passage.turn(step)
    if state is None:
        return hands.apply(0, hands.prepare())
    if turn == 0:
        return hands.apply(0, _reflected(hands.prepare(), hands.undo(0, state)))
    return hands.apply(turn, state) if passage.forth(step - 1) else hands.undo(turn, state)


def left(hands: Hands, passage: Passage, step: int, state: State) -> State:
    """(1, 2^qubits): the register as its holder sends it on; at the last turn it is turned back."""
    if passage.turn(step) != passage.last:
        return state
    register = torch.from_numpy(state)
    for qubit, letter in passage.string:
        register = statevector.apply(
            Gate(letter.lower(), qubit), register, torch.zeros(1, dtype=torch.float64)
        )
    return hands.undo(passage.last, register.numpy())


def evolved(known: Mapping[str, Hands], passage: Passage) -> State:
    """(powers, 2^qubits): the registers that the last party measures, all in this process.

    The same operations in the same order as the roles', without messages: for many trials of one
    instance, each of which draws its outcomes from these registers.
    """
    state, kept = None, []
    for step in range(passage.steps + 1):
        hands = known[passage.turns[passage.turn(step)]]
        state = arrived(hands, passage, step, state)
        if passage.measured_at(step) is not None:
            kept.append(state[0])
        if step < passage.steps:
            state = left(hands, passage, step, state)
    registers: State = np.stack(kept)
    return registers


def _reflected(about: State, state: State) -> State:
    """1 - 2 |about><about| on a state, both (1, 2^qubits)."""
    overlap = np.vdot(about, state)
    result: State = state - 2 * overlap * about
    return result
