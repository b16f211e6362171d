"""Quantum one-message protocols: Alice sends a state, Bob rotates, measures and decides.

Alice and Bob are two roles of `parties`: hers holds her vector, his his input; they run in this
process or, with `processes`, in two. The answer and the ledger are the same. Outcomes are whole
bit strings, drawn from the distribution of the measured register. Qubit 0 is the most significant
bit of a string.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.instances import LinearInstance, Real, SubspaceInstance
from tnqml.protocols.problems.one_way import one_way
from tnqml.protocols.problems.sketches import majority
from tnqml.protocols.streams import torch_seed
from tnqml.protocols.trials import Answer
from tnqml.sampling import draw

State = NDArray[np.complex128]

_OUTCOMES = 0  # streams of one seed
_Y_BASIS = np.array([[1, -1j], [1, 1j]]) / np.sqrt(2)  # onto Z: rows are <+i| and <-i|


def encode(
    vector: Real,  # (N,)
) -> State:
    """(N,) amplitudes: Alice's message, her unit vector on log2 N qubits.

    Raises:
        InputError: N is not a power of two of at least 2.
    """
    qubits_of(len(vector))
    return vector.astype(np.complex128)


def rotation_onto(
    basis: Real,  # (N, N / 2)
    *,
    qubit: int = 0,
) -> Real:
    """(N, N) orthogonal matrix: Bob's, which takes H to |0> of one qubit, its complement to |1>.

    Raises:
        InputError: N is not a power of two, or the register has no such qubit.
    """
    size = len(basis)
    count = qubits_of(size)
    check_count(qubit, "the qubit", least=0)
    if qubit >= count:
        raise InputError(f"the qubit is {qubit}; the register has qubits 0 to {count - 1}")
    frame, _ = np.linalg.qr(basis, mode="complete")
    ones = (np.arange(size) >> (count - 1 - qubit)) & 1
    rotation = np.empty((size, size))
    rotation[ones == 0], rotation[ones == 1] = frame[:, : size // 2].T, frame[:, size // 2 :].T
    return rotation


def measure(
    state: State,  # (2^n,)
    *,
    shots: int,
    seed: int,
) -> NDArray[np.uint8]:
    """(shots, n) of 0 and 1: so many copies of a register measured in the computational basis.

    Raises:
        InputError: shots is under 1, or the state is not of 2^n amplitudes.
    """
    check_count(shots, "copies")
    qubits_of(len(state))
    distribution = torch.from_numpy(np.abs(state) ** 2)[None]
    generator = torch.Generator().manual_seed(seed)
    strings: NDArray[np.uint8] = draw(distribution, shots=shots, generator=generator)[0].numpy()
    return strings


def subspace_from_state(
    basis: Real,  # (N, N / 2)
    state: State,  # (N,)
    *,
    seed: int,
    qubit: int = 0,
) -> int:
    """Bob's answer from one copy: 1 where the qubit that tells H from its complement reads 0."""
    _check_sizes(state, len(basis))
    string = measure(rotation_onto(basis, qubit=qubit) @ state, shots=1, seed=seed)[0]
    return 1 - 2 * int(string[qubit])


def subspace_by_state(
    instance: SubspaceInstance, *, seed: int, qubit: int = 0, processes: bool = False
) -> Answer:
    """Vector in Subspace by one message of log2 N qubits and one shot, without error.

    Raises:
        InputError: N is not a power of two, or the register has no such qubit.
    """
    return one_way(
        partial(encode, instance.vector),
        partial(subspace_from_state, instance.basis, seed=seed, qubit=qubit),
        kind="qubit",
        size=qubits_of(instance.size),
        purpose="state",
        processes=processes,
    )


def turned(
    state: State,  # (N,)
    basis: Real,  # (N, N / 2)
    *,
    angle: float,
    qubit: int = 0,
) -> State:
    """(N,): Bob's register in the gradient form, ready to measure Y of the qubit as its Z.

    He rotates H onto the qubit q, applies RX_q(angle), then the change from the Y to the Z basis.
    """
    _check_sizes(state, len(basis))
    half = angle / 2
    rx = np.array([[np.cos(half), -1j * np.sin(half)], [-1j * np.sin(half), np.cos(half)]])
    grid = (rotation_onto(basis, qubit=qubit) @ state).reshape(2**qubit, 2, -1)
    result: State = np.einsum("ab,xby->xay", _Y_BASIS @ rx, grid).reshape(-1)
    return result


def gradient_form(
    state: State,  # (N,)
    basis: Real,  # (N, N / 2)
    *,
    angle: float,
    qubit: int = 0,
) -> float:
    """f(t) = <Y_q> after RX_q(t), exactly; df/dt at t = 0 is -<Z_q>, whose sign decides.

    Derived in tests/tnqml/test_one_shot.py: f(t) = <Y_q> cos t - <Z_q> sin t.
    """
    grid = turned(state, basis, angle=angle, qubit=qubit).reshape(2**qubit, 2, -1)
    zero, one = (np.abs(grid) ** 2).sum((0, 2))
    return float(zero - one)


