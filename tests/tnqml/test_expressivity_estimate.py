"""Intervals of estimates against scipy and against what they promise."""

import numpy as np
import pytest
import torch
from scipy import stats

from tnqml.errors import InputError
from tnqml.expressivity.estimate import Estimate, exact, mean, numpy_generator, resampled


def test_the_mean_has_students_interval():
    samples = np.random.default_rng(0).normal(3, 2, 17)
    found = mean(samples, confidence=0.9)
    low, high = stats.ttest_1samp(samples, 0).confidence_interval(0.9)
    assert found.value == pytest.approx(samples.mean(), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert (found.method, found.confidence) == ("student", 0.9)


def test_the_bootstrap_of_a_mean_is_about_normal_and_repeats_with_its_seed():
    samples = np.random.default_rng(1).normal(size=(400, 2))

    def both() -> Estimate:
        generator = torch.Generator().manual_seed(5)
        return resampled(samples, lambda drawn: float(drawn.mean()), generator=generator)

    found = both()
    reach = 1.96 * samples.mean(1).std() / 20
    assert found.value == pytest.approx(samples.mean())
    assert found.high - found.value == pytest.approx(reach, rel=0.15)
    assert found.value - found.low == pytest.approx(reach, rel=0.15)
    assert found == both()


def test_a_numpy_generator_follows_the_torch_one():
    one, two = (torch.Generator().manual_seed(seed) for seed in (3, 3))
    first, second = numpy_generator(one), numpy_generator(two)
    assert first.integers(2**60) == second.integers(2**60)
    assert numpy_generator(one).integers(2**60) != first.integers(2**60)


def test_estimates_say_what_they_are():
    assert str(exact(13)) == "13 (exact)"
    assert "bootstrap, 95%" in str(Estimate(1.0, 0.0, 2.0, "bootstrap", 0.95))
    assert str(Estimate(5, 4, 6, "tolerance", 1.0)) == "5 [4, 6] (tolerance)"


@pytest.mark.parametrize("confidence", [0, 1, -0.5, "much"])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(InputError, match="between 0 and 1"):
        mean(np.arange(4.0), confidence=confidence)


def test_too_few_or_infinite_draws_are_refused():
    with pytest.raises(InputError, match="at least 2"):
        mean(np.array([1.0]))
    with pytest.raises(InputError, match="not finite"):
        resampled(np.array([1.0, np.nan]), float, generator=torch.Generator())
