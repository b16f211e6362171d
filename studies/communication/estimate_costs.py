"""What it costs to estimate f = u^T O u to an error, Alice holding u and Bob a reflection O."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studies.communication.subspace_costs import SIGNS, STATE, VECTOR
from studies.costs import Effort, counted_row, rate_columns, whole_number
from studies.fits import Interval
from studies.study import Row
from studies.thresholds import TARGET, ladder_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml.protocols import SuccessRate
    from tnqml.protocols.ledger import Kind

    Outcomes = NDArray[np.bool_]

_MOST_AMPLITUDES = 64
_MOST_BITS = 12
_MOST_VECTORS, _FEWEST = 1000, 50  # random vectors; at large N one is as good as another
_QUANTISED = 20  # draws of a number that take as long as one that is rounded
_BIT = 8  # and as one bit of a narrow register
_MOST_PRODUCTS = 10**8  # in one run that checks the simulation
_TRIED = 7  # numbers on the ladder


def estimate_costs(size: int, error: float, *, effort: Effort) -> list[Row]:
    """A row a protocol: what it takes to be within the error in 90% of random instances.

    f is uniform in [-1, 1]. The classical protocols are simulated by `random_forms`, without their
    rows. The quantum one measures whole strings of registers of up to 64 amplitudes; larger ones,
    of which the number of copies does not depend, would measure it again.

    Args:
        size: N, a power of two.
        error: of f, absolute.
        effort: draws of each threshold, runs of the sketch itself, and a seed.
    """
    return [
        _sketch_row(size, error, effort=effort),
        _vector_row(size, error, effort=effort),
        _state_row(size, error, effort=effort),
    ]


def _sketch_row(size: int, error: float, *, effort: Effort) -> Row:
    """Signs of projections on shared rows; the protocol itself is run where its rows are few."""
    import numpy as np

    from tnqml.protocols.problems.random_forms import signed_estimates

    generator = np.random.default_rng(effort.seed)

    def close(numbers: Sequence[int], trials: int) -> "Outcomes":
        values = generator.uniform(-1, 1, trials)
        estimates = [
            signed_estimates(values, size=size, numbers=count, generator=generator)
            for count in numbers
        ]
        return np.abs(np.stack(estimates, axis=1) - values[:, None]) <= error

    guess = 4 * size**0.5 / error + 4 / error**2
    trials = effort.trials(guess * _TRIED)
    threshold = ladder_threshold(close, trials=trials, seed=effort.seed, start=2)
    row = _row(SIGNS, "bit", threshold, unit=1)
    if size**2 * threshold.value > _MOST_PRODUCTS:
        return row
    checked = _checked(size, error, numbers=whole_number(threshold.value), effort=effort)
    return {**row, **rate_columns(checked)}


def _checked(size: int, error: float, *, numbers: int, effort: Effort) -> "SuccessRate":
    """How often the protocol itself is within the error."""
    import numpy as np

    from tnqml.protocols import SuccessRate
    from tnqml.protocols.inference.quadratic import QuadraticForm, form_by_signs

    generator = np.random.default_rng((effort.seed, 3))
    reflection = np.diag(np.repeat([1.0, -1.0], size // 2))
    close = 0
    for value in generator.uniform(-1, 1, effort.checks):
        parts = generator.standard_normal((2, size // 2))
        parts /= np.linalg.norm(parts, axis=1, keepdims=True)
        vector = (np.sqrt([(1 + value) / 2, (1 - value) / 2])[:, None] * parts).reshape(-1)
        form = QuadraticForm(vector / np.linalg.norm(vector), reflection)
        found = form_by_signs(form, numbers=numbers, seed=int(generator.integers(2**63)))
        close += abs(found.value - value) <= error
    return SuccessRate(int(close), effort.checks)


def _vector_row(size: int, error: float, *, effort: Effort) -> Row:
    """The whole vector at the fewest bits a number that keep the error; Bob restores its length."""
    import numpy as np

    from tnqml.protocols.problems.random_forms import kept_forms

    generator = np.random.default_rng((effort.seed, 1))
    trials = int(min(max(effort.draws / (_QUANTISED * size), _FEWEST), _MOST_VECTORS))
    for bits in range(1, _MOST_BITS):
        values = generator.uniform(-1, 1, trials)
        forms, energy = kept_forms(values, size=size, numbers=size, bits=bits, generator=generator)
        if np.mean(np.abs(forms / energy - values) <= error) >= TARGET:
            break
    exact = Interval(float(size), float(size), float(size))
    return _row(VECTOR, "bit", exact, unit=bits)


def _state_row(size: int, error: float, *, effort: Effort) -> Row:
    """Copies of the state, each measured whole: the mean of the outcomes of O, 1 and -1."""
    import numpy as np
    import torch

    from tnqml.sampling import draw

    generator = np.random.default_rng((effort.seed, 2))
    amplitudes = min(size, _MOST_AMPLITUDES)

    def close(numbers: Sequence[int], trials: int) -> "Outcomes":
        values = generator.uniform(-1, 1, trials)
        own = torch.Generator().manual_seed(int(generator.integers(2**63)))
        # O is Z of the first qubit in Bob's basis; what the others hold does not matter to f
        parts = generator.standard_normal((trials, 2, amplitudes // 2)) ** 2
        parts /= parts.sum(2, keepdims=True)
        registers = parts * np.stack([1 + values, 1 - values], axis=1)[:, :, None] / 2
        strings = draw(
            torch.from_numpy(registers.reshape(trials, amplitudes)),
            shots=max(numbers),
            generator=own,
        )
        means = np.cumsum(1 - 2.0 * strings[:, :, 0].numpy(), axis=1)
        estimates = means[:, np.array(numbers) - 1] / numbers
        return np.asarray(np.abs(estimates - values[:, None]) <= error)

    trials = effort.trials(_BIT * 3 / error**2)
    threshold = ladder_threshold(close, trials=trials, seed=effort.seed)
    return _row(STATE, "qubit", threshold, unit=size.bit_length() - 1)


def _row(name: str, kind: "Kind", threshold: Interval, *, unit: int) -> Row:
    from tnqml.protocols import ALICE, BOB, Entry, Ledger

    whole = whole_number(threshold.value)
    ledger = Ledger([Entry(1, ALICE, BOB, kind, whole * unit)])
    return counted_row(name, threshold, whole, ledger)
