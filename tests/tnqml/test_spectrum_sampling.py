"""Draws from |C_d|^2 and the effective number of features against enumeration."""

import math

import numpy as np
import pytest
import torch
from random_circuits import random_circuit, random_observables
from scipy.stats import chisquare
from spectrum_oracle import entropy, feature_terms, upload_terms, uploading_circuit

from contractions import ContractionTooLarge
from tnqml import Circuit, DistributedModel, Gate, InputError, X, Z, ansatz, parity
from tnqml.spectrum import (
    coefficient,
    coefficients,
    drawing,
    effective_features,
    marginal,
    sample,
    sweep,
)

SCALES = {
    "equal": ((1, 1, 1), (1, 1, 1)),
    "independent": ((1, 1, 1), (math.sqrt(2), math.sqrt(3), math.sqrt(5))),
}
OBSERVABLE = 0.8 * parity([0, 2]) + 0.4 * Z(0)


def model_of(circuit, observables):
    return DistributedModel(circuit, observables, dtype=torch.float64)


WAYS = ("table", "all axes at once", "axis by axis", "row by row", "no sweep fits")


@pytest.fixture(params=WAYS)
def blocks(request, monkeypatch):
    """From a table; or all axes drawn at once, one after another, or so with less memory."""
    if request.param == "table":
        return
    monkeypatch.setattr(drawing, "_ENUMERATE_AT_ONCE", 0)
    if request.param != "all axes at once":
        monkeypatch.setattr(sweep, "_VECTOR", 1)
    if request.param == "row by row":
        monkeypatch.setattr(drawing, "_CHUNK", 0)
    if request.param == "no sweep fits":
        monkeypatch.setattr(sweep, "_HELD", 0)


@pytest.mark.parametrize("name", SCALES)
def test_draws_have_the_frequencies_of_the_spectrum(name, blocks):
    circuit = uploading_circuit(SCALES[name], seed=1)
    model = model_of(circuit, OBSERVABLE)
    table = coefficients(model)
    power = np.abs(table.values) ** 2
    share = power / power.sum()
    drawn = sample(model, 4000, seed=3)
    assert [axis.name for axis in drawn.axes] == [axis.name for axis in table.axes]
    places = tuple(
        np.abs(drawn.frequencies[:, [k]] - np.array(axis.frequencies)).argmin(1)
        for k, axis in enumerate(table.axes)
    )
    np.testing.assert_allclose(drawn.log_probabilities, np.log(share[places]), atol=1e-9)
    counts = np.zeros(share.shape)
    np.add.at(counts, places, 1)
    order = np.argsort(share.ravel())[::-1]
    common = order[: max(2, int((share.ravel() > 5 / 4000).sum()))]
    observed = np.append(counts.ravel()[common], 4000 - counts.ravel()[common].sum())
    expected = np.append(4000 * share.ravel()[common], 4000 * (1 - share.ravel()[common].sum()))
    kept = expected > 1
    ratio = observed[kept].sum() / expected[kept].sum()
    assert chisquare(observed[kept], expected[kept] * ratio).pvalue > 1e-3


@pytest.mark.parametrize("merging", ["scales", "independent"])
def test_effective_features_cover_the_entropy_of_all_terms(merging, blocks):
    circuit = uploading_circuit(SCALES["equal"], seed=1)
    terms = upload_terms(circuit, OBSERVABLE, np.zeros(0))
    merged = feature_terms(circuit, terms) if merging == "scales" else terms
    found = effective_features(
        model_of(circuit, OBSERVABLE), 4000, seed=2, merging=merging, confidence=0.999
    )
    assert found.low < math.exp(entropy(merged)) < found.high
    assert found.low < found.value < found.high
    assert found.standard_error < 0.05


