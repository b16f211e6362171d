"""Vector in Subspace from the largest coefficients: against all of them, and its bits."""

from functools import partial

import numpy as np
import pytest
from isolation import assert_instance_isolated

from tnqml import InputError
from tnqml.protocols import SubspaceInstance, subspace_by_vector, subspace_instance
from tnqml.protocols.problems import one_way
from tnqml.protocols.problems.coefficients import subspace_by_coefficients


def test_all_coefficients_are_the_whole_vector():
    for seed in range(30):
        instance = subspace_instance(6, seed=seed)
        some = subspace_by_coefficients(instance, numbers=6, bits=3)
        assert some.value == subspace_by_vector(instance, bits=3).value
        assert some.ledger.bits == 6 * (3 + 3)


def test_one_coefficient_decides_where_the_subspace_is_spanned_by_axes():
    basis = np.eye(8)[:, :4]
    for place, answer in ((0, 1), (3, 1), (4, -1), (7, -1)):
        vector = np.zeros(8)
        vector[place] = -1
        instance = SubspaceInstance(vector, basis)
        found = subspace_by_coefficients(instance, numbers=1, bits=1)
        assert (found.value, found.ledger.bits, found.ledger.rounds) == (answer, 4, 1)


def test_an_instance_against_it():
    # the largest coefficient lies mostly in the other subspace: Bob, who sees no more, errs
    inside = np.array([0.6, 0.8 / np.sqrt(3), 0.8 / np.sqrt(3), 0.8 / np.sqrt(3)])
    other = np.array([0.8, -0.6 / np.sqrt(3), -0.6 / np.sqrt(3), -0.6 / np.sqrt(3)])
    basis = np.stack([inside, np.array([0, 1, -1, 0]) / np.sqrt(2)], axis=1)
    assert abs(inside @ other) < 1e-12
    instance = SubspaceInstance(inside, basis)
    assert instance.answer == 1
    assert subspace_by_coefficients(instance, numbers=1, bits=4).value == -1
    assert subspace_by_coefficients(instance, numbers=4, bits=4).value == 1


def test_each_party_sees_its_own_data_and_the_message_only(monkeypatch):
    for seed in range(3):
        assert_instance_isolated(
            monkeypatch,
            one_way,
            subspace_instance(16, seed=seed),
            protocol=partial(subspace_by_coefficients, numbers=3, bits=2),
            alice="vector",
            bob="basis",
        )


def test_bad_input():
    instance = subspace_instance(4, seed=0)
    for numbers in (0, 2.5):
        with pytest.raises(InputError, match=f"number of coefficients is {numbers}"):
            subspace_by_coefficients(instance, numbers=numbers, bits=1)
    with pytest.raises(InputError, match="number of coefficients is 5; expected at most N = 4"):
        subspace_by_coefficients(instance, numbers=5, bits=1)
    with pytest.raises(InputError, match="bits of a number are 53"):
        subspace_by_coefficients(instance, numbers=2, bits=53)
