import networkx as nx
import numpy as np
import pytest
import torch
from random_circuits import angles, reference_values

from tnqml import CircuitError, DistributedModel, X, Z, ansatz, parity

GRAPHS = {
    "grid": (ansatz.grid(2, 3), 6, 7),
    "ladder": (ansatz.ladder(3), 6, 7),
    "tree": (ansatz.tree(2), 7, 6),
    "ternary tree": (ansatz.tree(1, branching=3), 4, 3),
    "all to all": (ansatz.all_to_all(5), 5, 10),
    "star": (nx.star_graph(4), 5, 4),
    "no edges": (nx.empty_graph(3), 3, 0),
}


@pytest.mark.parametrize("parties", [("alice",), ("alice", "bob"), ("alice", "bob", "carol")])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_edge_appears_once_in_each_layer(name, parties):
    graph, qubits, edges = GRAPHS[name]
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (qubits, edges)
    circuit = ansatz.from_graph(graph, layers=3, parties=parties)
    wanted = sorted(tuple(sorted(edge)) for edge in graph.edges)
    found = [tuple(sorted(gate.qubits)) for gate in circuit.gates if gate.kind == "cz"]
    for layer in range(3):
        assert sorted(found[layer * edges : (layer + 1) * edges]) == wanted
    assert circuit.parameters == 3 * len(parties) * qubits
    assert circuit.features == qubits
    assert circuit.parties == parties


