"""Recursive bisection: whole paths, planted cuts found, seeds that count."""

import itertools

import networkx as nx
import numpy as np
import pytest

from contractions import Network
from contractions.partition import _cut, bisected, shared


def in_a_row(tensors):
    """Contract a few tensors one after another."""
    return [(0 if k == 0 else len(tensors) + k - 1, k + 1) for k in range(len(tensors) - 1)]


def of_graph(graph: nx.Graph) -> list[dict[int, float]]:
    return [dict.fromkeys(graph[node], 1.0) for node in sorted(graph)]


@pytest.mark.parametrize("nodes", [1, 2, 8, 9, 50, 400, 1500])
@pytest.mark.parametrize("degree", [0, 3])
def test_a_path_contracts_every_tensor_once(nodes, degree):
    graph = nx.empty_graph(nodes)
    if degree and nodes > 8 and not nodes % 2:
        graph = nx.random_regular_graph(degree, nodes, seed=1)
    path = bisected(of_graph(graph), in_a_row, seed=0)
    assert sorted(node for pair in path for node in pair) == list(range(2 * nodes - 2))
    for step, pair in enumerate(path):
        assert max(pair) < nodes + step


@pytest.mark.parametrize("size", [20, 150])
def test_a_planted_cut_is_found(size):
    """Two dense random graphs joined by three edges: from 161 nodes on by way of merged pairs."""
    halves = [nx.gnm_random_graph(size, 6 * size, seed=seed) for seed in (1, 2)]
    graph = nx.disjoint_union(*halves)
    graph.add_edges_from([(0, size), (1, size + 1), (2, size + 2)])
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        side = _cut(of_graph(graph), [1] * (2 * size), rng, 0.3)
        found += len({tuple(side[:size]), tuple(side[size:])}) == 2 and len(set(side[:size])) == 1
    assert found >= 6


def test_cuts_are_balanced():
    graph = of_graph(nx.path_graph(40))
    for seed in range(10):
        side = _cut(graph, [1] * 40, np.random.default_rng(seed), 0.4)
        assert 15 <= sum(side) <= 25
        assert sum(a != b for a, b in itertools.pairwise(side)) <= 2


def test_a_seed_gives_one_path_and_another_another():
    graph = of_graph(nx.random_regular_graph(3, 60, seed=0))
    assert bisected(graph, in_a_row, seed=5) == bisected(graph, in_a_row, seed=5)
    assert len({bisected(graph, in_a_row, seed=seed) for seed in range(5)}) == 5


def test_weights_are_what_tensors_share():
    network = Network(
        [("a", "b", "x"), ("a", "c", "x"), ("b", "c", "x")],
        ("x",),
        {"a": 2, "b": 4, "c": 8, "x": 9},
    )
    assert shared(network) == [{1: 1.0, 2: 2.0}, {0: 1.0, 2: 3.0}, {0: 2.0, 1: 3.0}]
    hyper = Network([("a",), ("a",), ("a",)], (), {"a": 4})
    assert shared(hyper) == [{1: 1.0, 2: 1.0}, {0: 1.0, 2: 1.0}, {0: 1.0, 1: 1.0}]
