"""Exact draws of frequencies with probability |C_d|^2 / sum, and the entropy of that distribution.

Where there are too many terms for a table, axis after axis is drawn given those before, with
p(d_1 .. d_k) summed over the rest through C joined with its conjugate (see `sweep`). The
probabilities are exact, so -log p of a draw is, too, and its mean estimates the entropy without
bias.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.spectrum.drawing import draw
from tnqml.spectrum.tables import single
from tnqml.spectrum.uploads import Axis, Merging

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Samples:
    """Independent draws of d with probability |C_d|^2 / sum |C|^2.

    Attributes:
        axes: of the coefficients.
        frequencies: (draws, axes): the frequency of each axis.
        features: (draws, features): summed for each entry of the input, so that a term of f is
            a cosine or sine of ``features @ x``.
        log_probabilities: (draws,): exact.
    """

    axes: tuple[Axis, ...]
    frequencies: Array
    features: Array
    log_probabilities: Array


@dataclass(frozen=True)
class Effective:
    """The effective number of terms of a spectrum, exp(entropy of |C_d|^2 / sum).

    Attributes:
        value: the estimate.
        low: lower end of its confidence interval.
        high: upper end.
        entropy: estimate of the entropy in nats; its mean over seeds is the entropy.
        standard_error: of the entropy.
        draws: how many.
    """

    value: float
    low: float
    high: float
    entropy: float
    standard_error: float
    draws: int


def sample(
    model: DistributedModel,
    draws: int,
    *,
    seed: int,
    observable: int = 0,
    merging: Merging = "scales",
) -> Samples:
    """Exact independent draws of terms of the spectrum of an output.

    Args:
        model: at its present parameters.
        draws: how many.
        seed: of the random numbers.
        observable: which of its observables.
        merging: as for `tnqml.spectrum.axes`.

    Raises:
        InputError: the output is 0 for every input, or see `power`.
        ContractionTooLarge: neither a table of all terms nor a sweep fits the model's memory cap.
    """
    draws, seed = check_count(draws, "draws"), check_count(seed, "seed", least=0)
    found = single(model, observable, merging)
    generator = np.random.default_rng(seed)
    drawn, logs = draw(found.network, draws, generator=generator, memory=found.memory)
    columns = [np.array(axis.frequencies)[drawn[:, k]] for k, axis in enumerate(found.axes)]
    features = np.zeros((draws, found.features))
    for axis, column in zip(found.axes, columns, strict=True):
        features[:, axis.feature] += column
    shown = [columns[axis] for axis in found.order]
    frequencies = np.stack(shown, 1) if shown else np.zeros((draws, 0))
    return Samples(found.shown, frequencies, features, logs)


def effective_features(
    model: DistributedModel,
    draws: int,
    *,
    seed: int,
    observable: int = 0,
    merging: Merging = "scales",
    confidence: float = 0.95,
) -> Effective:
    """The effective number of Fourier features of an output, with a confidence interval.

    exp(entropy of |C_d|^2 / sum |C|^2), d = 0 included, from exact draws (THEORY section 3). The
    interval is Student's for the entropy.

    Args:
        model: at its present parameters.
        draws: how many, at least 2.
        seed: of the random numbers.
        observable: which of its observables.
        merging: as for `tnqml.spectrum.axes`.
        confidence: of the interval, between 0 and 1.

    Raises:
        InputError: a number is out of its range; see also `sample`.
    """
    from scipy.stats import t

    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence!r}; expected a number between 0 and 1")
    if draws == 1:
        raise InputError("draws is 1; an interval needs at least 2")
    logs = sample(model, draws, seed=seed, observable=observable, merging=merging).log_probabilities
    entropy, error = float(-logs.mean()), float(logs.std(ddof=1)) / math.sqrt(draws)
    reach = float(t.ppf(0.5 + confidence / 2, draws - 1)) * error
    return Effective(
        value=math.exp(entropy),
        low=math.exp(max(entropy - reach, 0.0)),
        high=math.exp(entropy + reach),
        entropy=entropy,
        standard_error=error,
        draws=draws,
    )
