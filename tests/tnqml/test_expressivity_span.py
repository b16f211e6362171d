"""Dimensions of function spans against matrices of known rank and the formulas."""

import math

import numpy as np
import pytest
import torch

from tnqml import DistributedModel, Z, ansatz
from tnqml.errors import InputError
from tnqml.expressivity import FunctionSpan, numerical_rank, span_dimension, uniform
from tnqml.expressivity.span import settled


def test_rank_counts_independent_functions():
    generator = np.random.default_rng(0)
    samples = generator.normal(size=(20, 5)) @ generator.normal(size=(5, 30))
    found = numerical_rank(samples)
    assert found.rank == 5
    assert found.gap > 1e10
    assert 1 < found.effective <= 5
    assert str(found.interval()) == "5 (exact)"


def test_a_rank_that_hangs_on_the_tolerance_says_so():
    samples = np.diag([1.0, 1e-3, 3e-9, 3e-10, 3e-13])
    found = numerical_rank(samples)
    assert (found.least, found.rank, found.most) == (2, 3, 4)
    assert found.gap == pytest.approx(10)
    interval = found.interval()
    assert (interval.low, interval.value, interval.high) == (2, 3, 4)
    assert interval.method == "tolerance"


def test_ranks_at_the_ends():
    assert numerical_rank(np.eye(4)).gap == math.inf
    assert numerical_rank(np.eye(4)).effective == pytest.approx(4)
    nothing = numerical_rank(np.zeros((3, 2)))
    assert (nothing.rank, nothing.effective, nothing.gap) == (0, 0.0, math.inf)
    assert numerical_rank(1e-200 * np.eye(2)).effective == pytest.approx(2)


@pytest.mark.parametrize("samples", [np.zeros(3), np.zeros((0, 3)), np.full((2, 2), np.inf)])
def test_what_is_no_sample_is_refused(samples):
    with pytest.raises(InputError, match="sample"):
        numerical_rank(samples)


def test_span_dimension_draws_until_the_rank_is_well_inside():
    generator = np.random.default_rng(1)
    drawn = []

    def draw(count: int, points: int) -> np.ndarray:
        drawn.append((count, points))
        return generator.normal(size=(count, 40)) @ np.cos(
            np.outer(np.arange(40), generator.uniform(0, 6, points))
        )

    rank, count = span_dimension(draw)
    assert rank.rank == 40
    assert count == 64
    assert drawn == [(16, 16), (32, 32), (64, 64)]
    assert settled(rank, count)
    rank, count = span_dimension(draw, most=20)
    assert (rank.rank, count) == (20, 20)
    assert not settled(rank, count)


@pytest.mark.parametrize(
    ("qubits", "layers", "uploads", "frequencies", "dimension"),
    [
        (1, 2, "diagonal", "independent", 9),
        (2, 1, "diagonal", "independent", 13),
        (2, 1, "qubitwise", "independent", 9),
        (2, 2, "qubitwise", "equal", 9),
    ],
)
def test_families_span_what_theory_says(qubits, layers, uploads, frequencies, dimension):
    def family(seed: int) -> DistributedModel:
        circuit = ansatz.haar(
            qubits, layers=layers, seed=seed, uploads=uploads, frequencies=frequencies
        )
        return DistributedModel(circuit, Z(0), route="state")

    measure = FunctionSpan(uniform(1, high=1e4))
    found = measure.run(family, torch.Generator().manual_seed(2))
    assert str(found.dimension) == f"{dimension} (exact)"
    assert found.rank.gap > 1e3
    assert found.functions == found.points <= 2 * max(16, 4 * dimension // 3)


def test_the_functions_of_a_model_are_those_of_its_dense_fourier_coefficients():
    """Functions of one phase by one qubit and two parametrised uploads: 1, cos, sin to degree 2."""
    model = DistributedModel(ansatz.brickwork(1, layers=2, parties=("alice",)), Z(0))
    found = FunctionSpan(uniform(1)).run(model, torch.Generator().manual_seed(0))
    x = torch.linspace(0, 2 * math.pi, 9, dtype=torch.float64)[:-1, None]
    rows = []
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        with torch.no_grad():
            model.theta.uniform_(0, 7, generator=generator)
            rows.append(np.fft.fft(model.double()(x).numpy())[:4])
    coefficients = np.stack(rows)
    real = np.concatenate([coefficients.real, coefficients.imag], 1)
    assert found.dimension.value == np.linalg.matrix_rank(real, tol=1e-6)


def test_a_sample_too_small_leaves_the_dimension_open():
    model = DistributedModel(ansatz.brickwork(3, layers=2), [Z(0), Z(1), Z(2)])
    found = FunctionSpan(uniform(3), most=20).run(model, torch.Generator().manual_seed(0))
    assert found.functions == 20
    assert (found.dimension.value, found.dimension.high) == (20, math.inf)


def test_on_few_given_points_no_more_functions_are_independent():
    model = DistributedModel(ansatz.brickwork(3, layers=2), [Z(0), Z(1), Z(2)])
    inputs = uniform(3)(10, torch.Generator().manual_seed(4))
    found = FunctionSpan(inputs).run(model, torch.Generator().manual_seed(0))
    assert found.points == 10
    assert str(found.dimension) == "10 (exact)"


def test_a_family_that_makes_no_models_is_refused():
    with pytest.raises(InputError, match="expected a DistributedModel"):
        FunctionSpan(uniform(1)).run(lambda seed: seed, torch.Generator())
