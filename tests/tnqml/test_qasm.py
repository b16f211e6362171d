"""OpenQASM text, read by quimb and by a small reader here, against the dense reference."""

import math
import re

import numpy as np
import pytest
import quimb.tensor as qtn
import torch
from scipy.stats import unitary_group

from tnqml import KINDS, Circuit, Gate, ansatz, reference
from tnqml.errors import InputError
from tnqml.qasm import to_qasm

TOLERANCE = 1e-10
GRAMMAR = r"([a-z][a-z0-9]*)(?:\(([^)]*)\))? (q\[\d+\](?:,q\[\d+\])?);"  # of a gate's line
REAL = r"-?\d+\.\d*(?:e[+-]?\d+)?"  # OpenQASM 2.0 demands the point


def u3(theta, phi, lam):
    cos, sin = math.cos(theta / 2), math.sin(theta / 2)
    return np.array(
        [
            [cos, -np.exp(1j * lam) * sin],
            [np.exp(1j * phi) * sin, np.exp(1j * (phi + lam)) * cos],
        ]
    )


def controlled(matrix):
    return np.block([[np.eye(2), np.zeros((2, 2))], [np.zeros((2, 2)), matrix]])


# As qelib1.inc of the OpenQASM 2.0 paper defines them (arXiv:1707.03429).
ONE = {
    "h": u3(math.pi / 2, 0, math.pi),
    "x": u3(math.pi, 0, math.pi),
    "y": u3(math.pi, math.pi / 2, math.pi / 2),
    "z": u3(0, 0, math.pi),
    "s": u3(0, 0, math.pi / 2),
    "sdg": u3(0, 0, -math.pi / 2),
    "t": u3(0, 0, math.pi / 4),
    "tdg": u3(0, 0, -math.pi / 4),
}
ANGLES = {
    "u3": u3,
    "u1": lambda lam: u3(0, 0, lam),
    "rx": lambda theta: u3(theta, -math.pi / 2, math.pi / 2),
    "ry": lambda theta: u3(theta, 0, 0),
    "rz": lambda phi: u3(0, 0, phi),
    "cu1": lambda lam: np.diag([1, 1, 1, np.exp(1j * lam)]),
    "crz": lambda lam: np.diag([1, 1, np.exp(-0.5j * lam), np.exp(0.5j * lam)]),
}
TWO = {name: controlled(ONE[name[1]]) for name in ("cx", "cy", "cz")}


def read(text):
    """The state that the text prepares, by a reader that knows nothing but these gates."""
    lines = [line for line in text.splitlines() if not line.startswith("//")]
    assert lines[:2] == ["OPENQASM 2.0;", 'include "qelib1.inc";']
    count = int(re.fullmatch(r"qreg q\[(\d+)\];", lines[2])[1])
    state = np.zeros((2,) * count, dtype=complex)
    state[(0,) * count] = 1
    for line in lines[3:]:
        name, angles, places = re.fullmatch(GRAMMAR, line).groups()
        if angles is None:
            matrix = {**ONE, **TWO}[name]
        else:
            assert all(re.fullmatch(REAL, angle) for angle in angles.split(","))
            matrix = ANGLES[name](*map(float, angles.split(",")))
        qubits = [int(place) for place in re.findall(r"\d+", places)]
        arity = len(qubits)
        tensor = matrix.reshape((2,) * 2 * arity)
        state = np.tensordot(tensor, state, (range(arity, 2 * arity), qubits))
        state = np.moveaxis(state, range(arity), qubits)
    return state.ravel()


def distance(first, second):
    """Between two states up to a global phase; the largest entry of the difference."""
    overlap = np.vdot(first, second)
    return np.abs(second - first * overlap / abs(overlap)).max()


def check(circuit, parameters, x):
    text = to_qasm(circuit, parameters, x)
    wanted = reference.state(circuit, parameters, x)
    assert distance(read(text), wanted) < TOLERANCE
    found = qtn.CircuitDense.from_openqasm2_str(text).to_dense().ravel()
    assert distance(found, wanted) < TOLERANCE


