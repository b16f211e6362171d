"""Classical sketches: error as predicted, bits as sent, parties apart."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isolation import assert_instance_isolated
from scipy.stats import binom, f

from tnqml import InputError
from tnqml.protocols import (
    Answer,
    SuccessRate,
    dequantise,
    linear_by_projections,
    linear_by_signs,
    linear_by_vector,
    linear_from_sketch,
    linear_from_vector,
    linear_instance,
    quantise,
    sketch_message,
    subspace_by_projections,
    subspace_by_signs,
    subspace_by_vector,
    subspace_from_vector,
    subspace_instance,
    success_rate,
)
from tnqml.protocols.problems import one_way


def subspaces(size):
    return [subspace_instance(size, seed=7, answer=answer) for answer in (1, -1)]


def linears(size, margin):
    return [linear_instance(size, margin=margin, seed=7, answer=answer) for answer in (1, -1)]


def tossed(probability, trials):
    """Bounds of a rate that a right program leaves once in 30,000."""
    low, high = binom.interval(1 - 3e-5, trials, probability)
    return low / trials, high / trials


# numbers of bits and of projections that reach 90%: section 2 of the theory, measured there
@pytest.mark.parametrize(("size", "numbers"), [(16, 13), (64, 24), (256, 46)])
def test_subspace_by_signs_reaches_ninety_percent(size, numbers):
    protocol = partial(subspace_by_signs, numbers=numbers)
    measured = success_rate(protocol, subspaces(size), trials=2000, seed=size)
    assert 0.87 < measured.rate < 0.93
    low, high = measured.interval()
    assert low < measured.rate < high
    assert high - low < 0.03
    ledger = protocol(subspaces(size)[0], seed=0).ledger
    assert (ledger.bits, ledger.qubits, ledger.rounds) == (numbers, 0, 1)


@pytest.mark.parametrize(("size", "numbers"), [(16, 9), (64, 16), (256, 30)])
def test_subspace_by_projections_reaches_ninety_percent(size, numbers):
    protocol = partial(subspace_by_projections, numbers=numbers, bits=8)
    measured = success_rate(protocol, subspaces(size), trials=2000, seed=size)
    assert 0.87 < measured.rate < 0.93
    assert protocol(subspaces(size)[0], seed=0).ledger.bits == 8 * numbers


@pytest.mark.parametrize(("margin", "numbers"), [(0.5, 15), (0.2, 99)])
@pytest.mark.parametrize("size", [2, 40])
def test_linear_by_signs_is_a_majority_of_agreements(margin, numbers, size):
    agree = 1 - np.arccos(margin) / np.pi
    expected = binom.sf(numbers // 2, numbers, agree)
    assert 0.89 < expected < 0.92
    protocol = partial(linear_by_signs, numbers=numbers)
    measured = success_rate(protocol, linears(size, margin), trials=2000, seed=size)
    low, high = tossed(expected, 2000)
    assert low < measured.rate < high
    assert protocol(linears(size, margin)[0], seed=0).ledger.bits == numbers


def test_a_coin_decides_a_tie():
    # an even number of signs: half of the ties are won
    agree = 1 - np.arccos(0.5) / np.pi
    expected = binom.sf(2, 4, agree) + binom.pmf(2, 4, agree) / 2
    for instance in linears(5, 0.5):
        measured = success_rate(
            partial(linear_by_signs, numbers=4), [instance], trials=2000, seed=1
        )
        low, high = tossed(expected, 2000)
        assert low < measured.rate < high


@pytest.mark.parametrize(("margin", "numbers"), [(0.5, 8), (0.2, 43)])
def test_linear_by_projections_reaches_ninety_percent(margin, numbers):
    assert numbers == round(1.64 * (1 + margin**2) / margin**2)
    protocol = partial(linear_by_projections, numbers=numbers, bits=8)
    # 4 a b = (a + b)^2 - (a - b)^2, of independent a + b and a - b of variance 2 (1 +- margin)
    expected = f.cdf((1 + margin) / (1 - margin), numbers, numbers)
    assert 0.89 < expected < 0.93
    measured = success_rate(protocol, linears(30, margin), trials=2000, seed=2)
    low, high = tossed(expected, 2000)
    assert low < measured.rate < high
    assert protocol(linears(30, margin)[1], seed=0).ledger.bits == 8 * numbers


def test_whole_vectors_at_enough_bits_are_right():
    for seed in range(50):
        subspace = subspace_instance(20, seed=seed)
        linear = linear_instance(20, margin=0.1, seed=seed)
        for answer, right in (
            (subspace_by_vector(subspace, bits=6), subspace.answer),
            (linear_by_vector(linear, bits=8), linear.answer),
        ):
            assert answer.value == right
        assert subspace_by_vector(subspace, bits=6).ledger.bits == 20 * 6


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.integers(1, 52))
def test_quantisation_keeps_half_a_step(values, bits):
    given_values = np.array(values)
    if np.abs(given_values).max() < 1e-300:
        return
    codes = quantise(given_values, bits=bits)
    assert codes.min() >= 0
    assert codes.max() < 2**bits
    scaled = given_values / np.abs(given_values).max()
    assert np.abs(dequantise(codes, bits=bits) - scaled).max() <= 2.0**-bits + 1e-15


def test_more_bits_a_number_cost_bits_and_help():
    rates = [
        success_rate(
            partial(subspace_by_projections, numbers=16, bits=bits),
            subspaces(64),
            trials=1500,
            seed=3,
        ).rate
        for bits in (1, 8)
    ]
    assert rates[1] > rates[0] + 0.03


@pytest.mark.parametrize(
    "protocol",
    [
        partial(subspace_by_signs, numbers=9, seed=5),
        partial(subspace_by_projections, numbers=9, bits=4, seed=5),
        partial(subspace_by_vector, bits=4),
        partial(linear_by_signs, numbers=9, seed=5),
        partial(linear_by_projections, numbers=9, bits=4, seed=5),
        partial(linear_by_vector, bits=4),
    ],
)
def test_each_party_sees_its_own_data_and_the_messages_only(protocol, monkeypatch):
    linear = "linear" in protocol.func.__name__
    for seed in range(5):
        make = partial(linear_instance, margin=0.3) if linear else subspace_instance
        instance = make(16, seed=seed)
        alice, bob = ("data", "weights") if linear else ("vector", "basis")
        run = assert_instance_isolated(
            monkeypatch, one_way, instance, protocol=protocol, alice=alice, bob=bob
        )
        assert Answer(run.results["bob"], run.ledger) == protocol(instance)


def test_bad_input():
    subspace, linear = subspace_instance(4, seed=0), linear_instance(4, margin=0.5, seed=0)
    for numbers in (0, -1, 1.5):
        with pytest.raises(InputError, match=f"number of projections is {numbers}"):
            subspace_by_signs(subspace, numbers=numbers, seed=0)
        with pytest.raises(InputError, match=f"number of projections is {numbers}"):
            linear_by_signs(linear, numbers=numbers, seed=0)
    for bits in (0, 53):
        for run in (
            lambda bits: subspace_by_projections(subspace, numbers=3, bits=bits, seed=0),
            lambda bits: linear_by_projections(linear, numbers=3, bits=bits, seed=0),
            lambda bits: subspace_by_vector(subspace, bits=bits),
            lambda bits: linear_by_vector(linear, bits=bits),
        ):
            with pytest.raises(InputError, match=rf"bits of a number (is|are) {bits}"):
                run(bits)
    codes = quantise(np.ones(3), bits=2)
    with pytest.raises(InputError, match="sent 3 numbers and Bob's dimension is 4"):
        subspace_from_vector(subspace.basis, codes, bits=2)
    with pytest.raises(InputError, match="sent 3 numbers and Bob's dimension is 4"):
        linear_from_vector(linear.weights, codes, bits=2)
    with pytest.raises(InputError, match="integers from 3 to 3 in a message of 1 bits"):
        linear_from_sketch(linear.weights, codes, bits=1, seed=0)
    with pytest.raises(InputError, match="largest size is nan"):
        sketch_message(np.array([np.nan, 1]), numbers=2, bits=3, seed=0)
    with pytest.raises(InputError, match=r"largest size is 0\.0"):
        quantise(np.zeros(2), bits=3)


def test_bad_trials():
    protocol = partial(linear_by_signs, numbers=3)
    with pytest.raises(InputError, match="trials is 0"):
        success_rate(protocol, linears(4, 0.5), trials=0, seed=0)
    with pytest.raises(InputError, match="no instances"):
        success_rate(protocol, [], trials=3, seed=0)
    with pytest.raises(InputError, match="confidence is 1"):
        SuccessRate(3, 4).interval(confidence=1)


def test_wilson_interval_against_its_formula():
    share, trials, z = 0.9, 200, 1.959963984540054
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * np.sqrt(share * 0.1 / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    assert SuccessRate(180, 200).interval() == pytest.approx((middle - half, middle + half))
