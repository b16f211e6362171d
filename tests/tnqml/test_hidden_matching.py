import itertools
import math

import numpy as np
import pytest

from tnqml import InputError
from tnqml.protocols import MatchingInstance, matching_instance
from tnqml.protocols.problems.hidden_matching import (
    bits_for,
    edge_from_state,
    expected_success,
    matching_by_bits,
    matching_by_edge,
    matching_by_state,
    phase_state,
    shared_places,
)


@pytest.mark.parametrize("size", [2, 4, 16, 64, 1024])
def test_one_quantum_message_is_always_right(size):
    for seed in range(40):
        instance = matching_instance(size, seed=seed)
        answer = matching_by_state(instance, seed=seed + 1)
        assert instance.accepts(answer.edge, answer.parity)
        assert (answer.ledger.qubits, answer.ledger.bits) == (int(math.log2(size)), 0)


def test_every_edge_is_equally_likely():
    instance = matching_instance(8, seed=3)
    state = phase_state(instance.bits)
    counts = {}
    for seed in range(2000):
        edge, _ = edge_from_state(instance.edges, state, seed=seed)
        counts[edge] = counts.get(edge, 0) + 1
    assert len(counts) == 4
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 16.3  # p = 0.001


@pytest.mark.parametrize(("size", "count"), [(4, 2), (6, 2), (8, 3), (10, 4), (8, 6)])
def test_the_success_formula_counts_every_set_of_places(size, count):
    edges = [(2 * k, 2 * k + 1) for k in range(size // 2)]
    without = sum(
        not any(a in places and b in places for a, b in edges)
        for places in map(set, itertools.combinations(range(size), count))
    )
    expected = 1 - without / math.comb(size, count) / 2
    assert math.isclose(expected_success(size, count=count), expected, rel_tol=1e-12)


def test_the_classical_protocol_succeeds_as_often_as_the_formula_says():
    size, count, trials = 64, 10, 3000
    instances = [matching_instance(size, seed=seed) for seed in range(20)]
    right = 0
    for trial in range(trials):
        instance = instances[trial % 20]
        answer = matching_by_bits(instance, count=count, seed=trial)
        right += instance.accepts(answer.edge, answer.parity)
        assert answer.ledger.bits == count
    expected = expected_success(size, count=count)
    assert abs(right / trials - expected) < 4 * math.sqrt(expected * (1 - expected) / trials)


def test_bits_grow_as_the_square_root():
    bits = [bits_for(4**k) for k in range(3, 9)]
    ratios = [later / earlier for earlier, later in itertools.pairwise(bits)]
    assert all(1.7 < ratio < 2.3 for ratio in ratios)
    assert expected_success(64, count=bits_for(64)) >= 0.9
    assert expected_success(64, count=bits_for(64) - 1) < 0.9


def test_two_ways_take_a_logarithm_and_are_right():
    instance = matching_instance(1000, seed=5)
    answer = matching_by_edge(instance, seed=1)
    assert instance.accepts(answer.edge, answer.parity)
    assert (answer.ledger.bits, answer.ledger.rounds) == (21, 2)


def test_bob_sees_only_the_bits_that_were_sent():
    instance = matching_instance(32, seed=7)
    places = shared_places(32, count=9, seed=4)
    hidden = np.setdiff1d(np.arange(32), places)
    flipped = instance.bits.copy()
    flipped[hidden] ^= 1
    other = MatchingInstance(flipped, instance.edges)
    one = matching_by_bits(instance, count=9, seed=4)
    two = matching_by_bits(other, count=9, seed=4)
    assert (one.edge, one.parity) == (two.edge, two.parity)


@pytest.mark.parametrize("count", [0, 33])
def test_a_bad_number_of_bits_is_refused(count):
    with pytest.raises(InputError, match="expected an integer of at least"):
        matching_by_bits(matching_instance(32, seed=0), count=count, seed=0)


def test_a_size_that_is_no_power_of_two_is_refused():
    with pytest.raises(InputError, match="power of two"):
        matching_by_state(matching_instance(12, seed=0), seed=0)