def random_gate(kind, qubits, rng, source="angle"):
    arity = {"pauli": 3, "diagonal": 3, "unitary": 3}.get(kind)
    if arity is None:
        two = kind[0] == "c" or kind in {"swap", "iswap", "rxx", "ryy", "rzz"}
        arity = 2 if two else 1
    else:
        arity = int(rng.integers(1, min(arity, qubits) + 1))
    places = rng.permutation(qubits)[:arity].tolist()
    given = {}
    if kind == "pauli":
        given["word"] = "".join(rng.choice(list("XYZ"), arity))
    if kind == "diagonal":
        given["phases"] = rng.normal(size=2**arity)
    if kind == "unitary":
        given["matrix"] = unitary_group.rvs(2**arity, random_state=rng).reshape(2**arity, -1)
    elif kind not in KINDS[: KINDS.index("rx")]:
        scale = {} if source == "angle" else {"scale": rng.normal()}
        value = rng.normal() if source == "angle" else int(rng.integers(3))
        given |= {source: value, **scale}
    return Gate(kind, places, party=str(rng.choice(["alice", "bob"])), **given)


def scramble(qubits, rng):
    """Gates after which an error anywhere shows."""
    return [
        Gate("unitary", q, matrix=unitary_group.rvs(2, random_state=rng)) for q in range(qubits)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for qubits in (2, 3):
        gates = scramble(qubits, rng) + [random_gate(kind, qubits, rng) for _ in range(3)]
        check(Circuit(qubits, gates), [], [])


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits(seed):
    rng = np.random.default_rng(seed)
    qubits = int(rng.integers(2, 6))
    gates = scramble(qubits, rng)
    for kind in rng.permutation([*KINDS]):
        source = str(rng.choice(["angle", "feature", "parameter"]))
        gates.append(random_gate(kind, qubits, rng, source))
    amplitudes = int(rng.integers(1, 2**qubits + 1)) if seed % 2 else 0
    circuit = Circuit(qubits, gates, amplitudes=amplitudes)
    check(circuit, rng.normal(size=circuit.parameters), rng.normal(size=circuit.features))


@pytest.mark.parametrize("qubits", [1, 2, 3, 4, 5])
def test_a_dense_unitary_on_everything(qubits):
    rng = np.random.default_rng(qubits)
    matrix = unitary_group.rvs(2**qubits, random_state=rng)
    order = rng.permutation(qubits).tolist()
    gates = [*scramble(qubits, rng), Gate("unitary", order, matrix=matrix)]
    check(Circuit(qubits, gates), [], [])


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(8),
        -1j * np.eye(8),
        np.eye(8)[[3, 1, 2, 0, 7, 5, 6, 4]],
        np.eye(8)[::-1],
        np.kron(np.kron(*(2 * [np.array([[1, 1], [1, -1]]) / math.sqrt(2)])), np.diag([1, 1j])),
        np.diag(np.exp(1j * np.arange(8))),
        np.fft.fft(np.eye(8)) / math.sqrt(8),
    ],
    ids=["identity", "phase", "permutation", "flip", "product", "diagonal", "fourier"],
)
def test_degenerate_unitaries(matrix):
    rng = np.random.default_rng(0)
    check(Circuit(3, [*scramble(3, rng), Gate("unitary", (2, 0, 1), matrix=matrix)]), [], [])


@pytest.mark.parametrize(
    "matrix", [np.eye(2), np.eye(2)[::-1], np.diag([1j, -1]), [[0, -1], [1j, 0]]]
)
def test_one_qubit_unitaries_at_the_poles(matrix):
    check(Circuit(1, [Gate("ry", 0, angle=0.3), Gate("unitary", 0, matrix=matrix)]), [], [])


