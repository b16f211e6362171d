"""What noise on the links costs: error, bias and copies, and where the advantage is lost.

Decisions in Vector in Subspace over one noisy message, beside the one-bit sketch over a link
without noise; and estimates of models over several noisy messages, as they come and divided by the
known damping. Nothing corrects errors on the way: an error-correcting code would buy back what is
lost here for a factor that grows as a power of log N.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from studies.cells import grid
from studies.errors import CellError
from studies.noise.claims import claims
from studies.noise.figures import draw_advantage, draw_copies, draw_crossover, draw_error
from studies.noise.formulas import damping_of_state, predicted_copies
from studies.study import Row, Study

FAILURE = 0.1

_CHOICES = {
    "problem": ("subspace", "sketch", "inference", "classical"),
    "model": ("haar", "brickwork"),
    "link": ("depolarising", "dephasing", "erasure"),
}
_UNREAD = {
    "subspace": ("model", "layers", "error"),
    "sketch": ("model", "layers", "error", "link", "strength"),
    "inference": (),
    "classical": ("link", "strength"),
}
_MOST_COPIES = 150


@dataclass(frozen=True)
class Cell:
    """One protocol over one kind of link.

    `subspace`: copies for 90% right decisions in Vector in Subspace; `sketch`: the same by the
    one-bit sketch, without noise. `inference`: estimates of random models within `error`;
    `classical`: the same by sending rounded state vectors, without noise.
    """

    problem: str = field(
        default="subspace", metadata={"help": "subspace, sketch, inference or classical"}
    )
    model: str = field(default="haar", metadata={"help": "haar or brickwork, of inference"})
    link: str = field(
        default="depolarising", metadata={"help": "depolarising, dephasing or erasure"}
    )
    strength: float = field(
        default=0.0, metadata={"help": "of the link: on each qubit, or loss of the message"}
    )
    size: int = field(default=16, metadata={"help": "N, or 2^qubits of a model; a power of two"})
    layers: int = field(default=2, metadata={"help": "L of a model, with 2 L - 1 messages"})
    error: float = field(default=0.1, metadata={"help": "wanted of an estimate"})
    trials: int = field(default=400, metadata={"help": "decisions, or random models"})
    seed: int = field(default=0, metadata={"help": "of instances, models, noise and outcomes"})

    def __post_init__(self) -> None:
        """Refuse what cannot be run; fields that a problem does not read get their default."""
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise CellError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        if not 0 <= self.strength < 1:
            raise CellError(f"strength is {self.strength}; expected at least 0 and under 1")
        if not 0 < self.error < 1:
            raise CellError(f"error is {self.error}; expected a number between 0 and 1")
        if self.size < 4 or self.size & (self.size - 1):
            raise CellError(f"size is {self.size}; expected a power of two of at least 4")
        for name, least in (("layers", 1), ("trials", 2)):
            if getattr(self, name) < least:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least {least}")
        for name in _UNREAD[self.problem]:
            object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)


def measure(cell: Cell) -> list[Row]:
    """The costs of one cell; see `Cell` and `noise_costs`."""
    from studies.noise import costs
    from tnqml.protocols.execution.links import Link

    if cell.problem == "sketch":
        return [costs.sketch_row(cell.size, trials=cell.trials, seed=cell.seed)]
    family = costs.Family(cell.model, cell.size, cell.layers)
    if cell.problem == "classical":
        return [
            costs.classical_row(
                family, error=cell.error, failure=FAILURE, draws=cell.trials, seed=cell.seed
            )
        ]
    link = Link(cell.link, cell.strength)  # type: ignore[arg-type]  # one of the names of a cell
    if cell.problem == "subspace":
        return [costs.state_row(cell.size, link=link, trials=cell.trials, seed=cell.seed)]
    return [
        costs.inference_row(
            family,
            link=link,
            error=cell.error,
            failure=FAILURE,
            draws=cell.trials,
            seed=cell.seed,
        )
    ]


def _decisions(link: str, strengths: list[float], sizes: list[int], *, trials: int) -> list[Cell]:
    """Cells of `subspace`, without those that take too many copies to run in reasonable time."""
    return [
        cell
        for cell in grid(
            Cell,
            {
                "problem": ["subspace"],
                "link": [link],
                "size": sizes,
                "strength": strengths,
                "trials": [trials],
            },
        )
        if predicted_copies(damping_of_state(link, cell.strength, size=cell.size)) < _MOST_COPIES
    ]


def _estimates(
    link: str,
    strengths: list[float],
    sizes: list[int],
    *,
    draws: int,
    layers: Sequence[int] = (2,),
    model: str = "haar",
) -> list[Cell]:
    """Cells of `inference`."""
    return grid(
        Cell,
        {
            "problem": ["inference"],
            "model": [model],
            "link": [link],
            "size": sizes,
            "layers": layers,
            "strength": strengths,
            "trials": [draws],
        },
    )


def _classical(sizes: list[int], *, sketches: int, models: list[int], draws: int) -> list[Cell]:
    """What the noisy protocols are compared with."""
    return [
        *grid(Cell, {"problem": ["sketch"], "size": sizes, "trials": [sketches]}),
        *grid(Cell, {"problem": ["classical"], "size": models, "trials": [draws]}),
    ]


def quick() -> list[Cell]:
    """N = 16 to 256; models of 3 and 4 qubits, 3 messages."""
    sizes = [16, 32, 64, 128, 256]
    return [
        *_decisions("depolarising", [0.0, 0.05, 0.1], sizes[::2], trials=400),
        *_decisions("depolarising", [0.2, 0.3], sizes, trials=400),
        *_decisions("dephasing", [0.1, 0.2], sizes[::2], trials=400),
        *_decisions("erasure", [0.5, 0.9], sizes[::2], trials=400),
        *_estimates("depolarising", [0.0, 0.02, 0.05, 0.1], [8], draws=20),
        *_estimates("depolarising", [0.0, 0.02, 0.05], [16], draws=20),
        *_estimates("dephasing", [0.05], [8], draws=20),
        *_estimates("erasure", [0.3], [8], draws=20),
        *_estimates("depolarising", [0.05, 0.1], [16], draws=20, model="brickwork"),
        *_classical(sizes, sketches=4000, models=[8, 16], draws=20),
    ]


def full() -> list[Cell]:
    """N = 16 to 1024; models of 3 to 5 qubits, 1 to 5 messages."""
    sizes, models, some = [16, 32, 64, 128, 256, 512, 1024], [8, 16, 32], [0.02, 0.05, 0.1]
    fine = [0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3]
    return [
        *_decisions("depolarising", fine, sizes, trials=1000),
        *_decisions("dephasing", [0.05, 0.1, 0.15, 0.2], sizes, trials=1000),
        *_decisions("erasure", [0.1, 0.5, 0.8, 0.9], sizes, trials=4000),
        *_estimates("depolarising", [0.0, *some, 0.15], models, draws=100),
        *_estimates("depolarising", some, [8], draws=100, layers=[1, 3]),
        *_estimates("dephasing", some, [8], draws=100),
        *_estimates("erasure", [0.1, 0.3, 0.5], [8], draws=100),
        *_estimates("depolarising", some, [16], draws=100, model="brickwork"),
        *_classical(sizes, sketches=20_000, models=models, draws=100),
    ]


STUDY = Study(
    name="noise",
    where=f"{__name__}:STUDY",
    version=2,
    summary="error, shots and bias against noise on the links, and where the advantage is lost",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "copies": draw_copies,
        "advantage": draw_advantage,
        "error": draw_error,
        "crossover": draw_crossover,
    },
    claims=claims,
)
