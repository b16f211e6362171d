"""How often a protocol is right: seeded trials, counted, with a Wilson interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.ledger import Ledger


@dataclass(frozen=True)
class Answer:
    """What a protocol decided, 1 or -1, and the messages that it took."""

    value: int
    ledger: Ledger


@dataclass(frozen=True)
class SuccessRate:
    """Right answers among so many trials.

    Example:
        >>> low, high = SuccessRate(90, 100).interval()
        >>> round(low, 3), round(high, 3)
        (0.826, 0.945)
    """

    successes: int
    trials: int

    @property
    def rate(self) -> float:
        """The share of right answers."""
        return self.successes / self.trials

    def interval(self, *, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson's interval of the probability of a right answer.

        Raises:
            InputError: the confidence is outside (0, 1).
        """
        from scipy.stats import binomtest

        if not 0 < confidence < 1:
            raise InputError(f"confidence is {confidence!r}; expected a number between 0 and 1")
        test = binomtest(self.successes, self.trials)
        low, high = test.proportion_ci(confidence, method="wilson")
        return float(low), float(high)


class Promised(Protocol):
    """An instance with one right answer, 1 or -1."""

    @property
    def answer(self) -> int:
        """The right answer."""


Instance = TypeVar("Instance", bound=Promised)
Taken_contra = TypeVar("Taken_contra", bound=Promised, contravariant=True)


class Decides(Protocol[Taken_contra]):
    """A protocol: an instance and a seed in, an answer and its ledger out."""

    def __call__(self, instance: Taken_contra, /, *, seed: int) -> Answer:
        """The answer of one run."""


def success_rate(
    protocol: Decides[Instance], instances: Sequence[Instance], *, trials: int, seed: int
) -> SuccessRate:
    """The share of right answers over trials, each with its own seed.

    The instances take turns. The Gaussian sketches are rotation invariant, so that for them few
    instances, one of each answer, stand for all; a protocol that is not needs many.

    Args:
        protocol: such as `functools.partial(subspace_by_signs, numbers=13)`.
        instances: at least one.
        trials: at least 1.
        seed: from which the seed of each trial is drawn.

    Example:
        >>> from functools import partial
        >>> from tnqml.protocols import linear_by_signs, linear_instance
        >>> instances = [linear_instance(8, margin=0.9, seed=1)]
        >>> success_rate(partial(linear_by_signs, numbers=25), instances, trials=20, seed=0)
        SuccessRate(successes=20, trials=20)
    """
    check_count(trials, "trials")
    if not instances:
        raise InputError("no instances; expected at least one")
    seeds = np.random.default_rng(seed).integers(2**63, size=trials)
    right = 0
    for trial, own in enumerate(seeds):
        instance = instances[trial % len(instances)]
        right += protocol(instance, seed=int(own)).value == instance.answer
    return SuccessRate(right, trials)
