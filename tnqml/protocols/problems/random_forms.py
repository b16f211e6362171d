"""What Bob computes from Alice's sketch of u on a random instance, without drawing its rows.

A Gaussian row is rotation invariant: for rows g_i and a unit vector u, the numbers p_i = g_i . u
are standard normal and independent of the rest of each row. With s_i computed from p alone,

    v = sum_i s_i g_i = (s . p) u + |s| xi,      xi standard normal in the space orthogonal to u.

Where Alice sends a vector v instead, such as her largest coefficients, and Bob's reflection O is
uniform among those with the given f = u^T O u, then v = (v . u) u + r with r in a direction uniform
in the space orthogonal to u. Either way, in a basis that begins with u and the part of O u
orthogonal to it, O is ((f, q), (q, -f)) with q = sqrt(1 - f^2), and N/2 - 1 of each sign on the
rest. For v = c u + d xi hence

    v^T O v = c^2 f + 2 c d q z + d^2 (chi - chi' - f z^2),

z standard normal, chi and chi' chi-squared with N/2 - 1 degrees of freedom; for a direction, all
divided by the length z^2 + chi + chi' of xi. Vector in Subspace is f = 1 or -1. The tests
in tests/tnqml/test_random_forms.py compare with the rows, the vectors and the protocols themselves.
"""

import numpy as np
import torch

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.instances import Real, check_even
from tnqml.protocols.problems.sketches import dequantise, quantise

_CHUNK = 2**22  # numbers drawn at once


