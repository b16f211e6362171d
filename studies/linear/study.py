"""Linear classification between two parties: the quantum advantage nearly vanishes."""

from dataclasses import dataclass, field

from studies.cells import grid
from studies.costs import Effort
from studies.errors import CellError
from studies.linear.claims import SMALL_MARGIN, claims
from studies.linear.figures import (
    draw_advantage,
    draw_margin,
    draw_passes,
    draw_real,
    draw_size,
)
from studies.study import Row, Study

_DATA = ("random", "digits", "cancer", "photographs")
_PROTOCOLS = ("all", "amplitudes")
_SIZES = {"digits": 64, "cancer": 32}  # of the data padded with zeros to a power of two


@dataclass(frozen=True)
class Cell:
    """Alice holds x, Bob w, both of unit length: the cost of the sign of x . w by each protocol.

    `random`: instances with |x . w| equal to the margin, 90% right. Real data: weights trained by
    scikit-learn and held-out points, as often right as w itself less 2 points.
    """

    data: str = field(default="random", metadata={"help": "random, digits, cancer or photographs"})
    size: int = field(default=64, metadata={"help": "N, a power of two; read by some of the data"})
    margin: float = field(default=0.2, metadata={"help": "gamma, of the random instances"})
    protocols: str = field(
        default="all",
        metadata={"help": "all, or amplitudes: amplitude estimation alone, on random instances"},
    )
    draws: int = field(
        default=20_000_000, metadata={"help": "random numbers drawn for a threshold, about"}
    )
    checks: int = field(
        default=40, metadata={"help": "runs of each protocol, one by one, at its threshold"}
    )
    seed: int = field(default=0, metadata={"help": "of instances, rows and outcomes"})

    def __post_init__(self) -> None:
        """Refuse what cannot be measured; fields that the data do not read get one value."""
        if self.data not in _DATA:
            raise CellError(f"data is {self.data!r}; expected one of {', '.join(_DATA)}")
        if self.protocols not in _PROTOCOLS:
            raise CellError(
                f"protocols is {self.protocols!r}; expected one of {', '.join(_PROTOCOLS)}"
            )
        if self.size < 4 or self.size & (self.size - 1):
            raise CellError(f"size is {self.size}; expected a power of two of at least 4")
        if not 0 < self.margin < 1:
            raise CellError(f"margin is {self.margin}; expected a number between 0 and 1")
        for name in ("draws", "checks"):
            if getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.data in _SIZES:
            object.__setattr__(self, "size", _SIZES[self.data])
        if self.data != "random":
            for name in ("margin", "protocols"):
                object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)


def measure(cell: Cell) -> list[Row]:
    """A row a protocol: what it costs; see `Cell` and `costs.cost_row`."""
    import numpy as np

    own = np.random.SeedSequence((cell.seed, cell.size, round(1e6 * cell.margin)))
    effort = Effort(cell.draws, cell.checks, int(own.generate_state(1)[0]))
    if cell.data == "random":
        from studies.linear.costs import random_costs

        return random_costs(cell.size, cell.margin, protocols=cell.protocols, effort=effort)
    from studies.linear.real import real_costs

    return real_costs(cell.data, cell.size, effort=effort, seed=cell.seed)


def quick() -> list[Cell]:
    """Margins 0.5, 0.2 and 0.1 at some N up to 1024; the real data at N up to 256."""
    return [
        *grid(Cell, {"margin": [0.5, 0.2, 0.1], "size": [16]}),
        *grid(Cell, {"margin": [0.5], "size": [64, 1024], "draws": [60_000_000]}),
        *grid(Cell, {"margin": [0.2], "size": [256, 1024], "draws": [60_000_000]}),
        Cell(margin=0.1, size=1024, draws=120_000_000),
        *grid(Cell, {"data": ["digits", "cancer"]}),
        *grid(Cell, {"data": ["photographs"], "size": [16, 256]}),
    ]


def full() -> list[Cell]:
    """Margins to 0.05 at every power of two up to N = 1024; amplitude estimation on to 0.003."""
    sizes = [16, 32, 64, 128, 256, 512, 1024]
    much: dict[str, list[int]] = {"draws": [1_000_000_000], "checks": [200]}
    return [
        *grid(Cell, {"margin": [0.5, 0.2, 0.1, 0.05], "size": sizes, **much}),
        *grid(Cell, {"margin": [0.05], "size": [2048], **much}),
        # its passes do not depend on N and go by steps, so that the exponent takes many margins
        *grid(
            Cell,
            {
                "protocols": ["amplitudes"],
                "margin": [round(SMALL_MARGIN / 2 ** (step / 3), 6) for step in range(16)],
                "size": [16],
                **much,
            },
        ),
        *grid(Cell, {"data": ["digits", "cancer"], "seed": range(3), **much}),
        *grid(
            Cell,
            {"data": ["photographs"], "size": [16, 64, 256, 1024], "seed": range(3), **much},
        ),
    ]


STUDY = Study(
    name="linear",
    where=f"{__name__}:STUDY",
    version=2,
    summary="bits and qubits of linear classification, against dimension and margin",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "size": draw_size,
        "margin": draw_margin,
        "passes": draw_passes,
        "advantage": draw_advantage,
        "real": draw_real,
    },
    claims=claims,
)
