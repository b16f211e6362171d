"""One-way protocols in two processes: the same answer and the same ledger."""

import multiprocessing

import pytest

from tnqml import InputError
from tnqml.protocols import (
    linear_by_ancilla,
    linear_by_projections,
    linear_instance,
    subspace_by_signs,
    subspace_instance,
)


def test_two_processes_give_the_same_answer():
    linear, subspace = linear_instance(8, margin=0.2, seed=3), subspace_instance(8, seed=4)
    for protocol, instance, options in (
        (subspace_by_signs, subspace, {"numbers": 7, "seed": 5}),
        (linear_by_ancilla, linear, {"copies": 5, "seed": 6}),
    ):
        here = protocol(instance, **options)
        assert protocol(instance, **options, processes=True) == here
    assert not multiprocessing.active_children()


def test_bad_input_is_refused_before_a_process_starts_or_by_its_party():
    linear = linear_instance(8, margin=0.2, seed=3)
    with pytest.raises(InputError, match="copies is 0"):
        linear_by_ancilla(linear, copies=0, seed=0, processes=True)
    with pytest.raises(InputError, match="the number of projections is 0"):
        linear_by_projections(linear, numbers=0, bits=2, seed=0, processes=True)
    assert not multiprocessing.active_children()
