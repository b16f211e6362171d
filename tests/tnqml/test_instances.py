"""Promise problems: what a seed gives, and what a broken promise says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnqml import InputError
from tnqml.protocols import (
    LinearInstance,
    MatchingInstance,
    SubspaceInstance,
    linear_instance,
    matching_instance,
    subspace_from_projector,
    subspace_instance,
)

SEEDS = st.integers(0, 2**32)
SIZES = st.integers(1, 20).map(lambda half: 2 * half)
ANSWERS = st.sampled_from([1, -1])


@given(SIZES, SEEDS, ANSWERS)
def test_subspace(size, seed, answer):
    instance = subspace_instance(size, seed=seed, answer=answer)
    projector = instance.basis @ instance.basis.T
    assert (instance.size, instance.answer) == (size, answer)
    assert instance.vector @ (2 * projector - np.eye(size)) @ instance.vector == pytest.approx(
        answer, abs=1e-12
    )
    again = subspace_instance(size, seed=seed, answer=answer)
    np.testing.assert_array_equal(instance.vector, again.vector)
    same = subspace_from_projector(instance.vector, projector)
    np.testing.assert_allclose(same.basis @ same.basis.T, projector, atol=1e-12)
    assert same.answer == answer


@given(SIZES, SEEDS)
def test_matching(size, seed):
    instance = matching_instance(size, seed=seed)
    assert instance.size == size
    assert sorted(instance.edges.ravel()) == list(range(size))
    for i, j in instance.edges:
        parity = int(instance.bits[i]) ^ int(instance.bits[j])
        assert instance.accepts((i, j), parity)
        assert instance.accepts((j, i), parity)
        assert not instance.accepts((i, j), 1 - parity)
    if size > 2:
        unmatched = (int(instance.edges[0, 0]), int(instance.edges[1, 0]))
        assert not any(instance.accepts(unmatched, parity) for parity in (0, 1))


@given(st.integers(2, 40), st.floats(0.01, 1), SEEDS, ANSWERS)
def test_linear(size, margin, seed, answer):
    instance = linear_instance(size, margin=margin, seed=seed, answer=answer)
    assert instance.data @ instance.weights == pytest.approx(answer * margin, abs=1e-12)
    assert (instance.size, instance.answer) == (size, answer)


def test_a_fair_coin_decides_the_answer():
    subspace = sum(subspace_instance(4, seed=seed).answer for seed in range(400))
    linear = sum(linear_instance(4, margin=0.3, seed=seed).answer for seed in range(400))
    assert abs(subspace) < 80  # four standard deviations
    assert abs(linear) < 80


def test_an_instance_is_a_copy_that_nobody_changes():
    x, w = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    instance = LinearInstance(x, w, 0.5)
    x[0] = -1
    assert instance.answer == 1
    with pytest.raises(ValueError, match="read-only"):
        instance.data[0] = 3


def test_a_broken_promise_says_by_how_much():
    basis = np.eye(4)[:, :2]
    with pytest.raises(InputError, match=r"promise is broken.*0.8 in.*0.6 orth.*off by 0.6"):
        SubspaceInstance(np.array([0.8, 0, 0.6, 0]), basis)
    with pytest.raises(InputError, match=r"promise is broken.*0.6, short of.*0.7 by 0.1"):
        LinearInstance(np.array([1.0, 0]), np.array([0.6, 0.8]), 0.7)
    with pytest.raises(InputError, match=r"promise is broken.*2 of 4 places are in none"):
        MatchingInstance(np.array([0, 1, 1, 0]), np.array([[0, 1], [1, 0]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SubspaceInstance([0.5, 0], [[1.0], [0]]), "off unit length by 0.5"),
        (lambda: SubspaceInstance([1.0, 0], [[1.5], [0]]), "not orthonormal.*off by 1.25"),
        (lambda: SubspaceInstance([1.0, 0, 0], np.eye(3)[:, :1]), "dimension is 3.*even"),
        (lambda: SubspaceInstance([1.0, 0], np.eye(4)[:, :2]), r"shape \(4, 2\).*2 entries"),
        (lambda: SubspaceInstance([np.nan, 0], np.eye(2)[:, :1]), "1 entries that are not finite"),
        (lambda: subspace_from_projector([1.0, 0], np.eye(2)), "trace 2; .* the trace 1"),
        (lambda: subspace_from_projector([1.0, 0], [[0.5, 0], [0, 0.5]]), "off a .* by 0.25"),
        (lambda: subspace_from_projector([1.0, 0], np.eye(3)[:2]), "expected a square matrix"),
        (lambda: subspace_instance(5, seed=0), "dimension is 5.*even"),
        (lambda: subspace_instance(0, seed=0), "dimension is 0.*at least 2"),
        (lambda: subspace_instance(4, seed=0, answer=0), "answer is 0"),
        (lambda: matching_instance(3, seed=0), "bits is 3.*even"),
        (lambda: MatchingInstance([0, 2], [[0, 1]]), "expected a row of 0 and 1"),
        (lambda: MatchingInstance([0, 1], [[0.0, 1.0]]), "type float64"),
        (lambda: linear_instance(4, margin=0.0, seed=0), "margin is 0.0"),
        (lambda: linear_instance(4, margin=1.1, seed=0), "margin is 1.1"),
        (lambda: linear_instance(1, margin=0.5, seed=0), "dimension is 1.*at least 2"),
        (lambda: LinearInstance([1.0, 0], [1.0, 0, 0], 0.5), "2 entries and Bob's weights 3"),
        (lambda: LinearInstance([2.0, 0], [1.0, 0], 0.5), "Alice's data is off unit length by 1"),
        (lambda: LinearInstance([1.0, 0], [[1.0, 0]], 0.5), r"weights has shape \(1, 2\)"),
    ],
)
def test_bad_instances(make, message):
    with pytest.raises(InputError, match=message):
        make()