def subspace_from_gradient(
    basis: Real,  # (N, N / 2)
    states: Sequence[State],  # two of (N,)
    *,
    seed: int,
    qubit: int = 0,
) -> int:
    """Bob's answer from two copies: the sign of -(f(pi/2) - f(-pi/2))/2, a shot of each f."""
    if len(states) != 2:
        raise InputError(f"{len(states)} copies arrived; expected 2, one for each shift")
    outcomes = []
    for step, (state, angle) in enumerate(zip(states, (np.pi / 2, -np.pi / 2), strict=True)):
        register = turned(state, basis, angle=angle, qubit=qubit)
        string = measure(register, shots=1, seed=torch_seed(seed, _OUTCOMES, step))[0]
        outcomes.append(1 - 2 * int(string[qubit]))
    return 1 if outcomes[0] < outcomes[1] else -1


def subspace_by_gradient(
    instance: SubspaceInstance, *, seed: int, qubit: int = 0, processes: bool = False
) -> Answer:
    """Vector in Subspace by the sign of one gradient, df/dt at 0 of the gradient form.

    By parameter shift, (f(pi/2) - f(-pi/2))/2, each from one shot: two copies, without error.

    Raises:
        InputError: N is not a power of two, or the register has no such qubit.
    """
    return one_way(
        partial(encode, instance.vector),
        partial(_from_two_copies, instance.basis, seed=seed, qubit=qubit),
        kind="qubit",
        size=qubits_of(instance.size),
        copies=2,
        purpose="state",
        processes=processes,
    )


def _from_two_copies(basis: Real, state: State, *, seed: int, qubit: int) -> int:
    return subspace_from_gradient(basis, [state, state], seed=seed, qubit=qubit)


def half_encode(
    data: Real,  # (N,)
) -> State:
    """(2N,) amplitudes, (|0>|x> + |1>|0...0>)/sqrt(2): Alice's message, the ancilla first."""
    state = np.zeros(2 * len(data), dtype=np.complex128)
    state[: len(data)] = encode(data)
    state[len(data)] = 1
    state /= np.sqrt(2)
    return state


def hybrid_state(
    weights: Real,  # (N,)
    state: State,  # (2N,)
) -> State:
    """(2N,): Bob takes |0...0> to |w> where the ancilla is 1, then turns its X into Z.

    From Alice's message this makes (|0>|x> + |1>|w>)/sqrt(2), and P(ancilla reads 0) is
    (1 + x . w)/2.
    """
    _check_sizes(state, 2 * len(weights))
    zero, one = state.reshape(2, -1)
    one = _prepared(weights, one)
    turned_ancilla: State = np.concatenate([zero + one, zero - one]) / np.sqrt(2)
    return turned_ancilla


def linear_from_state(
    weights: Real,  # (N,)
    state: State,  # (2N,)
    *,
    copies: int,
    seed: int,
) -> int:
    """Bob's answer from so many copies: 1 where most ancillas read 0; a fair coin at a tie."""
    strings = measure(hybrid_state(weights, state), shots=copies, seed=seed)
    return majority(copies - int(strings[:, 0].sum()), copies, seed=seed)


def linear_by_ancilla(
    instance: LinearInstance, *, copies: int, seed: int, processes: bool = False
) -> Answer:
    """Linear classification by copies of (|0>|x> + |1>|w>)/sqrt(2), the ancilla read in X.

    Alice sends Bob (|0>|x> + |1>|0...0>)/sqrt(2), log2 N + 1 qubits a copy, in one message; Bob
    prepares his |w> on the other branch, measures, and takes the majority.

    Raises:
        InputError: N is not a power of two, or copies is under 1.
    """
    check_count(copies, "copies")
    return one_way(
        partial(half_encode, instance.data),
        partial(linear_from_state, instance.weights, copies=copies, seed=seed),
        kind="qubit",
        size=qubits_of(instance.size) + 1,
        copies=copies,
        purpose="state",
        processes=processes,
    )


def qubits_of(size: int) -> int:
    """log2 N, the qubits of N amplitudes.

    Raises:
        InputError: N is not a power of two of at least 2.
    """
    if size < 2 or size & (size - 1):
        raise InputError(
            f"the dimension is {size}; the quantum protocols need a power of two of at least 2: "
            "pad the vectors with zeros"
        )
    return size.bit_length() - 1


def _prepared(weights: Real, state: State) -> State:
    """A state after the unitary that takes |0...0> to |w>, a reflection up to sign."""
    sign = 1.0 if weights[0] >= 0 else -1.0  # of the two normals, the one that does not cancel
    normal = weights.copy()
    normal[0] += sign
    reflected: State = state - 2 / (normal @ normal) * normal * (normal @ state)
    return -sign * reflected


def _check_sizes(state: State, size: int) -> None:
    if len(state) != size:
        raise InputError(
            f"a state of {len(state)} amplitudes arrived; Bob's part needs {size}: expected the "
            "same dimension on both sides"
        )