@pytest.mark.filterwarnings("ignore:.*uploads? adds? nothing")
@pytest.mark.parametrize("seed", range(3))
def test_probabilities_with_gates_of_every_kind(seed, monkeypatch):
    monkeypatch.setattr(drawing, "_ENUMERATE_AT_ONCE", 0)
    monkeypatch.setattr(sweep, "_VECTOR", 1)
    circuit = random_circuit(seed + 20, qubits=4, gates=24)
    model = model_of(circuit, random_observables(seed, 4)[1])
    for merging in ("scales", "independent"):
        table = coefficients(model, merging=merging)
        share = np.abs(table.values) ** 2 / (np.abs(table.values) ** 2).sum()
        drawn = sample(model, 60, seed=seed, merging=merging)
        places = tuple(
            np.abs(drawn.frequencies[:, [k]] - np.array(axis.frequencies)).argmin(1)
            for k, axis in enumerate(table.axes)
        )
        np.testing.assert_allclose(drawn.log_probabilities, np.log(share[places]), atol=1e-9)
        first = marginal(model, [table.axes[0].name], merging=merging)
        expected = (np.abs(table.values) ** 2).sum(tuple(range(1, table.values.ndim)))
        np.testing.assert_allclose(first.values, expected, atol=1e-13)


def test_intervals_cover_as_often_as_they_say():
    """Of 80%-intervals over 40 seeds 32 should hold the truth, within 4 deviations."""
    circuit = uploading_circuit(SCALES["equal"], seed=1)
    model = model_of(circuit, OBSERVABLE)
    truth = entropy(feature_terms(circuit, upload_terms(circuit, OBSERVABLE, np.zeros(0))))
    found = [effective_features(model, 400, seed=seed, confidence=0.8) for seed in range(40)]
    covered = sum(one.low <= math.exp(truth) <= one.high for one in found)
    assert abs(covered - 32) < 4 * math.sqrt(40 * 0.8 * 0.2)
    mean = np.mean([one.entropy for one in found])
    error = np.mean([one.standard_error for one in found]) / math.sqrt(40)
    assert abs(mean - truth) < 4 * error


def test_product_of_cosines_has_two_to_the_n_terms():
    """f = prod cos x_q over 40 qubits: 2^40 terms of equal weight, far beyond enumeration."""
    gates = [Gate("ry", q, feature=q) for q in range(40)]
    model = model_of(Circuit(40, gates), parity(range(40)))
    found = effective_features(model, 200, seed=0)
    assert found.value == pytest.approx(2**40, rel=1e-6)
    assert found.high - found.low < 1e-4 * found.value
    drawn = sample(model, 200, seed=1)
    assert set(np.unique(drawn.features)) == {-1.0, 1.0}
    assert abs(drawn.features.mean(0)).max() < 4 / math.sqrt(200)


def test_products_of_shifted_cosines():
    """f = prod (a cos x_q + b): the entropy is n times that of one factor."""
    count, turn = 30, 1.0
    gates = []
    for qubit in range(count):
        gates += [Gate("ry", qubit, angle=turn), Gate("rz", qubit, feature=qubit)]
        gates += [Gate("ry", qubit, angle=turn)]
    a, b = math.sin(turn) ** 2, math.cos(turn) ** 2
    shares = np.array([a**2 / 4, b**2, a**2 / 4]) / (a**2 / 2 + b**2)
    found = effective_features(
        model_of(Circuit(count, gates), parity(range(count))), 2000, seed=0, confidence=0.999
    )
    truth = -count * float(shares @ np.log(shares))
    assert math.log(found.low) < truth < math.log(found.high)
    assert found.standard_error < 0.1


def test_log_probabilities_of_wide_draws_are_those_of_their_coefficients():
    """16 qubits with two uploads each under a parity that sees all: 5^16 terms."""
    circuit = ansatz.brickwork(16, layers=2)
    model = model_of(circuit, parity(range(16)))
    drawn = sample(model, 6, seed=4)
    powers = [
        abs(coefficient(model, {a.name: f for a, f in zip(drawn.axes, row, strict=True)})) ** 2
        for row in drawn.frequencies
    ]
    offsets = np.log(powers) - drawn.log_probabilities
    np.testing.assert_allclose(offsets, offsets[0], atol=1e-7)


