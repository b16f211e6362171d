"""Families of circuits, each split between parties."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tnqml.circuit import Circuit, Split
from tnqml.errors import CircuitError
from tnqml.gates import Gate
from tnqml.sequence import GateSequence, Integers

if TYPE_CHECKING:
    import networkx as nx

Edges = Sequence[tuple[int, int]]
Frequencies = Literal["independent", "equal", "exponential"]
Encoding = Literal["phase", "angle"]
Start = Literal["plus", "zero"]

_PROTOTYPES = {
    "plus": Gate("h", 0),
    "phase": Gate("rz", 0, feature=0),
    "angle": Gate("ry", 0, feature=0),
    "even turn": Gate("ry", 0, parameter=0),
    "odd turn": Gate("rx", 0, parameter=0),
    "cz": Gate("cz", (0, 1)),
}
"""The gates of layered circuits by their role; parties rotate in turn by RY and RX."""

_TWO = ("alice", "bob")
_SMALLEST_RING = 3


def from_graph(
    graph: "nx.Graph[int]",
    *,
    layers: int,
    uploads: int | None = None,
    parties: Sequence[str] = _TWO,
    split: Split = "layers",
    reupload: bool = True,
    encoding: Encoding = "phase",
    start: Start = "plus",
) -> Circuit:
    """A layered circuit whose CZ gates lie on the edges of a graph with nodes 0, 1, ..., n - 1.

    The edges are coloured so that each colour is a set of gates that can act at once, and the
    colours are dealt to the parties in turn. In each layer every party in turn rotates every qubit
    by a parameter (RY, the next party RX, and so on) and then applies the CZ gates of its colours.
    Before that, in the first `uploads` layers, the first party uploads a feature on every qubit.

    Args:
        graph: its nodes are the qubits; numbers in order matter, they are the sweep of the planner.
        layers: L, how often the parties alternate.
        uploads: in how many layers the data is uploaded; by default in all.
        parties: at least one name. With more parties than colours the last ones only rotate.
        split: "layers": each party acts on the whole register in turn. "qubits": each party holds a
            contiguous block of qubits, and a gate belongs to who holds its first qubit; there are
            at most as many parties as qubits.
        reupload: whether every upload repeats the same n features, or has n of its own.
        encoding: "phase" uploads by RZ, "angle" by RY. For amplitude encoding use no uploads and
            `Circuit.on_amplitudes`.
        start: "plus": a Hadamard on every qubit first; "zero": none, and then the first upload by
            RZ does nothing, as it is a phase of |0>.

    Raises:
        CircuitError: the graph's nodes, or a number, are not as above.
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph) or graph.is_directed() or graph.is_multigraph():
        raise CircuitError(f"got a {type(graph).__name__}; expected an undirected networkx.Graph")
    qubits = graph.number_of_nodes()
    if sorted(graph.nodes) != list(range(qubits)) or qubits == 0:
        raise CircuitError(
            "the nodes of the graph are not 0, 1, ..., n - 1; use "
            "networkx.convert_node_labels_to_integers"
        )
    if any(a == b for a, b in graph.edges):
        raise CircuitError("the graph has an edge from a node to itself; remove it")
    colours = nx.greedy_color(nx.line_graph(graph), strategy="DSATUR")
    rounds: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for edge, colour in colours.items():
        rounds[colour].append((min(edge), max(edge)))
    return _layered(
        qubits,
        sorted(sorted(pairs) for pairs in rounds.values()),
        layers=layers,
        uploads=uploads,
        parties=parties,
        split=split,
        reupload=reupload,
        encoding=encoding,
        start=start,
    )


