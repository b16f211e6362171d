"""Many trials at once: the same answers as the protocols, trial by trial, in distribution."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import binom, f

from tnqml import InputError
from tnqml.protocols import (
    expected_success,
    linear_by_ancilla,
    linear_by_projections,
    linear_by_signs,
    linear_instance,
    matching_by_bits,
    matching_instance,
    subspace_by_projections,
    subspace_by_state,
    subspace_by_vector,
    subspace_instance,
    success_rate,
)
from tnqml.protocols.problems.ensembles import (
    ancillas_right,
    matchings_right,
    numbers_right,
    paired_projections,
    shared_projections,
    signs_right,
    subspace_coefficients,
    subspace_sketches,
    subspace_states,
)
from tnqml.protocols.problems.sketches import dequantise, quantise


def tossed(probability, trials):
    """Bounds of a rate that a right program leaves once in 30,000."""
    low, high = binom.interval(1 - 3e-5, trials, probability)
    return low / trials, high / trials


def differ(first, second, *, trials):
    """How many standard errors two measured rates are apart."""
    pooled = (first + second) / 2
    return abs(first - second) / np.sqrt(2 * pooled * (1 - pooled) / trials)


@pytest.mark.parametrize(("size", "numbers", "bits"), [(2, 4, 1), (16, 13, 1), (16, 6, 3)])
def test_subspace_sketches_have_the_success_of_the_protocol(size, numbers, bits):
    trials = 4000
    instances = [subspace_instance(size, seed=3, answer=answer) for answer in (1, -1)]
    protocol = partial(subspace_by_projections, numbers=numbers, bits=bits)
    true = success_rate(protocol, instances, trials=trials, seed=1).rate
    fast = subspace_sketches(size, numbers=[numbers], bits=bits, trials=trials, seed=2)
    assert differ(true, fast.mean(), trials=trials) < 4


@pytest.mark.parametrize(("size", "numbers"), [(4, 3), (64, 17), (1024, 61)])
def test_subspace_sketches_of_many_bits_follow_fisher(size, numbers):
    # |s| and c are |p| there: chi-squared with k + N/2 - 1 against N/2 degrees of freedom
    inside, outside = numbers + size / 2 - 1, size / 2
    expected = f.sf(outside / inside, inside, outside)
    right = subspace_sketches(size, numbers=[numbers], bits=40, trials=20_000, seed=3)
    low, high = tossed(expected, 20_000)
    assert low < right.mean() < high


@pytest.mark.parametrize(("size", "numbers", "bits"), [(4, 4, 1), (16, 1, 3), (64, 3, 1)])
def test_coefficients_of_a_random_vector_decide_as_those_of_an_instance(size, numbers, bits):
    trials = 2000
    right = 0
    for seed in range(trials):
        instance = subspace_instance(size, seed=seed)
        largest = np.argsort(-np.abs(instance.vector))[:numbers]
        sent = np.zeros(size)
        sent[largest] = dequantise(quantise(instance.vector[largest], bits=bits), bits=bits)
        inside = np.sum((instance.basis.T @ sent) ** 2)
        right += (1 if 2 * inside >= sent @ sent else -1) == instance.answer
    fast = subspace_coefficients(size, numbers=[numbers], bits=bits, trials=trials, seed=1)
    assert 0.6 < fast.mean() < 0.99
    assert differ(right / trials, fast.mean(), trials=trials) < 4


def test_all_coefficients_are_the_whole_vector():
    size, trials = 8, 1000
    instances = [subspace_instance(size, seed=seed) for seed in range(trials)]
    true = success_rate(
        lambda instance, seed: subspace_by_vector(instance, bits=1),  # noqa: ARG005
        instances,
        trials=trials,
        seed=0,
    )
    fast = subspace_coefficients(size, numbers=[1, size], bits=1, trials=trials, seed=1)
    assert differ(true.rate, fast[:, 1].mean(), trials=trials) < 4
    assert fast[:, 0].mean() < fast[:, 1].mean() < 1


def test_subspace_states_are_right_as_the_protocol_is():
    for size in (2, 8, 64):
        instance = subspace_instance(size, seed=size)
        assert subspace_states(instance.basis, trials=40, seed=0).all()
        assert subspace_by_state(instance, seed=0).value == instance.answer


def test_subspace_states_fail_for_a_wrong_subspace(monkeypatch):
    # half of the basis is turned out of H behind the back of the one that draws the vectors
    from tnqml.protocols.problems import ensembles

    right = ensembles.rotation_onto
    monkeypatch.setattr(
        ensembles, "rotation_onto", lambda basis: np.roll(right(basis), len(basis) // 4, axis=0)
    )
    basis = subspace_instance(16, seed=1).basis
    assert 0.4 < subspace_states(basis, trials=400, seed=0).mean() < 0.6


@pytest.mark.parametrize("margin", [0.5, 0.2])
def test_linear_trials_have_the_success_of_the_protocols(margin):
    size, trials, numbers, bits = 12, 3000, 16, 3  # an even number: ties
    instance = linear_instance(size, margin=margin, seed=4)
    vectors = np.stack([instance.data, instance.weights])
    generator = np.random.default_rng(6)
    full = shared_projections(vectors, rows=20, trials=trials, seed=6)
    product = np.full(trials, instance.data @ instance.weights)
    pairs = paired_projections(product, rows=20, generator=generator)
    answers = np.full(trials, instance.answer)
    signs = success_rate(
        partial(linear_by_signs, numbers=numbers), [instance], trials=trials, seed=1
    ).rate
    real = success_rate(
        partial(linear_by_projections, numbers=numbers, bits=bits),
        [instance],
        trials=trials,
        seed=2,
    ).rate
    for drawn in (full, pairs):
        fast = signs_right(drawn, answers, numbers=[3, numbers], generator=generator)
        assert differ(signs, fast[:, 1].mean(), trials=trials) < 4
        assert fast[:, 0].mean() < fast[:, 1].mean()
        fast = numbers_right(drawn, answers, numbers=[numbers], bits=bits)
        assert differ(real, fast.mean(), trials=trials) < 4


def test_projections_of_a_pair_are_normal_with_its_inner_product():
    generator = np.random.default_rng(0)
    first, second = paired_projections(np.full(2, -0.3), rows=50_000, generator=generator)
    np.testing.assert_allclose(
        np.cov(first.ravel(), second.ravel()), [[1, -0.3], [-0.3, 1]], atol=0.02
    )
    vectors = np.array([[1.0, 0, 0], [0.6, 0.8, 0]])
    drawn = shared_projections(vectors, rows=50_000, trials=2, seed=1)
    np.testing.assert_allclose(
        np.cov(drawn[0].ravel(), drawn[1].ravel()), [[1, 0.6], [0.6, 1]], atol=0.02
    )
    assert abs(np.corrcoef(drawn[0])[0, 1]) < 0.02  # trials draw rows of their own


def test_ancilla_trials_have_the_success_of_the_protocol():
    copies, trials = 7, 2000
    instances = [linear_instance(8, margin=0.5, seed=seed, answer=1 - 2 * seed) for seed in (0, 1)]
    for instance in instances:
        expected = binom.sf(copies // 2, copies, 0.75)
        low, high = tossed(expected, trials)
        fast = ancillas_right(
            instance.data[None],
            instance.weights,
            np.array([instance.answer]),
            copies=[1, copies],
            trials=trials,
            seed=1,
        )
        assert low < fast[:, 1].mean() < high
        assert fast.shape == (trials, 2)
        true = success_rate(
            partial(linear_by_ancilla, copies=copies), [instance], trials=500, seed=3
        )
        low, high = tossed(expected, 500)
        assert low < true.rate < high


def test_ancilla_trials_of_several_points_keep_their_order():
    data = np.eye(4)[[0, 1]]
    right = ancillas_right(
        data, np.array([1.0, 0, 0, 0]), np.array([1, 1]), copies=[30], trials=50, seed=0
    )
    assert right[:50].all()  # x = w: every ancilla reads 0
    assert 0.2 < right[50:].mean() < 0.8  # x orthogonal to w: a coin


@pytest.mark.parametrize(("size", "counts"), [(4, [1, 2, 3]), (64, [1, 8, 14, 40])])
def test_matchings_have_the_success_of_the_protocol(size, counts):
    trials = 20_000
    fast = matchings_right(size, counts=counts, trials=trials, seed=1)
    for column, count in enumerate(counts):
        low, high = tossed(expected_success(size, count=count), trials)
        assert low <= fast[:, column].mean() <= high
    runs, right = 500, 0
    for seed in range(runs):
        instance = matching_instance(size, seed=seed)
        answer = matching_by_bits(instance, count=counts[-2], seed=10**6 + seed)
        right += instance.accepts(answer.edge, answer.parity)
    low, high = tossed(expected_success(size, count=counts[-2]), runs)
    assert low <= right / runs <= high


def test_same_seed_same_trials():
    for run in (
        partial(subspace_sketches, 16, numbers=[3, 9], bits=1, trials=50),
        partial(matchings_right, 16, counts=[3, 9], trials=50),
        partial(subspace_states, subspace_instance(8, seed=0).basis, trials=20),
    ):
        np.testing.assert_array_equal(run(seed=1), run(seed=1))
    first, second = (
        subspace_sketches(16, numbers=[3], bits=1, trials=200, seed=seed) for seed in (1, 2)
    )
    assert (first != second).any()


def test_bad_input():
    with pytest.raises(InputError, match="dimension is 5"):
        subspace_sketches(5, numbers=[3], bits=1, trials=3, seed=0)
    with pytest.raises(InputError, match="trials is 0"):
        subspace_sketches(4, numbers=[3], bits=1, trials=0, seed=0)
    with pytest.raises(InputError, match="number of projections is 0"):
        paired_projections(np.zeros(3), rows=0, generator=np.random.default_rng(0))
    with pytest.raises(InputError, match=r"votes to count are \[9\]; expected from 1 to the 4"):
        signs_right(
            np.ones((2, 3, 4)), np.ones(3, int), numbers=[9], generator=np.random.default_rng(0)
        )
