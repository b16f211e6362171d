"""Our planner against cotengra's searches, at the same time and at ten times ours.

All trees are judged by one cost function, the seconds that a plan predicts on this machine.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from studies.cells import grid
from studies.errors import CellError
from studies.planning import networks
from studies.study import Claim, Row, Study
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame, Series

    from contractions import Machine, Plan
    from contractions.tree import Path
    from studies.planning.cotengra_trees import Seen

_CIRCUITS = {
    "chain-circuit": (4, 6, 8, 10),
    "grid-circuit": (4, 6, 8),
    "regular-circuit": (16, 32, 64),
    "complete-circuit": (8, 12),
}
_QUBITS = 100
_DEEP = 10
_GOOD = 1.1
_SHARE = 0.9
_FLOOR = 0.05  # of the figures
_RATIO = f"our seconds / theirs, cut at {_FLOOR:g}"
_MEMORY = 2**200


@dataclass(frozen=True)
class Cell:
    """One network, planned by us and searched by cotengra.

    A circuit's network is the light cone of the Z in its middle, for value and gradient in single
    precision, planned as a model plans it: chains of 100 qubits by depth, 32 inputs (8 at depth
    10); grids by side, depth 2 (3 for the smallest), random 3-regular and complete graphs by
    qubits, depth 2, all for 8 inputs. Other networks are planned for values in double precision.
    """

    family: str = field(
        default="cubic", metadata={"help": ", ".join([*networks.FAMILIES, *_CIRCUITS])}
    )
    size: int = field(default=60, metadata={"help": "as the family counts it"})
    effort: int = field(default=36, metadata={"help": "our most trials; of no circuit"})
    calls: int = field(
        default=100, metadata={"help": "calls that our search is for; of no circuit"}
    )
    times: float = field(
        default=10.0, metadata={"help": "seconds for each of cotengra's searches over ours"}
    )
    seed: int = field(default=0, metadata={"help": "of the network and the searches"})

    def __post_init__(self) -> None:
        """Refuse what cannot be planned; what a circuit does not read gets its default."""
        known = (*networks.FAMILIES, *_CIRCUITS)
        if self.family not in known:
            raise CellError(f"family is {self.family!r}; expected one of {', '.join(known)}")
        for name, least in (("size", 1), ("effort", 0), ("calls", 1), ("times", 1)):
            if getattr(self, name) < least:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least {least}")
        if self.family in _CIRCUITS:
            for name in ("effort", "calls"):
                object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)


def measure(cell: Cell) -> list[Row]:
    """A row for each of cotengra's searches, with our plan of the same network."""
    from studies.planning import cotengra_trees

    plan, seconds = _planned(cell)
    terms = cotengra_trees.Terms.of_network(plan.network)
    limit, minimize = cell.times * seconds, _objective(plan.machine, plan.dtype)
    searches: dict[str, Callable[[], list[Seen]]] = {
        "random greedy": lambda: cotengra_trees.random_greedy(
            terms, seconds=limit, minimize=minimize, seed=cell.seed
        ),
        "hyper": lambda: cotengra_trees.hyper(terms, seconds=limit, minimize=minimize),
        "auto-hq": lambda: cotengra_trees.auto_hq(terms, seconds=limit, minimize=minimize),
    }
    common: dict[str, int | float | str | bool | None] = {
        "tensors": len(plan.network.inputs),
        "winner": plan.winner,
        "trials": plan.trials,
        "stopped": plan.stopped,
        "search_seconds": seconds,
        "predicted_seconds": plan.cost.seconds,
        "operations": plan.cost.operations,
        "bytes_moved": plan.cost.bytes_moved,
        "width": plan.cost.width,
        "kahypar": find_spec("kahypar") is not None,
    }
    return [
        {**common, "search": name, **_judged(plan, seconds, search())}
        for name, search in searches.items()
    ]


def _planned(cell: Cell) -> "tuple[Plan, float]":
    """Our plan and the seconds that it took, with nothing from the cache of plans."""
    import contractions

    if cell.family in _CIRCUITS:
        return _planned_circuit(cell)
    network = networks.network(cell.family, cell.size, seed=cell.seed)
    contractions.this_machine()
    start = time.perf_counter()
    plan = contractions.plan(
        network,
        memory=_MEMORY,
        effort=cell.effort,
        expected_calls=cell.calls,
        seed=cell.seed,
        cache=False,
    )
    return plan, time.perf_counter() - start


def _planned_circuit(cell: Cell) -> "tuple[Plan, float]":
    import torch

    from contractions import this_machine
    from studies.peers.problem import problem
    from tnqml import DistributedModel
    from tnqml.network import Task

    family = cell.family.removesuffix("-circuit")
    chain = family == "chain"
    qubits = _QUBITS if chain else cell.size**2 if family == "grid" else cell.size
    smallest = family == "grid" and cell.size == min(_CIRCUITS[cell.family])
    inputs = 32 if chain and cell.size < _DEEP else 8
    asked = problem(
        family,
        qubits,
        layers=cell.size if chain else 3 if smallest else 2,
        observable="local",
        inputs=inputs,
        seed=cell.seed,
    )
    this_machine()
    model = DistributedModel(asked.circuit, asked.observable, route="pauli")
    (network,) = model.route("pauli").networks  # type: ignore[attr-defined]
    with _empty_cache():
        plan: Plan = network.plan(cones=1, batch=inputs, task=Task(torch.float32, gradient=True))
    return plan, plan.search_seconds


