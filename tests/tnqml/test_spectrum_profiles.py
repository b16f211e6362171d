"""Profiles, powers and Sobol indices against enumeration by brute force and closed formulas."""

import functools
import math

import numpy as np
import pytest
import torch
from random_circuits import angles, random_circuit, random_observables, reference_values
from spectrum_oracle import (
    by,
    feature_terms,
    upload_terms,
    uploading_circuit,
    with_own_phases,
)

from contractions import ContractionTooLarge
from tnqml import Circuit, DistributedModel, Gate, InputError, Observable, X, Z, ansatz, parity
from tnqml.spectrum import (
    coefficients,
    cost,
    feature_orders,
    harmonic_degrees,
    power,
    sobol,
    upload_orders,
    weighted,
)

ROOT = math.sqrt(2)
EQUAL = ((1, 1, 1), (1, 1, 1))
INDEPENDENT = ((1, 1, 1), (ROOT, math.sqrt(3), math.sqrt(5)))
EXPONENTIAL = ((1, 1, 1), (3, 3, 3))
MIXED = ((1, 1, -1), (-1, ROOT, 2))
LAMBDA = {"equal": EQUAL, "independent": INDEPENDENT, "exponential": EXPONENTIAL, "mixed": MIXED}
OBSERVABLE = 0.8 * parity([0, 2]) - 0.5 * X(1) + 0.4 * Z(0) + Observable([(0.3, ())])


def model_of(circuit, observables, theta=None):
    model = DistributedModel(circuit, observables, dtype=torch.float64)
    if theta is not None:
        model.theta.data = torch.tensor(theta)
    return model


@functools.cache
def case(name):
    """A circuit with 3 features uploaded twice each, and its terms."""
    circuit = uploading_circuit(LAMBDA[name], seed=1)
    return circuit, upload_terms(circuit, OBSERVABLE, np.zeros(0))


@pytest.fixture(params=["enumerate", "join"])
def each_route(request, monkeypatch):
    """Weighted sums by one route, whatever the other would cost."""

    def route(network, weights, *, memory):
        return weighted._stacked(request.param, network, weights, memory or 2**33)

    monkeypatch.setattr(weighted, "route", route)


@pytest.mark.parametrize("name", LAMBDA)
def test_power_is_that_of_all_terms(name, each_route):
    circuit, terms = case(name)
    merged = feature_terms(circuit, terms)
    found = power(model_of(circuit, OBSERVABLE), 0)
    mean = merged[0.0, 0.0, 0.0]
    assert float(found.mean) == pytest.approx(mean.real, abs=1e-12)
    total = sum(abs(value) ** 2 for value in merged.values())
    assert float(found.total) == pytest.approx(total, abs=1e-12)
    apart = power(model_of(circuit, OBSERVABLE), 0, merging="independent")
    assert float(apart.total) == pytest.approx(sum(abs(v) ** 2 for v in terms.values()), abs=1e-12)


@pytest.mark.parametrize("name", LAMBDA)
def test_feature_orders_count_features(name, each_route):
    circuit, terms = case(name)
    expected = by(np.count_nonzero, feature_terms(circuit, terms), 4)
    found = feature_orders(model_of(circuit, OBSERVABLE), 0)
    np.testing.assert_allclose(found.powers, expected[1:], atol=1e-12)
    np.testing.assert_allclose(found.mean**2, expected[0], atol=1e-12)
    np.testing.assert_allclose(found.shares, expected[1:] / expected[1:].sum(), atol=1e-12)


@pytest.mark.parametrize("name", LAMBDA)
def test_upload_orders_count_uploads(name, each_route):
    circuit, terms = case(name)
    expected = by(np.count_nonzero, terms, 7)
    found = upload_orders(model_of(circuit, OBSERVABLE), 0)
    np.testing.assert_allclose(found.powers, expected[1:], atol=1e-12)
    assert found.mean_order == pytest.approx(expected[1:] @ np.arange(1, 7) / expected[1:].sum())


def test_upload_order_is_not_feature_order():
    circuit, _ = case("equal")
    model = model_of(circuit, OBSERVABLE)
    by_feature, by_upload = feature_orders(model, 0), upload_orders(model, 0)
    assert len(by_upload.powers) == 6
    assert abs(by_feature.powers - by_upload.powers[:3]).max() > 0.01


