"""How many numbers, copies or bits a protocol needs: thresholds of success, with intervals."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from studies.errors import StudyError
from studies.fits import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Outcomes = NDArray[np.bool_]

TARGET = 0.9
_RESAMPLES = 400
_PILOT = 400
_WINDOW = (0.55, 0.65, 0.75, 0.85, 1.0, 1.15, 1.3, 1.45)  # of Phi^-1(success), over the target's
_BISECTIONS = 3
_LADDER = tuple(2 ** (step / 4) for step in range(-4, 3))
_STEPS = 25
_FARTHEST = 5.0
_FLATTEST = 1e-3
_MOST_DOUBLINGS = 20


def probit_threshold(
    numbers: Sequence[int],
    outcomes: "Outcomes",  # (trials, numbers)
    *,
    power: float,
    seed: int,
    target: float = TARGET,
) -> Interval:
    """The number at which a share `target` of trials succeeds, by a probit fit.

    P(success at number k) = Phi(a + b k^power), by maximum likelihood. The interval resamples whole
    trials (bootstrap), whose outcomes at different numbers may be dependent.

    Args:
        numbers: at least two, growing.
        outcomes: whether each trial succeeded at each number.
        power: 1 where the signal grows as k over the noise, 1/2 where it grows as sqrt(k).
        seed: of the resampling.
        target: in (1/2, 1).

    Raises:
        StudyError: the fit does not rise, or crosses `target` far outside the numbers given.
    """
    import numpy as np

    given = np.asarray(numbers, float)
    shares = _resampled(outcomes, seed=seed)
    found = _probit_crossings(given**power, shares, trials=len(outcomes), target=target)
    crossings = np.maximum(found, 0) ** (1 / power)
    value = float(crossings[0])
    if not given[0] / 2 <= value <= given[-1] * 2:
        raise StudyError(
            f"success rates {outcomes.mean(0).round(3).tolist()} at {list(numbers)} cross "
            f"{target:.0%} at {value:.3g}; expected numbers around the crossing"
        )
    low, high = np.quantile(crossings[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def measure_threshold(
    run: "Callable[[Sequence[int], int, int], Outcomes]",
    *,
    trials: int,
    seed: int,
    power: float,
    odd: bool = False,
    most: int | None = None,
) -> Interval:
    """The number at which 90% of trials succeed: short runs find its range, then a probit fit.

    Args:
        run: called as run(numbers, trials, seed); (trials, numbers) successes.
        trials: of the fit, at each of up to eight numbers around the threshold.
        seed: of everything.
        power: as for `probit_threshold`.
        odd: try odd numbers only, where a vote of an even number is wasted on ties.
        most: the largest number to try.

    Returns:
        The threshold; 1 without an interval where a single one suffices.

    Raises:
        StudyError: even `most` fall short.
    """
    pilot, last = min(trials, _PILOT), most or 2**_MOST_DOUBLINGS
    low, high = 1, 1
    while run([high], pilot, seed).mean() < TARGET:
        if high >= last:
            raise StudyError(f"{last} numbers do not reach {TARGET:.0%}; expected fewer to")
        low, high = high, min(2 * high + 1, last)
    for step in range(_BISECTIONS):
        middle = _allowed((low * high) ** 0.5, odd=odd)
        if not low < middle < high:
            break
        if run([middle], pilot, seed + step + 1).mean() < TARGET:
            low = middle
        else:
            high = middle
    tried = {_allowed(high * part ** (1 / power), odd=odd) for part in _WINDOW} | {
        max(1, high - 1 - odd)
    }
    window = [number for number in sorted(tried) if number <= last]
    outcomes = run(window, trials, seed + _BISECTIONS + 1)
    if len(window) < 2 or (window[0] == 1 and outcomes[:, 0].mean() >= TARGET):
        return Interval(float(window[0]), float(window[0]), float(window[0]))
    return probit_threshold(window, outcomes, power=power, seed=seed)


def _allowed(number: float, *, odd: bool) -> int:
    """The nearest whole number, or odd one, of at least 1."""
    return 2 * max(0, round((number - 1) / 2)) + 1 if odd else max(1, round(number))


def _probit_crossings(
    places: "Array",  # (numbers,)
    shares: "Array",  # (samples, numbers)
    *,
    trials: int,
    target: float,
) -> "Array":  # (samples,)
    """Where Phi(a + b x) fitted to each sample crosses the target, by Fisher scoring.

    Half a success and half a failure are added at each number, so that a sample without any of
    one kind keeps a finite fit.
    """
    import numpy as np
    from scipy.stats import norm

    x = (places - places.mean()) / places.std()
    share = (shares * trials + 0.5) / (trials + 1)
    eta = norm.ppf(share)
    for _ in range(_STEPS):
        expected, density = norm.cdf(eta), norm.pdf(eta)
        weight = density**2 / (expected * (1 - expected))
        working = eta + (share - expected) / density
        total, first, second = (np.sum(weight * x**k, axis=1) for k in range(3))
        level, slope = (np.sum(weight * working * x**k, axis=1) for k in range(2))
        determinant = total * second - first**2
        a = (second * level - first * slope) / determinant
        b = (total * slope - first * level) / determinant
        eta = np.clip(a[:, None] + b[:, None] * x, -_FARTHEST, _FARTHEST)
    if not b[0] > 0:
        raise StudyError(
            f"success rates {share[0].round(3).tolist()} do not rise; expected more successes at "
            "larger numbers"
        )
    crossing = (norm.ppf(target) - a) / np.maximum(b, _FLATTEST)
    return np.asarray(crossing * places.std() + places.mean())


def ladder_threshold(
    run: "Callable[[Sequence[int], int], Outcomes]",
    *,
    trials: int,
    seed: int,
    start: int = 1,
    most: int | None = None,
) -> Interval:
    """The number from which 90% of trials succeed, for success rates of unknown shape.

    Doubling finds its range; seven numbers about 1.2 times apart around it are interpolated as in
    `paired_threshold`.

    Args:
        run: called as run(numbers, trials); (trials, numbers) successes.
        trials: at each number of the ladder.
        seed: of the resampling.
        start: the least number that makes sense.
        most: the largest number to try.

    Raises:
        StudyError: even `most` fall short.
    """
    import numpy as np

    last, number = most or 2**_MOST_DOUBLINGS, start
    while run([number], min(trials, _PILOT)).mean() < TARGET:
        if number >= last:
            raise StudyError(f"{last} numbers do not reach {TARGET:.0%}; expected fewer to")
        number = min(2 * number, last)
    ladder = {min(max(start, round(number * part)), last) for part in _LADDER}
    tried = sorted(ladder)
    found = paired_threshold(
        tried, run(tried, trials), np.ones(trials, bool), loss=1 - TARGET, seed=seed
    )
    if found is None:
        raise StudyError(
            f"{tried[-1]} numbers do not reach {TARGET:.0%}, though fewer did; take more trials"
        )
    return found


def paired_threshold(
    numbers: Sequence[int],
    outcomes: "Outcomes | Array",  # (trials, numbers)
    reference: "Outcomes",  # (trials,)
    *,
    loss: float,
    seed: int,
) -> Interval | None:
    """The number from which the share of successes is at most `loss` below the reference's.

    For success rates of unknown shape: the difference, made non-decreasing (isotonic regression),
    is interpolated in log(number). The interval resamples whole trials.

    Args:
        numbers: growing.
        outcomes: whether each trial succeeded at each number, or the share of several runs of it.
        reference: whether the exact decision succeeds on the same trial.
        loss: the share that may be missing, such as 0.02.
        seed: of the resampling.

    Returns:
        None where even the largest number falls short; the smallest number where it suffices. An
        end of the interval that the numbers do not reach is the outermost number.
    """
    import numpy as np

    both = np.column_stack([outcomes, reference]).astype(np.float64)
    shares = _resampled(both, seed=seed)
    found = [_first_reaching(numbers, row[:-1] - row[-1], -loss) for row in shares]
    if found[0] is None:
        return None
    last = float(numbers[-1])
    crossings = [last if place is None else place for place in found]
    value = crossings[0]
    low, high = np.quantile(crossings[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def _resampled(
    outcomes: "Outcomes | Array",  # (trials, columns)
    *,
    seed: int,
) -> "Array":  # (1 + resamples, columns)
    """Shares of successes of the trials as they are, then of trials drawn from them."""
    import numpy as np

    patterns, counts = np.unique(outcomes, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(
        len(outcomes), counts / len(outcomes), size=_RESAMPLES
    )
    return np.asarray(np.vstack([counts, drawn]) @ patterns / len(outcomes), float)


def _first_reaching(numbers: Sequence[int], means: "Array", level: float) -> float | None:
    import numpy as np
    from scipy.optimize import isotonic_regression

    rising = isotonic_regression(means).x
    if rising[-1] < level:
        return None
    last = int(np.argmax(rising >= level))
    if last == 0:
        return float(numbers[0])
    before, after = np.log(numbers[last - 1 : last + 1])
    part = (level - rising[last - 1]) / (rising[last] - rising[last - 1])
    return float(np.exp(before + part * (after - before)))
