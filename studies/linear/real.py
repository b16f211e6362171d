"""What the protocols for linear classification cost on real data, near the weights' accuracy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from studies.costs import Effort, counted_row, rate_columns, whole_number
from studies.fits import Interval
from studies.linear.costs import ANCILLA, NUMBER_BITS, NUMBERS, SIGNS, STRING, VECTOR
from studies.study import JsonScalar, Row
from studies.thresholds import paired_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from studies.data.classifiers import Classifier, LinearClassifier
    from studies.data.examples import Split
    from tnqml.protocols import Answer, LinearInstance
    from tnqml.protocols.trials import Decides

LOSS = 0.02
_TRAIN, _TEST = 2000, 600  # patches, where the photographs hold so many
_TRIED = tuple(sorted({2 * round(2 ** (step / 2 - 1)) + 1 for step in range(22)}))  # odd, to 1449
_MOST_REPEATS = 10
_MOST_BITS = 16


def real_split(data: str, size: int, *, seed: int) -> "Split":
    """Training and test examples of N = `size` entries."""
    from studies.data import examples, photographs

    if data == "photographs":
        test = min(_TEST, photographs.most_test_patches(size))
        return photographs.split(size, train=_TRAIN, test=test, seed=seed)
    return {"digits": examples.digits, "cancer": examples.cancer}[data](seed=seed)


def real_costs(data: str, size: int, *, effort: Effort, seed: int) -> list[Row]:
    """The rows of `linear_rows` for weights trained on one of the data sets, at a loss of 2 points.

    Args:
        data: "digits", "cancer" or "photographs".
        size: N.
        effort: as for `linear_rows`.
        seed: of the split into training and test examples.
    """
    from studies.data import classifiers

    split = real_split(data, size, seed=seed)
    return linear_rows(split, classifiers.linear(split), loss=LOSS, effort=effort)


def linear_rows(
    split: "Split", trained: "LinearClassifier", *, loss: float, effort: Effort
) -> list[Row]:
    """A row a protocol: what it takes to be as often right on held-out examples as the weights.

    Each example meets each protocol up to ten times, as the draws allow; the intervals resample the
    examples. `success` is the share of right classes in runs of the protocol itself. A protocol
    that falls short with all the numbers tried has no row.

    Args:
        split: examples; the test part is classified.
        trained: the weights.
        loss: the share of the examples by which a protocol may be less accurate.
        effort: draws, how many examples check a protocol, and the seed of outcomes.
    """
    import numpy as np

    from tnqml.protocols import linear_by_ancilla, linear_by_projections, linear_by_signs
    from tnqml.protocols.problems.ensembles import (
        ancillas_right,
        numbers_right,
        paired_projections,
        signs_right,
    )

    examples = _Examples(split, trained, loss=loss, effort=effort)
    generator = np.random.default_rng(effort.seed)
    each = STRING * max(_TRIED) * len(examples.labels)
    repeats = int(min(max(effort.draws / each, 1), _MOST_REPEATS))
    drawn = paired_projections(
        np.repeat(trained.scores.clip(-1, 1), repeats), rows=max(_TRIED), generator=generator
    )
    answers = np.repeat(examples.labels, repeats)
    signs = signs_right(drawn, answers, numbers=_TRIED, generator=generator)
    projections = numbers_right(drawn, answers, numbers=_TRIED, bits=NUMBER_BITS)
    copies = ancillas_right(
        split.test.x,
        trained.weights,
        examples.labels,
        copies=_TRIED,
        trials=repeats,
        seed=effort.seed,
    )
    rows = [
        examples.row(SIGNS, signs, lambda k: partial(linear_by_signs, numbers=k)),
        examples.row(
            NUMBERS,
            projections,
            lambda k: partial(linear_by_projections, numbers=k, bits=NUMBER_BITS),
        ),
        examples.row(ANCILLA, copies, lambda k: partial(linear_by_ancilla, copies=k)),
        examples.vector_row(),
    ]
    return [row for row in rows if row is not None]


class _Examples:
    """Test examples as instances with labels, and what exact weights make of them."""

    def __init__(
        self, split: "Split", trained: "LinearClassifier", *, loss: float, effort: Effort
    ) -> None:
        import numpy as np

        self.x, self.weights = split.test.x, trained.weights
        self.labels = np.where(split.test.y == 1, 1, -1)
        self.exact = (trained.scores > 0) == (self.labels > 0)
        self.loss, self.effort = loss, effort
        self.columns = accuracy_columns(trained) | {"loss": loss}

    def row(
        self,
        name: str,
        right: "NDArray[np.bool_]",  # (examples * repeats, numbers)
        protocol: "Callable[[int], Decides[LinearInstance]]",
    ) -> Row | None:
        """A row of `costs`, or None where all the numbers tried fall short."""
        shares = right.reshape(len(self.labels), -1, len(_TRIED)).mean(1)
        threshold = paired_threshold(
            _TRIED, shares, self.exact, loss=self.loss, seed=self.effort.seed
        )
        if threshold is None:
            return None
        whole = whole_number(threshold.value, odd=name != NUMBERS)
        return self._checked(name, threshold, whole, protocol(whole))

    def vector_row(self) -> Row:
        """The whole vector, at the fewest bits a number that lose no more than the loss."""
        import numpy as np

        from tnqml.protocols.problems.random_forms import as_read

        for bits in range(1, _MOST_BITS + 1):
            scores = as_read(self.x, bits=bits) @ self.weights
            if np.mean((scores > 0) == (self.labels > 0)) >= self.exact.mean() - self.loss:
                break
        size = len(self.weights)
        exact = Interval(float(size), float(size), float(size))
        return self._checked(VECTOR, exact, size, _Whole(bits))

    def _checked(
        self, name: str, threshold: Interval, whole: int, run: "Decides[LinearInstance]"
    ) -> Row:
        from tnqml.protocols import LinearInstance, SuccessRate

        answers = []
        for place in range(min(self.effort.checks, len(self.labels))):
            margin = max(abs(float(self.x[place] @ self.weights)), 1e-12)
            instance = LinearInstance(self.x[place], self.weights, margin)
            answers.append(run(instance, seed=self.effort.seed + place))
        right = sum(
            answer.value == label for answer, label in zip(answers, self.labels, strict=False)
        )
        return (
            counted_row(name, threshold, whole, answers[0].ledger)
            | rate_columns(SuccessRate(int(right), len(answers)))
            | self.columns
        )


def accuracy_columns(trained: "Classifier") -> dict[str, JsonScalar]:
    """What the classifier itself does on the test examples, without any protocol."""
    import numpy as np

    low, high = trained.accuracy.interval()
    return {
        "accuracy": trained.accuracy.rate,
        "accuracy_low": low,
        "accuracy_high": high,
        "chance": trained.chance,
        "above_chance": trained.above_chance,
        "examples": trained.accuracy.trials,
        "median_margin": float(np.median(np.abs(trained.scores))),
    }


@dataclass(frozen=True)
class _Whole:
    """The whole vector at so many bits a number; nothing is drawn."""

    bits: int

    def __call__(self, instance: "LinearInstance", /, *, seed: int) -> "Answer":  # noqa: ARG002
        from tnqml.protocols import linear_by_vector

        return linear_by_vector(instance, bits=self.bits)
