"""Bounds on what messages reveal, as formulas.

The attacks that run: `attacks` on states, `prior_attacks` on data, `queries` on parameters.
"""

import math

from tnqml.checks import check_count
from tnqml.errors import InputError

_TERMS = 100_000  # of a sum of logarithms; beyond, both arguments are large and beta is accurate


def holevo_bits(qubits: int, *, copies: int, entangled: bool = False) -> int:
    """The most bits of information that messages of n qubits carry in so many copies.

    m n for m copies, and 2 m n where sender and receiver share entanglement beforehand.

    Source: Holevo 1973; with entanglement Bennett, Wiesner 1992 reach it, and it is a bound:
    Nayak, Salzman, J. ACM 53 (2006) 184.

    Example:
        >>> holevo_bits(10, copies=3), holevo_bits(10, copies=3, entangled=True)
        (30, 60)
    """
    check_count(qubits, "the qubits of a message")
    check_count(copies, "copies", least=0)
    return qubits * copies * (2 if entangled else 1)


def identical_copies_bits(dimension: int, *, copies: int) -> float:
    """The most bits that T identical copies of one unknown pure state carry.

    log2 C(N' + T - 1, T): identical copies lie in the symmetric subspace, and Holevo's bound on a
    system is the logarithm of its dimension. At most T log2 N'; for T beyond N' it grows as
    (N' - 1) log2 T. Any size of dimension works, such as 2**1000.

    Source: Holevo 1973; the dimension as in Harrow, arXiv 1308.6595, proposition 6.

    Example:
        >>> identical_copies_bits(8, copies=1)
        3.0
        >>> round(identical_copies_bits(2, copies=255), 6)
        8.0
    """
    _check_dimension(dimension)
    check_count(copies, "copies", least=0)
    terms, rest = sorted((copies, dimension - 1))
    if terms <= _TERMS:
        return math.fsum(_log2_ratio(rest, step) for step in range(1, terms + 1))
    from scipy.special import betaln  # slow to import

    total = float(copies) + float(dimension)
    return float(-betaln(float(copies) + 1, float(dimension)) - math.log(total)) / math.log(2)


def best_fidelity(dimension: int, *, copies: int) -> float:
    """The best average fidelity of a guess from T copies of a Haar-random complex state.

    (T + 1)/(T + d), for any measurement of all copies together. It bounds the average over Haar
    states alone: of real vectors, or of data whose distribution is known, more can be learned.

    Source: Massar, Popescu, PRL 74 (1995) 1259; Bruss, Macchiavello, Phys. Lett. A 253 (1999) 249.

    Example:
        >>> best_fidelity(4, copies=0), best_fidelity(4, copies=2)
        (0.25, 0.5)
    """
    _check_dimension(dimension)
    check_count(copies, "copies", least=0)
    return (copies + 1) / (copies + dimension)


def best_fidelity_of_real(dimension: int) -> float:
    """The best average fidelity from one copy of a random real unit vector: 3/(d + 2).

    Measuring in any real basis and guessing the outcome reaches it: d E[x_1^4] = 3/(d + 2). It is
    the best: for a measured |m>, sum of all being d, and a guess |g>, E[<x|m>^2 <x|g>^2] is
    (1 + |<m|g>|^2 + |<m|g*>|^2)/(d (d + 2)), at most 3/(d (d + 2)).

    Source: derived here, with E[x x x x] of the sphere.

    Example:
        >>> best_fidelity_of_real(2)
        0.75
    """
    _check_dimension(dimension)
    return 3 / (dimension + 2)


def copies_for_fidelity(dimension: int, *, fidelity: float) -> float:
    """The copies at which `best_fidelity` reaches a fidelity: (f d - 1)/(1 - f), at least 0.

    One half takes d - 2 copies: about as many as dimensions.

    Raises:
        InputError: the fidelity is outside (0, 1).

    Example:
        >>> copies_for_fidelity(1024, fidelity=0.5)
        1022.0
    """
    _check_dimension(dimension)
    if not 0 < fidelity < 1:
        raise InputError(f"the fidelity is {fidelity!r}; expected a number between 0 and 1")
    return max((fidelity * dimension - 1) / (1 - fidelity), 0.0)


def _log2_ratio(rest: int, step: int) -> float:
    """log2((rest + step)/step), without overflow for any integers."""
    return math.log2(rest + step) - math.log2(step)


def _check_dimension(dimension: int) -> None:
    check_count(dimension, "the dimension", least=2)
