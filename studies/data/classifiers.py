"""Classifiers of labelled unit vectors: scikit-learn's linear one, and a trained compositional one.

Both decide by a sign: x . w, or f(theta, x) = <phi| O |phi> of amplitudes x. So both can be run by
protocols on the same examples, and the size of what the sign is taken of is the margin.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from studies.data.examples import Examples, Split
from tnqml.protocols import LinearInstance, SuccessRate

if TYPE_CHECKING:
    from torch.nn import Linear

    from tnqml import DistributedModel, Observable

Real = NDArray[np.float64]

_REGULARISATION = 1.0  # scikit-learn's C; a larger one shrinks the margins and gains nothing
_RATE = 0.1
_FIRST_WEIGHT = 3.0  # of every <Z_j>, so that the first logits are not all near 0


@dataclass(frozen=True, eq=False)
class Classifier:
    """What a trained classifier gives on the test examples.

    Attributes:
        scores: class 1 is told where a score is positive; its size is the margin.
        accuracy: right among the test examples.
        chance: the share of the larger class among them.
    """

    scores: Real  # (test,)
    accuracy: SuccessRate
    chance: float

    @property
    def above_chance(self) -> bool:
        """Whether the 95% interval of the accuracy lies above that of always telling one class."""
        return self.accuracy.interval()[0] > self.chance


@dataclass(frozen=True, eq=False)
class LinearClassifier(Classifier):
    """A linear classifier: unit weights w; the scores are x . w of unit x."""

    weights: Real  # (N,)


@dataclass(frozen=True, eq=False)
class CompositionalClassifier(Classifier):
    """A compositional one: the scores are the values of a model with one observable.

    The observable is b + sum_j w_j Z_j with sum |w_j| = 1.
    """

    model: "DistributedModel"


def linear(split: Split) -> LinearClassifier:
    """Weights by scikit-learn's logistic regression, the bias being one of them."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=_REGULARISATION, fit_intercept=False, max_iter=2000)
    weights = fit.fit(split.train.x, split.train.y).coef_[0]
    weights = weights / np.linalg.norm(weights)
    scores = split.test.x @ weights
    return LinearClassifier(scores, *_accuracy(scores, split.test), weights)


def linear_instances(split: Split) -> list[LinearInstance]:
    """The trained linear classifier as an instance a test example, in order.

    Each promises its own |x . w|; the right answer is the classifier's, not the label. Examples
    with x . w = 0 to rounding are left out.
    """
    weights = linear(split).weights
    return [
        LinearInstance(x, weights, float(abs(x @ weights)))
        for x in split.test.x
        if abs(x @ weights) > 1e-12
    ]


def compositional(
    split: Split,
    *,
    layers: int = 2,
    steps: int = 80,
    batch: int = 100,
    seed: int = 0,
) -> CompositionalClassifier:
    """A brickwork of Alice and Bob on amplitudes x, trained by Adam with exact gradients.

    The loss is the cross entropy of logit b + sum_j w_j <Z_j>; the layers hold no data of their
    own. 2 n L angles, n = log2 N, and n + 1 weights.

    Args:
        split: with N a power of two of at least 4.
        layers: L; the state crosses 2 L - 1 times.
        steps: of the optimiser.
        batch: examples a step.
        seed: of the first angles and the batches.
    """
    import torch

    from tnqml import DistributedModel, Z, ansatz

    size = split.train.x.shape[1]
    qubits = size.bit_length() - 1
    circuit = ansatz.brickwork(qubits, layers=layers, uploads=0, start="zero")
    circuit = circuit.on_amplitudes(size)
    model = DistributedModel(circuit, [Z(qubit) for qubit in range(qubits)], seed=seed)
    head = torch.nn.Linear(qubits, 1)
    torch.nn.init.constant_(head.weight, _FIRST_WEIGHT)
    torch.nn.init.zeros_(head.bias)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=_RATE)
    x = torch.tensor(split.train.x, dtype=model.dtype)
    y = torch.tensor(split.train.y, dtype=model.dtype)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(x), (batch,), generator=generator)
        optimizer.zero_grad()
        logits = head(model(x[chosen]))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y[chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    trained = DistributedModel(circuit, _observable(head))
    trained.load_state_dict(model.state_dict())
    with torch.no_grad():
        scores = trained(torch.tensor(split.test.x, dtype=model.dtype)).double().numpy()
    return CompositionalClassifier(scores, *_accuracy(scores, split.test), trained)


def _observable(head: "Linear") -> "Observable":
    """The trained logit over the sum of its weights' sizes, which leaves its sign."""
    from tnqml import Z, pauli

    weights: list[float] = head.weight[0].tolist()
    logit = head.bias.item() * pauli("")
    for qubit, weight in enumerate(weights):
        logit += weight * Z(qubit)
    return logit * (1 / sum(abs(weight) for weight in weights))


def _accuracy(scores: Real, examples: Examples) -> tuple[SuccessRate, float]:
    """How many signs are right, and the share of the larger class."""
    right = int(np.sum((scores > 0) == (examples.y == 1)))
    share = float(examples.y.mean())
    return SuccessRate(right, len(examples.y)), max(share, 1 - share)
