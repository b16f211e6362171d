"""Fidelities, divergence and frame potentials against dense states and closed distributions."""

import math

import numpy as np
import pytest
import torch
from random_circuits import random_circuit, small_state
from scipy import stats

from tnqml import Circuit, DistributedModel, Gate, Z, ansatz
from tnqml.errors import InputError
from tnqml.expressivity import Expressibility, divergence_from_haar, uniform
from tnqml.expressivity.draws import random_inputs, random_parameters
from tnqml.expressivity.expressibility import (
    _log_equal_width,
    haar_cumulative,
    log_haar_potential,
)
from tnqml.expressivity.states import log_fidelities, pair_way


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(3))
def test_fidelities_are_those_of_dense_states(seed):
    circuit = random_circuit(seed, qubits=3, gates=25)
    inputs = uniform(circuit.features)
    found = Expressibility(inputs, pairs=6).run(DistributedModel(circuit, Z(0)), seeded(seed))
    model = DistributedModel(circuit, Z(0), dtype=torch.float64)
    generator = seeded(seed)
    x = random_inputs(model, inputs, 6, generator).numpy()
    one, two = (random_parameters(model, 6, generator).numpy() for _ in range(2))
    expected = [
        abs(np.vdot(small_state(circuit, a, row), small_state(circuit, b, row))) ** 2
        for row, a, b in zip(x, one, two, strict=True)
    ]
    np.testing.assert_allclose(np.exp(found.log_fidelities), expected, atol=1e-12)


def test_wide_models_are_contracted_to_the_same_fidelities():
    """Blocks of 4 qubits side by side: the fidelity is the product of theirs."""
    block = ansatz.brickwork(4, layers=1)
    gates, blocks = [], 10
    for number in range(blocks):
        gates += [
            gate.moved([qubit + 4 * number for qubit in gate.qubits]).shifted(
                features=4 * number, parameters=8 * number
            )
            for gate in block.gates
        ]
    wide = DistributedModel(Circuit(4 * blocks, gates), Z(0), dtype=torch.float64)
    narrow = DistributedModel(block, Z(0), dtype=torch.float64)
    x = uniform(4 * blocks)(5, seeded(0))
    one, two = random_parameters(wide, 5, seeded(1)), random_parameters(wide, 5, seeded(2))
    by_network, by_state = pair_way(wide, 5), pair_way(narrow, 5)
    assert by_network.network is not None
    assert by_state.network is None
    expected = sum(
        log_fidelities(
            narrow,
            x[:, 4 * k : 4 * k + 4],
            (one[:, 8 * k : 8 * k + 8], two[:, 8 * k : 8 * k + 8]),
            way=by_state,
        )
        for k in range(blocks)
    )
    assert expected.max() < -20
    torch.testing.assert_close(log_fidelities(wide, x, (one, two), way=by_network), expected)


def test_a_single_rotation_has_the_moments_of_its_arc():
    """F = cos^2((theta - theta')/2): E F = 1/2 and E F^2 = 3/8, Haar 1/2 and 1/3."""
    model = DistributedModel(Circuit(1, [Gate("ry", 0, parameter=0)]), Z(0))
    found = Expressibility(uniform(0), pairs=4000).run(model, seeded(0))
    first, second = found.frame_potentials
    assert first.low < 1 < first.high
    assert second.low < 3 / 8 * 3 < second.high
    assert second.low > 1  # no 2-design
    # the arcsine law against Haar's uniform one on the same bins
    edges = np.linspace(0, 1, 76)
    exact = np.diff(stats.arcsine.cdf(edges))
    expected = float(exact @ np.log(exact * 75))
    assert found.divergence.low < expected < found.divergence.high
    assert found.divergence.low > 0


def test_one_fixed_state_is_as_far_from_haar_as_bins_can_tell():
    model = DistributedModel(Circuit(1, [Gate("rz", 0, parameter=0)]), Z(0))
    found = Expressibility(uniform(0), pairs=50).run(model, seeded(0))
    assert found.divergence.value == pytest.approx(math.log(75))
    assert [each.value for each in found.frame_potentials] == pytest.approx([2, 3])


