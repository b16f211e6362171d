"""Power laws: recovered, and covered by their intervals as often as they claim."""

import numpy as np
import pytest
from scipy.stats import norm

from studies.errors import StudyError
from studies.fits import power_law, relative_error


def test_power_law_recovers_two_exponents():
    n, g = (axis.ravel() for axis in np.meshgrid([16, 64, 256], [2.0, 5.0, 10.0]))
    law = power_law(np.column_stack([n, g]), 3 * n**0.5 * g**2, errors=np.full(9, 0.1))
    assert law.factor == pytest.approx(3)
    assert [exponent.value for exponent in law.exponents] == pytest.approx([0.5, 2])
    assert law.misfit < 1e-20
    np.testing.assert_allclose(law.at([4, 9], [1, 2]), [6, 36])
    # the textbook standard error of a slope
    centred = np.log([16, 64, 256]) - np.log(64)
    side = norm.ppf(0.975) * 0.1 / np.sqrt(3 * (centred**2).sum())
    assert law.exponents[0].width == pytest.approx(2 * side)


@pytest.mark.parametrize("wrong", [1.0, 0.2])
def test_intervals_of_exponents_cover(wrong):
    """Also where the errors given are five times too small, since the misfit widens them."""
    generator = np.random.default_rng(1)
    n = 2.0 ** np.arange(4, 13)
    inside = 0
    for _ in range(400):
        y = n**0.5 * np.exp(0.1 * generator.standard_normal(len(n)))
        exponent = power_law(n, y, errors=np.full(len(n), 0.1 * wrong)).exponents[0]
        inside += exponent.low < 0.5 < exponent.high
    assert inside / 400 > 0.9


def test_power_law_refuses_what_does_not_determine_it():
    with pytest.raises(StudyError, match="2 points do not determine 2 exponents"):
        power_law([[1, 2], [2, 3]], [1, 2], errors=[0.1, 0.1])
    with pytest.raises(StudyError, match="values of a power law are"):
        power_law([1, 2], [1, -2], errors=[0.1, 0.1])
    with pytest.raises(StudyError, match=r"\(2,\), \(2,\) and \(1,\)"):
        power_law([1, 2], [1, 2], errors=[0.1])


def test_relative_error_inverts_an_interval():
    low, high = 5 * np.exp(np.array([-1, 1]) * 1.959963984540054 * 0.03)
    assert relative_error([low], [high])[0] == pytest.approx(0.03)
