"""Exact draws of frequencies with probability |C_d|^2 / sum, and the entropy of that distribution.

Axis after axis is drawn given those before, with p(d_1 .. d_k) summed over the rest through C
joined with its conjugate (see `sweep`); equal beginnings are contracted once. The conditional
probabilities are exact, so -log p of a draw is, too, and its mean estimates the entropy without
bias.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contractions import ContractionTooLarge, this_machine
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.spectrum.sweep import opened, probabilities, rests, sweep
from tnqml.spectrum.tables import Single, single
from tnqml.spectrum.uploads import Axis, Merging

Array = NDArray[Any]

_CHUNK = 1 / 16  # of the memory, for the vectors of one block with its axes open


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
        ContractionTooLarge: the draws need more than the model's memory cap.
    """
    for name, value, least in (("draws", draws, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} is {value!r}; expected an integer of at least {least}")
    found = single(model, observable, merging)
    drawn, logs = _draw(found, draws, np.random.default_rng(seed))
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


def _draw(
    found: Single, draws: int, generator: np.random.Generator
) -> tuple[NDArray[np.intp], Array]:
    """(draws, axes) places of the frequencies in the order of the network, and log p (draws,)."""
    memory = this_machine().memory if found.memory is None else found.memory
    way = sweep(found.network, draws)
    widest = max(math.prod(block.dims) for block in way.blocks)
    if way.held + 16 * draws * widest > memory:
        raise ContractionTooLarge(
            way.held + 16 * draws * widest,
            memory,
            way.operations / this_machine().flops["float64"],
            "draw less at once, or take uploads apart with merging='independent'",
        )
    behind = rests(way, memory=memory)
    drawn = np.zeros((draws, len(found.network.axes)), dtype=np.intp)
    logs = np.zeros(draws)
    row = np.zeros(draws, dtype=np.intp)
    vectors = np.array([[1.0, 0.0]])
    for number, block in enumerate(way.blocks):
        uniform = generator.random(draws)
        sizes = [found.network.sizes[axis] for axis in block.axes]
        each = 16 * math.prod(sizes) * math.prod(block.dims)
        chunk = max(1, int(_CHUNK * memory) // each)
        carried, count, after = [], 0, np.zeros_like(row)
        for first in range(0, len(vectors), chunk):
            mine = np.flatnonzero((row >= first) & (row < first + chunk))
            ahead = opened(way, number, vectors[first : first + chunk], memory=memory)
            table = _normalised(probabilities(way, number, ahead, behind[number], memory=memory))
            outcome = _outcomes(table, row[mine] - first, uniform[mine])
            logs[mine] += np.log(table[row[mine] - first, outcome])
            if sizes:
                drawn[mine[:, None], block.axes] = np.stack(np.unravel_index(outcome, sizes), 1)
            ahead = ahead.reshape(table.size, *ahead.shape[1 + len(sizes) :])
            kept, back = np.unique(
                (row[mine] - first) * table.shape[1] + outcome, return_inverse=True
            )
            carried.append(_scaled(ahead[kept]))
            after[mine] = back + count
            count += len(kept)
        vectors, row = np.concatenate(carried), after
    return drawn, logs


def _normalised(
    table: Array,  # (rows, outcomes)
) -> Array:
    """Each row divided by its sum.

    Raises:
        InputError: a row is zero.
    """
    totals = table.sum(1, keepdims=True)
    if not totals.all():
        raise InputError(
            "the output is 0 for every input; it has no spectrum to draw from, so choose another "
            "observable"
        )
    return np.asarray(table / totals)


def _scaled(
    vectors: Array,  # (rows, ...)
) -> Array:
    """Each row divided by its largest entry, so that none underflows on the way."""
    largest = np.abs(vectors).reshape(len(vectors), -1).max(1)
    return np.asarray(vectors / largest.reshape(-1, *(1,) * (vectors.ndim - 1)))


def _outcomes(
    table: Array,  # (rows, outcomes)
    row: NDArray[np.intp],  # (draws,)
    uniform: Array,  # (draws,) in [0, 1)
) -> NDArray[np.intp]:
    """(draws,): an outcome of the row of each draw, by inversion."""
    count = table.shape[1]
    cumulative = np.cumsum(table, 1)
    cumulative /= cumulative[:, -1:]
    steps = (cumulative + np.arange(len(table))[:, None]).ravel()
    below = np.minimum(row + uniform, np.nextafter(row + 1.0, 0.0))
    return np.asarray(np.searchsorted(steps, below, side="right") - row * count)
