"""Labelled examples as unit vectors with a constant entry, which both kinds of classifier read."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

_HELD_OUT = 0.3


@dataclass(frozen=True, eq=False)
class Examples:
    """Unit vectors and the class of each, 0 or 1."""

    x: Real  # (count, N)
    y: NDArray[np.int64]  # (count,)


@dataclass(frozen=True)
class Split:
    """Examples to train on, and others to measure on."""

    train: Examples
    test: Examples


def digits(*, seed: int) -> Split:
    """scikit-learn's images of 3 and 8, 64 numbers each; 70% of them to train on.

    The constant stands in the place of the first pixel, which is blank in every image.
    """
    from sklearn.datasets import load_digits

    pixels, digit = load_digits(return_X_y=True)
    chosen = (digit == 3) | (digit == 8)
    return _split(pixels[chosen, 1:], digit[chosen] == 8, size=64, seed=seed)


def cancer(*, seed: int) -> Split:
    """scikit-learn's breast cancer samples: 30 features, the constant, a 0; 70% to train on."""
    from sklearn.datasets import load_breast_cancer

    features, benign = load_breast_cancer(return_X_y=True)
    return _split(features, benign == 1, size=32, seed=seed)


def homogeneous(
    z: Real,  # (count, k), k < N
    *,
    size: int,
) -> Real:
    """(count, N): unit rows along (1, z/sqrt(k), 0, ...).

    Nothing of z is lost, neither its length nor its sign: a linear form of the row is one of z with
    a bias, and a quadratic form of the row holds all of them.

    Example:
        >>> homogeneous(np.array([[3.0, 4.0]]), size=4).round(2).tolist()
        [[0.27, 0.58, 0.77, 0.0]]
    """
    count, entries = z.shape
    rows = np.zeros((count, size))
    rows[:, 0], rows[:, 1 : entries + 1] = 1, z / math.sqrt(entries)
    return unit(rows)


def unit(
    rows: Real,  # (count, N), no row all 0
) -> Real:
    """(count, N): the rows over their lengths."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _split(features: Real, second: NDArray[np.bool_], *, size: int, seed: int) -> Split:
    """Features in units of their standard deviation on the training examples."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    train, test, train_y, test_y = train_test_split(
        features, second.astype(np.int64), test_size=_HELD_OUT, random_state=seed, stratify=second
    )
    scaler = StandardScaler().fit(train)
    return Split(
        Examples(homogeneous(scaler.transform(train), size=size), train_y),
        Examples(homogeneous(scaler.transform(test), size=size), test_y),
    )