def sketched_forms(
    values: Real,  # (trials,)
    *,
    size: int,
    numbers: int,
    bits: int,
    generator: np.random.Generator,
) -> tuple[Real, Real]:  # (trials,), (trials,)
    """v^T O v and |s|^2 of so many sketches, each on Gaussian rows of its own.

    Args:
        values: f = u^T O u, in [-1, 1], a trial each.
        size: N, even.
        numbers: rows of a sketch.
        bits: of each number; the numbers of a trial are divided by the largest size.
        generator: of everything that is drawn.
    """
    _check(values, size=size, numbers=numbers)
    along, energy = np.empty(len(values)), np.empty(len(values))
    own = torch.Generator().manual_seed(int(generator.integers(2**63)))
    step = max(1, _CHUNK // numbers)
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        # single precision takes half the time
        drawn = torch.randn(len(values[part]), numbers, generator=own)
        if bits == 1:
            along[part], energy[part] = drawn.abs_().sum(1).numpy() / 2, numbers / 4
            continue
        projections = drawn.double().numpy()
        sent = as_read(projections, bits=bits)
        along[part], energy[part] = (sent * projections).sum(1), (sent**2).sum(1)
    z, chi = _across(len(values), size=size, generator=generator)
    return _forms(values, along, np.sqrt(energy), z, chi[0] - chi[1]), energy


def signed_estimates(
    values: Real,  # (trials,)
    *,
    size: int,
    numbers: int,
    generator: np.random.Generator,
) -> Real:  # (trials,)
    """Estimates of f from so many signs, as `quadratic.form_by_signs` makes them.

    With signs s of p, v = sum_i s_i g_i, that is (v^T O v - sum_i g_i^T O g_i) / (k (k - 1) 2/pi).
    The rows turned by an orthogonal matrix that begins with s/sqrt(k) are as good; of them v is
    sqrt(k) times the first, g'_1. So the numerator is (k - 1) g'_1^T O g'_1 less the sum over the
    other rows, of which p, split along s and across it, is all that is not new normal noise:

        g'_1^T O g'_1 = c^2 f / k + 2 c q z / sqrt(k) + chi - chi' - f z^2,    c = sum_i |p_i|,
        the others    = b^2 f + 2 b q a + X - X' - f (a^2 + y),          b^2 = |p|^2 - c^2 / k,

    a standard normal, y chi-squared with k - 2 degrees of freedom, X and X' with (k - 1)(N/2 - 1).

    Args:
        values: f = u^T O u, in [-1, 1], a trial each.
        size: N, even.
        numbers: k, at least 2.
        generator: of everything that is drawn.
    """
    _check(values, size=size, numbers=numbers)
    check_count(numbers, "the number of projections", least=2)
    along, across = np.empty(len(values)), np.empty(len(values))
    own = torch.Generator().manual_seed(int(generator.integers(2**63)))
    step = max(1, _CHUNK // numbers)
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        drawn = torch.randn(len(values[part]), numbers, generator=own).abs_()
        along[part] = drawn.sum(1, dtype=torch.float64).numpy() / numbers**0.5
        across[part] = drawn.square_().sum(1, dtype=torch.float64).numpy() - along[part] ** 2
    trials, turn = len(values), np.sqrt(1 - values**2)
    z, chi = _across(trials, size=size, generator=generator)
    first = along**2 * values + 2 * along * turn * z + chi[0] - chi[1] - values * z**2
    a = generator.standard_normal(trials)
    freedom = (numbers - 1) * (size / 2 - 1)
    rest = generator.chisquare(freedom, (2, trials)) if freedom else np.zeros((2, trials))
    y = generator.chisquare(numbers - 2, trials) if numbers > 2 else 0.0
    others = across * values + 2 * np.sqrt(across.clip(0)) * turn * a
    others += rest[0] - rest[1] - values * (a**2 + y)
    estimates: Real = ((numbers - 1) * first - others) / (numbers * (numbers - 1) * 2 / np.pi)
    return estimates


def kept_forms(
    values: Real,  # (trials,)
    *,
    size: int,
    numbers: int,
    bits: int,
    generator: np.random.Generator,
) -> tuple[Real, Real]:  # (trials,), (trials,)
    """v^T O v and |v|^2 where v holds the largest coefficients of a random u, the rest as 0.

    Args:
        values: f = u^T O u, in [-1, 1], a trial each.
        size: N, even; `numbers` of them are the whole vector.
        numbers: coefficients that Alice sends, with their places.
        bits: of each, divided by the largest size.
        generator: of everything that is drawn.
    """
    _check(values, size=size, numbers=numbers)
    if numbers > size:
        raise InputError(f"{numbers} coefficients of {size}; expected at most all")
    along, energy = np.empty(len(values)), np.empty(len(values))
    step = max(1, _CHUNK // size)
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        vectors = generator.standard_normal((len(values[part]), size))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        if numbers < size:
            places = np.argpartition(-np.abs(vectors), numbers - 1, axis=1)[:, :numbers]
            vectors = np.take_along_axis(vectors, places, axis=1)
        sent = as_read(vectors, bits=bits)
        along[part], energy[part] = (sent * vectors).sum(1), (sent**2).sum(1)
    z, chi = _across(len(values), size=size, generator=generator)
    distance = np.sqrt(np.maximum(energy - along**2, 0) / (z**2 + chi[0] + chi[1]))
    return _forms(values, along, distance, z, chi[0] - chi[1]), energy


def as_read(
    values: Real,  # (trials, numbers)
    *,
    bits: int,
) -> Real:  # (trials, numbers)
    """The numbers that Bob reads; Alice divides those of a trial by their largest size."""
    scaled = values / np.abs(values).max(axis=1, keepdims=True)
    codes = quantise(scaled.reshape(-1), bits=bits)
    return dequantise(codes, bits=bits).reshape(values.shape)


def _across(
    trials: int, *, size: int, generator: np.random.Generator
) -> tuple[Real, Real]:  # (trials,), (2, trials)
    """z, and chi and chi'."""
    freedom = size / 2 - 1
    chi = generator.chisquare(freedom, (2, trials)) if freedom else np.zeros((2, trials))
    return generator.standard_normal(trials), chi


def _forms(values: Real, along: Real, distance: Real, z: Real, difference: Real) -> Real:
    """v^T O v for v = c u + d xi: f, c, d, z and chi - chi', each (trials,)."""
    cross = 2 * along * distance * np.sqrt(1 - values**2) * z
    forms: Real = along**2 * values + cross + distance**2 * (difference - values * z**2)
    return forms


def _check(values: Real, *, size: int, numbers: int) -> None:
    check_even(size, "the dimension")
    check_count(numbers, "the number of projections or coefficients")
    if np.abs(values).max(initial=0) > 1:
        raise InputError(f"values of a form reach {np.abs(values).max()}; expected at most 1")
