"""How much of a signal noisy messages leave, and how many copies make up for it."""

import math

from studies.errors import StudyError
from studies.thresholds import TARGET

_FEW_COPIES, _MOST_COPIES = 16, 4000
_NODES = 31
_HALVINGS = 30
_FAINT = 0.05


def damping_of_state(kind: str, strength: float, *, size: int) -> float:
    """The mean of the answer times Bob's outcome in Vector in Subspace over a noisy link.

    Of random vectors and subspaces of dimension N. With F the probability that no qubit is turned
    and S the probability of a Pauli string that is a symmetric matrix (an even number of Y), it is
    F + (S - F) (N - 2)/((N + 2)(N - 1)) - (1 - S)/(N - 1). Derived in
    tests/studies/test_noise_study.py.
    """
    qubits = math.log2(size)
    if kind == "erasure":
        return 1.0
    if kind == "dephasing":
        same, symmetric = (1 - strength) ** qubits, 1.0
    else:
        same, symmetric = (1 - 0.75 * strength) ** qubits, (1 + (1 - strength / 2) ** qubits) / 2
    kept = (size - 2) / ((size + 2) * (size - 1))
    return float(same + (symmetric - same) * kept - (1 - symmetric) / (size - 1))


def spread_of_state(kind: str, strength: float, *, size: int) -> float:
    """The standard deviation of that mean from one vector and subspace to another, about.

    Each Pauli string turns the vector elsewhere, where the outcome has the variance 2/(N + 2).
    """
    qubits = math.log2(size)
    if kind == "erasure":
        return 0.0
    share, letters = (1.0, 1) if kind == "dephasing" else (0.75, 3)
    same = (1 - share * strength) ** 2
    squares = (same + letters * (share * strength / letters) ** 2) ** qubits - same**qubits
    return float(math.sqrt(max(squares, 0.0) * 2 / (size + 2)))


def damping_of_blocks(kind: str, strength: float, *, size: int) -> float:
    """What one message leaves of a traceless observable, averaged over Haar blocks around it.

    A twirled channel is depolarising: (N^2 F - 1)/(N^2 - 1), F the probability that no qubit is
    turned. Source: Nielsen, Phys. Lett. A 303, 249 (2002).
    """
    if kind == "erasure":
        return 1.0
    share = 0.75 if kind == "depolarising" else 1.0
    same = (1 - share * strength) ** math.log2(size)
    return float((size**2 * same - 1) / (size**2 - 1))


def predicted_copies(damping: float, *, spread: float = 0.0) -> float:
    """Copies after which 90% of majorities are right.

    A vote is right with probability (1 + m)/2, m normal with this mean and spread. Odd numbers of
    copies, the success rate interpolated in probits between them; 1 where one copy suffices.
    """
    import numpy as np
    from scipy.stats import binom, norm

    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES) if spread else ([0.0], [1.0])
    right = (1 + np.clip(damping + spread * np.asarray(nodes), -1, 1)[:, None]) / 2
    most = _FEW_COPIES
    while True:
        copies = np.arange(1, most + 1, 2)
        success = np.asarray(weights) / np.sum(weights) @ binom.sf(copies // 2, copies, right)
        if success[-1] >= TARGET:
            break
        if most > _MOST_COPIES:
            raise StudyError(
                f"a signal of {damping:.3g} needs more than {most} copies; expected a stronger one"
            )
        most *= 4
    last = int(np.argmax(success >= TARGET))
    if last == 0:
        return 1.0
    low, high = np.asarray(norm.ppf(success[last - 1 : last + 1]))
    part = (norm.ppf(TARGET) - low) / (high - low)
    before, after = np.asarray(np.sqrt(copies[last - 1 : last + 1]))
    return float((before + part * (after - before)) ** 2)


def strength_allowed(kind: str, copies: float, *, size: int) -> float:
    """The strength at which a decision in Vector in Subspace needs so many copies."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if kind == "erasure":
            enough = 1 / (1 - middle) <= copies
        else:
            damping = damping_of_state(kind, middle, size=size)
            spread = spread_of_state(kind, middle, size=size)
            enough = damping > _FAINT and predicted_copies(damping, spread=spread) <= copies
        low, high = (middle, high) if enough else (low, middle)
    return low


def asymptotic_strength(kind: str, exponent: float) -> float:
    """The strength from which copies grow faster than N^exponent.

    They grow as damping^-2, damping N^(log2 u) with u the probability that one qubit is left alone.
    """
    share = 1.0 if kind == "dephasing" else 0.75
    return float((1 - 2 ** (-exponent / 2)) / share)
