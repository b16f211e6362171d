"""What quantum models cost besides communication: gates, depth, qubits, memory.

Preparing the data's state takes one party O(N) local gates and no message; a classical model of the
same shape multiplies vectors of N numbers by N x N matrices.
"""

from dataclasses import dataclass

import numpy as np

from tnqml.checks import check_count
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.gates import Gate
from tnqml.protocols.problems.instances import Real
from tnqml.qasm import prepare


@dataclass(frozen=True)
class Resources:
    """What one run of a circuit takes.

    Attributes:
        qubits: their number, which is also the memory of the quantum computer.
        gates: of all sizes.
        two_qubit_gates: of two qubits or more.
        depth: time steps, each gate as early as its qubits allow.
    """

    qubits: int
    gates: int
    two_qubit_gates: int
    depth: int

    def __add__(self, other: "Resources") -> "Resources":
        """One circuit after another on the same register."""
        return Resources(
            max(self.qubits, other.qubits),
            self.gates + other.gates,
            self.two_qubit_gates + other.two_qubit_gates,
            self.depth + other.depth,
        )


def resources(circuit: Circuit) -> Resources:
    """What one run of a circuit takes, the preparation of amplitude data not counted."""
    return Resources(
        qubits=circuit.qubits,
        gates=len(circuit.gates),
        two_qubit_gates=sum(gate.form.arity > 1 for gate in circuit.gates),
        depth=len(circuit.time_steps()),
    )


def preparation(
    data: Real,  # (N,)
    *,
    party: str | None = None,
) -> Circuit:
    """A circuit of one party that takes |0...0> to the data, normalised: about 2N gates.

    N need not be a power of two: the rest of the register stays 0. Source: Möttönen, Vartiainen,
    Bergholm, Salomaa 2005, by `qasm.prepare`.

    Raises:
        InputError: the data is no row of at least two finite numbers, or is zero.

    Example:
        >>> circuit = preparation(np.array([3.0, 4.0]))
        >>> [(gate.kind, round(gate.value, 6)) for gate in circuit.gates]
        [('ry', 1.85459)]
    """
    vector = np.asarray(data, dtype=np.float64)
    if vector.ndim != 1 or len(vector) < 2 or not np.isfinite(vector).all():
        raise InputError(
            f"the data has shape {vector.shape}; expected a row of at least two finite numbers"
        )
    count = (len(vector) - 1).bit_length()
    amplitudes = np.zeros(2**count)
    amplitudes[: len(vector)] = vector
    gates = [
        Gate(operation.name, operation.qubits, angle=operation.angles[0], party=party)
        if operation.angles
        else Gate(operation.name, operation.qubits, party=party)
        for operation in prepare(amplitudes, range(count))
    ]
    return Circuit(count, gates)


@dataclass(frozen=True)
class ClassicalStep:
    """What one value with all its gradients of a classical model takes.

    Attributes:
        operations: multiplications and additions.
        bytes_held: of its weights, activations and gradients, 8 bytes a number.
    """

    operations: int
    bytes_held: int


def classical_step(size: int, *, layers: int) -> ClassicalStep:
    """The classical counterpart of L alternating layers: 2L dense matrices on vectors of N.

    The reverse pass takes twice the forward one: a product for the vector, one for the matrix.

    Args:
        size: N.
        layers: L.
    """
    check_count(size, "the dimension")
    check_count(layers, "layers")
    matrices = 2 * layers
    return ClassicalStep(
        operations=3 * matrices * 2 * size**2,
        bytes_held=8 * (2 * matrices * size**2 + 2 * (matrices + 1) * size),
    )


def gradient_runs(parameters: int, *, shots: int) -> int:
    """Circuit runs of one gradient by parameter shift: two values of each parameter."""
    check_count(parameters, "parameters")
    check_count(shots, "shots")
    return 2 * parameters * shots