def test_uploads_of_one_feature_count_once_when_phases_are_made_independent(each_route):
    """Equal lambda, but every upload with a phase of its own: the or-tensor on the same circuit."""
    circuit, terms = case("equal")
    pairs = [(0, 3), (1, 4), (2, 5)]

    def order(term):
        return sum(any(term[k] for k in pair) for pair in pairs)

    expected = by(order, terms, 4)
    found = feature_orders(model_of(circuit, OBSERVABLE), 0, merging="independent")
    np.testing.assert_allclose(found.powers, expected[1:], atol=1e-12)


@pytest.mark.parametrize(("name", "most"), [("equal", 6), ("exponential", 12)])
def test_harmonic_degrees_of_one_ladder(name, most, each_route):
    circuit, terms = case(name)
    merged = feature_terms(circuit, terms)
    expected = by(lambda term: round(np.abs(term).sum()), merged, most + 1)
    found = harmonic_degrees(model_of(circuit, OBSERVABLE), 0)
    np.testing.assert_allclose(found.powers, expected[1:], atol=1e-12)


def test_harmonic_degrees_of_independent_uploads_add(each_route):
    circuit, terms = case("independent")
    expected = by(lambda term: int(np.abs(term).sum()), terms, 7)
    found = harmonic_degrees(model_of(circuit, OBSERVABLE), 0)
    np.testing.assert_allclose(found.powers, expected[1:], atol=1e-12)


@pytest.mark.parametrize("name", LAMBDA)
def test_sobol_indices(name, each_route):
    circuit, terms = case(name)
    merged = feature_terms(circuit, terms)
    found = sobol(model_of(circuit, OBSERVABLE), 0)
    variance = sum(abs(v) ** 2 for term, v in merged.items() if any(term))
    assert float(found.variance) == pytest.approx(variance, abs=1e-12)
    for feature in range(3):
        total = sum(abs(v) ** 2 for term, v in merged.items() if term[feature])
        only = [t for t in merged if t[feature] and np.count_nonzero(t) == 1]
        main = sum(abs(merged[term]) ** 2 for term in only)
        assert found.main[feature] == pytest.approx(main / variance, abs=1e-12)
        assert found.total[feature] == pytest.approx(total / variance, abs=1e-12)


@pytest.mark.filterwarnings("ignore:.*uploads? adds? nothing")
@pytest.mark.parametrize("merging", ["scales", "independent"])
@pytest.mark.parametrize("seed", range(3))
def test_random_circuits(seed, merging, each_route):
    """Gates of every kind, with several frequencies each: against all coefficients, enumerated."""
    circuit = random_circuit(seed + 20, qubits=4, gates=24)
    observables = random_observables(seed, 4)
    model = model_of(circuit, observables, angles(seed, circuit.parameters))
    orders, indices = feature_orders(model, merging=merging), sobol(model, merging=merging)
    for output in range(len(observables)):
        table = coefficients(model, output, merging=merging)
        shares = np.abs(table.values) ** 2
        depends = np.zeros((3, *shares.shape), dtype=bool)
        for place in np.ndindex(*shares.shape):
            for axis, k in zip(table.axes, place, strict=True):
                depends[(axis.feature, *place)] |= axis.frequencies[k] != 0
        order = depends.sum(0)
        found = [float(orders.mean[output]) ** 2, *orders.powers[output]]
        expected = [shares[order == k].sum() for k in range(len(found))]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        for feature in range(circuit.features):
            total = shares[depends[feature]].sum()
            main = shares[depends[feature] & (order == 1)].sum()
            assert indices.total_power[output, feature] == pytest.approx(total, abs=1e-12)
            assert indices.main_power[output, feature] == pytest.approx(main, abs=1e-12)


def test_indices_and_orders_agree():
    circuit, _ = case("mixed")
    model = model_of(circuit, OBSERVABLE)
    indices, orders = sobol(model, 0), feature_orders(model, 0)
    assert indices.main.sum() == pytest.approx(orders.shares[0])
    assert indices.total.sum() == pytest.approx(float(orders.mean_order))


