"""OpenQASM 2.0: a circuit at given angles as text, so that any other simulator can check it.

Only gates that every version of `qelib1.inc` defines alike, up to a global phase, are written:
rx, ry, rz, u1, u3, h, x, y, z, s, sdg, t, tdg, cx, cy, cz, crz and cu1. All others are decomposed
into these.
"""

import cmath
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.gates import Gate
from tnqml.paulis import Complex

Real = NDArray[np.float64]

_HEADER = """OPENQASM 2.0;
include "qelib1.inc";
// State vectors count q[0] as the most significant bit of the index; the global phase is dropped.
"""
_PLAIN = {"h", "x", "y", "z", "s", "sdg", "t", "tdg", "cx", "cy", "cz"}
_ROTATIONS = {"rx": "rx", "ry": "ry", "rz": "rz", "crz": "crz", "p": "u1", "cp": "cu1"}
_TO_Z = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}
_FROM_Z = {"X": ("h",), "Y": ("h", "s"), "Z": ()}
_NEGLIGIBLE = 1e-15


@dataclass(frozen=True)
class Operation:
    """One line of the text."""

    name: str
    qubits: tuple[int, ...]
    angles: tuple[float, ...] = ()

    def __str__(self) -> str:
        angles = f"({','.join(map(_number, self.angles))})" if self.angles else ""
        return f"{self.name}{angles} {','.join(f'q[{qubit}]' for qubit in self.qubits)};"


def to_qasm(
    circuit: Circuit,
    parameters: ArrayLike,  # (parameters,)
    x: ArrayLike,  # (features,)
) -> str:
    """OpenQASM 2.0 text of a circuit at one set of parameters and one input, without measurements.

    Angles are in radians, written so that they are read back to the last bit. A gate that OpenQASM
    lacks becomes several: Pauli rotations by a ladder of CX; diagonals by multiplexed RZ; dense
    unitaries by the quantum Shannon decomposition (Shende, Bullock, Markov 2006), about 4^k lines
    for k qubits; amplitudes by multiplexed RY (Möttönen, Vartiainen, Bergholm, Salomaa 2005). The
    text prepares the circuit's state to rounding, up to a global phase; a given matrix that is
    unitary only to some error is replaced by a unitary that near. A comment names the party
    wherever it changes.

    Args:
        circuit: the gates.
        parameters: angles (parameters,), finite.
        x: one input (features,), finite; not a batch.

    Raises:
        InputError: the circuit is noisy; parameters or x do not fit the circuit, or are not finite;
            the amplitudes are all zero.

    Example:
        >>> from tnqml.gates import Gate
        >>> circuit = Circuit(2, [Gate("ry", 0, feature=0, party="alice"), Gate("cx", (0, 1))])
        >>> print(to_qasm(circuit, [], [0.5]).partition("dropped.")[2].strip())
        qreg q[2];
        // alice
        ry(0.5) q[0];
        // no party
        cx q[0],q[1];
    """
    if circuit.noisy:
        raise InputError("OpenQASM 2 has no noise channels; leave them out of the circuit")
    theta = _vector(parameters, name="parameters", length=circuit.parameters)
    features = _vector(x, name="x", length=circuit.features)
    lines = [f"qreg q[{circuit.qubits}];"]
    if circuit.amplitudes:
        lines.append("// the amplitudes")
        amplitudes = np.zeros(2**circuit.qubits)
        amplitudes[: circuit.amplitudes] = features[: circuit.amplitudes]
        lines += map(str, prepare(amplitudes, range(circuit.qubits)))
    holder: str | None = None
    angles, data = theta.tolist(), features.tolist()
    for gate in circuit.gates:
        if gate.party != holder:
            holder = gate.party
            lines.append(f"// {'no party' if holder is None else ' '.join(holder.split())}")
        lines += map(str, _operations(gate, gate.angle(data, angles)))
    return _HEADER + "\n".join(lines) + "\n"


