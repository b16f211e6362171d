"""Coefficients by name, marginals and whole spectra against FFT and brute force."""

import math

import numpy as np
import pytest
import torch
from random_circuits import ANGLED, ONE, angles, random_circuit, random_string, reference_values
from spectrum_oracle import dense_values, feature_terms, upload_terms, uploading_circuit, uploads_of

from contractions import ContractionTooLarge
from tnqml import Circuit, DistributedModel, Gate, InputError, Observable, X, Z, ansatz, parity
from tnqml.spectrum import axes, coefficient, coefficients, marginal
from tnqml.spectrum.frequencies import adder, base, exponentials, partition, signed, sums

ROOT = math.sqrt(2)
OBSERVABLE = 0.8 * parity([0, 2]) - 0.5 * X(1) + 0.4 * Z(0) + Observable([(0.3, ())])


def model_of(circuit, observables, theta=None):
    model = DistributedModel(circuit, observables, dtype=torch.float64)
    if theta is not None:
        model.theta.data = torch.tensor(theta)
    return model


def value_at(table, x):
    """sum C exp(i frequency x), axis by axis."""
    total = table.values
    for axis in reversed(table.axes):
        total = total @ np.exp(1j * np.array(axis.frequencies) * x[axis.feature])
    return total


@pytest.mark.parametrize("encoding", ["phase", "angle"])
def test_the_whole_spectrum_is_the_fft_of_the_model(encoding):
    circuit = ansatz.brickwork(4, layers=2, encoding=encoding)
    model = model_of(circuit, [Z(0), parity([1, 2])], angles(1, circuit.parameters))
    shape = (5,) * 4
    x = 2 * np.pi * np.indices(shape).reshape(4, -1).T / 5
    for output, observable in enumerate(model.observables):
        table = coefficients(model, output)
        values = dense_values(circuit, observable, angles(1, circuit.parameters), x)
        expected = np.fft.fftn(values.reshape(shape)) / 5**4
        found = np.zeros(shape, dtype=complex)
        for place in np.ndindex(*table.values.shape):
            term = [0] * 4
            for axis, k in zip(table.axes, place, strict=True):
                term[axis.feature] = int(axis.frequencies[k])
            found[tuple(term)] = table.values[place]
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("name", ["equal", "independent", "mixed"])
def test_coefficients_of_features_and_of_uploads(name):
    scales = {
        "equal": ((1, 1, 1), (1, 1, 1)),
        "independent": ((1, 1, 1), (ROOT, math.sqrt(3), math.sqrt(5))),
        "mixed": ((1, 1, -1), (-1, ROOT, 2)),
    }[name]
    circuit = uploading_circuit(scales, seed=2)
    terms = upload_terms(circuit, OBSERVABLE, np.zeros(0))
    model = model_of(circuit, OBSERVABLE)
    apart = coefficients(model, merging="independent")
    position = {gate: k for k, gate in enumerate(uploads_of(circuit))}
    columns = [position[axis.gates[0]] for axis in apart.axes]
    assert [axis.feature for axis in apart.axes] == [0, 0, 1, 1, 2, 2]
    assert all(len(axis.gates) == 1 for axis in apart.axes)
    for term, value in terms.items():
        places = tuple(term[column] + 1 for column in columns)
        assert abs(apart.values[places] - value) < 1e-12
    merged = feature_terms(circuit, terms)
    table = coefficients(model)
    assert table.values.size == len(merged)
    for place in np.ndindex(*table.values.shape):
        totals = np.zeros(3)
        for axis, k in zip(table.axes, place, strict=True):
            totals[axis.feature] += axis.frequencies[k]
        assert abs(table.values[place] - merged[tuple(np.round(totals, 9) + 0.0)]) < 1e-12


