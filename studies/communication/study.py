"""Bits and qubits that two parties exchange: the separation, its crossover, real image patches."""

from dataclasses import dataclass, field
from typing import Literal

from studies.cells import grid
from studies.communication.claims import claims
from studies.communication.figures import (
    draw_advantage,
    draw_crossover,
    draw_grey,
    draw_matching,
    draw_texture,
)
from studies.costs import Effort
from studies.errors import CellError
from studies.study import Row, Study

_PROBLEMS = ("subspace", "matching", "linear", "estimate", "photographs")
_READ = {"linear": ("margin",), "estimate": ("error",), "photographs": ("content",)}
_PIXELS = (16, 64, 256, 1024)
_MOST_SUBSPACE = 4096


@dataclass(frozen=True)
class Cell:
    """One problem between Alice and Bob at one dimension, by several protocols.

    `subspace`: Vector in Subspace, 90% right. `matching`: Hidden Matching, 90% right. `linear`: the
    sign of x . w, 90% right. `estimate`: the value of a quadratic form to an error, in 90% of the
    cases. `photographs`: patches of two photographs told apart, at equal accuracy.
    """

    problem: str = field(
        default="subspace",
        metadata={"help": "subspace, matching, linear, estimate or photographs"},
    )
    size: int = field(default=64, metadata={"help": "N, a power of two"})
    margin: float = field(default=0.2, metadata={"help": "gamma, read by linear"})
    error: float = field(default=0.1, metadata={"help": "eps, read by estimate"})
    content: str = field(default="grey", metadata={"help": "grey or texture, read by photographs"})
    draws: int = field(
        default=10_000_000, metadata={"help": "random numbers drawn for a threshold, about"}
    )
    checks: int = field(
        default=40, metadata={"help": "runs of each protocol, one by one, at its threshold"}
    )
    seed: int = field(default=0, metadata={"help": "of instances, rows, patches and outcomes"})

    def __post_init__(self) -> None:
        """Refuse what cannot be measured; fields that the problem does not read get one value."""
        if self.problem not in _PROBLEMS:
            raise CellError(f"problem is {self.problem!r}; expected one of {', '.join(_PROBLEMS)}")
        if self.content not in {"grey", "texture"}:
            raise CellError(f"content is {self.content!r}; expected grey or texture")
        for name in ("margin", "error"):
            if not 0 < getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected between 0 and 1")
        for name in ("draws", "checks"):
            if getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least 1")
        self._check_size()
        for name in ("margin", "error", "content"):
            if name not in _READ.get(self.problem, ()):
                object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)

    def _check_size(self) -> None:
        if self.size < 4 or self.size & (self.size - 1):
            raise CellError(f"size is {self.size}; expected a power of two of at least 4")
        if self.problem == "photographs" and self.size not in _PIXELS:
            raise CellError(f"size is {self.size}; patches have {', '.join(map(str, _PIXELS))}")
        if self.problem == "subspace" and self.size > _MOST_SUBSPACE:
            raise CellError(
                f"size is {self.size}; an instance holds N^2 / 2 numbers, expected at most "
                f"{_MOST_SUBSPACE}"
            )


def measure(cell: Cell) -> list[Row]:
    """A row a protocol: what it costs; see `Cell` and `costs.cost_row`."""
    import numpy as np

    key = (cell.seed, cell.size, round(1e6 * cell.margin), round(1e6 * cell.error))
    own = int(np.random.SeedSequence(key).generate_state(1)[0])
    effort = Effort(cell.draws, cell.checks, own)
    if cell.problem == "subspace":
        from studies.communication.subspace_costs import subspace_costs

        return subspace_costs(cell.size, effort=effort)
    if cell.problem == "matching":
        from studies.communication.matching_costs import matching_costs

        return matching_costs(cell.size, effort=effort)
    if cell.problem == "linear":
        from studies.linear.costs import ancilla_row, sketch_rows, vector_row

        return [
            *sketch_rows(cell.size, cell.margin, effort=effort),
            vector_row(cell.size, cell.margin, effort=effort),
            ancilla_row(cell.size, cell.margin, effort=effort),
        ]
    if cell.problem == "estimate":
        from studies.communication.estimate_costs import estimate_costs

        return estimate_costs(cell.size, cell.error, effort=effort)
    from studies.communication.photograph_costs import photograph_costs

    content: Literal["grey", "texture"] = "grey" if cell.content == "grey" else "texture"
    return photograph_costs(cell.size, content, effort=effort, seed=cell.seed)


def quick() -> list[Cell]:
    """Dimensions to N = 512 (1024 of the linear problem), one crossover; no photographs."""
    return [
        *grid(Cell, {"size": [16, 64, 128, 256, 512], "checks": [10]}),
        *grid(Cell, {"problem": ["matching"], "size": [64, 256, 1024]}),
        *grid(Cell, {"problem": ["linear"], "size": [16, 64, 256, 1024], "draws": [20_000_000]}),
        *_crossovers({0.3: [16, 64, 128]}, draws=10_000_000, checks=10),
    ]


def full() -> list[Cell]:
    """N = 2^4 to 2^12, beyond for the crossovers; all patches, three seeds."""
    sizes = [2**power for power in range(4, 13)]
    much: dict[str, list[int]] = {"draws": [300_000_000], "checks": [200]}
    return [
        *grid(Cell, {"size": sizes, **(much | {"checks": [1000]})}),
        *grid(Cell, {"problem": ["matching"], "size": sizes, **much}),
        *grid(Cell, {"problem": ["linear"], "size": sizes, "draws": [2 * 10**9], "checks": [200]}),
        *_crossovers(
            {
                0.3: [16, 32, 64, 128, 256, 1024],
                0.1: [64, 128, 256, 512, 1024, 4096],
                0.03: [2**10, 2**12, 2**14, 2**15, 2**16, 2**17],
            },
            draws=200_000_000,
            checks=200,
        ),
        *grid(
            Cell,
            {
                "problem": ["photographs"],
                "content": ["grey", "texture"],
                "size": _PIXELS,
                "seed": range(3),
                **much,
            },
        ),
    ]


def _crossovers(sizes: dict[float, list[int]], *, draws: int, checks: int) -> list[Cell]:
    return [
        Cell(problem="estimate", size=size, error=error, draws=draws, checks=checks)
        for error, chosen in sizes.items()
        for size in chosen
    ]


STUDY = Study(
    name="communication",
    where=f"{__name__}:STUDY",
    version=3,
    summary="bits and qubits exchanged, compositional beside linear, against dimension",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "advantage": draw_advantage,
        "crossover": draw_crossover,
        "matching": draw_matching,
        "texture": draw_texture,
        "grey": draw_grey,
    },
    claims=claims,
    headline=True,
)