def test_the_numbers_of_the_qubits_follow_the_geometry():
    assert set(map(frozenset, ansatz.grid(2, 3).edges)) == {
        frozenset(edge) for edge in [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    }
    assert set(map(frozenset, ansatz.ladder(2).edges)) == {
        frozenset(edge) for edge in [(0, 1), (2, 3), (0, 2), (1, 3)]
    }
    assert set(map(frozenset, ansatz.tree(2).edges)) == {
        frozenset(edge) for edge in [(0, 1), (1, 2), (1, 3), (0, 4), (4, 5), (4, 6)]
    }


@pytest.mark.parametrize("qubits", [1, 2, 3, 6, 7])
def test_a_brickwork_has_the_bonds_of_a_chain(qubits):
    circuit = ansatz.brickwork(qubits, layers=2)
    for party, first in (("alice", 0), ("bob", 1)):
        bonds = [gate.qubits for gate in circuit.gates if gate.kind == "cz" and gate.party == party]
        assert bonds == 2 * [(q, q + 1) for q in range(first, qubits - 1, 2)]
    assert circuit.parameters == 4 * qubits


def test_a_layer_of_the_brickwork_gate_by_gate():
    kinds = [(gate.kind, gate.party) for gate in ansatz.brickwork(3, layers=1).gates]
    alice = ["h"] * 3 + ["rz"] * 3 + ["ry"] * 3 + ["cz"]
    bob = ["rx"] * 3 + ["cz"]
    assert kinds == [(k, "alice") for k in alice] + [(k, "bob") for k in bob]


def test_a_ring_is_closed():
    circuit = ansatz.from_graph(ansatz.ring(6), layers=1)
    bonds = {frozenset(gate.qubits) for gate in circuit.gates if gate.kind == "cz"}
    assert bonds == {frozenset((q, (q + 1) % 6)) for q in range(6)}


@pytest.mark.parametrize("parties", [("a", "b"), ("a", "b", "c")])
def test_parties_alternate_under_a_layer_split(parties):
    circuit = ansatz.brickwork(4, layers=3, parties=parties)
    holders = [circuit.gates[0].party] + [message.receiver for message in circuit.messages()]
    assert tuple(holders) == 3 * parties


def test_parties_hold_blocks_under_a_qubit_split():
    circuit = ansatz.from_graph(
        ansatz.all_to_all(7), layers=1, parties=("a", "b", "c"), split="qubits"
    )
    assert circuit.split == "qubits"
    owners = {gate.qubits[0]: gate.party for gate in circuit.gates}
    assert "".join(owners[qubit] for qubit in range(6)) == "aaabbc"
    assert all(gate.party == owners.get(gate.qubits[0], "c") for gate in circuit.gates)


def test_uploads_and_re_uploads():
    def uploads(**options):
        circuit = ansatz.brickwork(4, layers=3, **options)
        return [gate.slot for gate in circuit.gates if gate.source == "feature"], circuit.features

    assert uploads() == ([0, 1, 2, 3] * 3, 4)
    assert uploads(uploads=2) == ([0, 1, 2, 3] * 2, 4)
    assert uploads(uploads=0) == ([], 0)
    assert uploads(reupload=False) == (list(range(12)), 12)
    assert uploads(reupload=False, uploads=1) == ([0, 1, 2, 3], 4)


def test_every_parameter_is_read_once():
    circuit = ansatz.from_graph(ansatz.grid(2, 2), layers=2, parties=("a", "b", "c"))
    slots = [gate.slot for gate in circuit.gates if gate.source == "parameter"]
    assert sorted(slots) == list(range(circuit.parameters))


CIRCUITS = {
    **{name: ansatz.from_graph(graph, layers=2) for name, (graph, _, _) in GRAPHS.items()},
    "brickwork": ansatz.brickwork(5, layers=2, parties=("a", "b", "c")),
    "one qubit": ansatz.brickwork(1, layers=2),
    "zero start": ansatz.brickwork(4, layers=2, start="zero", split="qubits"),
    "ring": ansatz.from_graph(ansatz.ring(4), layers=2, reupload=False),
    "diagonal blocks": ansatz.haar(2, layers=2, seed=1),
    "qubitwise blocks": ansatz.haar(3, layers=1, seed=2, uploads="qubitwise"),
    "one party": ansatz.haar(2, layers=1, seed=3, parties=("a",)),
    "integers": ansatz.haar(2, layers=1, seed=4, frequencies="exponential"),
    "mirrored": ansatz.mirrored(ansatz.brickwork(3, layers=1)),
}


@pytest.mark.parametrize("route", ["pauli", "state"])
@pytest.mark.parametrize("circuit", CIRCUITS.values(), ids=CIRCUITS.keys())
def test_every_ansatz_equals_the_reference(circuit, route):
    observables = [Z(0), X(circuit.qubits - 1), parity(range(circuit.qubits))]
    model = DistributedModel(circuit, observables, dtype=torch.float64, route=route)
    x = angles(3, 2, circuit.features)
    expected = reference_values(circuit, observables, model.theta.detach().numpy(), x)
    np.testing.assert_allclose(model(torch.tensor(x)).detach().numpy(), expected, atol=1e-12)


def function_rank(*, samples=60, points=60, **options):
    """The dimension of the span of the functions of x over random blocks."""
    x = torch.linspace(-9.0, 9.0, points, dtype=torch.float64).unsqueeze(1)
    rows = [
        DistributedModel(ansatz.haar(seed=seed, **options), Z(0), dtype=torch.float64)(x)
        for seed in range(samples)
    ]
    values = np.linalg.svd(torch.stack(rows).detach().numpy(), compute_uv=False)
    return int((values > 1e-9 * values[0]).sum())


@pytest.mark.parametrize(("layers", "dimension"), [(1, 3), (2, 9)])
@pytest.mark.parametrize("uploads", ["diagonal", "qubitwise"])
def test_independent_frequencies_span_the_dimension_of_theory(layers, dimension, uploads):
    options = {"qubits": 1, "layers": layers, "samples": 30, "points": 30}
    assert function_rank(uploads=uploads, **options) == dimension
    assert function_rank(uploads=uploads, frequencies="exponential", **options) == dimension


def test_two_qubits_span_thirteen():
    assert function_rank(qubits=2, layers=1, samples=30, points=40) == 13


@pytest.mark.parametrize(("qubits", "layers"), [(1, 1), (1, 3), (2, 1), (2, 2)])
def test_equal_frequencies_collapse(qubits, layers):
    rank = function_rank(
        qubits=qubits,
        layers=layers,
        uploads="qubitwise",
        frequencies="equal",
        samples=25,
        points=30,
    )
    assert rank == 2 * qubits * layers + 1


def test_blocks_alternate_and_depend_on_the_seed_alone():
    circuit = ansatz.haar(2, layers=3, seed=5)
    owners = [gate.party for gate in circuit.gates if gate.kind == "unitary"]
    assert owners == ["alice", "bob"] * 3
    assert circuit == ansatz.haar(2, layers=3, seed=5)
    assert circuit != ansatz.haar(2, layers=3, seed=6)
    # generic unitaries before, between and after the uploads
    kinds = "".join(gate.kind[0] for gate in ansatz.haar(2, layers=2, seed=5, parties=("a",)).gates)
    assert kinds == "ududu"


def test_upload_frequencies():
    independent = ansatz.upload_frequencies(2, 3, kind="independent")
    np.testing.assert_allclose(13 * independent**2, [[2, 3, 5], [7, 11, 13]])
    powers = ansatz.upload_frequencies(2, 2, kind="exponential")
    np.testing.assert_array_equal(powers, [[1, 3], [9, 27]])
    np.testing.assert_array_equal(ansatz.upload_frequencies(1, 2, kind="equal"), [[1, 1]])
    with pytest.raises(CircuitError, match="'independent', 'equal' or 'exponential'"):
        ansatz.upload_frequencies(1, 1, kind="other")


@pytest.mark.parametrize("route", ["pauli", "state"])
@pytest.mark.parametrize(
    "half",
    [
        ansatz.brickwork(4, layers=2, start="zero"),
        ansatz.from_graph(ansatz.grid(2, 2), layers=1, start="zero", uploads=0),
        ansatz.brickwork(3, layers=1),
    ],
)
def test_a_mirrored_circuit_starts_as_the_identity(half, route):
    circuit = ansatz.mirrored(half)
    assert circuit.parameters == 2 * half.parameters
    assert len(circuit.gates) == 2 * len(half.gates)
    observables = [Z(qubit) for qubit in range(circuit.qubits)]
    model = DistributedModel(
        circuit, observables, dtype=torch.float64, route=route, init="identity", seed=4
    )
    assert (model.theta.abs() > 1e-3).all()
    x = torch.tensor(angles(1, 2, circuit.features))
    np.testing.assert_allclose(model(x).detach().numpy(), 1, atol=1e-13)
    with torch.no_grad():
        model.theta[0] += 1  # and is not stuck there
    assert (model(x) - 1).abs().max() > 1e-3 or half.parameters == 0


def test_gates_without_a_mirror_image_start_at_zero():
    circuit = ansatz.brickwork(3, layers=2, start="zero")
    model = DistributedModel(circuit, Z(0), init="identity")
    assert not model.theta.any()
    blocks = ansatz.mirrored(ansatz.brickwork(3, layers=1, start="zero"))
    both = DistributedModel(blocks + blocks, Z(0), init="identity")
    assert torch.isfinite(both.theta).all()
    assert both.theta.any()


def test_many_parties_take_turns():
    names = tuple(f"party {number}" for number in range(300))
    for split in ("layers", "qubits"):
        circuit = ansatz.brickwork(300, layers=1, parties=names, split=split)
        assert circuit.parties == names
        assert circuit.parameters == 300 * 300


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ansatz.brickwork(3, layers=0), "0 layers"),
        (lambda: ansatz.brickwork(3, layers=2, uploads=3), "2 layers with 3 uploads"),
        (lambda: ansatz.brickwork(3, layers=2, uploads=-1), "-1 uploads"),
        (lambda: ansatz.brickwork(0, layers=1), "0 qubits"),
        (lambda: ansatz.brickwork(True, layers=1), "True qubits"),
        (lambda: ansatz.brickwork(3.0, layers=1), "3.0 qubits"),
        (lambda: ansatz.brickwork(3, layers=1, parties=()), "parties are"),
        (lambda: ansatz.brickwork(3, layers=1, parties=("a", "a")), "distinct names"),
        (lambda: ansatz.brickwork(3, layers=1, start="one"), "'plus' or 'zero'"),
        (lambda: ansatz.brickwork(3, layers=1, split="odd"), "'layers' or 'qubits'"),
        (lambda: ansatz.ring(2), "ring of 2 qubits"),
        (lambda: ansatz.from_graph(nx.Graph(), layers=1), "nodes of the graph"),
        (lambda: ansatz.from_graph(nx.Graph([(1, 2)]), layers=1), "convert_node_labels"),
        (lambda: ansatz.from_graph(nx.Graph([(0, 0)]), layers=1), "from a node to itself"),
        (lambda: ansatz.haar(2, layers=1, seed=0, uploads="x"), "'diagonal' or 'qubitwise'"),
        (lambda: ansatz.haar(2, layers=1, seed=0, frequencies="x"), "frequencies is 'x'"),
        (lambda: ansatz.haar(2, layers=0, seed=0), "layers"),
        (lambda: ansatz.haar(2, layers=1, seed=0, parties=()), "parties"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(CircuitError, match=message):
        make()
