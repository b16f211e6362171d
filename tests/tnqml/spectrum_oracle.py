"""Spectra by brute force: the dense simulation at a grid of phases, one for each upload, and FFT.

Knows nothing of networks or of axes: a term is a tuple of d, one for each upload of the circuit.
"""

import itertools
from collections import defaultdict

import numpy as np

from tnqml import Circuit, Gate, reference


def uploads_of(circuit):
    """Positions of the gates that read a feature; all have d in -1, 0, 1 at scale 1."""
    return [k for k, gate in enumerate(circuit.gates) if gate.source == "feature"]


def with_own_phases(circuit):
    """The circuit with a feature of its own, at scale 1, for each upload."""
    gates, count = [], itertools.count()
    for gate in circuit.gates:
        if gate.source == "feature":
            word = {"word": gate.form.word} if gate.kind == "pauli" else {}
            gates.append(Gate(gate.kind, gate.qubits, feature=next(count), **word))
        else:
            gates.append(gate)
    return Circuit(circuit.qubits, gates)


def dense_values(circuit, observable, theta, x):
    """(batch,): expectations, each gate as a small dense matrix on states (batch, 2, 2, ...)."""
    states = np.zeros((len(x), *(2,) * circuit.qubits), dtype=complex)
    states[(slice(None), *(0,) * circuit.qubits)] = 1

    def turned(states, matrices, qubits):
        axes = [qubit + 1 for qubit in qubits]
        moved = np.moveaxis(states, axes, range(1, len(axes) + 1))
        flat = moved.reshape(len(moved), 2 ** len(qubits), -1)
        result = np.reshape(matrices, (-1, 2 ** len(qubits), 2 ** len(qubits))) @ flat
        return np.moveaxis(result.reshape(moved.shape), range(1, len(axes) + 1), axes)

    for gate in circuit.gates:
        if gate.source == "feature":
            angles, which = np.unique(gate.value * x[:, gate.slot], return_inverse=True)
            matrices = np.stack([reference.small_matrix(gate, angle) for angle in angles])[which]
        else:
            matrices = reference.small_matrix(gate, gate.angle([], theta))
        states = turned(states, matrices, gate.qubits)
    total = np.zeros(len(x))
    for weight, string in observable.terms:
        image = states
        for qubit, letter in string:
            image = turned(image, reference.small_matrix(Gate(letter.lower(), 0), 0.0), (qubit,))
        total += weight * (states.conj() * image).reshape(len(x), -1).sum(1).real
    return total


def upload_terms(circuit, observable, theta):
    """{(d of each upload): C_d}, with d the frequency in units of |scale| and its sign."""
    count = len(uploads_of(circuit))
    grid = 2 * np.pi * np.indices((3,) * count).reshape(count, -1).T / 3
    values = dense_values(with_own_phases(circuit), observable, theta, grid)
    table = np.fft.fftn(values.reshape((3,) * count)) / len(grid)
    signs = [np.sign(circuit.gates[k].value) for k in uploads_of(circuit)]
    return {
        tuple(int(d * s) for d, s in zip(term, signs, strict=True)): complex(table[term])
        for term in itertools.product((0, 1, -1), repeat=count)
    }


def feature_terms(circuit, terms):
    """{(frequency of each feature): C}: terms of the same frequencies added up."""
    uploads = [circuit.gates[k] for k in uploads_of(circuit)]
    merged = defaultdict(complex)
    for term, value in terms.items():
        totals = np.zeros(circuit.features)
        for gate, d in zip(uploads, term, strict=True):
            totals[gate.slot] += abs(gate.value) * d
        merged[tuple(np.round(totals, 9) + 0.0)] += value
    return dict(merged)


def by(key, terms, length):
    """The power |C|^2 of the terms summed by an integer key of the term, (length,)."""
    powers = np.zeros(length)
    for term, value in terms.items():
        powers[key(term)] += abs(value) ** 2
    return powers


def entropy(terms):
    """Of |C|^2 over its sum, in nats."""
    power = np.array([abs(value) ** 2 for value in terms.values()])
    share = power[power > 0] / power.sum()
    return float(-(share * np.log(share)).sum())


def uploading_circuit(scales, seed, *, kinds=("rz", "rx", "ry")):
    """3 qubits, each feature uploaded once a round on the next qubit, rotations and CZ between.

    Args:
        scales: for each round and feature, (rounds, 3).
        seed: of the fixed angles.
        kinds: of the uploads, in turn.
    """
    generator = np.random.default_rng(seed)

    def mixing():
        for qubit in range(3):
            yield Gate("ry", qubit, angle=float(generator.uniform(-3, 3)))
            yield Gate("rz", qubit, angle=float(generator.uniform(-3, 3)))
        yield from (Gate("cz", pair) for pair in ((0, 1), (1, 2)))
        yield from (Gate("rx", q, angle=float(generator.uniform(-3, 3))) for q in range(3))

    gates = list(mixing())
    for turn, row in enumerate(scales):
        for feature, scale in enumerate(row):
            kind = kinds[(turn + feature) % len(kinds)]
            gates.append(Gate(kind, (feature + turn) % 3, feature=feature, scale=float(scale)))
        gates += mixing()
    return Circuit(3, gates)
