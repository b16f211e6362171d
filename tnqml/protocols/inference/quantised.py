"""Classical inference of the same f: every message is the state vector at a few bits a number.

One classical protocol among many, chosen for its plainness; it bounds nothing from below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tnqml import statevector
from tnqml.model import DistributedModel
from tnqml.observables import Observable
from tnqml.protocols.execution.holders import Holder, State, holders, turns
from tnqml.protocols.execution.parties import Receive, Role, Send, run_parties
from tnqml.protocols.inference.infer import chosen
from tnqml.protocols.ledger import Ledger
from tnqml.protocols.problems.sketches import dequantise, quantise


@dataclass(frozen=True)
class ClassicalEstimate:
    """What a classical inference gave.

    Attributes:
        value: the expectation in the state that arrived.
        exact: the expectation without rounding, which no party knows.
        ledger: one message of 2 * 2^qubits * bits for each crossing.
    """

    value: float
    exact: float
    ledger: Ledger

    @property
    def error(self) -> float:
        """How far the value is from the exact one."""
        return abs(self.value - self.exact)


def infer_classically(
    model: DistributedModel,
    x_row: ArrayLike | Tensor,  # (features,)
    *,
    bits: int,
    observable: int = 0,
    processes: bool = False,
) -> ClassicalEstimate:
    """f(theta, x) from state vectors that the parties send each other as rounded numbers.

    M messages are M 2 N' b bits, N' = 2^qubits: the real and imaginary parts divided by the largest
    of them, at b bits each; the receiver restores the length, which is 1.

    Args:
        model: narrow, layer split, with at least two parties.
        x_row: one input.
        bits: b, from 1 (signs alone) to 52.
        observable: which of the model's.
        processes: each party in a process of its own: the same numbers.

    Raises:
        InputError: bits is out of its range, or as `execution.holders` raises.

    Example:
        >>> from tnqml import Z, ansatz
        >>> model = DistributedModel(ansatz.brickwork(4, layers=2), Z(1), seed=2)
        >>> x = torch.linspace(0, 1, 4)
        >>> estimate = infer_classically(model, x, bits=8)
        >>> estimate.ledger.bits, estimate.error < 0.05
        (768, True)
    """
    quantise(np.ones(1), bits=bits)  # refuses a width that is out of range
    known, wanted = holders(model, x_row), chosen(model, observable)
    order = tuple(turn.party for turn in turns(model.circuit))
    exact = _expectation(_whole(known, order), wanted)
    roles = {
        party: partial(_role, holder, order, bits, wanted if party == order[-1] else None)
        for party, holder in known.items()
    }
    run = run_parties(roles, processes=processes)
    value = run.results[order[-1]]
    return ClassicalEstimate(float(value), exact, run.ledger)  # type: ignore[arg-type]


def coded(
    state: State,  # (2^qubits,)
    *,
    bits: int,
) -> NDArray[np.unsignedinteger]:
    """(2 * 2^qubits,): real and imaginary parts as integers of so many bits."""
    codes = quantise(state.view(np.float64), bits=bits)
    return np.asarray(codes.astype(np.min_scalar_type(2**bits - 1)))


def decoded(
    codes: NDArray[np.unsignedinteger],  # (2 * 2^qubits,)
    *,
    bits: int,
) -> State:
    """(2^qubits,): the state that the integers tell, of length 1."""
    parts = dequantise(codes.astype(np.int64), bits=bits)
    return np.asarray(parts / np.linalg.norm(parts), dtype=np.float64).view(np.complex128)


def _role(holder: Holder, order: tuple[str, ...], bits: int, wanted: Observable | None) -> Role:
    """One party's program; the last one returns the expectation."""
    value = None
    for turn in [turn for turn, party in enumerate(order) if party == holder.party]:
        if turn:
            codes = yield Receive(order[turn - 1])
            before = decoded(codes, bits=bits)[None]
        else:
            before = holder.prepare()
        after = holder.apply(turn, before)[0]
        if turn + 1 < len(order):
            codes = coded(after, bits=bits)
            yield Send(order[turn + 1], codes, "bit", bits * len(codes), purpose="state")
        elif wanted is not None:
            value = _expectation(after, wanted)
    return value


def _whole(known: Mapping[str, Holder], order: tuple[str, ...]) -> State:
    """(2^qubits,): the state after all turns, nothing rounded."""
    state = known[order[0]].prepare()
    for turn, party in enumerate(order):
        state = known[party].apply(turn, state)
    return state.reshape(-1)


def _expectation(state: State, wanted: Observable) -> float:
    weights = [weight for weight, _ in wanted.terms]
    values = statevector.expectations(
        torch.from_numpy(state)[None], [string for _, string in wanted.terms]
    )
    return float(np.dot(weights, values[:, 0].numpy()))
