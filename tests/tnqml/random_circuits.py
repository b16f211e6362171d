"""Random gates, circuits and observables of every kind, and derivatives of the dense reference."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import unitary_group

from tnqml import KINDS, Circuit, Gate, Observable, pauli, reference

ONE = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p")
TWO = (
    *("cx", "cy", "cz", "swap", "iswap"),
    *("crx", "cry", "crz", "cp", "rxx", "ryy", "rzz"),
)
ANY = ("pauli", "diagonal", "unitary")
ANGLED = (
    "rx",
    "ry",
    "rz",
    "p",
    "crx",
    "cry",
    "crz",
    "cp",
    "rxx",
    "ryy",
    "rzz",
    "pauli",
    "diagonal",
)
assert set(ONE + TWO + ANY) == set(KINDS)


def arity_of(kind: str, generator: np.random.Generator, most: int) -> int:
    if kind in ONE:
        return 1
    return (
        2 if kind in TWO else int(generator.integers(1, min(most, 4 if kind == "pauli" else 3) + 1))
    )


def random_gate(
    kind: str,
    generator: np.random.Generator,
    *,
    qubits: int,
    features: int,
    parameters: int,
    source: str | None = None,
    party: str | None = None,
) -> Gate:
    """A gate of a kind on random qubits; its angle's source and its party random or as named."""
    arity = arity_of(kind, generator, qubits)
    places = [int(place) for place in generator.permutation(qubits)[:arity]]
    options: dict[str, object] = {"party": ("alice", "bob", None)[generator.integers(3)]}
    if party is not None:
        options["party"] = party
    if kind == "pauli":
        options["word"] = "".join(generator.choice(list("XYZ"), arity))
    if kind == "diagonal":
        options["phases"] = generator.uniform(-1, 1, 2**arity)
    if kind == "unitary":
        options["matrix"] = np.reshape(
            unitary_group.rvs(2**arity, random_state=generator), (2**arity, 2**arity)
        )
    if kind in ANGLED:
        sources = ["angle"] + ["feature"] * bool(features) + ["parameter"] * bool(parameters)
        chosen = source or str(generator.choice(sources))
        if chosen == "angle":
            options["angle"] = float(generator.uniform(-4, 4))
        else:
            most = features if chosen == "feature" else parameters
            options[chosen] = int(generator.integers(most))
            options["scale"] = float(generator.choice([1.0, -1.0, 0.5, 1.7]))
    return Gate(kind, places, **options)


def random_circuit(
    seed: int,
    *,
    qubits: int,
    gates: int,
    features: int = 3,
    parameters: int = 6,
    amplitudes: int = 0,
) -> Circuit:
    """Gates of random kinds; features and parameters are shared between them."""
    generator = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS if qubits > 1 or kind not in TWO]
    chosen = generator.permutation(kinds)  # every kind before any comes again
    listed = [
        random_gate(
            str(chosen[k % len(chosen)]),
            generator,
            qubits=qubits,
            features=features,
            parameters=parameters,
        )
        for k in range(gates)
    ]
    return Circuit(qubits, listed, amplitudes=amplitudes)


def random_string(generator: np.random.Generator, qubits: int, *, most: int = 4) -> Observable:
    count = int(generator.integers(1, min(most, qubits) + 1))
    places = [int(place) for place in generator.permutation(qubits)[:count]]
    return pauli("".join(generator.choice(list("XYZ"), count)), places)


def random_observables(seed: int, qubits: int) -> list[Observable]:
    """A single string, a weighted sum that shares it, and one with a constant."""
    generator = np.random.default_rng([seed, 1])
    one, two, three = (random_string(generator, qubits) for _ in range(3))
    return [one, 0.7 * one - 1.3 * two, Observable([(0.4, ())]) + 2.0 * three + two - one]


def angles(seed: int, *shape: int) -> NDArray[np.float64]:
    return np.random.default_rng([seed, 2]).uniform(-3, 3, shape)


def small_state(
    circuit: Circuit, parameters: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """`reference.state` with its matrices applied to their own axes: the same, but quick."""
    vector = np.zeros(2**circuit.qubits, dtype=complex)
    vector[0] = 1
    if circuit.amplitudes:
        vector[: circuit.amplitudes] = x[: circuit.amplitudes]
        vector /= np.linalg.norm(vector)
    tensor = vector.reshape((2,) * circuit.qubits)
    for gate in circuit.gates:
        arity = len(gate.qubits)
        matrix = reference.small_matrix(gate, gate.angle(x.tolist(), parameters.tolist()))
        turned = np.tensordot(
            matrix.reshape((2,) * (2 * arity)), tensor, (range(arity, 2 * arity), gate.qubits)
        )
        tensor = np.moveaxis(turned, range(arity), gate.qubits)
    return tensor.reshape(-1)


def expectation(state: NDArray[np.complex128], observable: Observable) -> float:
    """<state| O |state>, letter by letter."""
    qubits = len(state).bit_length() - 1
    total = 0.0
    for weight, string in observable.terms:
        tensor = state.reshape((2,) * qubits)
        for qubit, letter in string:
            matrix = reference.small_matrix(Gate(letter.lower(), 0), 0.0)
            tensor = np.moveaxis(np.tensordot(matrix, tensor, (1, qubit)), 0, qubit)
        total += weight * float(np.vdot(state, tensor.reshape(-1)).real)
    return total


def reference_values(
    circuit: Circuit,
    observables: Sequence[Observable],
    parameters: NDArray[np.float64],
    x: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(batch, observables), right and quick; `test_the_quick_oracle` holds it to the reference."""
    states = [small_state(circuit, parameters, row) for row in x]
    return np.array(
        [[expectation(state, observable) for observable in observables] for state in states]
    )


_STENCIL = {1: 45 / 60, 2: -9 / 60, 3: 1 / 60}


def central(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    at: NDArray[np.float64],
    *,
    step: float = 4e-3,
) -> NDArray[np.float64]:
    """Derivatives along a new last axis by central differences, right to order step^6."""
    columns = []
    for place in range(len(at)):
        way = np.eye(len(at))[place] * step
        columns.append(
            sum(
                weight * (function(at + k * way) - function(at - k * way))
                for k, weight in _STENCIL.items()
            )
            / step
        )
    return np.stack(columns, -1)