@contextmanager
def _empty_cache() -> Iterator[None]:
    """Plans are neither found nor kept while this lasts."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


def _objective(machine: "Machine", dtype: str) -> str:
    """The objective of cotengra nearest to ours: in each step the longer of arithmetic and traffic.

    An entry is written once and read once, in the time of so many multiplications.
    """
    products = machine.flops[dtype] / (8 if dtype.startswith("complex") else 2)
    weight = 2 * machine.itemsize(dtype) / machine.step_bandwidth * products
    return f"limit-{max(1, round(weight))}"


def _judged(plan: "Plan", seconds: float, seen: "list[Seen]") -> Row:
    """What the best tree costs that a search saw in our time, and in all of its own.

    A search that saw none in our time is given its first.
    """
    from contractions.tree import cost

    def predicted(path: "Path") -> float:
        made = cost(
            plan.network, path, machine=plan.machine, dtype=plan.dtype, gradient=plan.gradient
        )
        return made.seconds

    costs = [predicted(one.pairs) for one in seen]
    early = [price for price, one in zip(costs, seen, strict=True) if one.elapsed <= seconds]
    return {
        "their_seconds_same_time": min(early or costs[:1]),
        "their_seconds": min(costs),
        "their_search_seconds": seen[-1].elapsed,
        "their_trees": len(seen),
    }


def quick() -> list[Cell]:
    """A few of the smallest networks, and one circuit."""
    return [
        Cell(family="torus", size=6),
        Cell(family="quintic", size=30),
        Cell(family="loops", size=100),
        Cell(family="clauses", size=60),
        Cell(family="chain-circuit", size=4),
    ]


def full() -> list[Cell]:
    """Every family at every size."""
    sizes = {name: family.sizes for name, family in networks.FAMILIES.items()} | _CIRCUITS
    return [
        cell
        for family, some in sizes.items()
        for cell in grid(Cell, {"family": [family], "size": some})
    ]


def ratios(frame: "DataFrame", column: str) -> "Series[float]":
    """For each network our predicted seconds over those of the best of cotengra's trees."""
    by_network = frame.groupby(["family", "size", "effort", "calls", "times", "seed"])
    ours: Series[float] = by_network["predicted_seconds"].first()
    return (ours / by_network[column].min()).rename("ratio")


_TIMES = {"their_seconds": "ten times our time", "their_seconds_same_time": "our time"}


def draw_ratios(ax: "Axes", frame: "DataFrame") -> None:
    """Our cost over the best of cotengra's, network by network, sorted."""
    for column, name in _TIMES.items():
        values = ratios(frame, column).clip(lower=_FLOOR).sort_values()
        ax.plot(range(1, len(values) + 1), values, markersize=3, label=f"cotengra in {name}")
    ax.axhline(_GOOD, color="black", linewidth=0.8, linestyle="-", label=f"{_GOOD:g}")
    ax.set(xlabel="networks, sorted", ylabel=_RATIO, yscale="log")
    legend_below(ax)


def draw_families(ax: "Axes", frame: "DataFrame") -> None:
    """The same by family: the median, the least and the largest ratio."""
    if frame.empty:
        say_empty(ax)
        return
    shift = -0.12
    for column, name in _TIMES.items():
        by_family = ratios(frame, column).clip(lower=_FLOOR).groupby("family")
        median = by_family.median()
        draw_interval(
            ax,
            [place + shift for place in range(len(median))],
            low=by_family.min(),
            best=median,
            high=by_family.max(),
            label=f"cotengra in {name}",
        )
        ax.lines[-1].set_linestyle("none")
        shift = -shift
    for line in ax.lines:
        line.set_linestyle("none")
    ax.axhline(_GOOD, color="black", linewidth=0.8, linestyle="-")
    ax.set_xticks(range(len(median)), list(median.index), rotation=60, ha="right", fontsize=8)
    ax.set(ylabel=_RATIO, yscale="log")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)


def claims(frame: "DataFrame") -> list[Claim]:
    """How often our plan is as cheap as the best of cotengra's, in all and by family."""
    if frame.empty:
        return []
    found = []
    for column, name in _TIMES.items():
        values = ratios(frame, column)
        found.append(_share(f"our cost over the best of cotengra's in {name}", values))
    later = ratios(frame, "their_seconds")
    for family, values in later.groupby("family"):
        found.append(_share(f"{family}: our cost over the best in ten times our time", values))
    return found


def _share(text: str, values: "Series[float]") -> Claim:
    share = (values <= _GOOD).mean()
    return Claim(
        text=text,
        expected=f"{_GOOD:g} or less on {100 * _SHARE:g}%",
        measured=f"{100 * share:.0f}% of {len(values)}; from {values.min():.2g}, median "
        f"{values.median():.3g}, to {values.max():.3g}",
        holds=bool(share >= _SHARE),
    )


STUDY = Study(
    name="planning",
    where=f"{__name__}:STUDY",
    version=3,
    summary="our planner against cotengra's searches, by one cost function",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={"ratios": draw_ratios, "families": draw_families},
    claims=claims,
)
