"""The likelihood of f under outcomes counted after several powers of amplitude amplification."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.errors import InputError
from tnqml.protocols.inference.estimation_schedule import Schedule
from tnqml.protocols.streams import stream

Real = NDArray[np.float64]
Counts = NDArray[np.int64]

_COINS = 1  # a stream of one seed
_PLACES = 8  # grid points for each standard deviation's worth of angle, over pi
_ZOOMS = 8
_ZOOM_PLACES = 33
_HALVINGS = 50
_LEAST_CHANCE = 1e-12


@dataclass(frozen=True)
class Likely:
    """The most likely f, and the interval of all that are nearly as likely."""

    value: float
    interval: tuple[float, float]


def most_likely(
    schedule: Schedule,
    hits: Counts,  # (powers,)
    *,
    failure: float,
) -> Likely:
    """The maximum-likelihood f in [-1, 1] and its profile-likelihood interval.

    The likelihood is taken on a grid that is finer than its peaks and refined around the best
    point. The interval spans all f whose log-likelihood is within half the quantile 1 - failure of
    chi-square (1 degree of freedom) of the maximum, all peaks included; its coverage is asymptotic
    (Wilks 1938).

    Raises:
        InputError: the hits are not as many as the powers, or not between 0 and the shots.
    """
    from scipy.stats import chi2

    _check_hits(schedule, hits)
    grid = np.linspace(0, np.pi, _grid_points(schedule))
    values = log_likelihood(schedule, hits, grid)
    best, step = float(grid[values.argmax()]), float(grid[1])
    for _ in range(_ZOOMS):
        near = np.linspace(max(0.0, best - step), min(np.pi, best + step), _ZOOM_PLACES)
        best = float(near[log_likelihood(schedule, hits, near).argmax()])
        step *= 2 / (_ZOOM_PLACES - 1)
    most = float(log_likelihood(schedule, hits, np.array([best]))[0])
    least = most - float(chi2.isf(failure, 1)) / 2
    inside = np.sort(np.append(grid[values >= least], best))

    def edge(start: float, outside: float) -> float:
        """The angle at which the likelihood falls to the least, from a point above it."""
        for _ in range(_HALVINGS):
            middle = (start + outside) / 2
            if log_likelihood(schedule, hits, np.array([middle]))[0] >= least:
                start = middle
            else:
                outside = middle
        return start

    low = edge(inside[0], max(0.0, inside[0] - float(grid[1])))
    high = edge(inside[-1], min(np.pi, inside[-1] + float(grid[1])))
    return Likely(-math.cos(best), (-math.cos(low), -math.cos(high)))


def signs(
    schedule: Schedule,
    hits: Counts,  # (trials, powers)
    *,
    margin: float,
    seed: int,
) -> Counts:
    """(trials,) of 1 and -1: on which side of the promise |f| >= margin the likelihood peaks.

    A fair coin decides a tie.

    Raises:
        InputError: the hits are not (trials, powers), or not between 0 and the shots.
    """
    _check_hits(schedule, hits)
    angles = np.pi / 2 + np.linspace(math.asin(margin), np.pi / 2, _grid_points(schedule))
    chances = _chances(schedule, angles)
    good, bad = np.log(chances), np.log1p(-chances)
    shots, seen = np.array(schedule.shots), hits @ (good - bad)
    # all frequencies are odd, so the chances at -f are those at f, taken from 1
    above, below = (seen + shots @ bad).max(1), (shots @ good - seen).max(1)
    coins = stream(seed, _COINS).choice((1, -1), size=len(hits))
    decided: Counts = np.where(above == below, coins, np.where(above > below, 1, -1))
    return decided


def log_likelihood(
    schedule: Schedule,
    hits: Counts,  # (powers,)
    angles: Real,  # (points,), phi with f = -cos phi
) -> Real:
    """(points,): the log-likelihood of these counts of the outcome 1, up to a constant."""
    chances = _chances(schedule, angles)
    seen = hits.astype(np.float64)
    logs: Real = seen @ np.log(chances) + (np.array(schedule.shots) - seen) @ np.log1p(-chances)
    return logs


def _chances(schedule: Schedule, angles: Real) -> Real:
    """(powers, points): of the outcome 1, kept off 0 and 1, whose logarithms are not finite."""
    chances = (1 - np.cos(np.outer(schedule.frequencies, angles))) / 2
    return chances.clip(_LEAST_CHANCE, 1 - _LEAST_CHANCE)


def _grid_points(schedule: Schedule) -> int:
    """Finer than the peaks: the Fisher information on phi is sum_k shots_k (2 m_k + 1)^2."""
    information = np.array(schedule.shots) @ schedule.frequencies**2
    return math.ceil(_PLACES * math.sqrt(information)) + 32


def _check_hits(schedule: Schedule, hits: Counts) -> None:
    shape, shots = (len(schedule.powers),), np.array(schedule.shots)
    if hits.shape[-1:] != shape or hits.dtype.kind not in "iu":
        raise InputError(
            f"hits have shape {hits.shape} and type {hits.dtype}; expected integers, one for each "
            f"of {shape[0]} powers"
        )
    if (hits < 0).any() or (hits > shots).any():
        raise InputError(
            f"hits run from {hits.min()} to {hits.max()}; expected 0 to the shots, {shots.tolist()}"
        )
