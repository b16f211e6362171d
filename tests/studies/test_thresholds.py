"""Thresholds of known success rates: found, with intervals that cover."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from studies.errors import StudyError
from studies.fits import Interval
from studies.thresholds import measure_threshold, paired_threshold, probit_threshold


def probit_trials(numbers, trials, *, seed, threshold=20.0, power=0.5, scale=1.0):
    """Independent trials of P = Phi(norm.ppf(0.9) (k/threshold)^power) at each number."""
    uniform = np.random.default_rng(seed).random((trials, len(numbers)))
    rates = norm.cdf(scale * norm.ppf(0.9) * (np.asarray(numbers) / threshold) ** power)
    return uniform < rates


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_probit_threshold_covers_the_truth(power):
    numbers = [13, 16, 20, 24, 28]
    inside, widths = 0, []
    for seed in range(60):
        outcomes = probit_trials(numbers, 600, seed=seed, power=power)
        found = probit_threshold(numbers, outcomes, power=power, seed=seed)
        inside += found.low < 20 < found.high
        widths.append(found.width)
    assert inside >= 51
    assert 1 < np.mean(widths) < 6


def test_probit_threshold_of_dependent_trials_is_wider():
    """The same rates, but one uniform number decides a trial at every number."""
    numbers = [13, 16, 20, 24, 28]
    uniform = np.random.default_rng(0).random((600, 1))
    rates = norm.cdf(norm.ppf(0.9) * (np.array(numbers) / 20) ** 0.5)
    together = probit_threshold(numbers, uniform < rates, power=0.5, seed=1)
    apart = probit_threshold(numbers, probit_trials(numbers, 600, seed=0), power=0.5, seed=1)
    assert together.width > 1.2 * apart.width


def test_probit_threshold_refuses_what_does_not_cross():
    outcomes = probit_trials([1, 2, 3], 500, seed=0)
    with pytest.raises(StudyError, match="expected numbers around the crossing"):
        probit_threshold([1, 2, 3], outcomes, power=0.5, seed=0)
    with pytest.raises(StudyError, match="do not rise"):
        probit_threshold([10, 40], outcomes[:, [2, 0]], power=0.5, seed=0)


def test_measure_threshold_finds_its_range():
    for threshold in (1.5, 4.2, 33.0, 900.0):
        found = measure_threshold(
            lambda numbers, trials, seed, at=threshold: probit_trials(
                numbers, trials, seed=seed, threshold=at
            ),
            trials=4000,
            seed=int(threshold),
            power=0.5,
        )
        assert found.low <= threshold * 1.03
        assert found.high >= threshold / 1.03
        assert found.width < 0.4 * threshold


def test_measure_threshold_tries_odd_numbers_only_where_told():
    tried = set()

    def run(numbers, trials, seed):
        tried.update(numbers)
        uniform = np.random.default_rng(seed).random((trials, len(numbers)))
        return uniform < binom.sf(np.array(numbers) // 2, numbers, 0.75)

    found = measure_threshold(run, trials=4000, seed=0, power=0.5, odd=True)
    assert all(number % 2 for number in tried)
    assert 5 < found.value < 7  # 0.896 at 5 and 0.929 at 7


def test_measure_threshold_at_the_ends():
    assert measure_threshold(
        lambda numbers, trials, _: np.ones((trials, len(numbers)), bool),
        trials=50,
        seed=0,
        power=1,
    ) == Interval(1, 1, 1)
    with pytest.raises(StudyError, match="100 numbers do not reach 90%"):
        measure_threshold(
            lambda numbers, trials, _: np.zeros((trials, len(numbers)), bool),
            trials=50,
            seed=0,
            power=1,
            most=100,
        )


def test_paired_threshold_on_a_known_curve():
    numbers = [1, 2, 4, 8, 16, 32, 64]
    generator = np.random.default_rng(0)
    reference = generator.random(8000) < 0.9
    agree = generator.random((8000, 7)) < 1 - 0.5 / np.array(numbers)
    # success 0.9 p + 0.1 (1 - p) = 0.9 - 0.4/k, so 0.02 below at k = 20: log-interpolated 20.2
    found = paired_threshold(numbers, agree == reference[:, None], reference, loss=0.02, seed=0)
    assert found.low < 20.2 < found.high
    assert found.high < 40
    assert (
        paired_threshold(
            numbers[:3], agree[:, :3] == reference[:, None], reference, loss=0.02, seed=0
        )
        is None
    )
    assert paired_threshold(
        numbers, agree == reference[:, None], reference, loss=0.6, seed=0
    ) == Interval(1, 1, 1)
