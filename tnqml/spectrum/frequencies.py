"""Sets of frequencies: what one upload adds, and how the uploads of one feature add up.

A set is given by its positive frequencies in ascending order; 0 and the negatives are always in it.
The real functions of a set are 1, cos w_1 t, sin w_1 t, cos w_2 t, ...
"""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Frequencies = tuple[float, ...]

_SAME = 1e-9  # of the largest frequency; closer ones are one frequency
_MOST_SUMS = 20_000
_LARGEST_DENOMINATOR = 1000


def size(frequencies: Frequencies) -> int:
    """How many exponentials, or real functions, a set has."""
    return 1 + 2 * len(frequencies)


def signed(frequencies: Frequencies) -> Array:
    """(size,): all frequencies of a set, ascending from the most negative."""
    positive = np.array(frequencies, dtype=np.float64)
    return np.concatenate([-positive[::-1], np.zeros(1), positive])


def magnitudes(frequencies: Frequencies) -> NDArray[np.intp]:
    """(size,): for each real function the place of its frequency among 0, w_1, w_2, ..."""
    return (np.arange(size(frequencies)) + 1) // 2


def metric(frequencies: Frequencies) -> Array:
    """(size,): the mean square of each real function: 1, and 1/2 for all others."""
    return np.where(np.arange(size(frequencies)) == 0, 1.0, 0.5)


def exponentials(frequencies: Frequencies) -> NDArray[np.complex128]:
    """(size, size): the coefficients of exp(i w t), w as in `signed`, from those of the functions.

    Example:
        >>> exponentials((1.0,)) @ [0, 1, 0]  # cos t
        array([0.5+0.j, 0. +0.j, 0.5+0.j])
    """
    count = len(frequencies)
    matrix = np.zeros((2 * count + 1, 2 * count + 1), dtype=np.complex128)
    matrix[count, 0] = 1
    for k in range(count):
        for row, turn in ((count + 1 + k, -0.5j), (count - 1 - k, 0.5j)):
            matrix[row, 2 * k + 1 : 2 * k + 3] = 0.5, turn
    return matrix


def sums(first: Frequencies, second: Frequencies) -> Frequencies:
    """The set of all sums of a frequency of each set.

    Example:
        >>> sums((1.0,), (1.0, 3.0))
        (1.0, 2.0, 3.0, 4.0)
    """
    every = np.sort(np.add.outer(signed(first), signed(second)).ravel())
    near = _SAME * max(abs(every[-1]), 1e-300)
    starts = np.flatnonzero(np.diff(every, prepend=-math.inf) > near)
    distinct = every[starts]
    return tuple(float(value) for value in distinct[distinct > near])


def adder(first: Frequencies, second: Frequencies) -> Array:
    """(size of the sums, size of first, size of second): the product of two real functions.

    Entry [u, s, t] is how much of the function u of the sums is in the product of s and t.

    Example:
        >>> adder((1.0,), (1.0,))[:, 1, 1]  # cos^2 t = (1 + cos 2t) / 2
        array([0.5, 0. , 0. , 0.5, 0. ])
    """
    total = sums(first, second)
    places = np.add.outer(signed(first), signed(second))
    values = signed(total)
    nearest = np.abs(places[..., None] - values).argmin(-1)
    exact = np.eye(len(values))[nearest]  # (first, second, total) of exponentials
    back = exponentials(total).conj().T * np.where(np.arange(len(values)) == 0, 1, 2)[:, None]
    tensor = np.einsum(
        "un,kln,ks,lt->ust", back, exact, exponentials(first), exponentials(second), optimize=True
    ).real
    tensor[np.abs(tensor) < 1e-15] = 0
    return np.ascontiguousarray(tensor)


def base(frequencies: Frequencies) -> float | None:
    """The largest number of which all are integer multiples; None if there is none.

    Ratios count as rational if they agree with a fraction of denominator up to 1000 to 1e-9.

    Example:
        >>> base((1.0, 1.5)), base((1.0, 2**0.5))
        (0.5, None)
    """
    if not frequencies:
        return None
    least = min(frequencies)
    ratios = [Fraction(f / least).limit_denominator(_LARGEST_DENOMINATOR) for f in frequencies]
    for ratio, frequency in zip(ratios, frequencies, strict=True):
        if abs(float(ratio) * least - frequency) > _SAME * frequency:
            return None
    common = math.lcm(*(ratio.denominator for ratio in ratios))
    whole = math.gcd(*(int(ratio * common) for ratio in ratios))
    return least * whole / common


def partition(sets: Sequence[Frequencies], *, commensurate: bool) -> tuple[tuple[int, ...], ...]:
    """Uploads of one feature in groups: frequencies of a group are added, groups are independent.

    Two groups are merged if two different pairs of their frequencies have one sum (equal lambda),
    and all of them if sums coincide only between several groups; what is left over has one
    frequency for every choice in each group, so that a sum is 0 only if it is 0 in every group.
    Coincidences between several groups are looked for among at most 20,000 sums.

    Args:
        sets: of each upload.
        commensurate: also merge groups with a common base, as powers of 3 have, whose sums are all
            distinct but lie on one ladder.
    """
    groups: list[tuple[tuple[int, ...], Frequencies]] = [
        ((k,), frequencies) for k, frequencies in enumerate(sets)
    ]
    merged = True
    while merged:
        merged = False
        for one, two in itertools.combinations(range(len(groups)), 2):
            (ours, left), (theirs, right) = groups[one], groups[two]
            distinct = size(sums(left, right)) == size(left) * size(right)
            ladder = commensurate and base(left + right) is not None
            if not distinct or ladder:
                groups[one] = (tuple(sorted(ours + theirs)), sums(left, right))
                del groups[two]
                merged = True
                break
    every = math.prod(size(values) for _, values in groups)
    if len(groups) > 2 and every <= _MOST_SUMS:
        total = groups[0][1]
        for _, values in groups[1:]:
            total = sums(total, values)
        if size(total) < every:
            return (tuple(range(len(sets))),)
    return tuple(sorted(members for members, _ in groups))