@pytest.mark.filterwarnings("ignore:.*uploads add nothing")
def test_a_seed_gives_the_same_draws():
    model = model_of(ansatz.brickwork(5, layers=2), Z(2))
    one, two, other = (sample(model, 50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.frequencies, two.frequencies)
    np.testing.assert_array_equal(one.log_probabilities, two.log_probabilities)
    assert (one.frequencies != other.frequencies).any()


def test_draws_cut_into_parts_are_those_of_one_part(monkeypatch):
    monkeypatch.setattr(drawing, "_ENUMERATE_AT_ONCE", 0)
    model = DistributedModel(
        ansatz.brickwork(8, layers=2), parity(range(8)), dtype=torch.float64, memory=2**28
    )
    parts = []

    def spy(way, behind, uniform, memory):
        parts.append(uniform.shape[1])
        return by_axis(way, behind, uniform, memory)

    by_axis = drawing._axis_by_axis
    monkeypatch.setattr(drawing, "_axis_by_axis", spy)
    one = sample(model, 300, seed=1)
    monkeypatch.setattr(drawing, "_COPIES", 2**17)
    two = sample(model, 300, seed=1)
    assert parts[0] == 300
    assert len(parts) > 3
    np.testing.assert_array_equal(one.frequencies, two.frequencies)
    np.testing.assert_allclose(one.log_probabilities, two.log_probabilities, atol=1e-12)


def test_more_draws_than_memory_holds_at_once(monkeypatch):
    """However many draws: the vectors of all of them are never held together."""
    widths = []

    def spy(way, number, vectors, **options):
        widths.append(len(vectors))
        return sweep.opened(way, number, vectors, **options)

    monkeypatch.setattr(drawing, "_ENUMERATE_AT_ONCE", 0)
    monkeypatch.setattr(drawing, "opened", spy)
    model = DistributedModel(
        ansatz.brickwork(8, layers=2), parity(range(8)), dtype=torch.float64, memory=2**21
    )
    sample(model, 5000, seed=1)
    assert max(widths) < 3000


def test_a_spectrum_that_fits_in_no_way_names_its_size():
    model = DistributedModel(
        ansatz.brickwork(8, layers=3), parity(range(8)), dtype=torch.float64, memory=2**14
    )
    with pytest.raises(ContractionTooLarge, match=r"16 KiB; .*merging='independent'"):
        sample(model, 10, seed=0)


def test_features_are_sums_over_axes():
    circuit = uploading_circuit(SCALES["independent"], seed=1)
    drawn = sample(model_of(circuit, OBSERVABLE), 100, seed=0)
    assert drawn.frequencies.shape == (100, 6)
    for feature in range(3):
        own = [k for k, axis in enumerate(drawn.axes) if axis.feature == feature]
        np.testing.assert_allclose(
            drawn.features[:, feature], drawn.frequencies[:, own].sum(1), atol=1e-12
        )


def test_a_constant_has_one_feature():
    model = model_of(Circuit(2, [Gate("ry", 0, feature=0)]), [Z(1), Z(0)])
    found = effective_features(model, 10, seed=0, observable=0)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_bad_input():
    model = model_of(Circuit(2, [Gate("ry", 0, feature=0)]), [Z(0), X(1)])
    with pytest.raises(InputError, match="draws is 0"):
        sample(model, 0, seed=0)
    with pytest.raises(InputError, match="seed is -1"):
        sample(model, 1, seed=-1)
    with pytest.raises(InputError, match="needs at least 2"):
        effective_features(model, 1, seed=0)
    with pytest.raises(InputError, match="confidence is 1"):
        effective_features(model, 5, seed=0, confidence=1)
    with pytest.raises(InputError, match="0 for every input"):
        sample(model, 5, seed=0, observable=1)
    with pytest.raises(InputError, match="observable 5"):
        sample(model, 5, seed=0, observable=5)