@pytest.mark.parametrize("merging", ["scales", "independent"])
def test_power_against_monte_carlo(merging):
    """The mean of f^2 over uniform phases of the features, or of every upload, in 4 deviations."""
    circuit, _ = case("equal")
    drawn = circuit if merging == "scales" else with_own_phases(circuit)
    found = power(model_of(circuit, OBSERVABLE), 0, merging=merging)
    generator = np.random.default_rng(5)
    x = torch.tensor(generator.uniform(0, 2 * np.pi, (20_000, drawn.features)))
    squares = model_of(drawn, OBSERVABLE)(x).detach().numpy() ** 2
    error = squares.std(ddof=1) / math.sqrt(len(squares))
    assert abs(squares.mean() - float(found.total)) < 4 * error
    assert error < 0.01 * float(found.total)


def test_many_outputs_share_structure_and_keep_their_places():
    """Translated and mirrored cones are stacked; each output equals itself computed alone."""
    circuit = ansatz.brickwork(9, layers=2)
    outputs = [Z(q) for q in (3, 0, 8, 4, 5, 6)] + [X(4), parity([2, 3])]
    model = model_of(circuit, outputs)
    profile, indices, totals = feature_orders(model), sobol(model), power(model)
    for output in range(8):
        alone = feature_orders(model, output)
        np.testing.assert_allclose(
            profile.powers[output, : len(alone.powers)], alone.powers, atol=1e-13
        )
        assert not profile.powers[output, len(alone.powers) :].any()
        np.testing.assert_allclose(sobol(model, output).main, indices.main[output], atol=1e-12)
        assert float(power(model, output).variance) == pytest.approx(totals.variance[output])
        assert float(alone.variance) == pytest.approx(totals.variance[output])


def test_wide_models_against_monte_carlo():
    """64 qubits, each pixel uploaded twice: mean and mean square of each output in 5 deviations."""
    model = model_of(ansatz.brickwork(64, layers=2), [Z(q) for q in range(64)])
    x = torch.tensor(np.random.default_rng(3).uniform(0, 2 * np.pi, (4000, 64)))
    values = model(x).detach().numpy()
    found, orders, indices = power(model), feature_orders(model), sobol(model)
    for sampled, exact in ((values, found.mean), (values**2, found.total)):
        error = sampled.std(0, ddof=1) / math.sqrt(len(sampled))
        assert (abs(sampled.mean(0) - exact) < 5 * error).all()
    np.testing.assert_allclose(orders.variance, found.variance, rtol=1e-9)
    np.testing.assert_allclose(indices.total.sum(1), orders.mean_order, rtol=1e-9)
    cones = [cone.features for cone in model.light_cones()]
    assert [set(np.flatnonzero(row)) for row in indices.total] == [set(cone) for cone in cones]


@pytest.mark.filterwarnings("ignore:.*upload adds nothing")
def test_parameters_at_their_present_values():
    circuit = ansatz.brickwork(3, layers=2)
    model = model_of(circuit, Z(1), angles(3, circuit.parameters))
    terms = feature_terms(circuit, upload_terms(circuit, Z(1), angles(3, circuit.parameters)))
    np.testing.assert_allclose(
        feature_orders(model, 0).powers, by(np.count_nonzero, terms, 4)[1:], atol=1e-12
    )


