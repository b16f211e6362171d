"""Numbers of copies and stopping: exact intervals, valid whenever they are looked at."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, binomtest

from tnqml.errors import InputError
from tnqml.protocols.stopping import (
    Fixed,
    Stopping,
    Tally,
    mean_interval,
    running_interval,
    shots_needed,
)


def test_hoeffdings_number():
    for error, failure in ((0.3, 0.1), (0.1, 0.1), (0.03, 0.01)):
        exact = 2 * math.log(2 / failure) / error**2
        assert shots_needed(error=error, failure=failure) == math.ceil(exact)
        assert shots_needed(error=error, failure=failure, scale=0.5) == math.ceil(exact / 4)
        assert shots_needed(error=error, failure=failure, scale=3) == math.ceil(9 * exact)


@pytest.mark.parametrize(("ones", "count"), [(0, 1), (1, 1), (0, 30), (7, 30), (30, 30)])
def test_interval_of_a_fixed_number(ones, count):
    expected = binomtest(ones, count).proportion_ci(0.93, method="exact")
    assert mean_interval(ones, count, failure=0.07) == pytest.approx(tuple(expected), abs=1e-10)


@pytest.mark.parametrize(("ones", "count"), [(0, 1), (3, 3), (0, 40), (11, 40), (39, 40)])
def test_running_interval_against_numerical_integration(ones, count):
    def likelihood(p):
        return p**ones * (1 - p) ** (count - ones)

    low, high = running_interval(ones, count, failure=0.05)
    assert 0 <= low <= ones / count <= high <= 1
    bound = 0.05 * quad(likelihood, 0, 1, epsabs=0, epsrel=1e-11)[0]
    for end in (low, high):
        if 0 < end < 1:
            assert likelihood(end) == pytest.approx(bound, rel=1e-6)
        else:
            assert ones in {0, count}


@pytest.mark.parametrize("mean", [0.5, 0.9, 1.0])
def test_running_interval_holds_at_all_times_at_once(mean):
    generator = np.random.default_rng(11)
    paths, length, failure = 150, 50, 0.3
    ones = (generator.random((paths, length)) < mean).cumsum(1)
    missed = 0
    for path in ones:
        intervals = [running_interval(int(path[t]), t + 1, failure=failure) for t in range(length)]
        missed += not all(low <= mean <= high for low, high in intervals)
    assert missed <= binom.ppf(1 - 1e-4, paths, failure)


@pytest.mark.parametrize(("error", "failure"), [(0.025, 0.1), (0.1, 0.01), (0.3, 0.5), (0.45, 0.1)])
def test_the_last_look_is_narrow_enough_whatever_comes_out(error, failure):
    goal = Stopping(error, failure)
    for ones in range(goal.most + 1):
        low, high = goal.interval(Tally(goal.most, ones))
        assert max(high - ones / goal.most, ones / goal.most - low) <= error + 1e-12
        assert goal.wanted(Tally(goal.most, ones)) == 0
    if error < 0.2:
        assert goal.most < math.log(2 / failure) / (2 * error**2)  # Hoeffding's number


def run(goal, mean, generator):
    ones = count = 0
    while wanted := goal.wanted(Tally(count, ones)):
        ones, count = ones + int(generator.binomial(wanted, mean)), count + wanted
    return ones, count


@pytest.mark.parametrize("mean", [0.0, 0.02, 0.3, 0.5, 0.975])
def test_stopped_means_are_as_exact_as_wanted(mean):
    goal, generator, runs, missed, far = Stopping(0.04, 0.2), np.random.default_rng(5), 100, 0, 0
    for _ in range(runs):
        ones, count = run(goal, mean, generator)
        low, high = goal.interval(Tally(count, ones))
        assert count <= goal.most
        assert max(high - ones / count, ones / count - low) <= goal.error + 1e-12
        missed += not low <= mean <= high
        far += abs(ones / count - mean) > goal.error
    assert max(missed, far) <= binom.ppf(1 - 1e-4, runs, goal.failure)


def test_small_variance_stops_early_and_earlier_than_empirical_bernstein():
    goal, generator = Stopping(0.025, 0.1), np.random.default_rng(2)
    counts = {mean: run(goal, mean, generator)[1] for mean in (0.5, 0.97, 0.99, 1.0)}
    assert counts[0.5] == goal.most
    assert goal.most > counts[0.97] > counts[0.99] > counts[1.0] == goal.least

    def bernstein(t, mean):  # Audibert, Munos, Szepesvari 2009, over all t by a union bound
        log = math.log(3 * math.pi**2 * t**2 / (6 * goal.failure))
        return math.sqrt(2 * mean * (1 - mean) * log / t) + 3 * log / t

    for mean, count in counts.items():
        assert bernstein(count, mean) > goal.error


def test_bad_input():
    for value in (0, 1, -0.1, 1.5, math.nan, "0.1", True):
        for call in (
            lambda value: shots_needed(error=value, failure=0.1),
            lambda value: shots_needed(error=0.1, failure=value),
            lambda value: Stopping(0.1, value),
            lambda value: Fixed(3, value),
        ):
            with pytest.raises(InputError, match=r"(error|failure) is .*; expected a number betw"):
                call(value)
    for shots in (0, -1, 2.5):
        with pytest.raises(InputError, match="shots is"):
            Fixed(shots, 0.1)
    with pytest.raises(InputError, match="error is 0; expected a positive number"):
        Stopping(0, 0.1)
    with pytest.raises(InputError, match="scale is 0"):
        shots_needed(error=0.1, failure=0.1, scale=0)
