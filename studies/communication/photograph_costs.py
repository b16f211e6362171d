"""Telling two photographs apart by their patches: both kinds of classifier, through protocols.

What each protocol costs for one and the same accuracy: that of the worse of the classifiers, less 2
points. A classifier whose 95% interval, less 2 points, is not above chance is left out.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from studies.communication.subspace_costs import SIGNS
from studies.costs import Effort, counted_row, rate_columns, whole_number
from studies.fits import Interval
from studies.linear.costs import STRING
from studies.linear.real import LOSS, accuracy_columns, linear_rows
from studies.study import JsonScalar, Row
from studies.thresholds import paired_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from studies.data.classifiers import CompositionalClassifier
    from studies.data.examples import Split
    from studies.data.photographs import Content
    from tnqml import Observable

    Array = NDArray[np.float64]

SHOTS, STATES = "sampled state", "whole states"
LAYERS = {"grey": 2, "texture": 1}  # of the compositional model; 2 L - 1 messages
_TRAIN, _TEST = 2000, 600
_TRIED = tuple(sorted({round(2 ** (step / 2)) for step in range(26)}))  # shots, to 5793
_STRINGS = 2**21  # measured at once
_MOST_BITS = 12
_SHARING = 20  # examples that share the rows of a sketch


def photograph_costs(size: int, content: "Content", *, effort: Effort, seed: int) -> list[Row]:
    """A row a protocol of each classifier well above chance, a row without cost of any other.

    Args:
        size: pixels of a patch, N.
        content: "grey" or "texture"; see `photographs.patches`.
        effort: draws, examples that check a protocol, and the seed of outcomes.
        seed: of the patches and of training.
    """
    from studies.data import classifiers, photographs

    test = min(_TEST, photographs.most_test_patches(size))
    split = photographs.split(size, train=_TRAIN, test=test, seed=seed, content=content)
    linear = classifiers.linear(split)
    compositional = classifiers.compositional(split, layers=LAYERS[content], seed=seed)
    both = {"linear": linear, "compositional": compositional}
    able = {
        name: model.accuracy.rate
        for name, model in both.items()
        if model.accuracy.interval()[0] - LOSS > model.chance
    }
    rows: list[Row] = [
        {**accuracy_columns(model), "model": name, "protocol": "none"}
        for name, model in both.items()
        if name not in able
    ]
    target = min(able.values(), default=0) - LOSS
    if "linear" in able:
        loss = able["linear"] - target
        found = linear_rows(split, linear, loss=loss, effort=effort)
        rows += [{**row, "model": "linear", "target": target} for row in found]
    if "compositional" in able:
        loss = able["compositional"] - target
        found = compositional_rows(split, compositional, loss=loss, effort=effort)
        rows += [{**row, "model": "compositional", "target": target} for row in found]
    return rows


def compositional_rows(
    split: "Split", trained: "CompositionalClassifier", *, loss: float, effort: Effort
) -> list[Row]:
    """A row a protocol: what it takes to be as often right as the model without any protocol.

    The class is the sign of the estimate of the model's observable. `success` is the share of right
    classes in runs of the protocol itself, over parties, on the first of the examples.

    Args:
        split: examples; the test part is classified.
        trained: the model, of which no gate reads data.
        loss: the share of the examples by which a protocol may be less accurate.
        effort: draws, how many examples check a protocol, and the seed of outcomes.
    """
    rows = [
        _sampled_row(split, trained, loss=loss, effort=effort),
        _states_row(split, trained, loss=loss, effort=effort),
    ]
    if len(trained.model.circuit.messages()) == 1:
        rows.append(_sketch_row(split, trained, loss=loss, effort=effort))
    shared = accuracy_columns(trained) | {"loss": loss}
    return [{**row, **shared} for row in rows if row is not None]


def _sampled_row(
    split: "Split", trained: "CompositionalClassifier", *, loss: float, effort: Effort
) -> Row | None:
    """Copies of the state, measured whole after the last turn, which tells all of the observable.

    As `protocols.infer`, which reads every Z off the same bit string.
    """
    import numpy as np
    import torch

    from tnqml.protocols.execution.readout import readout
    from tnqml.protocols.inference.infer import infer

    model, labels = trained.model, split.test.y == 1
    read = readout(model.observables[0])
    (group,) = read.groups  # every string is one Z
    places = [qubit for qubit, _ in group.string]
    generator = np.random.default_rng(effort.seed)
    tried = [shots for shots in _TRIED if shots * STRING * len(labels) <= effort.draws]
    step = max(1, _STRINGS // max(tried))
    right = []
    for start in range(0, len(labels), step):
        x = torch.tensor(split.test.x[start : start + step], dtype=model.dtype)
        strings = model.sample(x, shots=max(tried), seed=int(generator.integers(2**31)))
        bits = strings.numpy()[:, :, places].reshape(-1, len(places))
        outcomes = read.constant + group.sums(bits).reshape(strings.shape[:2])
        means = np.cumsum(outcomes, axis=1)[:, np.array(tried) - 1]
        right.append((means > 0) == labels[start : start + step, None])
    threshold = paired_threshold(
        tried, np.concatenate(right), _exact(split, trained), loss=loss, seed=effort.seed
    )
    if threshold is None:
        return None
    whole = whole_number(threshold.value)
    checks = min(effort.checks, len(labels))
    found = [
        infer(model, split.test.x[place], seed=effort.seed % 2**31 + place, shots=whole)
        for place in range(checks)
    ]
    answers = [
        (estimate.value > 0) == label for estimate, label in zip(found, labels, strict=False)
    ]
    return counted_row(SHOTS, threshold, whole, found[0].ledger) | _rate(answers)


def _states_row(
    split: "Split", trained: "CompositionalClassifier", *, loss: float, effort: Effort
) -> Row | None:
    """The state vector itself in every message, at the fewest bits a number."""
    import numpy as np

    from tnqml.protocols.inference.quantised import infer_classically

    labels = split.test.y == 1
    least = _exact(split, trained).mean() - loss
    for bits in range(1, _MOST_BITS + 1):
        values = _values_of_states(split, trained, bits=bits)
        if np.mean((values > 0) == labels) >= least:
            break
    else:
        return None
    found = [
        infer_classically(trained.model, row, bits=bits) for row in split.test.x[: effort.checks]
    ]
    answers = [
        (estimate.value > 0) == label for estimate, label in zip(found, labels, strict=False)
    ]
    total = found[0].ledger.bits
    exact = Interval(*[total / bits] * 3)
    return counted_row(STATES, exact, total // bits, found[0].ledger) | _rate(answers)


def _sketch_row(
    split: "Split", trained: "CompositionalClassifier", *, loss: float, effort: Effort
) -> Row | None:
    """Signs of projections of the one message, a real vector of 2 N entries; see `_sketched`.

    Twenty examples share the Gaussian rows.
    """
    import numpy as np

    from tnqml.protocols import ALICE, BOB, Entry, Ledger

    labels = split.test.y == 1
    size = 2 * split.test.x.shape[1]
    blocks = -(-len(labels) // _SHARING)
    tried = [rows for rows in _TRIED if rows > 1 and rows * size * blocks <= effort.draws]
    values = _sketched(split, trained, tried=tried, seed=effort.seed)
    threshold = paired_threshold(
        tried, (values > 0) == labels[:, None], _exact(split, trained), loss=loss, seed=effort.seed
    )
    if threshold is None:
        return None
    whole = whole_number(threshold.value)
    ledger = Ledger([Entry(1, ALICE, BOB, "bit", whole, purpose="sketch")])
    answers = (values[:, np.searchsorted(tried, whole)] > 0) == labels
    return counted_row(SIGNS, threshold, whole, ledger) | _rate(answers.tolist())


def _sketched(
    split: "Split", trained: "CompositionalClassifier", *, tried: "Sequence[int]", seed: int
) -> "Array":  # (examples, tried)
    """Bob's estimates of f from the signs of the first so many projections.

    Alice's state, as the real vector y of its real and imaginary parts, has f = y^T S y with a
    symmetric S that Bob knows. From signs s_i of g_i . y, v = sum_i s_i g_i, the mean of
    v^T S v - k tr S is k (k - 1) (2/pi) f, since the part of v orthogonal to y is normal with
    variance k. v^T S v is the observable of v as a state, not of unit length; tr S is twice the sum
    of the observable's values.
    """
    import numpy as np

    from tnqml.protocols.execution.holders import holders

    model = trained.model
    known = holders(model, split.test.x[0])
    alice, bob = (known[party] for party in model.circuit.parties)
    states = alice.apply(0, split.test.x.astype(np.complex128))
    vectors = np.concatenate([states.real, states.imag], axis=1)
    values = diagonal(model.observables[0], model.circuit.qubits)
    generator = np.random.default_rng((seed, 3))
    half = states.shape[1]
    images = bob.apply(1, np.eye(half, dtype=np.complex128))  # of the basis states, in rows
    blocks = []
    for start in range(0, len(vectors), _SHARING):
        block = vectors[start : start + _SHARING]
        sketch = np.zeros_like(block)
        columns = []
        for before, count in pairwise([0, *tried]):
            rows = generator.standard_normal((count - before, 2 * half))
            sketch += np.sign(block @ rows.T) @ rows
            register = (sketch[:, :half] + 1j * sketch[:, half:]) @ images
            forms = np.abs(register) ** 2 @ values - count * 2 * values.sum()
            columns.append(forms / (count * (count - 1) * 2 / np.pi))
        blocks.append(np.stack(columns, axis=1))
    return np.concatenate(blocks)


def _values_of_states(
    split: "Split", trained: "CompositionalClassifier", *, bits: int
) -> "Array":  # (examples,)
    """As `infer_classically`, of all examples at once: no gate reads data."""
    import numpy as np

    from tnqml.protocols.execution.holders import holders, turns
    from tnqml.protocols.inference.quantised import coded, decoded

    model = trained.model
    known = holders(model, split.test.x[0])
    order = [turn.party for turn in turns(model.circuit)]
    states = split.test.x.astype(np.complex128)
    for turn, party in enumerate(order):
        if turn:
            states = np.stack([decoded(coded(state, bits=bits), bits=bits) for state in states])
        states = known[party].apply(turn, states)
    return np.asarray(np.abs(states) ** 2 @ diagonal(model.observables[0], model.circuit.qubits))


def diagonal(observable: "Observable", qubits: int) -> "Array":  # (2^qubits,)
    """The values of an observable of Z alone on the bit strings."""
    import numpy as np

    strings = np.arange(2**qubits)
    values = np.zeros(2**qubits)
    for weight, string in observable.terms:
        parity = sum(strings >> (qubits - 1 - qubit) & 1 for qubit, _ in string)
        values += weight * (1 - 2 * (np.asarray(parity) % 2))
    return values


def _exact(split: "Split", trained: "CompositionalClassifier") -> "NDArray[np.bool_]":
    """Whether the model without any protocol is right on each example."""
    right: NDArray[np.bool_] = (trained.scores > 0) == (split.test.y == 1)
    return right


def _rate(answers: "Sequence[bool]") -> dict[str, JsonScalar]:
    from tnqml.protocols import SuccessRate

    return rate_columns(SuccessRate(int(sum(answers)), len(answers)))
