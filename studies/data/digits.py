"""scikit-learn's handwritten digits as inputs of 64-qubit models, one pixel a qubit."""

import math

import numpy as np
from numpy.typing import NDArray

PIXELS = 64


def images(count: int, *, seed: int) -> NDArray[np.float64]:
    """(count, 64): different images in random order, pixels scaled from 0..16 to angles 0..pi."""
    from sklearn.datasets import load_digits

    data = load_digits().data
    chosen = np.random.default_rng(seed).permutation(len(data))[:count]
    return np.asarray(data[chosen], dtype=np.float64) * math.pi / 16
