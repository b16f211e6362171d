"""Independent streams of random numbers from one seed."""

import numpy as np


def stream(seed: int, tag: int, *more: int) -> np.random.Generator:
    """The stream of one purpose, independent of `default_rng(seed)` and of every other's.

    A tuple as a seed does not do: numpy takes (seed, 0) for seed, as it drops zeros at the end.

    Args:
        seed: what the caller gave, from which an instance or a model may be drawn as well.
        tag: of the purpose, 0 or more.
        more: as many numbers as the purpose has streams to tell apart.

    Example:
        >>> np.random.default_rng((5, 0)).random() == np.random.default_rng(5).random()
        True
        >>> stream(5, 0).random() == np.random.default_rng(5).random()
        False
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(tag, *more)))


def torch_seed(seed: int, tag: int, *more: int) -> int:
    """A seed for a `torch.Generator`, as independent as `stream`."""
    return int(stream(seed, tag, *more).integers(2**63))