@pytest.mark.parametrize("spacing", ["fidelity", "haar"])
def test_haar_states_have_divergence_zero(spacing):
    states = np.random.default_rng(0).normal(size=(2, 3000, 8, 2)).view(complex)[..., 0]
    states /= np.linalg.norm(states, axis=2, keepdims=True)
    logs = 2 * np.log(np.abs((states[0].conj() * states[1]).sum(1)))
    found = divergence_from_haar(logs, qubits=3, bins=30, spacing=spacing)
    assert found.low == 0
    assert found.high < 0.02
    for order in (1, 2, 3):
        ratio = np.exp(order * logs - log_haar_potential(3, order=order))
        assert abs(ratio.mean() - 1) < 4 * ratio.std() / math.sqrt(3000)


@pytest.mark.parametrize("tilt", [0.0, 0.15, 1.0])
def test_the_interval_of_the_divergence_covers_it(tilt):
    """Fidelities with a known binned distribution, at divergence 0, small and large."""
    bins, pairs, trials = 20, 400, 400
    shares = np.exp(tilt * np.linspace(-1, 1, bins))
    shares /= shares.sum()
    truth = float(shares @ np.log(shares * bins))
    generator = np.random.default_rng(1)
    covered, values = 0, []
    for _ in range(trials):
        places = generator.choice(bins, pairs, p=shares)
        logs = np.log((places + 0.5) / bins)  # one qubit: Haar is uniform in F
        found = divergence_from_haar(logs, qubits=1, bins=bins)
        covered += found.low <= truth <= found.high
        values.append(found.value)
    assert covered / trials > 0.92
    assert np.mean(values) == pytest.approx(truth, abs=0.007)


@pytest.mark.parametrize("qubits", [1, 2, 5, 10, 40])
def test_the_haar_distribution_is_beta(qubits):
    fidelities = np.concatenate([np.logspace(-13, 0, 40), [0.25, 0.5]])
    expected = stats.beta(1, 2.0**qubits - 1).cdf(fidelities)
    found = haar_cumulative(np.log(fidelities), qubits=qubits)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_haar_distribution_at_any_width():
    logs = -2000 * math.log(2) + np.log([0.5, 1.0, 2.0])
    found = haar_cumulative(logs, qubits=2000)
    np.testing.assert_allclose(found, 1 - np.exp([-0.5, -1, -2]), rtol=1e-9)
    assert haar_cumulative(np.array([-1.0, 0.0, -np.inf]), qubits=2000).tolist() == [1, 1, 0]


@pytest.mark.parametrize("qubits", [1, 3, 6])
def test_bins_of_equal_width_hold_their_haar_shares(qubits):
    expected = np.diff(stats.beta(1, 2.0**qubits - 1).cdf(np.linspace(0, 1, 11)))
    found = np.exp(_log_equal_width(qubits, 10))
    np.testing.assert_allclose(found[:9], expected[:9], rtol=1e-6, atol=1e-15)
    assert found[9] == pytest.approx(0.1 ** (2**qubits - 1))


@pytest.mark.parametrize("order", [1, 2, 5])
def test_haar_potentials_by_their_formula(order):
    d = 8
    expected = math.factorial(order) * math.factorial(d - 1) / math.factorial(order + d - 1)
    assert math.exp(log_haar_potential(3, order=order)) == pytest.approx(expected)
    wide = log_haar_potential(3000, order=order)
    assert wide == pytest.approx(math.log(math.factorial(order)) - 3000 * order * math.log(2))


def test_equal_bins_are_refused_for_wide_models():
    model = DistributedModel(ansatz.brickwork(20, layers=1), Z(0))
    with pytest.raises(InputError, match="haar"):
        Expressibility(uniform(20)).forecast(model)


def test_a_measure_leaves_autograd_as_it_was():
    model = DistributedModel(ansatz.brickwork(3, layers=1), Z(0))
    Expressibility(uniform(3), pairs=40).run(model, torch.Generator().manual_seed(0))
    assert torch.is_grad_enabled()
