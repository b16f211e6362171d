"""Gradients of a distributed model by three protocols, from measured copies, with their ledger.

For a gate exp(-i t G / 2) with a Pauli word G, |mu> the state after it, V all that follows and O a
reflection, df/dt = Im<nu|G|mu> with |nu> = V^dagger O V |mu>, that is -<Y (x) G> on the hybrid
state (|0>|mu> + |1>|nu>)/sqrt 2, the ancilla first; held by tests/tnqml/test_generators.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.protocols.execution.holders import Holder, holders
from tnqml.protocols.execution.links import Link
from tnqml.protocols.execution.parties import Role, run_parties
from tnqml.protocols.gradients.hybrid import hybrid_role, measure_shadows, measure_words
from tnqml.protocols.gradients.noisy_shift import gradient_links, noisy_shift_role
from tnqml.protocols.gradients.plans import (
    Layout,
    Plan,
    Real,
    block_plan,
    layout_of,
    shadow_plan,
    shift_plan,
)
from tnqml.protocols.gradients.shift import shift_role
from tnqml.protocols.ledger import Ledger

Method = Literal["shift", "blocks", "shadows"]
METHODS: tuple[Method, ...] = ("shift", "blocks", "shadows")


@dataclass(frozen=True, eq=False)
class GradientEstimate:
    """Estimated derivatives of one output by all parameters, and what they cost.

    Attributes:
        values: the derivatives.
        standard_errors: from the spread of the outcomes; NaN where one copy shows no spread.
        half_widths: |values - truth| <= half_widths for all parameters at once, except with
            probability `failure`, by Hoeffding's or Bernstein's bound.
        failure: delta.
        copies: registers prepared in all.
        ledger: every message.
    """

    values: Real  # (parameters,)
    standard_errors: Real  # (parameters,)
    half_widths: Real  # (parameters,)
    failure: float
    copies: int
    ledger: Ledger

    @property
    def intervals(self) -> Real:
        """(parameters, 2): the ends of values -+ half_widths."""
        return np.stack([self.values - self.half_widths, self.values + self.half_widths], 1)


@dataclass(frozen=True, eq=False)
class GradientTrials:
    """Independent repetitions of one protocol on one model and input.

    Attributes:
        values: the derivatives of each repetition.
        standard_errors: of each.
        half_widths: as of `GradientEstimate`.
        copies: registers prepared in one repetition.
        ledger: the messages of one repetition.
    """

    values: Real  # (repetitions, parameters)
    standard_errors: Real  # (repetitions, parameters)
    half_widths: Real  # (parameters,)
    copies: int
    ledger: Ledger


def parameter_shift(
    model: DistributedModel,
    x: ArrayLike,  # (features,)
    *,
    error: float | None = None,
    failure: float = 0.1,
    copies: int | None = None,
    seed: int,
    links: Link | Sequence[Link | None] | None = None,
    processes: bool = False,
) -> GradientEstimate:
    """All derivatives by shifted circuits: df/dt = (f(t + pi/2) - f(t - pi/2))/2 for each word.

    Two circuits a Pauli word of a generator, so 2P in all where every parameter turns one word, and
    T of the 2T copies of a word in each: T = ln(2P/failure) / error^2 for a reflection and scale 1.
    The party of the last turn measures and sends the others their counts of outcomes in bits.

    Args:
        model: one observable, split by layers between two parties or more. Every kind of gate with
            a parameter is taken: its generator is a sum of Pauli words (`commuting_blocks`), each
            shifted by itself. A parameter with several words a_i, by its gates or their generators,
            takes (sum_i |a_i|)^2 as many copies as one word of weight 1; an observable
            sum_j w_j R_j takes (sum_j |w_j|)^2 as many: a copy measures one string, drawn in
            proportion to |w_j|.
        x: one input.
        error: of every derivative at once, in (0, 1); this or `copies`.
        failure: the probability that some derivative is off by more.
        copies: of each circuit.
        seed: of all outcomes and all noise.
        links: what each message meets, one for all or one for each message of a run, none of which
            loses copies. Estimates and bounds are then of the derivatives of the noisy expectation,
            which the rule gives exactly; what they are off the noiseless ones is not in them.
        processes: run each party in a process of its own.

    Raises:
        InputError: a number is out of its range, the model, input or links are not as above, or
            there are too many different copies to hold.

    Source: Mitarai, Negoro, Kitagawa, Fujii 2018; Schuld, Bergholm, Gogolin, Izaac, Killoran 2019.
    """
    return _one(
        "shift",
        model,
        x,
        error=error,
        failure=failure,
        copies=copies,
        seed=seed,
        links=links,
        processes=processes,
    )


def gradient_by_blocks(
    model: DistributedModel,
    x: ArrayLike,  # (features,)
    *,
    error: float | None = None,
    failure: float = 0.1,
    copies: int | None = None,
    seed: int,
    processes: bool = False,
) -> GradientEstimate:
    """All derivatives from hybrid states, the commuting generators of a block on the same copies.

    2 ln(2P/failure) / error^2 copies a block for reflections and scale 1, however many generators
    it has (`commuting_blocks`). The party at the cut applies the Clifford gates that turn the
    block's words into Z strings (`diagonalise`), the ancilla's Y into Z, and measures the whole
    register. It owns the block's parameters, so that no outcome is sent.

    Arguments and errors are those of `parameter_shift`; `copies` is of each block.
    """
    return _one(
        "blocks",
        model,
        x,
        error=error,
        failure=failure,
        copies=copies,
        seed=seed,
        processes=processes,
    )


def gradient_by_shadows(
    model: DistributedModel,
    x: ArrayLike,  # (features,)
    *,
    error: float | None = None,
    failure: float = 0.1,
    copies: int | None = None,
    seed: int,
    processes: bool = False,
) -> GradientEstimate:
    """All derivatives from classical shadows of hybrid states: random bases, the ancilla in Y.

    2 3^k ln(2P/failure) / error^2 copies a block, times 1 + O(error), for words of weight k,
    reflections and scale 1. The bases are drawn without a look at the generators.

    Arguments and errors are those of `parameter_shift`; `copies` is of each block.

    Source: Huang, Kueng, Preskill, Nature Physics 16, 1050 (2020); `shadow_plan` for the mean.
    """
    return _one(
        "shadows",
        model,
        x,
        error=error,
        failure=failure,
        copies=copies,
        seed=seed,
        processes=processes,
    )


def gradient_trials(
    model: DistributedModel,
    x: ArrayLike,  # (features,)
    *,
    method: Method,
    repetitions: int,
    error: float | None = None,
    failure: float = 0.1,
    copies: int | None = None,
    seed: int,
    links: Link | Sequence[Link | None] | None = None,
    processes: bool = False,
) -> GradientTrials:
    """Many independent repetitions of a protocol; the states are evolved once.

    Args:
        model: as for `parameter_shift`, and so the others.
        x: one input.
        method: "shift", "blocks" or "shadows".
        repetitions: at least 1.
        error: this or copies.
        failure: of each repetition.
        copies: of each circuit or block.
        seed: of all repetitions.
        links: as of `parameter_shift`, and of "shift" alone: over noisy links the other protocols
            would undo gates that noise has come between, and be biased for the noisy expectation.
        processes: run each party in a process of its own.
    """
    check_count(repetitions, "repetitions")
    check_count(seed, "seed", least=0)
    if method not in METHODS:
        raise InputError(f"method is {method!r}; expected one of {', '.join(METHODS)}")
    layout = layout_of(model)
    plans: Mapping[Method, Callable[..., Plan]] = {
        "shift": shift_plan,
        "blocks": block_plan,
        "shadows": shadow_plan,
    }
    plan = plans[method](layout, error=error, failure=failure, copies=copies)
    begin = _ROLES[method]
    if links is not None:
        if method != "shift":
            raise InputError(f"links are given for {method!r}; only 'shift' runs over noisy links")
        listed = gradient_links(links, layout, copies=2 * sum(plan.copies) * repetitions)
        begin = partial(_over_links, listed)
    roles = {
        party: partial(begin, own, layout, plan.copies, seed=seed, repetitions=repetitions)
        for party, own in holders(model, x).items()
    }
    run = run_parties(roles, processes=processes)
    values, squares = np.sum([np.asarray(part) for part in run.results.values()], axis=0)
    return GradientTrials(
        values,
        np.sqrt(squares),
        plan.half_widths,
        (2 if method == "shift" else 1) * sum(plan.copies),
        run.ledger,
    )


class _Begins(Protocol):
    """A party's program in a gradient protocol."""

    def __call__(
        self,
        holder: Holder,
        layout: Layout,
        copies: tuple[int, ...],
        /,
        *,
        seed: int,
        repetitions: int,
    ) -> Role: ...


_ROLES: Mapping[Method, _Begins] = {
    "shift": shift_role,
    "blocks": partial(hybrid_role, measures=measure_words),
    "shadows": partial(hybrid_role, measures=measure_shadows),
}


def _over_links(
    links: tuple[Link | None, ...],
    holder: Holder,
    layout: Layout,
    copies: tuple[int, ...],
    *,
    seed: int,
    repetitions: int,
) -> Role:
    return noisy_shift_role(holder, layout, copies, links, seed=seed, repetitions=repetitions)


def _one(
    method: Method,
    model: DistributedModel,
    x: ArrayLike,
    *,
    error: float | None,
    failure: float,
    copies: int | None,
    seed: int,
    processes: bool,
    links: Link | Sequence[Link | None] | None = None,
) -> GradientEstimate:
    trials = gradient_trials(
        model,
        x,
        method=method,
        repetitions=1,
        error=error,
        failure=failure,
        copies=copies,
        seed=seed,
        links=links,
        processes=processes,
    )
    return GradientEstimate(
        trials.values[0],
        trials.standard_errors[0],
        trials.half_widths,
        failure,
        trials.copies,
        trials.ledger,
    )
