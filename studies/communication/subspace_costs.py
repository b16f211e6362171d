"""What the protocols for Vector in Subspace cost on random instances, at 90% success."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from studies.costs import Effort, cost_row, counted_row, rate_columns, whole_number
from studies.fits import Interval
from studies.study import Row
from studies.thresholds import TARGET, measure_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml.protocols import SubspaceInstance, SuccessRate

    Outcomes = NDArray[np.bool_]

SIGNS, NUMBERS, COEFFICIENTS = "one-bit sketch", "real-valued sketch", "largest coefficients"
VECTOR, STATE = "whole vector", "quantum state"
NUMBER_BITS = 8  # of a real-valued projection
_MOST_BITS = 8
_TRIED = 8  # numbers that a fit tries
_ROOT = 3  # projections at 90%, over the square root of N
_STATES = 200  # measured strings, each of a vector of its own


def subspace_costs(size: int, *, effort: Effort) -> list[Row]:
    """A row a protocol, as `costs.cost_row`; every protocol meets the same two instances."""
    from tnqml.protocols import subspace_instance

    pair = [subspace_instance(size, seed=effort.seed, answer=answer) for answer in (1, -1)]
    return [
        *(sketch_row(pair, bits=bits, effort=effort) for bits in (1, NUMBER_BITS)),
        coefficients_row(pair, effort=effort),
        vector_row(pair, effort=effort),
        state_row(pair, effort=effort),
    ]


def sketch_row(pair: "Sequence[SubspaceInstance]", *, bits: int, effort: Effort) -> Row:
    """Projections on shared Gaussian rows, one bit or several bits each."""
    from tnqml.protocols import subspace_by_projections
    from tnqml.protocols.problems.ensembles import subspace_sketches

    size = pair[0].size
    threshold = measure_threshold(
        lambda numbers, trials, seed: subspace_sketches(
            size, numbers=numbers, bits=bits, trials=trials, seed=seed
        ),
        trials=effort.trials(_TRIED * _ROOT * size**0.5),
        seed=effort.seed,
        power=1.0,
    )
    return cost_row(
        SIGNS if bits == 1 else NUMBERS,
        threshold,
        protocol=lambda k: partial(subspace_by_projections, numbers=k, bits=bits),
        instances=pair,
        effort=effort,
    )


def coefficients_row(pair: "Sequence[SubspaceInstance]", *, effort: Effort) -> Row:
    """The places and signs of Alice's largest coefficients.

    `success` is of further simulated instances: one instance would decide every run alike.
    """
    from tnqml.protocols.problems.coefficients import subspace_by_coefficients
    from tnqml.protocols.problems.ensembles import subspace_coefficients

    size = pair[0].size

    def run(numbers: "Sequence[int]", trials: int, seed: int) -> "Outcomes":
        return subspace_coefficients(size, numbers=numbers, bits=1, trials=trials, seed=seed)

    threshold = measure_threshold(
        run, trials=effort.trials(_TRIED * size), seed=effort.seed, power=1.0, most=size
    )
    whole = whole_number(threshold.value)
    ledger = subspace_by_coefficients(pair[0], numbers=whole, bits=1).ledger
    checked = run([whole], effort.trials(size), effort.seed + 1)
    return counted_row(COEFFICIENTS, threshold, whole, ledger) | rate_columns(_counted(checked))


def vector_row(pair: "Sequence[SubspaceInstance]", *, effort: Effort) -> Row:
    """Alice's whole vector at the fewest bits a number that reach 90%."""
    from tnqml.protocols import subspace_by_vector
    from tnqml.protocols.problems.ensembles import subspace_coefficients

    size = pair[0].size
    trials = min(effort.trials(size * 10), 2000)
    for bits in range(1, _MOST_BITS):
        right = subspace_coefficients(
            size, numbers=[size], bits=bits, trials=trials, seed=effort.seed
        )
        if right.mean() >= TARGET:
            break
    exact = Interval(float(size), float(size), float(size))
    ledger = subspace_by_vector(pair[0], bits=bits).ledger
    return counted_row(VECTOR, exact, size, ledger) | rate_columns(_counted(right))


def state_row(pair: "Sequence[SubspaceInstance]", *, effort: Effort) -> Row:
    """One copy of the state: a measured string for each of many vectors, with one subspace."""
    from tnqml.protocols import subspace_by_state
    from tnqml.protocols.problems.ensembles import subspace_states

    right = subspace_states(pair[0].basis, trials=_STATES, seed=effort.seed)
    ledger = subspace_by_state(pair[0], seed=effort.seed).ledger
    return counted_row(STATE, Interval(1.0, 1.0, 1.0), 1, ledger) | rate_columns(_counted(right))


def _counted(right: "Outcomes") -> "SuccessRate":
    """The share of right answers."""
    from tnqml.protocols import SuccessRate

    return SuccessRate(int(right.sum()), right.size)
