"""What a party learns of another's parameters from repeated queries: a fit to measured messages.

Alice chooses product states, Bob applies his gates and sends the register back, Alice measures each
of its qubits in X, Y or Z. She knows which gates he has, not their angles.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tnqml import statevector
from tnqml.checks import check_count
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.protocols.ledger import Entry, Ledger
from tnqml.protocols.privacy.attacks import Kets, each_local_ket, product_kets
from tnqml.protocols.problems.instances import ALICE, BOB, Real

_STARTS = 400  # random angles that are tried on some of the queries
_TRIED = 128  # queries that they are tried on
_FOLLOWED = 6  # of them that are followed uphill on these queries
_NOISE = 0.5  # of outcomes taken as uniform noise while maxima are looked for
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class Queries:
    """What Alice sent and found, a row for each query, and the messages.

    Attributes:
        sent: the product states that she chose.
        found: the basis states whose outcomes she read.
        ledger: the register to Bob and back, for each query.
    """

    sent: Kets  # (queries, 2^n)
    found: Kets  # (queries, 2^n)
    ledger: Ledger


def query(
    circuit: Circuit,
    parameters: Real,  # (parameters,)
    *,
    copies: int,
    seed: int,
) -> Queries:
    """So many queries of Bob's gates, each of one copy with an input of its own.

    Inputs are random products of the six Pauli eigenstates, bases random Paulis.

    Args:
        circuit: Bob's gates; its angles come from parameters alone.
        parameters: Bob's angles in radians.
        copies: the queries.
        seed: of inputs, bases and outcomes.

    Raises:
        InputError: no copies, a circuit that reads features, or parameters of another number.
    """
    check_count(copies, "copies")
    _check(circuit, len(parameters))
    generator = np.random.default_rng(seed)
    shape = (copies, circuit.qubits)
    sent = product_kets(generator.integers(0, 3, shape), generator.integers(0, 2, shape))
    angles = torch.tensor(parameters, dtype=torch.float64)
    with torch.no_grad():
        answers = _answers(circuit, angles[None], torch.from_numpy(sent))[0].numpy()
    found = each_local_ket(answers, seed=int(generator.integers(2**63)))
    there = Entry(1, ALICE, BOB, "qubit", circuit.qubits, copies=copies, purpose="query")
    back = Entry(2, BOB, ALICE, "qubit", circuit.qubits, copies=copies, purpose="answer")
    return Queries(sent, found, Ledger([there, back]))


def fit(circuit: Circuit, queries: Queries, *, seed: int) -> Real:
    """(parameters,): the likeliest angles found, between -pi and pi, from what Alice knows.

    The likelihood has a pole wherever an outcome becomes impossible, and a maximum between any two.
    They are gone where half of the outcomes are taken as noise: under that likelihood the best of
    many random angles are followed uphill on some of the queries, the best of these on all, and
    last without noise. Angles that the gates do not determine cannot be found: half a turn of two
    rotations may cancel.

    Args:
        circuit: Bob's gates, whose angles are sought.
        queries: of which the inputs and the outcomes are read.
        seed: of the first angles.

    Raises:
        InputError: a circuit that reads features or has no parameters, or of another width.
    """
    from scipy.optimize import minimize  # slow to import

    _check(circuit, circuit.parameters)
    if queries.sent.shape[1] != 2**circuit.qubits:
        raise InputError(
            f"the queries have states of {queries.sent.shape[1]} amplitudes, the circuit "
            f"{circuit.qubits} qubits; expected 2^{circuit.qubits}"
        )
    sent, found = torch.from_numpy(queries.sent), torch.from_numpy(queries.found)

    def logs(angles: Tensor, share: slice, noise: float) -> Tensor:  # (starts, parameters)
        overlaps = (_answers(circuit, angles, sent[share]) * found[share].conj()).sum(2)
        likelihoods: Tensor = (1 - noise) * overlaps.abs().square() + noise / 2**circuit.qubits
        return likelihoods.clamp(min=_SMALLEST).log().sum(1)

    def uphill(starts: Real, share: slice, noise: float) -> Real:
        """The best end of all starts, which are followed together as one function's variables."""

        def objective(flat: Real) -> tuple[float, Real]:
            angles = torch.tensor(flat.reshape(starts.shape), requires_grad=True)
            value = -logs(angles, share, noise).sum()
            (slope,) = torch.autograd.grad(value, angles)
            return value.item(), slope.numpy().reshape(-1)

        last = minimize(objective, starts.reshape(-1), jac=True, method="L-BFGS-B").x
        ends = last.reshape(starts.shape)
        with torch.no_grad():
            best = int(logs(torch.from_numpy(ends), share, noise).argmax())
        return np.asarray(ends[best : best + 1])

    some, all_of_them = slice(_TRIED), slice(None)
    uniform = np.random.default_rng(seed).uniform(-np.pi, np.pi, (_STARTS, circuit.parameters))
    with torch.no_grad():
        first = logs(torch.from_numpy(uniform), some, _NOISE).numpy()
    best = uphill(uniform[np.argsort(first)[-_FOLLOWED:]], some, _NOISE)
    for noise in (_NOISE, 0.0):
        best = uphill(best, all_of_them, noise)
    return apart(best[0], np.zeros(circuit.parameters))


def apart(
    guess: Real,  # (parameters,)
    truth: Real,  # (parameters,)
) -> Real:
    """(parameters,): differences of angles in radians, each modulo a turn, from -pi to pi.

    Their root mean square is pi/sqrt(3) = 1.81 for uniform random guesses.
    """
    return np.asarray((np.asarray(guess) - truth + np.pi) % (2 * np.pi) - np.pi)


def _answers(
    circuit: Circuit,
    angles: Tensor,  # (starts, parameters)
    sent: Tensor,  # (queries, 2^n)
) -> Tensor:
    """(starts, queries, 2^n): what comes back of each query, for each choice of angles."""
    count, size = len(angles), sent.shape[1]
    state = torch.eye(size, dtype=sent.dtype).repeat(count, 1)  # what becomes of the basis states
    for gate in circuit.gates:
        angle = torch.full((1,), gate.value, dtype=angles.dtype)
        if gate.source == "parameter":
            angle = (gate.value * angles[:, gate.slot]).repeat_interleave(size)
        state = statevector.apply(gate, state, angle)
    return sent @ state.reshape(count, size, size)


def _check(circuit: Circuit, parameters: int) -> None:
    if circuit.features:
        raise InputError(
            f"Bob's circuit reads {circuit.features} features; expected gates whose angles are "
            "numbers or parameters, as the data is Alice's"
        )
    if circuit.noisy:
        raise InputError(
            "Bob's circuit has noise channels; the fit is for unitary gates: drop them"
        )
    if parameters != circuit.parameters or not parameters:
        raise InputError(
            f"{parameters} parameters for a circuit of {circuit.parameters}; expected as many, and "
            "at least one"
        )