@pytest.mark.parametrize(
    ("qubits", "x"),
    [
        (1, [-1.0]),
        (1, [0.0, -3.0]),
        (2, [1.0, -1.0, 1.0, -1.0]),
        (2, [0.0, 0.0, 0.0, -2.0]),
        (3, [0.0, -1.0, 2.0, 0.0, 0.0]),
        (3, [1e-170, -2e-170, 3e-170]),
        (3, [1e200, -2e200, 3e200, 1e200]),
    ],
)
def test_amplitudes(qubits, x):
    circuit = Circuit(qubits, [Gate("h", 0)], amplitudes=len(x))
    expected = np.zeros(2**qubits)
    expected[: len(x)] = np.array(x) / np.abs(x).max()
    expected /= np.linalg.norm(expected)
    gate = np.kron(np.array([[1, 1], [1, -1]]) / math.sqrt(2), np.eye(2 ** (qubits - 1)))
    assert distance(read(to_qasm(circuit, [], x)), gate @ expected) < TOLERANCE


def test_families_and_tensors():
    rng = np.random.default_rng(5)
    for circuit in (
        ansatz.brickwork(4, layers=2),
        ansatz.haar(2, layers=2, seed=1),
        ansatz.mirrored(ansatz.haar(2, layers=1, seed=1)),
    ):
        theta = torch.tensor(rng.normal(size=circuit.parameters), requires_grad=True)
        x = rng.normal(size=circuit.features)
        assert to_qasm(circuit, theta, x) == to_qasm(circuit, theta.detach().numpy(), x)
        check(circuit, theta.detach().numpy(), x)


def test_angles_keep_every_bit_and_follow_the_grammar():
    for angle in (1e-5, -1e-300, 0.1, 1e22, -2.5e-8, 3.0):
        line = to_qasm(Circuit(1, [Gate("rx", 0, angle=angle)]), [], []).splitlines()[-1]
        written = re.fullmatch(rf"rx\(({REAL})\) q\[0\];", line)[1]
        assert float(written) == angle


def test_parties_are_comments_and_cannot_leave_them():
    gates = [
        Gate("h", 0, party="alice"),
        Gate("x", 0, party="alice"),
        Gate("y", 0, party="b\nz 0;"),
    ]
    text = to_qasm(Circuit(1, [*gates, Gate("z", 0)]), [], [])
    tail = ["// alice", "h q[0];", "x q[0];", "// b z 0;", "y q[0];", "// no party", "z q[0];"]
    assert text.splitlines()[-len(tail) :] == tail
    assert text.endswith("\n")


BOTH = Circuit(1, [Gate("rx", 0, feature=1, scale=1e200), Gate("ry", 0, parameter=0)])


@pytest.mark.parametrize(
    ("circuit", "parameters", "x", "message"),
    [
        (BOTH, [1.0, 2.0], [0.0, 0.0], r"parameters has shape \(2,\); expected \(1,\)"),
        (BOTH, [1.0], [0.0], r"x has shape \(1,\); expected \(2,\)"),
        (BOTH, [1.0], [[0.0, 1.0]], r"x has shape \(1, 2\); expected \(2,\)"),
        (BOTH, [np.nan], [0.0, 0.0], r"parameters\[0\] is nan; expected finite"),
        (BOTH, [1.0], [0.0, np.inf], r"x\[1\] is inf; expected finite"),
        (BOTH, [1.0], [0.0, 1e200], "an angle overflows to inf"),
        (BOTH, [1j], [0.0, 0.0], "parameters is list .*; expected 1 real numbers"),
        (BOTH, ["a"], [0.0, 0.0], "parameters is list .*; expected 1 real numbers"),
        (BOTH, [[1.0], []], [0.0, 0.0], "parameters is list .*; expected 1 real numbers"),
        (Circuit(1, [], amplitudes=2), [], [0.0, 0.0], "x is zero in its amplitudes"),
    ],
)
def test_refusals(circuit, parameters, x, message):
    with pytest.raises(InputError, match=message):
        to_qasm(circuit, parameters, x)
