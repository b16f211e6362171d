"""What the protocols for linear classification cost on random instances, at 90% success."""

from collections.abc import Callable, Sequence
from functools import partial
from math import pi
from typing import TYPE_CHECKING

from studies.costs import Effort, cost_row, counted_row, rate_columns
from studies.fits import Interval
from studies.study import Row
from studies.thresholds import TARGET, measure_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml.protocols import LinearInstance
    from tnqml.protocols.trials import Decides

    Outcomes = NDArray[np.bool_]
    Run = Callable[[Sequence[int], int, int], Outcomes]
    Protocol = Callable[[int], Decides[LinearInstance]]

SIGNS, NUMBERS, VECTOR = "sign projections", "real-valued projections", "whole vector"
ANCILLA, AMPLITUDES = "ancilla", "amplitude estimation"
NUMBER_BITS = 8  # of a real-valued projection
STRING = 20  # draws of a number that take as long as one measured bit string
_MOST_BITS = 16
_STRINGS = 2500  # that a trial of all schedules of a margin takes, about
_MOST_SCHEDULED = 4000  # trials of a schedule
_MOST_INSTANCES = 400
_MOST_ROWS = 10**7  # of all trials, held at once
_ROOM = 2.3  # rows drawn, over those that the formula asks for


def sign_bits(margin: float) -> float:
    """Bits of the sign projections at 90%, about 4.05/margin^2.

    The signs agree with probability 1/2 + margin/pi to first order, and a majority of k is right
    with probability Phi(2 sqrt(k) margin/pi).
    """
    from scipy.stats import norm

    return float((norm.ppf(TARGET) * pi / (2 * margin)) ** 2)


def random_costs(size: int, margin: float, *, protocols: str, effort: Effort) -> list[Row]:
    """A row a protocol, as `costs.cost_row`, on instances with |x . w| equal to the margin.

    `protocols` is "all", or "amplitudes" for amplitude estimation alone, which goes on at margins
    that are too small for the others to be run.
    """
    if protocols == "amplitudes":
        return [amplitudes_row(size, margin, effort=effort)]
    return [
        *sketch_rows(size, margin, effort=effort),
        vector_row(size, margin, effort=effort),
        ancilla_row(size, margin, effort=effort),
        amplitudes_row(size, margin, effort=effort),
    ]


