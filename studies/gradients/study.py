"""Copies and qubits that a gradient takes, against its number of parameters and the depth."""

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from studies.cells import grid
from studies.errors import CellError
from studies.gradients.claims import NAMES, claims
from studies.gradients.figures import draw_errors, draw_layers, draw_qubits
from studies.study import Row, Study

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml import Circuit

    Array = NDArray[np.float64]

_SWEEPS = ("parameters", "layers")
_RESAMPLES = 400


@dataclass(frozen=True)
class Cell:
    """One protocol on one random model.

    The model has 2L turns, Alice's and Bob's, each with one block of rotations about ZZ on pairs of
    qubits, fixed rotations and CZ gates before it. P parameters are shared out evenly.
    """

    method: str = field(default="blocks", metadata={"help": "shift, blocks or shadows"})
    sweep: str = field(
        default="parameters",
        metadata={"help": "the axis that the cell is on: parameters or layers"},
    )
    parameters: int = field(default=16, metadata={"help": "P, a multiple of 2L"})
    layers: int = field(default=2, metadata={"help": "L, how often the parties alternate"})
    qubits: int = field(default=12, metadata={"help": "n; n(n - 1)/2 pairs carry ZZ rotations"})
    error: float = field(default=0.3, metadata={"help": "of every derivative, at most"})
    failure: float = field(default=0.1, metadata={"help": "how often one may be off by more"})
    repetitions: int = field(default=100, metadata={"help": "runs of the protocol"})
    seed: int = field(default=0, metadata={"help": "of the model and of all outcomes"})

    def __post_init__(self) -> None:
        """Refuse unknown names and numbers that make no model."""
        for name, known in (("method", tuple(NAMES)), ("sweep", _SWEEPS)):
            if getattr(self, name) not in known:
                raise CellError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        for name, least in (("layers", 1), ("qubits", 2), ("repetitions", 2), ("parameters", 1)):
            if getattr(self, name) < least:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least {least}")
        for name in ("error", "failure"):
            if not 0 < getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected between 0 and 1")
        most = self.qubits * (self.qubits - 1) // 2
        if self.parameters % (2 * self.layers) or self.per_block > most:
            raise CellError(
                f"{self.parameters} parameters in {2 * self.layers} blocks of at most {most} pairs "
                f"of {self.qubits} qubits; expected a multiple of {2 * self.layers}, at most "
                f"{2 * self.layers * most}"
            )

    @property
    def per_block(self) -> int:
        """Parameters of each turn."""
        return self.parameters // (2 * self.layers)


def circuit(cell: Cell) -> "Circuit":
    """The model's circuit; its fixed angles and pairs come from the cell's seed."""
    import numpy as np

    from tnqml import Circuit, Gate

    generator = np.random.default_rng([cell.seed, cell.layers])
    pairs = list(combinations(range(cell.qubits), 2))

    def mixing(kind: str, party: str, first: int) -> list[Gate]:
        turned = [
            Gate(kind, qubit, angle=float(generator.uniform(0.5, 2.5)), party=party)
            for qubit in range(cell.qubits)
        ]
        bonds = [(qubit, qubit + 1) for qubit in range(first, cell.qubits - 1, 2)]
        return turned + [Gate("cz", bond, party=party) for bond in bonds]

    gates = [Gate("h", qubit, party="alice") for qubit in range(cell.qubits)]
    for turn in range(2 * cell.layers):
        party = ("alice", "bob")[turn % 2]
        gates += mixing(("ry", "rx")[turn % 2], party, turn % 2)
        for place, pair in enumerate(generator.permutation(pairs)[: cell.per_block].tolist()):
            slot = turn * cell.per_block + place
            gates.append(Gate("rzz", pair, parameter=slot, party=party))
    return Circuit(cell.qubits, [*gates, *mixing("rx", "bob", 0)])  # or the last block does nothing


