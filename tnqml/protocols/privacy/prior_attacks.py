"""Attacks on encoded data whose distribution the adversary knows: real vectors, from examples.

There is no bound here but Holevo's; beside each guess stands the blind one, which no message needs.
"""

import numpy as np

from tnqml.errors import InputError
from tnqml.protocols.privacy.attacks import Kets, leading_vector
from tnqml.protocols.problems.instances import Real

_SMALLEST = 1e-300


def blind_guess(
    examples: Real,  # (K, N)
) -> Real:
    """(N,): the guess without any copy, at the largest mean fidelity with the examples."""
    return leading_vector(examples).real


def posterior(
    kets: Kets,  # (copies, N)
    candidates: Real,  # (K, N)
) -> Real:
    """(K,): probability that the state is each of these vectors, all equally likely before.

    Raises:
        InputError: the sizes differ, or no candidate can give these outcomes.
    """
    _check(kets, candidates)
    with np.errstate(divide="ignore"):
        logs = 2 * np.log(np.abs(candidates @ kets.T.conj())).sum(1)
    if not np.isfinite(logs.max()):
        raise InputError(
            f"none of {len(candidates)} candidates can give the outcomes of {len(kets)} copies; "
            "expected the state among them, or candidates without zeros"
        )
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def listed_guess(
    kets: Kets,  # (copies, N)
    candidates: Real,  # (K, N)
) -> Real:
    """(N,): the guess of largest mean fidelity where the state is one of the candidates.

    The largest eigenvector of the posterior's sum_k p_k |x_k><x_k|. For data that only resembles
    the candidates it still is a guess, but never better than the nearest mixture of them.
    """
    return leading_vector(candidates, weights=posterior(kets, candidates)).real


def fitted_guess(
    kets: Kets,  # (copies, N)
    examples: Real,  # (K, N)
) -> Real:
    """(N,): the likeliest real unit vector where the prior is a Gaussian fitted to the examples.

    The direction u of a Gaussian vector with second moments S has a density proportional to
    (u^T S^-1 u)^(-N/2); S is estimated from the examples as Ledoit and Wolf do (2004). What is
    maximised, sum_t log |<ket_t|u>|^2 - N/2 log u^T S^-1 u, has many maxima: the search starts from
    the guess of `listed_guess`, and from the largest eigenvector of what was measured.

    Source: the density as in Tyler, Biometrika 74 (1987) 579.
    """
    from scipy.optimize import minimize  # slow to import
    from sklearn.covariance import ledoit_wolf

    _check(kets, examples)
    moments, _ = ledoit_wolf(examples, assume_centered=True)
    values, vectors = np.linalg.eigh(moments)
    root = vectors * np.sqrt(values)  # S = root root^T; u is along root z
    measured = kets.conj() @ root
    half, copies = len(root) / 2, len(kets)

    def objective(z: Real) -> tuple[float, Real]:
        u, overlaps = root @ z, measured @ z
        sizes = np.maximum(np.abs(overlaps) ** 2, _SMALLEST)
        long, short = float(u @ u), float(z @ z)
        value = np.log(sizes).sum() - (copies - half) * np.log(long) - half * np.log(short)
        slope = 2 * (measured.conj().T @ (overlaps / sizes)).real
        slope -= (copies - half) * 2 / long * (root.T @ u) + half * 2 / short * z
        return -float(value), -slope

    weights = posterior(kets, examples)
    starts = [
        leading_vector(examples, weights=weights).real,
        leading_vector(np.concatenate([kets.real, kets.imag])).real,
    ]
    found = []
    for start in starts:
        z = vectors.T @ start / np.sqrt(values)
        found.append(minimize(objective, z / np.linalg.norm(z), jac=True, method="L-BFGS-B"))
    best = root @ min(found, key=lambda each: float(each.fun)).x
    return np.asarray(best / np.linalg.norm(best))


def learned_bits(
    weights: Real,  # (K,)
    truth: int,
) -> float:
    """log2 of K times the posterior of the true candidate.

    Its mean over candidates and outcomes is the mutual information of the two, which Holevo's
    bound holds down.
    """
    return float(np.log2(len(weights) * max(weights[truth], _SMALLEST)))


def _check(kets: Kets, vectors: Real) -> None:
    if kets.ndim != 2 or vectors.ndim != 2 or kets.shape[1] != vectors.shape[1] or not len(kets):
        raise InputError(
            f"outcomes of shape {kets.shape} and vectors of shape {vectors.shape}; expected "
            "(copies, N) with at least one copy, and (K, N)"
        )
