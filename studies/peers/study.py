"""The same models through other simulators: values, gradients and seconds, in one run.

The peers are an extra: ``pip install -e '.[peers]'`` without the pin of autoray, of which PennyLane
asks for one release. One that is missing has a row that says so.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studies.cells import grid
from studies.errors import CellError
from studies.peers.claims import claims
from studies.peers.problem import FAMILIES, OBSERVABLES, check_family
from studies.peers.registry import OURS, PEERS
from studies.peers.simulator import Measured, Simulator
from studies.study import JsonScalar, Row, Study
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from pandas import DataFrame

_ALL = "all"
_FEWEST = 3


@dataclass(frozen=True)
class Cell:
    """One model, value and all gradients of a batch in single precision, by every simulator.

    Each simulator runs in a process of its own, ours first, and is ended at the limit. Warm calls
    of a peer and of ours are made in turn.
    """

    family: str = field(default="chain", metadata={"help": ", ".join(FAMILIES)})
    qubits: int = field(default=100, metadata={"help": "number of qubits"})
    layers: int = field(default=4, metadata={"help": "depth L"})
    observable: str = field(default="local", metadata={"help": ", ".join(OBSERVABLES)})
    inputs: int = field(default=32, metadata={"help": "batch"})
    peers: str = field(
        default=_ALL, metadata={"help": "names separated by commas, or all; ours always runs"}
    )
    repeats: int = field(default=15, metadata={"help": "most warm calls to take the median of"})
    limit: float = field(
        default=60.0, metadata={"help": "seconds that a simulator may take in all"}
    )
    seed: int = field(default=0, metadata={"help": "of the angles and the random graph"})

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        check_family(self.family, self.qubits)
        if self.observable not in OBSERVABLES:
            raise CellError(
                f"observable is {self.observable!r}; expected one of {', '.join(OBSERVABLES)}"
            )
        for name in ("qubits", "layers", "inputs", "repeats"):
            if getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not self.limit > 0:
            raise CellError(f"limit is {self.limit} s; expected more than 0")
        for name in self.wanted_peers:
            if name not in PEERS:
                raise CellError(
                    f"peers names {name!r}; expected {_ALL} or some of {', '.join(PEERS)}"
                )

    @property
    def wanted_peers(self) -> tuple[str, ...]:
        """The simulators to run, ours first."""
        if self.peers == _ALL:
            return tuple(PEERS)
        return tuple(dict.fromkeys([OURS, *self.peers.split(",")]))


def measure(cell: Cell) -> list[Row]:
    """A row for each simulator; deviations are from ours, relative to the largest entry."""
    wanted: dict[str, object] = {
        "family": cell.family,
        "qubits": cell.qubits,
        "layers": cell.layers,
        "observable": cell.observable,
        "inputs": cell.inputs,
        "seed": cell.seed,
    }
    found: dict[str, Measured] = {}
    ratios: dict[str, list[float]] = {}
    with Simulator(OURS, wanted, limit=cell.limit) as ours:
        budget = cell.limit / 4
        while _is_worth(ours.warm, cell.repeats, budget) and ours.again() is not None:
            pass
        cold, warm = ours.cold or 0.0, statistics.median(ours.warm or [0.0])
        alone = len(ours.warm)
        wanted["search_seconds"] = max(cold - warm, 0.1)
        for name in cell.wanted_peers[1:]:
            with Simulator(name, wanted, limit=cell.limit) as theirs:
                ratios[name] = _in_turn(ours, theirs, cell.repeats, budget)
                found[name] = theirs.finish()
        del ours.warm[alone:]  # those in turn with a peer count for their ratios only
        found[OURS] = ours.finish()
    return [
        _row(name, found[name], found[OURS], ratios.get(name, [])) for name in cell.wanted_peers
    ]


def _is_worth(times: Sequence[float], most: int, budget: float) -> bool:
    """Whether another warm call is."""
    return len(times) < most and (len(times) < _FEWEST or sum(times) < budget)


def _in_turn(ours: Simulator, theirs: Simulator, most: int, budget: float) -> list[float]:
    """Their seconds over ours, each pair called one after the other: the machine's pace varies."""
    ratios: list[float] = []
    while _is_worth(theirs.warm, most, budget):
        seconds = theirs.again()
        own = ours.again() if seconds is not None else None
        if seconds is None or own is None:
            break
        ratios.append(seconds / own)
    return ratios


def _row(name: str, found: Measured, ours: Measured, ratios: Sequence[float]) -> Row:
    row: dict[str, JsonScalar] = {
        "peer": name,
        "status": found.status,
        **found.facts,
        "value_deviation": _deviation(found.values, ours.values),
        "gradient_deviation": _deviation(found.gradient, ours.gradient),
    }
    warm, predicted = found.facts.get("warm_seconds"), found.facts.get("predicted_seconds")
    if isinstance(warm, float) and isinstance(predicted, float):
        row["measured_over_predicted"] = warm / predicted
        row["seconds_a_step"] = warm / max(float(found.facts["steps"]), 1.0)
    if len(ratios) > 1:
        low, best, high = statistics.quantiles(ratios, n=4, method="inclusive")
        row |= {"over_ours_low": low, "over_ours": best, "over_ours_high": high}
    return row


def _deviation(
    theirs: "NDArray[np.float64] | None", ours: "NDArray[np.float64] | None"
) -> float | None:
    """The largest difference over the largest entry of ours."""
    import numpy as np

    if theirs is None or ours is None:
        return None
    return float(np.abs(theirs - ours).max() / max(float(np.abs(ours).max()), 1e-30))