def measure(cell: Cell) -> list[Row]:
    """What the wanted error takes: as planned by the bounds, and at equal measured error.

    The measured error is the (1 - failure) quantile over repetitions of the largest error of all
    derivatives. A first run takes the planned copies; a second takes as many as the first's
    measured error says, since errors fall as the root of the copies; its own measured error then
    gives the copies at which the measured error is the wanted one.
    """
    import numpy as np
    import torch

    from tnqml import DistributedModel, Z
    from tnqml.protocols.gradients.estimate import GradientTrials, gradient_trials
    from tnqml.protocols.gradients.plans import shadow_tomography_bound

    model = DistributedModel(
        circuit(cell),
        Z(cell.qubits // 2),
        dtype=torch.float64,
        route="state",
        init="small",
        seed=cell.seed,
    )
    x = np.zeros(0)
    exact = model.jacobian(torch.zeros(1, 0, dtype=torch.float64))[0, 0].numpy()

    def run(error: float, seed: int) -> tuple[GradientTrials, "Array"]:
        trials = gradient_trials(
            model,
            x,
            method=cell.method,  # type: ignore[arg-type]  # checked by the cell
            repetitions=cell.repetitions,
            error=error,
            failure=cell.failure,
            seed=seed,
        )
        return trials, np.abs(trials.values - exact).max(1)

    planned, first = run(cell.error, 2 * cell.seed)
    low, best, high = _quantile(first, 1 - cell.failure, seed=cell.seed)
    loosened = min(cell.error**2 / best, 0.99)
    equal, second = run(loosened, 2 * cell.seed + 1)
    equal_low, equal_best, equal_high = _quantile(second, 1 - cell.failure, seed=cell.seed)
    factors = [(value / cell.error) ** 2 for value in (equal_low, equal_best, equal_high)]
    bound = shadow_tomography_bound(
        2**cell.qubits,
        cell.parameters,
        cuts=2 * cell.layers,
        error=cell.error,
        failure=cell.failure,
    )
    return [
        {
            "planned_copies": planned.copies,
            "planned_qubits": planned.ledger.qubits,
            "planned_bits": planned.ledger.bits,
            "planned_error": best,
            "planned_error_low": low,
            "planned_error_high": high,
            "missed": float((first > cell.error).mean()),
            "run_error": equal_best,
            "copies": equal.copies * factors[1],
            "qubits_sent": equal.ledger.qubits * factors[1],
            "qubits_sent_low": equal.ledger.qubits * factors[0],
            "qubits_sent_high": equal.ledger.qubits * factors[2],
            "largest_derivative": float(np.abs(exact).max()),
            "tomography_bound": bound * 2 * cell.layers,
        }
    ]


def _quantile(errors: "Array", level: float, *, seed: int) -> tuple[float, float, float]:
    """A quantile with the ends of its 95% interval, by resampling the repetitions.

    It is Harrell and Davis's (1982), a weighted mean of the order statistics, smooth where errors
    lie on a lattice of few copies.
    """
    import numpy as np
    from scipy.stats import beta

    count = len(errors)
    edges = beta.cdf(np.linspace(0, 1, count + 1), (count + 1) * level, (count + 1) * (1 - level))
    drawn = np.random.default_rng(seed).choice(errors, (_RESAMPLES, count))
    estimates = np.sort(drawn, axis=1) @ np.diff(edges)
    low, high = np.quantile(estimates, [0.025, 0.975])
    best = float(np.sort(errors) @ np.diff(edges))
    return min(float(low), best), best, max(float(high), best)


def _along_parameters(
    *, counts: list[int], error: float, repetitions: int, seeds: int
) -> list[Cell]:
    return grid(
        Cell,
        {
            "method": list(NAMES),
            "parameters": counts,
            "error": [error],
            "repetitions": [repetitions],
            "seed": range(seeds),
        },
    )


def _along_layers(*, layers: list[int], repetitions: int) -> list[Cell]:
    return [
        Cell(
            method=method,
            sweep="layers",
            parameters=8 * count,
            layers=count,
            qubits=6,
            repetitions=repetitions,
        )
        for method in NAMES
        for count in layers
    ]


def quick() -> list[Cell]:
    """P up to 64 and L up to 4."""
    return [
        *_along_parameters(counts=[4, 16, 64], error=0.4, repetitions=60, seeds=1),
        *_along_layers(layers=[1, 2, 4], repetitions=60),
    ]


def full() -> list[Cell]:
    """P from 4 to 256 and L up to 16."""
    counts = [4, 8, 16, 32, 64, 128, 256]
    return [
        *_along_parameters(counts=counts, error=0.2, repetitions=150, seeds=2),
        *_along_layers(layers=[1, 2, 3, 4, 6, 8, 12, 16], repetitions=100),
    ]


STUDY = Study(
    name="gradients",
    where=f"{__name__}:STUDY",
    version=2,
    summary="copies and qubits of three gradient protocols, against parameters and depth",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "gradient-qubits": draw_qubits,
        "gradient-errors": draw_errors,
        "gradient-depth": draw_layers,
    },
    claims=claims,
)
