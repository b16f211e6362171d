"""Entanglement measures against quimb, dense reduced states and closed formulas."""

import math

import numpy as np
import pytest
import quimb
import torch
from random_circuits import random_circuit, small_state

from tnqml import Circuit, DistributedModel, Gate, Z, ansatz
from tnqml.errors import InputError
from tnqml.expressivity import CutEntropy, MeyerWallach, page_entropy, party_cut, uniform
from tnqml.expressivity.draws import random_inputs, random_parameters
from tnqml.expressivity.entanglement import cut_entropy


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_states(circuit: Circuit, count: int, seed: int) -> list[np.ndarray]:
    """The states that a measure sees with this seed, dense."""
    model, generator = DistributedModel(circuit, Z(0)), seeded(seed)
    x = random_inputs(model, uniform(circuit.features), count, generator).numpy()
    theta = random_parameters(model, count, generator).numpy()
    return [small_state(circuit, *pair) for pair in zip(theta, x, strict=True)]


@pytest.mark.parametrize(("seed", "side"), [(0, (0,)), (1, (1, 3)), (2, (3, 0, 2))])
def test_entropies_are_those_of_quimb(seed, side):
    circuit = random_circuit(seed, qubits=4, gates=30)
    measure = CutEntropy(uniform(circuit.features), qubits=side, draws=5)
    found = measure.run(DistributedModel(circuit, Z(0)), seeded(seed))
    expected = [
        quimb.entropy_subsys(state.reshape(-1, 1), [2] * 4, list(side))
        for state in drawn_states(circuit, 5, seed)
    ]
    np.testing.assert_allclose(found.samples, expected, atol=1e-10)
    assert found.mean.value == pytest.approx(np.mean(expected))


def test_batches_are_cut_where_they_are_large(monkeypatch):
    monkeypatch.setattr("tnqml.expressivity.states._AMPLITUDES_AT_ONCE", 200)
    circuit = ansatz.brickwork(6, layers=1)
    found = CutEntropy(uniform(6), draws=7).run(DistributedModel(circuit, Z(0)), seeded(0))
    expected = [
        quimb.entropy_subsys(state.reshape(-1, 1), [2] * 6, [0, 1, 2])
        for state in drawn_states(circuit, 7, 0)
    ]
    np.testing.assert_allclose(found.samples, expected, atol=1e-10)
    assert 0.1 < found.samples.max() <= 1 + 1e-9  # one CZ crosses the middle


def test_bell_pairs_hold_one_ebit_each():
    bell = np.zeros((2, 2, 2, 2))
    for a in (0, 1):
        for b in (0, 1):
            bell[a, b, a, b] = 0.5  # qubits 0 and 2, 1 and 3
    state = torch.tensor(bell.reshape(1, -1), dtype=torch.complex128)
    assert cut_entropy(state, (0, 1)).item() == pytest.approx(2)
    assert cut_entropy(state, (0, 2)).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("qubits", "others"), [(1, 1), (2, 2), (1, 4), (4, 2)])
def test_page_entropy_by_its_sum_and_of_haar_states(qubits, others):
    m, n = sorted((2**qubits, 2**others))
    nats = sum(1 / k for k in range(n + 1, m * n + 1)) - (m - 1) / (2 * n)
    assert page_entropy(qubits, others) == pytest.approx(nats / math.log(2))
    count = qubits + others
    generator = np.random.default_rng(0)
    states = generator.normal(size=(1000, 2**count, 2)).view(complex)[..., 0]
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    entropies = cut_entropy(torch.tensor(states), range(qubits)).numpy()
    assert abs(entropies.mean() - page_entropy(qubits, others)) < 4 * entropies.std() / 1000**0.5


@pytest.mark.parametrize("seed", range(2))
def test_meyer_wallach_is_that_of_dense_reduced_states(seed):
    circuit = random_circuit(seed, qubits=3, gates=25)
    found = MeyerWallach(uniform(circuit.features), draws=4).run(
        DistributedModel(circuit, Z(0)), seeded(seed)
    )
    expected = [
        2 * (1 - np.mean([_purity(state, qubit) for qubit in range(3)]))
        for state in drawn_states(circuit, 4, seed)
    ]
    np.testing.assert_allclose(found.samples, expected, atol=1e-10)


def _purity(state: np.ndarray, qubit: int) -> float:
    reduced = quimb.ptr(state.reshape(-1, 1), [2] * 3, [qubit])
    return float(np.trace(reduced @ reduced).real)


def test_meyer_wallach_of_known_states_at_any_width():
    ghz = [Gate("h", 0), *(Gate("cx", (qubit, qubit + 1)) for qubit in range(19))]
    wide = DistributedModel(Circuit(20, ghz), Z(0))
    assert MeyerWallach(uniform(0), draws=2).run(wide, seeded(0)).mean.value == pytest.approx(1)
    product = [Gate("ry", qubit, parameter=qubit) for qubit in range(20)]
    alone = DistributedModel(Circuit(20, product), Z(0))
    found = MeyerWallach(uniform(0), draws=3).run(alone, seeded(0))
    np.testing.assert_allclose(found.samples, 0, atol=1e-12)


def test_meyer_wallach_of_haar_states():
    generator = np.random.default_rng(2)
    states = generator.normal(size=(2000, 8, 2)).view(complex)[..., 0]
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    values = [2 * (1 - np.mean([_purity(state, q) for q in range(3)])) for state in states[:300]]
    model = DistributedModel(ansatz.brickwork(3, layers=1), Z(0))
    haar = MeyerWallach(uniform(3), draws=2).run(model, seeded(0)).haar
    assert abs(np.mean(values) - haar) < 4 * np.std(values) / 300**0.5


def test_the_cut_between_the_parties():
    shared = ansatz.brickwork(5, layers=1, split="qubits")
    assert party_cut(shared) == (0, 1, 2)
    assert party_cut(ansatz.brickwork(5, layers=1)) == (0, 1)
    model = DistributedModel(shared, Z(0))
    by_default = CutEntropy(uniform(5), draws=3).run(model, seeded(0))
    named = CutEntropy(uniform(5), qubits=(0, 1, 2), draws=3).run(model, seeded(0))
    assert by_default.samples.tolist() == named.samples.tolist()
    assert by_default.haar == page_entropy(3, 2)


@pytest.mark.parametrize("side", [(), (0, 0), (0, 1, 2), (3,), (-1,), (0.5,)])
def test_what_is_no_cut_is_refused(side):
    model = DistributedModel(ansatz.brickwork(3, layers=1), Z(0))
    with pytest.raises(InputError, match="no side of a cut"):
        CutEntropy(uniform(3), qubits=side).forecast(model)


def test_a_state_too_large_is_refused_with_its_size():
    from contractions import ContractionTooLarge

    model = DistributedModel(ansatz.brickwork(60, layers=1), Z(0))
    with pytest.raises(ContractionTooLarge, match="60 qubits"):
        CutEntropy(uniform(60)).forecast(model)
