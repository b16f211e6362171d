"""A dense reference, written for clarity alone: the oracle of the tests.

It shares no code with the routes that it judges: it knows gates by their textbook definitions,
builds every one as a full 2^n x 2^n matrix and multiplies. Use it up to about ten qubits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import expm

from tnqml.circuit import Circuit
from tnqml.gates import Gate
from tnqml.observables import Observable

Complex = NDArray[np.complex128]

_I = np.array([[1, 0], [0, 1]], dtype=complex)
_X = np.array([[0, 1], [1, 0]], dtype=complex)
_Y = np.array([[0, -1j], [1j, 0]], dtype=complex)
_Z = np.array([[1, 0], [0, -1]], dtype=complex)
_LETTERS = {"I": _I, "X": _X, "Y": _Y, "Z": _Z}
_SWAP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex)


def _word(word: str) -> Complex:
    result = np.ones((1, 1), dtype=complex)
    for letter in word:
        result = np.kron(result, _LETTERS[letter])
    return result


def _rotation(word: str, angle: float) -> Complex:
    return np.asarray(expm(-0.5j * angle * _word(word)))


def _if_one(unitary: Complex) -> Complex:
    """The unitary on the later qubits if the first is 1."""
    result = np.eye(2 * len(unitary), dtype=complex)
    result[len(unitary) :, len(unitary) :] = unitary
    return result


def small_matrix(gate: Gate, angle: float) -> Complex:
    """The gate's matrix on its own qubits, from its definition."""
    kind = gate.kind
    if kind == "unitary":
        return np.asarray(gate.form.array, dtype=complex)
    if kind == "diagonal":
        return np.diag(np.exp(-1j * angle * gate.form.array))
    if kind == "pauli":
        return _rotation(gate.form.word, angle)
    if kind in {"rx", "ry", "rz", "rxx", "ryy", "rzz"}:
        return _rotation(kind[1:].upper(), angle)
    if kind in {"crx", "cry", "crz"}:
        return _if_one(_rotation(kind[2:].upper(), angle))
    phase = np.diag([1, np.exp(1j * angle)])
    root_of_x = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
    known: dict[str, NDArray[np.generic]] = {
        "p": phase,
        "cp": _if_one(phase),
        "h": np.array([[1, 1], [1, -1]], dtype=complex) / np.sqrt(2),
        "x": _X,
        "y": _Y,
        "z": _Z,
        "s": np.diag([1, 1j]),
        "sdg": np.diag([1, -1j]),
        "t": np.diag([1, np.exp(1j * np.pi / 4)]),
        "tdg": np.diag([1, np.exp(-1j * np.pi / 4)]),
        "sx": root_of_x,
        "sxdg": root_of_x.conj().T,
        "cx": _if_one(_X),
        "cy": _if_one(_Y),
        "cz": _if_one(_Z),
        "swap": _SWAP,
        "iswap": _SWAP @ np.diag([1, 1j, 1j, 1]),
    }
    return known[kind].astype(complex)


def full_matrix(matrix: Complex, qubits: Sequence[int], count: int) -> Complex:
    """A matrix on some qubits as one on all, entry by entry; qubit 0 is the most significant."""
    result = np.zeros((2**count, 2**count), dtype=complex)
    for column in range(2**count):
        bits = [(column >> (count - 1 - qubit)) & 1 for qubit in range(count)]
        small_column = int("".join(str(bits[qubit]) for qubit in qubits), 2)
        for small_row in range(len(matrix)):
            new = list(bits)
            for place, qubit in enumerate(qubits):
                new[qubit] = (small_row >> (len(qubits) - 1 - place)) & 1
            row = int("".join(map(str, new)), 2)
            result[row, column] += matrix[small_row, small_column]
    return result


def state(circuit: Circuit, parameters: ArrayLike, x: ArrayLike) -> Complex:
    """The state (2^qubits,) after the circuit, for one input and one set of parameters."""
    theta, features = np.asarray(parameters, dtype=float), np.asarray(x, dtype=float)
    vector = np.zeros(2**circuit.qubits, dtype=complex)
    if circuit.amplitudes:
        vector[: circuit.amplitudes] = features[: circuit.amplitudes]
        vector /= np.linalg.norm(vector)
    else:
        vector[0] = 1
    for gate in circuit.gates:
        small = small_matrix(gate, gate.angle(features.tolist(), theta.tolist()))
        vector = full_matrix(small, gate.qubits, circuit.qubits) @ vector
    return vector


def expectation(
    circuit: Circuit, observable: Observable, parameters: ArrayLike, x: ArrayLike
) -> float:
    """<phi| O |phi> for one input and one set of parameters."""
    vector = state(circuit, parameters, x)
    total = 0.0
    for weight, string in observable.terms:
        letters = dict(string)
        operator = _word("".join(letters.get(qubit, "I") for qubit in range(circuit.qubits)))
        total += weight * float((vector.conj() @ operator @ vector).real)
    return total
