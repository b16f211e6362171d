"""Fidelity kernels against dense states and the rank of dense density matrices."""

import math

import numpy as np
import pytest
import torch
from random_circuits import random_circuit, small_state

from tnqml import Circuit, DistributedModel, Gate, Z, ansatz
from tnqml.expressivity import KernelSpectrum, uniform
from tnqml.expressivity.draws import at, in_double, points, random_parameters
from tnqml.expressivity.states import fidelity_matrix, gram_way


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def matrix(model: DistributedModel, x: torch.Tensor) -> torch.Tensor:
    return fidelity_matrix(model, x, way=gram_way(model, len(x)))


@pytest.mark.parametrize("seed", range(3))
def test_spectra_are_those_of_dense_kernels(seed):
    circuit = random_circuit(seed, qubits=3, gates=25)
    model, inputs = DistributedModel(circuit, Z(0)), uniform(circuit.features)
    found = KernelSpectrum(inputs, points=9, draws=3).run(model, seeded(seed))
    generator, ranks, effective = seeded(seed), [], []
    for draw, theta in enumerate(random_parameters(model, 3, generator).numpy()):
        x = points(model, inputs, 9, generator).numpy()
        states = np.stack([small_state(circuit, theta, row) for row in x])
        spectrum = np.linalg.eigvalsh(np.abs(states.conj() @ states.T) ** 2)[::-1] / 9
        np.testing.assert_allclose(found.eigenvalues[draw], spectrum, atol=1e-12)
        assert found.eigenvalues[draw].sum() == pytest.approx(1)
        density = np.einsum("ki,kj->kij", states, states.conj()).reshape(9, -1)
        ranks.append(np.linalg.matrix_rank(density, tol=1e-6))
        share = spectrum[spectrum > 1e-12]
        effective.append(math.exp(-(share * np.log(share)).sum()))
    assert [rank.rank for rank in found.ranks] == ranks
    assert found.effective_rank.value == pytest.approx(np.mean(effective), rel=1e-6)


def test_one_phase_on_one_qubit_has_rank_three():
    """rho(x) on the equator: 1, cos x, sin x."""
    circuit = Circuit(1, [Gate("h", 0), Gate("rz", 0, feature=0)])
    found = KernelSpectrum(uniform(1), points=400, draws=4).run(
        DistributedModel(circuit, Z(0)), seeded(0)
    )
    assert str(found.rank) == "3 (exact)"
    # (1 + cos(x - x'))/2 has the eigenvalues 1/2, 1/4, 1/4 under uniform phases
    np.testing.assert_allclose(found.eigenvalues.mean(0)[:3], [0.5, 0.25, 0.25], atol=0.03)
    assert found.effective_rank.value == pytest.approx(2**1.5, rel=0.01)


def test_gates_after_the_last_upload_change_nothing():
    first = ansatz.brickwork(3, layers=1)
    more = first + Circuit(
        3, [Gate("ry", qubit, parameter=first.parameters + qubit) for qubit in range(3)]
    )
    x = uniform(3)(7, seeded(0))
    theta = random_parameters(DistributedModel(more, Z(0)), 1, seeded(1))[0]
    one = matrix(at(DistributedModel(first, Z(0)), theta[: first.parameters]), x)
    two = matrix(at(DistributedModel(more, Z(0)), theta), x)
    torch.testing.assert_close(one, two)


def test_wide_models_are_contracted_to_the_same_kernel():
    block = ansatz.brickwork(5, layers=2)
    gates = [
        gate.moved([qubit + 5 * number for qubit in gate.qubits]).shifted(
            features=5 * number, parameters=block.parameters * number
        )
        for number in range(6)
        for gate in block.gates
    ]
    wide = in_double(DistributedModel(Circuit(30, gates), Z(0)))
    x = uniform(30)(4, seeded(0))
    assert gram_way(wide, 4).network is not None
    expected = torch.ones(4, 4, dtype=torch.float64)
    for number in range(6):
        own = wide.theta[block.parameters * number : block.parameters * (number + 1)]
        narrow = at(DistributedModel(block, Z(0)), own)
        assert gram_way(narrow, 4).network is None
        expected *= matrix(narrow, x[:, 5 * number : 5 * (number + 1)])
    torch.testing.assert_close(matrix(wide, x), expected)


def test_too_few_points_leave_the_rank_open_but_given_ones_do_not():
    model = DistributedModel(ansatz.brickwork(3, layers=2), Z(0))
    drawn = KernelSpectrum(uniform(3), points=5).run(model, seeded(0))
    assert (drawn.rank.value, drawn.rank.high) == (5, 64)
    given = KernelSpectrum(uniform(3)(5, seeded(3))).run(model, seeded(0))
    assert str(given.rank) == "5 (exact)"