def test_constants_have_no_shares():
    model = model_of(Circuit(2, [Gate("ry", 0, feature=0)]), [Observable([(0.7, ())]), Z(1), Z(0)])
    found = feature_orders(model)
    np.testing.assert_allclose(found.mean, [0.7, 1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.powers, [[0.0], [0.0], [0.5]], atol=1e-15)
    assert np.isnan(found.shares[:2]).all()
    assert np.isnan(sobol(model).main[0]).all()


def test_several_incommensurate_frequencies_that_depend_on_each_other():
    """1 + sqrt 2 is neither a multiple of 1 nor of sqrt 2, but their sum."""
    scales = ((1, 1, 1), (ROOT, ROOT, ROOT), (1 + ROOT, 1 + ROOT, 1 + ROOT))
    gates = []
    for turn, row in enumerate(scales):
        gates.append(Gate("ry", 0, angle=0.4 + turn))
        gates.append(Gate("rz", 0, feature=0, scale=row[0]))
        gates.append(Gate("ry", 0, angle=1.1 - turn))
    circuit = Circuit(1, gates)
    merged = feature_terms(circuit, upload_terms(circuit, Z(0), np.zeros(0)))
    assert len(merged) < 27
    found = power(model_of(circuit, Z(0)), 0)
    expected = sum(abs(v) ** 2 for v in merged.values())
    assert float(found.total) == pytest.approx(expected, abs=1e-12)
    assert float(found.mean) == pytest.approx(merged[(0.0,)].real, abs=1e-12)


def test_idle_uploads_are_named():
    gates = [
        Gate("rz", 0, feature=0),
        Gate("h", 0),
        Gate("rz", 0, feature=1),
        Gate("h", 0),
        Gate("rz", 0, feature=2),
        Gate("ry", 1, feature=3),
    ]
    model = model_of(Circuit(2, gates), Z(0))
    with pytest.warns(UserWarning, match="3 uploads add nothing") as caught:
        found = feature_orders(model, 0)
    text = str(caught[0].message)
    assert "gate 0 (rz of feature 0 on qubit 0) acts on |0>" in text
    assert "gate 4 (rz of feature 2 on qubit 0)" in text
    assert "gate 5 (ry of feature 3 on qubit 1)" in text
    assert "gate 2" not in text
    np.testing.assert_allclose(found.powers[0], 0.5, atol=1e-12)


def test_one_output_of_many_does_not_warn_of_what_others_feel(recwarn):
    model = model_of(ansatz.brickwork(6, layers=1), [Z(0), Z(3), Z(5), Z(2), Z(1), Z(4)])
    power(model, 0)
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]


def test_bad_input():
    model = model_of(ansatz.brickwork(3, layers=1), [Z(0), Z(1)])
    with pytest.raises(InputError, match="observable 2 of a model that has 2"):
        power(model, 2)
    with pytest.raises(InputError, match="expected an index"):
        power(model, True)
    with pytest.raises(InputError, match="merging is 'equal'"):
        feature_orders(model, merging="equal")
    with pytest.raises(InputError, match="expected a DistributedModel"):
        power(Z(0))
    amplitudes = ansatz.brickwork(2, layers=1).on_amplitudes(3)
    with pytest.raises(InputError, match="features 0 to 2 are amplitudes"):
        power(model_of(amplitudes, Z(0)))
    channel = Circuit(1, [Gate("h", 0), Gate("dephasing", 0, feature=0), Gate("h", 0)])
    with pytest.raises(InputError, match="gate 1 uploads feature 0 as the strength"):
        power(model_of(channel, Z(0)))
    phases = np.array([0.0, 1.0, ROOT, 4.0])
    several = [Gate("h", 0), Gate("h", 1), Gate("diagonal", (0, 1), phases=phases, feature=0)]
    odd = Circuit(2, [*several, Gate("h", 0), Gate("h", 1)])
    with pytest.raises(InputError, match="no integer multiples of any number"):
        harmonic_degrees(model_of(odd, Z(0)))
    assert float(power(model_of(odd, Z(0)), 0).total) > 0


@pytest.mark.filterwarnings("ignore:.*uploads add nothing")
def test_too_large_is_refused_before_any_work():
    small = DistributedModel(ansatz.brickwork(8, layers=3), Z(4), dtype=torch.float64, memory=2**10)
    with pytest.raises(ContractionTooLarge, match="memory cap"):
        feature_orders(small, 0)


def test_predicted_cost_covers_all_outputs():
    model = model_of(ansatz.brickwork(12, layers=2), [Z(q) for q in range(12)])
    whole, one = cost(model), cost(model, 6)
    assert whole.seconds > one.seconds > 0
    assert whole.operations > 3 * one.operations


def test_values_behind_the_oracle():
    """The brute-force terms give the model back at random inputs."""
    circuit, terms = case("mixed")
    x = angles(4, 3, 3)
    merged = feature_terms(circuit, terms)
    expected = reference_values(circuit, [OBSERVABLE], np.zeros(0), x)[:, 0]
    found = [sum(v * np.exp(1j * np.dot(f, row)) for f, v in merged.items()) for row in x]
    np.testing.assert_allclose(found, expected, atol=1e-12)
