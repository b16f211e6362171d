"""Linear classification by amplitude estimation: right as often as promised, cheap as 1/margin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tnqml import InputError
from tnqml.protocols import LinearInstance, linear_instance
from tnqml.protocols.inference.amplitude_estimation import Passage, evolved
from tnqml.protocols.inference.estimation_schedule import (
    Schedule,
    decision_schedule,
    decision_schedules,
)
from tnqml.protocols.problems.linear_estimation import (
    DataHands,
    WeightsHands,
    linear_by_amplitude_estimation,
    linear_outcomes,
    linear_qubits_needed,
    linear_success,
)


@given(st.integers(1, 5), st.integers(0, 2**32), st.floats(0.01, 1), st.sampled_from([1, -1]))
def test_registers_rotate_as_the_formula_says(qubits, seed, margin, answer):
    instance = linear_instance(2**qubits, margin=margin, seed=seed, answer=answer)
    powers = (0, 1, 3, 10)
    known = {"alice": DataHands(instance.data), "bob": WeightsHands(instance.weights)}
    passage = Passage(("alice", "bob"), ((0, "Z"),), qubits + 1, Schedule(powers, (1,) * 4))
    theta = np.arcsin(np.sqrt((1 + answer * margin) / 2))
    for power, register in zip(powers, evolved(known, passage), strict=True):
        assert np.linalg.norm(register) == pytest.approx(1, abs=1e-12)
        zero = np.sum(np.abs(register[: 2**qubits]) ** 2)
        assert zero == pytest.approx(np.sin((2 * power + 1) * theta) ** 2, abs=1e-9)


@given(st.integers(1, 5), st.integers(0, 2**32))
def test_bob_undoes_what_he_does(qubits, seed):
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=2**qubits)
    hands = WeightsHands(weights / np.linalg.norm(weights))
    state = generator.normal(size=(1, 2 ** (qubits + 1))) + 0j
    np.testing.assert_allclose(hands.undo(1, hands.apply(1, state)), state, atol=1e-12)


@pytest.mark.parametrize("margin", [0.5, 0.2, 0.07])
def test_right_with_the_probability_promised_beyond_the_margin_too(margin):
    for failure in (0.1, 0.01):
        schedule = decision_schedule(margin=margin, failure=failure)
        for index, times in enumerate((1, 1.4, 2, 4, 10)):
            if times * margin > 1:
                continue
            answer = 1 - 2 * (index % 2)
            exact = linear_instance(8, margin=times * margin, seed=index, answer=answer)
            told = LinearInstance(exact.data, exact.weights, margin)
            (rate,) = linear_success([told], [schedule], margin=margin, trials=1000, seed=index)
            assert rate.successes >= binom.ppf(1e-4, 1000, 1 - failure)


def test_the_protocol_and_the_many_runs_agree():
    instance = linear_instance(16, margin=0.3, seed=5, answer=-1)
    schedule = Schedule((0, 1), (3, 1))
    answers = [
        linear_by_amplitude_estimation(instance, seed=seed, schedule=schedule)
        for seed in range(400)
    ]
    right = sum(answer.value == -1 for answer in answers)
    (rate,) = linear_success([instance], [schedule], margin=0.3, trials=4000, seed=1)
    spread = np.sqrt(rate.rate * (1 - rate.rate) / 400)
    assert 0.6 < rate.rate < 0.95
    assert abs(right / 400 - rate.rate) < 4 * spread
    ledger = answers[0].ledger
    assert ledger.qubits == 5 * schedule.passes == 5 * 6
    assert [(entry.sender, entry.purpose, entry.copies) for entry in ledger] == [
        ("alice", "prepare", 4),
        ("bob", "back", 1),
        ("alice", "forth", 1),
    ]


def test_outcomes_have_the_registers_frequencies():
    instance = linear_instance(16, margin=0.1, seed=3, answer=1)
    short, long = Schedule((0, 4), (5, 2)), Schedule((0, 1, 4), (2, 6, 3))
    first, second = linear_outcomes(instance, [short, long], trials=3000, seed=2)
    assert (first.shape, second.shape) == ((3000, 2), (3000, 3))
    theta = np.arcsin(np.sqrt(1.1 / 2))
    for schedule, counts in ((short, first), (long, second)):
        chances = np.sin(schedule.frequencies * theta) ** 2
        means = counts.mean(0) / schedule.shots
        spread = np.sqrt(chances * (1 - chances) / (3000 * np.array(schedule.shots)))
        assert (np.abs(means - chances) < 4.5 * spread).all()
    np.testing.assert_array_equal(
        linear_outcomes(instance, [short], trials=10, seed=2)[0],
        linear_outcomes(instance, [short], trials=10, seed=2)[0],
    )


@pytest.mark.parametrize("margin", [0.3, 0.05, 0.004])
def test_schedules_of_every_ladder_are_tried_the_cheapest_first(margin):
    failures = (0.5, 0.2, 0.1)
    found = decision_schedules(margin=margin, failures=failures)
    chosen = {decision_schedule(margin=margin, failure=failure) for failure in failures}
    passes = [schedule.passes for schedule in found]
    assert passes == sorted(passes)
    assert len(set(found)) == len(found)
    assert chosen < set(found)
    assert passes[-1] == max(schedule.passes for schedule in chosen)
    assert {schedule.powers for schedule in chosen} < {schedule.powers for schedule in found}


def test_the_cheapest_schedule_is_good_enough_on_outcomes_of_its_own():
    needed = linear_qubits_needed(4, margin=0.1, seed=2, trials=2000)
    instances = [
        linear_instance(4, margin=0.1 * times, seed=70 + times, answer=1) for times in (1, 2, 4, 8)
    ]
    (again,) = linear_success(instances, [needed.schedule], margin=0.1, trials=2000, seed=50)
    assert again.rate > 0.9 - 4 * np.sqrt(0.09 / 2000)


def test_processes_give_the_same():
    instance = linear_instance(8, margin=0.2, seed=2)
    here = linear_by_amplitude_estimation(instance, seed=3)
    assert linear_by_amplitude_estimation(instance, seed=3, processes=True) == here


def test_qubits_needed_grow_as_the_inverse_margin_and_the_logarithm():
    margins = np.array([0.2, 0.1, 0.05, 0.025])
    needed = [
        linear_qubits_needed(16, margin=float(margin), seed=1, trials=400) for margin in margins
    ]
    for one in needed:
        assert one.low <= one.qubits <= one.high
        assert one.success.rate >= 0.9
        assert one.qubits == 5 * one.schedule.passes
    slope, _ = np.polyfit(np.log(1 / margins), np.log([one.qubits for one in needed]), 1)
    assert 0.8 < slope < 1.4
    large = linear_qubits_needed(256, margin=0.1, seed=1, trials=400)
    assert large.qubits / 9 == pytest.approx(needed[1].qubits / 5, rel=0.35)
    # plain copies need 1.64/margin^2 for the same success: 1051 at 0.025
    assert needed[-1].qubits / 5 < 0.4 * 1.64 / 0.025**2


def test_bad_input():
    with pytest.raises(InputError, match=r"dimension is 12.*power of two"):
        linear_by_amplitude_estimation(linear_instance(12, margin=0.5, seed=0), seed=0)
    with pytest.raises(InputError, match="failure is 0"):
        linear_by_amplitude_estimation(linear_instance(4, margin=0.5, seed=0), seed=0, failure=0)
    with pytest.raises(InputError, match="success is 1"):
        linear_qubits_needed(8, margin=0.5, seed=0, success=1.0)
    with pytest.raises(InputError, match="margin is 2"):
        linear_qubits_needed(8, margin=2, seed=0)
    with pytest.raises(InputError, match="dimension is 6"):
        linear_qubits_needed(6, margin=0.5, seed=0)
    with pytest.raises(InputError, match="trials is 0"):
        linear_qubits_needed(8, margin=0.5, seed=0, trials=0)
    with pytest.raises(InputError, match="Bob prepares nothing"):
        WeightsHands(np.array([1.0, 0.0])).prepare()