@pytest.mark.parametrize("kind", ANGLED)
def test_every_gate_that_can_upload(kind):
    """The spectrum gives the model back at random inputs, for either way of merging."""
    generator = np.random.default_rng([7, ANGLED.index(kind)])
    gates = []
    for turn in range(2):
        for qubit in range(3):
            gates += [Gate("ry", qubit, angle=float(generator.uniform(-3, 3)))]
            gates += [Gate("rz", qubit, angle=float(generator.uniform(-3, 3)))]
        arity = {"pauli": 3, "diagonal": 2}.get(kind) or (1 if kind in ONE else 2)
        options = {"word": "XYZ"} if kind == "pauli" else {}
        if kind == "diagonal":
            options = {"phases": generator.uniform(-1, 1, 4)}
        places = [int(q) for q in generator.permutation(3)[:arity]]
        gates.append(Gate(kind, places, feature=turn % 2, scale=(1.0, -1.5)[turn], **options))
        gates += [Gate("cz", (0, 1)), Gate("cx", (2, 1))]
        gates.append(Gate("rz", 2, feature=0, scale=0.5))
    gates += [Gate("ry", qubit, angle=float(generator.uniform(-3, 3))) for qubit in range(3)]
    circuit = Circuit(3, gates)
    model = model_of(circuit, OBSERVABLE)
    x = angles(8, 5, 2)
    expected = reference_values(circuit, [OBSERVABLE], np.zeros(0), x)[:, 0]
    for merging in ("scales", "independent"):
        table = coefficients(model, merging=merging)
        np.testing.assert_allclose([value_at(table, row) for row in x], expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*uploads? adds? nothing")
@pytest.mark.parametrize("seed", range(4))
def test_random_circuits(seed):
    """Gates of every kind, shared parameters and features, strings of any letters."""
    circuit = random_circuit(seed, qubits=4, gates=26)
    observable = random_string(np.random.default_rng(seed), 4)
    theta, x = angles(seed, circuit.parameters), angles(seed + 10, 4, circuit.features)
    expected = reference_values(circuit, [observable], theta, x)[:, 0]
    model = model_of(circuit, observable, theta)
    for merging in ("scales", "independent"):
        table = coefficients(model, merging=merging)
        np.testing.assert_allclose([value_at(table, row) for row in x], expected, atol=1e-12)


def test_single_coefficients_by_name():
    circuit = uploading_circuit(((1, 1, 1), (1, ROOT, 1)), seed=3)
    model = model_of(circuit, OBSERVABLE)
    gates = uploads_of(circuit)
    names = [axis.name for axis in axes(model)]
    assert names == ["x0", f"x1@{gates[1]}", f"x1@{gates[4]}", "x2"]
    table = coefficients(model)
    wanted = {"x0": 2.0, f"x1@{gates[4]}": -ROOT}
    assert coefficient(model, wanted) == pytest.approx(table.at(wanted), abs=1e-13)
    assert coefficient(model, {}) == pytest.approx(table.at({}), abs=1e-13)
    opposite = {name: -frequency for name, frequency in wanted.items()}
    assert coefficient(model, opposite) == pytest.approx(table.at(wanted).conjugate(), abs=1e-13)


def test_marginals_by_name():
    circuit = uploading_circuit(((1, 1, 1), (1, ROOT, 3)), seed=4)
    model = model_of(circuit, OBSERVABLE)
    table = coefficients(model)
    power = np.abs(table.values) ** 2
    names = [axis.name for axis in table.axes]
    for wanted in ([names[2]], [names[3], names[0]], []):
        found = marginal(model, wanted)
        places = [names.index(name) for name in wanted]
        rest = tuple(k for k in range(len(names)) if k not in places)
        expected = power.sum(rest)
        if len(places) == 2:
            expected = expected.T
        np.testing.assert_allclose(found.values, expected, atol=1e-14)
        assert [axis.name for axis in found.axes] == wanted
    both = marginal(model, names)
    np.testing.assert_allclose(both.values, power, atol=1e-14)


def test_marginals_far_beyond_enumeration():
    """f = prod cos x_q of 40 qubits: each axis has half its power at 1 and half at -1."""
    gates = [Gate("ry", q, feature=q) for q in range(40)]
    model = model_of(Circuit(40, gates), parity(range(40)))
    found = marginal(model, ["x17", "x3"])
    expected = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 4 / 2**40
    np.testing.assert_allclose(found.values, expected, rtol=1e-10, atol=1e-25)
    with pytest.raises(ContractionTooLarge, match=r"1\.22e\+19 coefficients.*spectrum\.sample"):
        coefficients(model)
    wanted = {f"x{q}": (-1) ** q for q in range(40)}
    assert coefficient(model, wanted) == pytest.approx(0.5**40, rel=1e-10)


@pytest.mark.filterwarnings("ignore:.*uploads add nothing")
def test_a_network_too_large_for_all_coefficients_offers_sampling():
    model = DistributedModel(ansatz.brickwork(8, layers=3), Z(4), dtype=torch.float64, memory=2**22)
    with pytest.raises(ContractionTooLarge, match=r"spectrum\.sample"):
        coefficients(model)


@pytest.mark.filterwarnings("ignore:.*upload adds nothing")
def test_bad_names():
    model = model_of(ansatz.brickwork(3, layers=2), [Z(1)])
    with pytest.raises(InputError, match="no axis 'x7'; this output has x0, x1, x2"):
        coefficient(model, {"x7": 1})
    with pytest.raises(InputError, match=r"axis 'x0' has no frequency 0\.5; it has -2, -1, 0"):
        coefficient(model, {"x0": 0.5})
    with pytest.raises(InputError, match="no axis 'y'"):
        marginal(model, ["y"])
    with pytest.raises(InputError, match="distinct names"):
        marginal(model, ["x0", "x0"])
    with pytest.raises(InputError, match="distinct names"):
        marginal(model, "x0")
    with pytest.raises(InputError, match="observable is None"):
        coefficients(model, None)


def test_adders_multiply_functions():
    generator = np.random.default_rng(0)
    for first, second in (
        ((1.0,), (1.0,)),
        ((1.0, 2.0), (0.5,)),
        ((ROOT,), (1.0, 3.0)),
        ((), (2.0,)),
    ):
        total = sums(first, second)
        t = generator.uniform(-3, 3, 6)

        def functions(frequencies, t=t):
            rows = [np.ones_like(t)]
            for w in frequencies:
                rows += [np.cos(w * t), np.sin(w * t)]
            return np.stack(rows)

        product = np.einsum("ust,un->stn", adder(first, second), functions(total))
        expected = functions(first)[:, None] * functions(second)[None]
        np.testing.assert_allclose(product, expected, atol=1e-13)
        waves = np.exp(1j * np.outer(signed(total), t))
        np.testing.assert_allclose(exponentials(total).T @ waves, functions(total), atol=1e-13)


def test_partitions():
    one, two, three = (1.0,), (2.0,), (3.0,)
    assert partition([one, one, one], commensurate=False) == ((0, 1, 2),)
    assert partition([one, (ROOT,), one], commensurate=False) == ((0, 2), (1,))
    assert partition([one, three], commensurate=False) == ((0,), (1,))  # sums are distinct
    assert partition([one, three], commensurate=True) == ((0, 1),)
    assert partition([one, two], commensurate=False) == ((0, 1),)  # 1 + 1 = 2
    assert partition([one, (ROOT,), (1 + ROOT,)], commensurate=False) == ((0, 1, 2),)
    assert base((0.75, 0.5)) == pytest.approx(0.25)
    assert base((1.0, math.pi)) is None
    assert base(()) is None