def _vector(values: ArrayLike, *, name: str, length: int) -> Real:
    detached = values.detach().cpu() if isinstance(values, Tensor) else values
    try:
        array = np.asarray(detached)
        real = None if np.iscomplexobj(array) else array.astype(np.float64)
    except (TypeError, ValueError):
        real = None
    if real is None:
        raise InputError(
            f"{name} is {type(values).__name__} {values!r:.60}; expected {length} real numbers"
        )
    if real.shape != (length,):
        raise InputError(f"{name} has shape {real.shape}; expected ({length},), for one input")
    if not np.isfinite(real).all():
        place = int(np.flatnonzero(~np.isfinite(real))[0])
        raise InputError(f"{name}[{place}] is {real[place]}; expected finite numbers")
    return real


def _number(value: float) -> str:
    """The shortest text that is read back as the same number; the grammar demands a point."""
    if not math.isfinite(value):
        raise InputError(f"an angle overflows to {value}; scale the data or the parameters down")
    mantissa, exponent, power = repr(float(value)).partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + exponent + power


def _operations(gate: Gate, angle: float) -> Iterator[Operation]:
    kind, qubits = gate.kind, gate.qubits
    if kind in _PLAIN:
        yield Operation(kind, qubits)
    elif kind in _ROTATIONS:
        yield Operation(_ROTATIONS[kind], qubits, (angle,))
    elif kind in {"sx", "sxdg"}:
        yield Operation("rx", qubits, (math.pi / 2 if kind == "sx" else -math.pi / 2,))
    elif kind == "crx":
        yield Operation("h", qubits[1:])
        yield Operation("crz", qubits, (angle,))
        yield Operation("h", qubits[1:])
    elif kind == "cry":
        yield from _multiplexed("ry", np.array([0.0, angle]), qubits[:1], target=qubits[1])
    elif kind in {"swap", "iswap"}:
        yield from _swap(qubits, phase=kind == "iswap")
    elif kind in {"rxx", "ryy", "rzz"}:
        yield from _pauli_rotation(kind[1:].upper(), angle, qubits)
    elif kind == "pauli":
        yield from _pauli_rotation(gate.form.word, angle, qubits)
    elif kind == "diagonal":
        yield from _diagonal(angle * np.asarray(gate.form.array, dtype=np.float64), qubits)
    else:
        yield from _dense(np.asarray(gate.form.array, dtype=np.complex128), qubits)


def _swap(qubits: tuple[int, ...], *, phase: bool) -> Iterator[Operation]:
    first, second = qubits
    if phase:
        yield Operation("s", (first,))
        yield Operation("s", (second,))
        yield Operation("cz", qubits)
    for pair in (qubits, (second, first), qubits):
        yield Operation("cx", pair)


def _pauli_rotation(word: str, angle: float, qubits: tuple[int, ...]) -> Iterator[Operation]:
    """exp(-i angle P / 2): to the basis of Z, the parity on the last qubit, RZ there, and back."""
    letters = list(zip(word, qubits, strict=True))
    for letter, qubit in letters:
        yield from (Operation(name, (qubit,)) for name in _TO_Z[letter])
    ladder = [Operation("cx", pair) for pair in itertools.pairwise(qubits)]
    yield from ladder
    yield Operation("rz", qubits[-1:], (angle,))
    yield from reversed(ladder)
    for letter, qubit in letters:
        yield from (Operation(name, (qubit,)) for name in _FROM_Z[letter])


def _multiplexed(
    name: str,
    angles: Real,  # (2^controls,)
    controls: Sequence[int],
    *,
    target: int,
) -> Iterator[Operation]:
    """RY or RZ by the angle that the controls choose, the first the most significant.

    The k-th mask of a Gray code is the set of controls whose parity has flipped the target, and
    with it the sign of the rotation, so the rotations are the Walsh-Hadamard transform of the
    angles (Möttönen et al. 2005, eq. 3).
    """
    count = len(controls)
    rotations = np.array(angles, dtype=np.float64)
    for axis in range(count):
        halves = rotations.reshape(2**axis, 2, -1)
        rotations = (
            np.stack([halves[:, 0] + halves[:, 1], halves[:, 0] - halves[:, 1]], axis=1).ravel() / 2
        )
    if (np.abs(rotations) <= _NEGLIGIBLE).all():
        return
    for step in range(2**count):
        mask, following = step ^ step >> 1, (step + 1) ^ (step + 1) >> 1
        if abs(rotations[mask]) > _NEGLIGIBLE:
            yield Operation(name, (target,), (float(rotations[mask]),))
        if count:
            changed = (mask ^ following).bit_length() - 1
            yield Operation("cx", (controls[max(count - 1 - changed, 0)], target))