def sketch_rows(size: int, margin: float, *, effort: Effort) -> list[Row]:
    """Sign projections and real-valued ones, from the same Gaussian rows of length N."""
    import numpy as np

    from tnqml.protocols import linear_by_projections, linear_by_signs
    from tnqml.protocols.problems.ensembles import numbers_right, shared_projections, signs_right

    pair = _pair(size, margin, seed=effort.seed)
    generator = np.random.default_rng((effort.seed, 1))
    rows = int(_ROOM * sign_bits(margin)) + 8
    half = (min(effort.trials(rows * size), _MOST_ROWS // rows) + 1) // 2
    drawn = np.concatenate(
        [
            shared_projections(
                np.stack([instance.data, instance.weights]),
                rows=rows,
                trials=half,
                seed=effort.seed + instance.answer + 1,
            )
            for instance in pair
        ],
        axis=1,
    )
    answers = np.repeat([instance.answer for instance in pair], half)
    order = generator.permutation(len(answers))
    drawn, answers = drawn[:, order], answers[order]

    def signs(numbers: Sequence[int], trials: int, seed: int) -> "Outcomes":
        coins = np.random.default_rng(seed)
        return signs_right(drawn[:, :trials], answers[:trials], numbers=numbers, generator=coins)

    def real(numbers: Sequence[int], trials: int, seed: int) -> "Outcomes":  # noqa: ARG001
        return numbers_right(drawn[:, :trials], answers[:trials], numbers=numbers, bits=NUMBER_BITS)

    runs: list[tuple[str, Run, Protocol, bool]] = [
        (SIGNS, signs, lambda k: partial(linear_by_signs, numbers=k), True),
        (
            NUMBERS,
            real,
            lambda k: partial(linear_by_projections, numbers=k, bits=NUMBER_BITS),
            False,
        ),
    ]
    return [
        _measured(name, run, protocol, pair, trials=2 * half, most=rows, odd=odd, effort=effort)
        for name, run, protocol, odd in runs
    ]


def vector_row(size: int, margin: float, *, effort: Effort) -> Row:
    """Alice's whole vector at the fewest bits a number that reach 90% on new random instances."""
    from tnqml.protocols import linear_by_vector, linear_instance, success_rate

    instances = [
        linear_instance(size, margin=margin, seed=effort.seed + trial)
        for trial in range(min(effort.trials(size * _MOST_BITS), _MOST_INSTANCES))
    ]
    for bits in range(1, _MOST_BITS):
        rate = success_rate(
            lambda instance, seed, b=bits: linear_by_vector(instance, bits=b),  # noqa: ARG005
            instances,
            trials=len(instances),
            seed=effort.seed,
        )
        if rate.rate >= TARGET:
            break
    exact = Interval(float(size), float(size), float(size))
    ledger = linear_by_vector(instances[0], bits=bits).ledger
    return counted_row(VECTOR, exact, size, ledger) | rate_columns(rate)


def ancilla_row(size: int, margin: float, *, effort: Effort) -> Row:
    """Copies of the state with an ancilla, read in X, by majority."""
    import numpy as np

    from tnqml.protocols import linear_by_ancilla
    from tnqml.protocols.problems.ensembles import ancillas_right

    pair = _pair(size, margin, seed=effort.seed)

    def run(copies: Sequence[int], trials: int, seed: int) -> "Outcomes":
        return np.concatenate(
            [
                ancillas_right(
                    instance.data[None],
                    instance.weights,
                    np.array([instance.answer]),
                    copies=copies,
                    trials=(trials + 1) // 2,
                    seed=seed + instance.answer + 1,
                )
                for instance in pair
            ]
        )

    return _measured(
        ANCILLA,
        run,
        lambda k: partial(linear_by_ancilla, copies=k),
        pair,
        trials=effort.trials(STRING * sign_bits(margin)),
        odd=True,
        effort=effort,
    )


def amplitudes_row(size: int, margin: float, *, effort: Effort) -> Row:
    """Amplitude estimation: the cheapest of its schedules that measured trials find good enough.

    `numbers` are passes of the register from one party to the other.
    """
    from tnqml.protocols.problems.linear_estimation import (
        linear_by_amplitude_estimation,
        linear_qubits_needed,
    )

    trials = min(effort.trials(_STRINGS * STRING), _MOST_SCHEDULED)
    needed = linear_qubits_needed(size, margin=margin, seed=effort.seed, trials=trials)
    width = size.bit_length()  # qubits of the register: log2 N and the ancilla
    threshold = Interval(needed.qubits / width, needed.low / width, needed.high / width)
    return cost_row(
        AMPLITUDES,
        threshold,
        protocol=lambda _: partial(linear_by_amplitude_estimation, schedule=needed.schedule),
        instances=_pair(size, margin, seed=effort.seed),
        effort=effort,
    )


def _measured(
    name: str,
    run: "Run",
    protocol: "Protocol",
    instances: "Sequence[LinearInstance]",
    *,
    trials: int,
    odd: bool,
    effort: Effort,
    most: int | None = None,
) -> Row:
    threshold = measure_threshold(
        run, trials=trials, seed=effort.seed, power=0.5, odd=odd, most=most
    )
    return cost_row(name, threshold, protocol=protocol, instances=instances, effort=effort, odd=odd)


def _pair(size: int, margin: float, *, seed: int) -> "list[LinearInstance]":
    """An instance of each answer."""
    from tnqml.protocols import linear_instance

    return [linear_instance(size, margin=margin, seed=seed, answer=answer) for answer in (1, -1)]
