"""What is public before a gradient is estimated, and how many copies a wanted error takes.

Notation: parameter p has terms i of weight a_i on words of k_i letters; W is the sum of the
absolute weights of the observable; eps the error of every derivative at once, which fails with
probability delta; l = ln(2P/delta), a union bound over P parameters. C = W sum_i |a_i|.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.observables import String
from tnqml.protocols.execution.holders import turns
from tnqml.protocols.gradients.generators import Block, Term, commuting_blocks

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """What all parties know: the shape of the circuit and the observable, but no angle.

    Attributes:
        qubits: of the register.
        parties: whose turn it is, turn by turn.
        parameters: P, their number.
        observable: weights and Pauli strings, the constant left out.
        blocks: the terms of all parameters, by turn and cut.
    """

    qubits: int
    parties: tuple[str, ...]
    parameters: int
    observable: tuple[tuple[float, String], ...]
    blocks: tuple[Block, ...]

    @property
    def scale(self) -> float:
        """W."""
        return sum(abs(weight) for weight, _ in self.observable)

    @property
    def shares(self) -> Real:  # (strings,)
        """The probability with which a copy gets each string of the observable."""
        return np.abs([weight for weight, _ in self.observable]) / self.scale

    @property
    def terms(self) -> tuple[Term, ...]:
        """Those of all blocks in order."""
        return tuple(term for block in self.blocks for term in block.terms)


@dataclass(frozen=True, eq=False)
class Plan:
    """How often each part is run, and the error of each derivative that this guarantees.

    Attributes:
        copies: by term, of each of its two shifted circuits; or by block.
        half_widths: no derivative is off by more, but for the failure probability.
    """

    copies: tuple[int, ...]
    half_widths: Real  # (parameters,)


def layout_of(model: DistributedModel) -> Layout:
    """The layout of a model.

    Raises:
        InputError: the model has not exactly one observable, or that is a constant; it has no
            parameter; it has fewer than two parties or is split by qubits; a parameter is the
            strength of a noise channel.
    """
    circuit = model.circuit
    if len(model.observables) != 1:
        raise InputError(
            f"the model has {len(model.observables)} observables; a gradient protocol takes one: "
            "make a model for each, or add them up with weights"
        )
    observable = tuple(
        (weight, string) for weight, string in model.observables[0].terms if string and weight
    )
    if not observable:
        raise InputError(
            f"the observable {model.observables[0]} is a constant; expected a Pauli string in it"
        )
    parties = tuple(turn.party for turn in turns(circuit))
    if not circuit.parameters:
        raise InputError("the circuit has no parameter; expected at least one to differentiate by")
    if circuit.noisy:
        raise InputError(
            "the circuit has noise channels; the gradient protocols undo gates, so leave them out"
        )
    blocks = commuting_blocks(circuit)
    if not blocks:
        raise InputError("every parameter has the scale 0; expected one that turns a gate")
    return Layout(circuit.qubits, parties, circuit.parameters, observable, blocks)


def shift_plan(layout: Layout, *, error: float | None, failure: float, copies: int | None) -> Plan:
    """Copies of each shifted circuit, term by term.

    The derivative is sum_i a_i (m_i+ - m_i-)/2 with means m over T_i outcomes in [-W, W], so that
    Hoeffding's bound is 2 exp(-eps^2 / sum_i W^2 a_i^2 / T_i), which T_i = C W |a_i| l / eps^2
    brings to delta/P.
    """
    log = _check(layout, error=error, failure=failure, copies=copies)
    sizes = [(term.parameter, layout.scale * abs(term.weight)) for term in layout.terms]
    totals = _totals(sizes, layout.parameters)
    counts = [
        copies or math.ceil(totals[parameter] * size * log / float(error or 1) ** 2)
        for parameter, size in sizes
    ]
    squares = np.zeros(layout.parameters)
    for (parameter, size), count in zip(sizes, counts, strict=True):
        squares[parameter] += size**2 / count
    return Plan(tuple(counts), np.sqrt(log * squares))


def block_plan(layout: Layout, *, error: float | None, failure: float, copies: int | None) -> Plan:
    """Copies of each block's hybrid state, by Hoeffding's bound.

    A copy gives parameter p a value in [-C_b, C_b], C_b the part of C in block b, and the bound is
    2 exp(-eps^2 / 2 / sum_b C_b^2 / T_b): T_b = 2 C C_b l / eps^2, the largest over p.
    """
    log = _check(layout, error=error, failure=failure, copies=copies)
    parts = _by_block(layout, lambda term: abs(term.weight))  # (blocks, parameters)
    counts = _counts(2 * parts.sum(0) * parts * log, error=error, copies=copies)
    return Plan(counts, np.sqrt(2 * log * (parts**2 / np.array(counts)[:, None]).sum(0)))


def shadow_plan(layout: Layout, *, error: float | None, failure: float, copies: int | None) -> Plan:
    """Copies of each block's hybrid state for shadows, by Bernstein's bound on the plain mean.

    A copy gives a word of weight k the value +-3^k with probability 3^-k, else 0: with the ancilla
    always in Y its variance is at most 3^k, and it is bounded, so that a plain mean does what
    Huang, Kueng, Preskill need a median of means for. Parameter p has from block b the deviation
    S_b = W sum_i |a_i| 3^(k_i/2) at most, and is off its mean by D_b = W sum_i |a_i| (3^k_i + 1) at
    most: 2 exp(-eps^2 / 2 / (V + B eps / 3)), V = sum_b S_b^2 / T_b, B = max_b D_b / T_b.
    T_b = 2 l (1 + r) S S_b / eps^2 with S = sum_b S_b and r = max_b D_b eps / (3 S S_b) makes V at
    most 1/(1 + r) and B eps/3 at most r/(1 + r) of eps^2 / (2 l).
    """
    log = _check(layout, error=error, failure=failure, copies=copies)
    deviations = _by_block(layout, lambda term: abs(term.weight) * 3 ** (len(term.word) / 2))
    ranges = _by_block(layout, lambda term: abs(term.weight) * (3 ** len(term.word) + 1))
    wanted = deviations.sum(0) * deviations
    ratios = np.divide(ranges, 3 * wanted, out=np.zeros_like(ranges), where=wanted > 0).max(0)
    counts = _counts(
        2 * log * (1 + ratios * float(error or 0)) * wanted, error=error, copies=copies
    )
    column = np.array(counts)[:, None]
    variances, bounds = (deviations**2 / column).sum(0), (ranges / column).max(0)
    third = bounds * log / 3
    return Plan(counts, third + np.sqrt(third**2 + 2 * log * variances))


def shadow_tomography_bound(
    dimension: int, parameters: int, *, cuts: int, error: float, failure: float
) -> float:
    """A bound, not a run: copies times qubits a cut by shadow tomography, constants left out.

    log2 N (log2 P)^2 log2(L/delta) / eps^4 for P two-outcome measurements of dimension N at each of
    L cuts. Measuring takes joint operations on all copies at once, which nothing here runs.
    Sources: Aaronson, STOC 2018; Badescu, O'Donnell, STOC 2021, Theorem 1.4.

    Raises:
        InputError: dimension or parameters under 2, cuts under 1, error or failure outside (0, 1).

    Example:
        >>> shadow_tomography_bound(2**8, 16, cuts=1, error=0.5, failure=0.5)
        2048.0
    """
    check_count(dimension, "the dimension", least=2)
    check_count(parameters, "the number of parameters", least=2)
    check_count(cuts, "the number of cuts")
    _check_probability(error, "error")
    _check_probability(failure, "failure")
    logs = math.log2(dimension) * math.log2(parameters) ** 2 * math.log2(cuts / failure)
    return logs / error**4


def _check(layout: Layout, *, error: float | None, failure: float, copies: int | None) -> float:
    """l, where the numbers asked for make sense."""
    if (error is None) == (copies is None):
        raise InputError(
            f"error is {error!r} and copies is {copies!r}; expected one of them: the error that "
            "every derivative may have, or the copies of each circuit or block"
        )
    if error is not None:
        _check_probability(error, "error")
    if copies is not None:
        check_count(copies, "copies")
    _check_probability(failure, "failure")
    return math.log(2 * layout.parameters / failure)


def _check_probability(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise InputError(f"{name} is {value!r}; expected a number between 0 and 1")


def _totals(sizes: Iterable[tuple[int, float]], parameters: int) -> Real:
    totals = np.zeros(parameters)
    for parameter, size in sizes:
        totals[parameter] += size
    return totals


def _by_block(layout: Layout, size: Callable[[Term], float]) -> Real:  # (blocks, parameters)
    """W times the sizes of the terms, summed by block and parameter."""
    rows = [
        _totals(((term.parameter, size(term)) for term in block.terms), layout.parameters)
        for block in layout.blocks
    ]
    return layout.scale * np.array(rows).reshape(len(rows), layout.parameters)


def _counts(
    wanted: Real,  # (blocks, parameters)
    *,
    error: float | None,
    copies: int | None,
) -> tuple[int, ...]:
    if copies is not None:
        return (copies,) * len(wanted)
    return tuple(math.ceil(row.max() / float(error or 1) ** 2) for row in wanted)