def _diagonal(
    phases: Real,  # (2^qubits,)
    qubits: Sequence[int],
) -> Iterator[Operation]:
    """diag(exp(-i phases)): an RZ on the last qubit by the differences, then their means."""
    while len(qubits):
        pairs = phases.reshape(-1, 2)
        yield from _multiplexed("rz", pairs[:, 0] - pairs[:, 1], qubits[:-1], target=qubits[-1])
        phases, qubits = pairs.mean(axis=1), qubits[:-1]
        phases = phases - phases.mean()


def _dense(
    matrix: Complex,  # (2^qubits, 2^qubits)
    qubits: Sequence[int],
) -> Iterator[Operation]:
    """A unitary by cosine-sine decomposition on its first qubit, recursively."""
    if len(qubits) == 1:
        yield Operation("u3", (qubits[0],), _euler(matrix))
        return
    half = len(matrix) // 2
    from scipy.linalg import cossin

    left, angles, right = cossin(matrix, p=half, q=half, separate=True)
    yield from _choice(np.asarray(right, dtype=np.complex128), qubits)
    rotations = 2 * np.asarray(angles, dtype=np.float64)
    yield from _multiplexed("ry", rotations, qubits[1:], target=qubits[0])
    yield from _choice(np.asarray(left, dtype=np.complex128), qubits)


def _choice(
    unitaries: Complex,  # (2, 2^later, 2^later)
    qubits: Sequence[int],
) -> Iterator[Operation]:
    """One of two unitaries on the later qubits, chosen by the first.

    With V D^2 V^dagger the diagonal form of if_zero if_one^dagger they are V D W and V D^dagger W,
    W = D V^dagger if_one (Shende, Bullock, Markov 2006, theorem 12).
    """
    if_zero, if_one = unitaries
    from scipy.linalg import schur

    triangle, vectors = schur(if_zero @ if_one.conj().T, output="complex")
    squares = np.angle(np.diag(triangle))
    last = np.exp(0.5j * squares)[:, None] * vectors.conj().T @ if_one
    yield from _dense(last, qubits[1:])
    yield from _multiplexed("rz", -squares, qubits[1:], target=qubits[0])
    yield from _dense(vectors, qubits[1:])


def _euler(
    matrix: Complex,  # (2, 2)
) -> tuple[float, float, float]:
    """The angles of u3 = RZ(second) RY(first) RZ(third), up to a global phase."""
    special = matrix / cmath.sqrt(np.linalg.det(matrix))
    cosine, sine = complex(special[0, 0]), complex(special[1, 0])
    polar = 2 * math.atan2(abs(sine), abs(cosine))
    return (
        polar,
        cmath.phase(sine) - cmath.phase(cosine),
        -cmath.phase(sine) - cmath.phase(cosine),
    )


def prepare(
    amplitudes: Real,  # (2^qubits,)
    qubits: Sequence[int],
) -> Iterator[Operation]:
    """RY and CX that take |0...0> to real amplitudes; the last rotations carry the signs.

    About 2^(qubits + 1) of them, by multiplexed rotations qubit by qubit (Möttönen, Vartiainen,
    Bergholm, Salomaa 2005).
    """
    largest = np.abs(amplitudes).max()
    if largest == 0:
        raise InputError("x is zero in its amplitudes; a zero vector is no quantum state")
    scaled = amplitudes / largest
    for position, qubit in enumerate(qubits):
        blocks = scaled.reshape(2 ** (position + 1), -1)
        weights = blocks[:, 0] if blocks.shape[1] == 1 else np.linalg.norm(blocks, axis=1)
        pairs = weights.reshape(-1, 2)
        angles = 2 * np.arctan2(pairs[:, 1], pairs[:, 0])
        yield from _multiplexed("ry", angles, qubits[:position], target=qubit)
