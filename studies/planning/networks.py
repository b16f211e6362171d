"""Networks to plan, from committed seeds: lattices, random graphs, trees with loops, hypergraphs.

Only their structure: what a tensor holds does not matter to a planner.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studies.errors import CellError

if TYPE_CHECKING:
    from contractions import Network


@dataclass(frozen=True)
class Family:
    """A kind of network.

    Attributes:
        make: the network of a size and a seed.
        sizes: those that the study plans.
        summary: what the size counts.
    """

    make: Callable[[int, int], "Network"]
    sizes: tuple[int, ...]
    summary: str


def _lattice(
    dimensions: tuple[int, ...], *, cyclic: bool = False, largest: int = 2, seed: int = 0
) -> "Network":
    from cotengra.utils import lattice_equation

    return _converted(lattice_equation(dimensions, cyclic=cyclic, d_max=largest, seed=seed))


def _regular(nodes: int, degree: int, seed: int) -> "Network":
    from cotengra.utils import randreg_equation

    return _converted(randreg_equation(nodes, degree, d_max=2, seed=seed))


def _loops(nodes: int, seed: int) -> "Network":
    """A random tree with edges added: a loop for every 30 nodes, and 15 more; sizes 2 and 3."""
    import networkx as nx
    import numpy as np
    from cotengra.utils import networkx_graph_to_equation

    graph = nx.random_labeled_tree(nodes, seed=seed)
    generator = np.random.default_rng(seed)
    while graph.number_of_edges() < nodes - 1 + nodes // 30 + 15:
        a, b = (int(node) for node in generator.choice(nodes, size=2, replace=False))
        graph.add_edge(a, b)
    return _converted(networkx_graph_to_equation(graph, d_max=3, seed=seed))


def _hypergraph(tensors: int, seed: int) -> "Network":
    """Every index of sizes 2 and 3 on two tensors, but an eighth as many as tensors on more."""
    from cotengra.utils import rand_equation

    return _converted(rand_equation(tensors, 3, n_hyper_in=tensors // 8, d_max=3, seed=seed))


def _clauses(clauses: int, seed: int) -> "Network":
    """Clauses of three variables each, which are hyperedges; the more clauses the sparser."""
    import numpy as np

    from contractions import Network

    generator = np.random.default_rng(seed)
    variables = int(clauses / (0.17 + 30 / (clauses + 30)))
    inputs = [generator.choice(variables, size=3, replace=False).tolist() for _ in range(clauses)]
    return Network(inputs, (), dict.fromkeys(range(variables), 2))


def _converted(made: Any) -> "Network":
    """What cotengra's generators give: inputs, output, shapes and sizes."""
    from contractions import Network

    inputs, output, _, sizes = made
    return Network(inputs, output, sizes)


FAMILIES: Mapping[str, Family] = {
    "square": Family(
        lambda size, _: _lattice((size, size)), (8, 12, 16, 20), "side of a 2D lattice"
    ),
    "torus": Family(
        lambda size, _: _lattice((size, size), cyclic=True),
        (6, 8, 11),
        "side of a closed 2D lattice",
    ),
    "strip": Family(
        lambda size, seed: _lattice((3, size), largest=3, seed=seed),
        (100, 1000),
        "length of a 2D lattice three wide",
    ),
    "cube": Family(lambda size, _: _lattice((size,) * 3), (3, 4, 5), "side of a 3D lattice"),
    "bar": Family(
        lambda size, _: _lattice((3, 3, size)), (10, 30), "length of a 3D lattice, 3 by 3"
    ),
    "cubic": Family(
        lambda size, seed: _regular(size, 3, seed),
        (60, 100, 140, 180),
        "nodes of a 3-regular graph",
    ),
    "quartic": Family(
        lambda size, seed: _regular(size, 4, seed), (40, 60, 80), "nodes of a 4-regular graph"
    ),
    "quintic": Family(
        lambda size, seed: _regular(size, 5, seed), (30, 50), "nodes of a 5-regular graph"
    ),
    "loops": Family(_loops, (100, 300, 1000, 2000, 3000), "nodes of a tree with loops"),
    "hypergraph": Family(_hypergraph, (30, 45, 60, 75), "tensors of a random hypergraph"),
    "clauses": Family(_clauses, (60, 200, 500, 1000, 3000), "clauses of three variables"),
}


def network(family: str, size: int, *, seed: int) -> "Network":
    """The network of a family, a size and a seed; the same for equal arguments.

    Raises:
        CellError: there is no such family.

    Example:
        >>> len(network("square", 3, seed=0).inputs)
        9
    """
    if family not in FAMILIES:
        raise CellError(f"family is {family!r}; expected one of {', '.join(FAMILIES)}")
    return FAMILIES[family].make(size, seed)