def quick() -> list[Cell]:
    """Small models of every family and observable; all peers on the smallest."""
    return [
        *_small(["chain"], qubits=9, layers=2, observables=["local", "parity"]),
        *_small(["grid"], qubits=9, layers=2, observables=["sum"]),
        *_small(["regular", "complete"], qubits=8, layers=1, observables=["local"]),
        Cell(qubits=40, layers=3, inputs=8, repeats=5, peers="quimb"),
        Cell(qubits=4, layers=1, inputs=1, repeats=3, limit=120.0),
    ]


def _small(families: list[str], *, qubits: int, layers: int, observables: list[str]) -> list[Cell]:
    return grid(
        Cell,
        {
            "family": families,
            "qubits": [qubits],
            "layers": [layers],
            "observable": observables,
            "inputs": [2],
            "peers": ["quimb,lightning.qubit"],
            "repeats": [5],
        },
    )


def full() -> list[Cell]:
    """The table of figures: the benchmark, narrow models, sums, grids and random graphs."""
    wide = "tensorcircuit-ng,quimb,default.tensor"
    return [
        *grid(Cell, {"layers": [4, 6], "peers": [wide], "limit": [900.0]}),
        Cell(layers=8, peers="quimb", limit=300.0),
        Cell(layers=10, inputs=8, peers="quimb", limit=600.0),
        Cell(qubits=16, layers=8, inputs=1, limit=300.0),
        Cell(qubits=20, layers=6, inputs=1, limit=300.0),
        Cell(observable="sum", peers="quimb", limit=600.0),
        Cell(qubits=1000, observable="sum", inputs=8, peers=OURS, repeats=5, limit=300.0),
        *_graphs(["grid"], qubits=[16, 25, 36, 49, 64], layers=[2]),
        *_graphs(["grid"], qubits=[16], layers=[3]),
        *_graphs(["regular"], qubits=[16, 32, 64], layers=[2]),
        *_graphs(["complete"], qubits=[8, 12, 16], layers=[1, 2]),
        *_graphs(list(FAMILIES), qubits=[16], layers=[2], observables=["parity"]),
    ]


def _graphs(
    families: list[str],
    *,
    qubits: list[int],
    layers: list[int],
    observables: Sequence[str] = ("local", "sum"),
) -> list[Cell]:
    """Eight inputs through every peer, for five minutes at most."""
    return grid(
        Cell,
        {
            "family": families,
            "qubits": qubits,
            "layers": layers,
            "observable": observables,
            "inputs": [8],
            "limit": [300.0],
        },
    )


def draw_seconds(ax: "Axes", frame: "DataFrame") -> None:
    """Warm seconds of the peers over ours, called in turn, against ours."""
    fields = ["family", "qubits", "layers", "observable", "inputs", "seed"]
    rows = frame.drop_duplicates([*fields, "peer"])
    ours = rows[rows["peer"] == OURS].set_index(fields)
    theirs = rows.dropna(subset=["over_ours"]) if "over_ours" in rows else rows[:0]
    if ours.empty or theirs.empty:
        say_empty(ax)
        return
    for name, some in theirs.set_index(fields).groupby("peer"):
        base = ours.loc[some.index, "warm_seconds"].sort_values()
        ratios = some.loc[base.index]
        draw_interval(
            ax,
            1e3 * base,
            low=ratios["over_ours_low"],
            best=ratios["over_ours"],
            high=ratios["over_ours_high"],
            label=str(name),
        )
    _unjoined(ax)
    ax.axhline(1.0, color="black", linewidth=0.8, linestyle="-")
    ax.set(
        xlabel="ours, value and all gradients, warm (ms)",
        ylabel="a peer's warm seconds over ours",
        xscale="log",
        yscale="log",
    )
    ax.xaxis.set_minor_formatter("")
    legend_below(ax)


def draw_prediction(ax: "Axes", frame: "DataFrame") -> None:
    """Our warm seconds against those that the plan predicts."""
    import numpy as np

    rows = frame[frame["peer"] == OURS].dropna(subset=["warm_seconds", "predicted_seconds"])
    if rows.empty:
        say_empty(ax)
        return
    for name, some in rows.sort_values("predicted_seconds").groupby("family"):
        draw_interval(
            ax,
            1e3 * some["predicted_seconds"],
            low=1e3 * some["warm_seconds_low"],
            best=1e3 * some["warm_seconds"],
            high=1e3 * some["warm_seconds_high"],
            label=FAMILIES[str(name)],
        )
    _unjoined(ax)
    low, high = rows["predicted_seconds"].agg(["min", "max"])
    ends = np.array([500 * low, 2000 * high])  # in ms, beyond the first and the last
    for factor in (0.5, 1.0, 2.0):
        ax.plot(ends, factor * ends, color="black", linewidth=0.8, marker="", linestyle="-")
    ax.set(
        xlabel="predicted (ms)",
        ylabel="measured, warm (ms)",
        xscale="log",
        yscale="log",
    )
    ax.xaxis.set_minor_formatter("")
    legend_below(ax, title="lines: half, equal, twice")


def _unjoined(ax: "Axes") -> None:
    """Points alone: no line leads from one model to another."""
    for line in ax.lines:
        line.set_linestyle("none")


STUDY = Study(
    name="peers",
    where=f"{__name__}:STUDY",
    version=2,
    summary="values, gradients and seconds beside TensorCircuit-NG, quimb and PennyLane",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={"seconds": draw_seconds, "prediction": draw_prediction},
    claims=claims,
)