def _layered(
    qubits: int,
    rounds: Sequence[Edges],
    *,
    layers: int,
    uploads: int | None,
    parties: Sequence[str],
    split: Split,
    reupload: bool,
    encoding: Encoding,
    start: Start,
) -> Circuit:
    uploads = layers if uploads is None else uploads
    if layers < 1 or not 0 <= uploads <= layers:
        raise CircuitError(
            f"{layers} layers with {uploads} uploads; expected at least one layer and from 0 to "
            "`layers` uploads"
        )
    if not parties or len(set(parties)) != len(parties):
        raise CircuitError(f"parties are {tuple(parties)}; expected distinct names, at least one")
    if split == "qubits" and len(parties) > qubits:
        raise CircuitError(f"{len(parties)} parties cannot share {qubits} qubits; expected fewer")
    if start not in {"plus", "zero"}:
        raise CircuitError(f"start is {start!r}; expected 'plus' or 'zero'")
    if encoding not in {"phase", "angle"}:
        raise CircuitError(f"encoding is {encoding!r}; expected 'phase' or 'angle'")

    def copies(
        turn: int, places: Integers, role: str, slots: Integers | None = None
    ) -> GateSequence:
        """A gate on each of the places, in the hands of who has the turn or holds the qubit."""
        gate = _PROTOTYPES[role]
        if split == "layers":
            return GateSequence.repeated(gate.owned_by(parties[turn]), places, slots=slots)
        holders = [parties[part] for part in (places[:, 0] * len(parties) // qubits).tolist()]
        return GateSequence.repeated(gate, places, slots=slots, parties=holders)

    each = np.arange(qubits)
    everyone = each.reshape(qubits, 1)
    pairs = [np.array(edges, dtype=np.int64).reshape(-1, 2) for edges in rounds]
    parts: list[GateSequence] = []
    if start == "plus":
        parts.append(copies(0, everyone, "plus"))
    rotations = itertools.count()
    for layer in range(layers):
        if layer < uploads:
            first = 0 if reupload else layer * qubits
            parts.append(copies(0, everyone, encoding, each + first))
        for turn in range(len(parties)):
            slots = each + next(rotations) * qubits
            parts.append(copies(turn, everyone, ("even turn", "odd turn")[turn % 2], slots))
            parts += [copies(turn, edges, "cz") for edges in pairs[turn :: len(parties)]]
    return Circuit(qubits, GateSequence.joined(parts), split=split)


def brickwork(
    qubits: int,
    *,
    layers: int,
    uploads: int | None = None,
    parties: Sequence[str] = _TWO,
    split: Split = "layers",
    reupload: bool = True,
    encoding: Encoding = "phase",
    start: Start = "plus",
) -> Circuit:
    """A chain: CZ on the even bonds by the first party, on the odd bonds by the second.

    The arguments are those of `from_graph`.

    Example:
        >>> brickwork(4, layers=2).messages()[0]
        Message(sender='alice', receiver='bob', qubits=(0, 1, 2, 3))
    """
    Circuit(qubits, [])  # refuses what is no number of qubits
    even = [(qubit, qubit + 1) for qubit in range(0, qubits - 1, 2)]
    odd = [(qubit, qubit + 1) for qubit in range(1, qubits - 1, 2)]
    return _layered(
        qubits,
        [even, odd],
        layers=layers,
        uploads=uploads,
        parties=parties,
        split=split,
        reupload=reupload,
        encoding=encoding,
        start=start,
    )


def ring(qubits: int) -> "nx.Graph[int]":
    """The graph of a closed chain; for `from_graph`."""
    import networkx as nx

    if qubits < _SMALLEST_RING:
        raise CircuitError(f"a ring of {qubits} qubits; expected at least {_SMALLEST_RING}")
    return nx.cycle_graph(qubits)


def grid(rows: int, columns: int) -> "nx.Graph[int]":
    """The graph of a 2D grid, qubits counted along rows; for `from_graph`."""
    import networkx as nx

    if rows < 1 or columns < 1:
        raise CircuitError(f"a grid of {rows} by {columns}; expected at least 1 by 1")
    return _counted(nx.grid_2d_graph(rows, columns))


def ladder(rungs: int) -> "nx.Graph[int]":
    """The graph of a ladder, qubits 2k and 2k + 1 on rung k; for `from_graph`."""
    return grid(rungs, 2)


def tree(depth: int, *, branching: int = 2) -> "nx.Graph[int]":
    """The graph of a balanced tree, qubits counted depth first; for `from_graph`."""
    import networkx as nx

    if depth < 0 or branching < 1:
        raise CircuitError(f"a tree of depth {depth}, branching {branching}; expected 0, 1 or more")
    balanced = nx.balanced_tree(branching, depth)
    walk = list(nx.dfs_preorder_nodes(balanced, 0))
    return nx.relabel_nodes(balanced, {node: place for place, node in enumerate(walk)})


def all_to_all(qubits: int) -> "nx.Graph[int]":
    """The complete graph; for `from_graph`."""
    import networkx as nx

    return nx.complete_graph(qubits)


def _counted(graph: "nx.Graph[tuple[int, int]]") -> "nx.Graph[int]":
    import networkx as nx

    return nx.convert_node_labels_to_integers(graph, ordering="sorted")


def haar(
    qubits: int,
    *,
    layers: int,
    seed: int,
    uploads: Literal["diagonal", "qubitwise"] = "diagonal",
    frequencies: Frequencies = "independent",
    parties: Sequence[str] = _TWO,
) -> Circuit:
    """Dense Haar-random blocks around uploads of one scalar feature.

    The first party applies a random unitary before each of the L uploads, the others in turn apply
    one after it (with one party, a last one follows the last upload). THEORY section 3: with
    "diagonal" uploads diag(exp(-2 pi i lambda_j x)) and independent lambda the functions of x span
    (N'^2 - N' + 1)^L dimensions, N' = 2^qubits; with "qubitwise" uploads exp(-i lambda_q x Z_q / 2)
    3^(qubits L); with equal lambda 2 qubits L + 1.

    Args:
        qubits: n; the blocks act on all of them.
        layers: L.
        seed: of the blocks; the lambda depend on qubits, layers and `frequencies` alone.
        uploads: one diagonal over the whole register, or an RZ on every qubit.
        frequencies: "independent" over the rationals, "equal" (spectrum of integers), or
            "exponential" (powers of 3, as many distinct sums as independent ones, all integers).
        parties: who applies blocks.
    """
    if uploads not in {"diagonal", "qubitwise"}:
        raise CircuitError(f"uploads is {uploads!r}; expected 'diagonal' or 'qubitwise'")
    if layers < 1 or qubits < 1 or seed < 0:
        raise CircuitError(
            f"{layers} layers of {qubits} qubits with seed {seed}; expected at least one layer, "
            "one qubit, and a seed of 0 or more"
        )
    if not parties:
        raise CircuitError("parties are (); expected at least one name")
    from scipy.stats import unitary_group  # slow to import

    generator = np.random.default_rng(seed)
    everyone = tuple(range(qubits))

    def block(party: str) -> Gate:
        matrix = unitary_group.rvs(2**qubits, random_state=generator)
        return Gate("unitary", everyone, matrix=np.reshape(matrix, (2**qubits, -1)), party=party)

    width = 2**qubits if uploads == "diagonal" else qubits
    speeds = upload_frequencies(layers, width, kind=frequencies)
    gates = [block(parties[0])]
    for layer in range(layers):
        if uploads == "diagonal":
            phases = 2 * math.pi * speeds[layer]
            gates.append(Gate("diagonal", everyone, feature=0, phases=phases, party=parties[0]))
        else:
            gates += [
                Gate("rz", qubit, feature=0, scale=speeds[layer, qubit], party=parties[0])
                for qubit in range(qubits)
            ]
        gates += [block(party) for party in parties[1:] or parties]
        if len(parties) > 1 and layer < layers - 1:
            gates.append(block(parties[0]))
    return Circuit(qubits, gates)


def upload_frequencies(layers: int, width: int, *, kind: Frequencies) -> NDArray[np.float64]:
    """(layers, width): the lambda of each upload.

    "independent": square roots of distinct primes over the largest, rationally independent;
    "equal": 1; "exponential": powers of 3 from 1 up.
    """
    count = layers * width
    if kind == "independent":
        primes = list(itertools.islice(_primes(), count))
        roots = np.sqrt(np.array(primes, dtype=np.float64))
        return np.asarray(roots / roots[-1]).reshape(layers, width)
    if kind == "exponential":
        return np.power(3.0, np.arange(count)).reshape(layers, width)
    if kind == "equal":
        return np.ones((layers, width))
    raise CircuitError(f"frequencies is {kind!r}; expected 'independent', 'equal' or 'exponential'")


def _primes() -> Iterator[int]:
    found: list[int] = []
    for number in itertools.count(2):
        if all(number % prime for prime in found):
            found.append(number)
            yield number


def mirrored(circuit: Circuit) -> Circuit:
    """The circuit followed by its mirror image with parameters of its own.

    Initialised with init="identity" it starts as the identity while each half is random.
    """
    count = circuit.parameters
    mirror = [gate.dagger().shifted(parameters=count) for gate in reversed(circuit.gates)]
    return Circuit(
        circuit.qubits,
        (*circuit.gates, *mirror),
        amplitudes=circuit.amplitudes,
        split=circuit.split,
    )
