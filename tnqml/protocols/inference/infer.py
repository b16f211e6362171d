"""Inference of a model between its parties: sampled shots, an estimate with interval, a ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tnqml.checks import check_count
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.observables import Observable
from tnqml.protocols.execution.holders import (
    MOST_QUBITS,
    check_parties,
    checked_row,
    holders,
    turns,
)
from tnqml.protocols.execution.links import Link, links_of_messages
from tnqml.protocols.execution.parties import run_parties
from tnqml.protocols.execution.readout import Readout, readout
from tnqml.protocols.execution.relay import Collector, Relay, relay_roles
from tnqml.protocols.inference.bounded import FixedBounded, StoppingBounded
from tnqml.protocols.inference.wide import infer_by_engine
from tnqml.protocols.ledger import Ledger
from tnqml.protocols.stopping import (
    Fixed,
    Goal,
    Stopping,
    Tally,
    check_probability,
    shots_needed,
)

Mode = Literal["parties", "engine"]

_MOST_MEASURED = 12  # qubits whose joint distribution the engine gives
_MOST_ENTRIES = 2**26  # amplitudes of all different copies together, 1 GiB


@dataclass(frozen=True)
class Estimate:
    """What an inference gave.

    Attributes:
        value: the mean of the outcomes.
        interval: holds the expectation with the probability asked for; exact (Clopper and Pearson)
            where outcomes are two-valued, else by Hoeffding's or Bernstein's bound (`bounded`);
            where the copies were not fixed beforehand, valid at the moment of stopping.
        shots: copies that were measured.
        ledger: all messages, lost copies and requests included.
        mode: "parties", each running on its own data and messages, or "engine", where the outcomes
            were drawn from the exact distribution of the measured qubits and the ledger was read
            off the circuit.
    """

    value: float
    interval: tuple[float, float]
    shots: int
    ledger: Ledger
    mode: Mode


def infer(
    model: DistributedModel,
    x_row: ArrayLike | Tensor,  # (features,)
    *,
    seed: int,
    error: float = 0.05,
    failure: float = 0.1,
    observable: int = 0,
    shots: int | None = None,
    adaptive: bool = False,
    links: Link | Sequence[Link | None] | None = None,
    processes: bool = False,
) -> Estimate:
    """An estimate of f(theta, x) from measured copies of the state that the parties make.

    Each copy passes through every party's turns and is measured whole, in the letters of one group
    of terms of the observable, all read off the same string (see `readout`), by the party that
    holds it last, which has the estimate; if another party wants it, nothing of that is sent or
    counted here. Copies of one batch share a message. A term that is a constant costs nothing.

    Models of at most 22 qubits under a layer split run between isolated parties; wider ones, qubit
    splits and circuits with noise channels in them by the engine, at most 12 measured qubits a
    group; there, under a qubit split, the holders of other qubits of a group send the first one's
    holder their outcomes, or the parities that its terms ask for, in bits.

    Args:
        model: with at least two parties.
        x_row: one input.
        seed: of terms, outcomes and noise.
        error: the estimate is off by more than this with probability at most `failure`; the number
            of copies follows by Hoeffding's inequality from the range of the outcomes.
        failure: also of the interval.
        observable: which of the model's.
        shots: so many copies, whatever `error` is.
        adaptive: stop as soon as the error is as wanted (see `stopping.Stopping`); the last party
            asks for each batch of copies, in bits that the ledger counts.
        links: what each message meets, one for all or one for each message of a run. Erasure: lost
            copies are asked for again, and are prepared and sent anew from the start.
        processes: each party in a process of its own: the same numbers.

    Raises:
        InputError: fewer than two parties, error or failure outside (0, 1), shots under 1 or beside
            `adaptive`, no such observable, an input that does not fit, links or processes where the
            engine must run, or links with too many different copies to hold.

    Example:
        >>> from tnqml import DistributedModel, Z, ansatz
        >>> model = DistributedModel(ansatz.brickwork(4, layers=2), Z(1), seed=2)
        >>> x = torch.linspace(0, 1, 4)
        >>> estimate = infer(model, x, error=0.1, seed=1)
        >>> estimate.shots, estimate.ledger.qubits, estimate.ledger.rounds
        (600, 7200, 3)
        >>> abs(estimate.value - model(x[None]).item()) < 0.1
        True
    """
    circuit = model.circuit
    check_parties(circuit)
    check_count(seed, "seed", least=0)
    check_probability(error, "error")
    check_probability(failure, "failure")
    row = checked_row(model, x_row)
    mode, why = _mode(circuit)
    wanted = readout(
        chosen(model, observable), together=None if mode == "parties" else _MOST_MEASURED
    )
    if not wanted.groups:
        return Estimate(wanted.constant, (wanted.constant,) * 2, 0, Ledger(), mode)
    goal = _goal(wanted, error=error, failure=failure, shots=shots, adaptive=adaptive)
    if mode == "parties":
        order = tuple(turn.party for turn in turns(circuit))
        on_messages = links_of_messages(links, len(order) - 1)
        first = goal.wanted(Tally())
        _check_size(on_messages, qubits=circuit.qubits, copies=first)
        asks = adaptive or any(link is not None and link.loses for link in on_messages)
        bits = goal.most.bit_length() if asks else 0
        relay = Relay(order, on_messages, first, bits, seed=seed)
        roles = relay_roles(holders(model, row), relay, Collector(wanted, goal, seed))
        run = run_parties(roles, processes=processes)
        seen = Tally(*run.results[order[-1]])  # type: ignore[misc]  # as relay_roles says
        ledger = run.ledger
    else:
        if processes or links is not None:
            what = "processes" if processes else "links"
            raise InputError(f"{what} need parties that pass on state vectors, but {why}")
        seen, ledger = infer_by_engine(
            model,
            torch.as_tensor(row, dtype=model.dtype, device=model.theta.device)[None],
            readout=wanted,
            goal=goal,
            seed=seed,
            request_bits=goal.most.bit_length() if adaptive else 0,
        )
    low, high = (wanted.value(share) for share in goal.interval(seen))
    return Estimate(wanted.value(goal.estimate(seen)), (low, high), seen.count, ledger, mode)


def chosen(model: DistributedModel, observable: int) -> Observable:
    """One of the model's observables, by index.

    Raises:
        InputError: the model has no such observable.
    """
    check_count(observable, "observable", least=0)
    if observable >= len(model.observables):
        raise InputError(
            f"observable is {observable}; the model has observables 0 to "
            f"{len(model.observables) - 1}"
        )
    return model.observables[observable]


def _goal(
    wanted: Readout, *, error: float, failure: float, shots: int | None, adaptive: bool
) -> Goal:
    """How many copies to take."""
    if adaptive and shots is not None:
        raise InputError(
            f"shots is {shots} and adaptive is set, which chooses them; leave one of the two out"
        )
    if adaptive:
        stopping = Stopping if wanted.two_valued else StoppingBounded
        return stopping(error / (2 * wanted.scale), failure)
    if shots is None:
        shots = shots_needed(error=error, failure=failure, scale=wanted.scale)
    return (Fixed if wanted.two_valued else FixedBounded)(shots, failure)


def _mode(circuit: Circuit) -> tuple[Mode, str]:
    """Whether parties can run the circuit, and why not."""
    if circuit.split != "layers":
        return "engine", "under a qubit split no party holds the register; use split='layers'"
    if circuit.qubits > MOST_QUBITS:
        return "engine", f"{circuit.qubits} qubits are too many; they hold at most {MOST_QUBITS}"
    if any(gate.form.is_channel for gate in circuit.gates):
        return "engine", "the circuit has noise channels in it; give them as links instead"
    return "parties", ""


def _check_size(links: Sequence[Link | None], *, qubits: int, copies: int) -> None:
    """Refuse more different noisy copies than can be held."""
    same = 1.0
    for link in links:
        same *= 1.0 if link is None else link.unchanged(qubits)
    kinds = min(float(copies), 1 + copies * (1 - same))
    if kinds * 2**qubits > _MOST_ENTRIES:
        raise InputError(
            f"about {kinds:.0f} of {copies} copies of {qubits} qubits would differ by the links' "
            f"noise, {kinds * 2**qubits * 16 / 2**30:.2g} GiB; expected at most "
            f"{_MOST_ENTRIES * 16 / 2**30:.2g}: take fewer shots or qubits, or weaker noise"
        )
