"""Simplification: what it contracts first costs no growth, and the result stays the same."""

import math

import numpy as np
import pytest

from contractions import Machine, Network, plan
from contractions.simplify import simplified
from contractions.tree import leaf_legs, products

MACHINE = Machine(
    flops=dict.fromkeys(("float32", "float64", "complex64", "complex128"), 1e10),
    bandwidth=1e10,
    step_bandwidth=4e9,
    step_seconds=1e-5,
    memory=2**40,
)


def random_network(seed: int) -> Network:
    """Up to 14 tensors with indices of sizes 1 to 3 on one to four of them, some in the output."""
    rng = np.random.default_rng(seed)
    tensors = int(rng.integers(2, 15))
    terms: list[list[int]] = [[] for _ in range(tensors)]
    count = int(rng.integers(1, 16))
    for index in range(count):
        for tensor in rng.choice(tensors, size=min(tensors, rng.integers(1, 5)), replace=False):
            terms[tensor].append(index)
    present = sorted({index for term in terms for index in term})
    output = [index for index in present if rng.random() < 0.15]
    return Network(terms, output, {index: int(rng.integers(1, 4)) for index in range(count)})


@pytest.mark.parametrize("seed", range(40))
def test_a_simplified_network_contracts_to_the_same(seed):
    network = random_network(seed)
    rng = np.random.default_rng(seed + 1000)
    arrays = [rng.normal(size=shape) for shape in network.shapes]
    letters = {index: chr(97 + index) for index in network.sizes}
    equation = ",".join("".join(letters[i] for i in term) for term in network.inputs)
    expected = np.einsum(f"{equation}->{''.join(letters[i] for i in network.output)}", *arrays)
    made = plan(network, machine=MACHINE, cache=False, effort=2)
    np.testing.assert_allclose(made.contract(arrays), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_grows_and_what_is_left_fits(seed):
    network = random_network(seed)
    parts = simplified(network)
    sizes = network.numbered[2]

    def size(legs: frozenset[int]) -> int:
        return math.prod(sizes[index] for index in legs)

    legs = leaf_legs(network)
    for step in products(network, parts.first):
        scalar = not step.left_legs or not step.right_legs
        assert scalar or size(step.legs) <= max(size(step.left_legs), size(step.right_legs))
        legs.append(step.legs)
    used = {node for pair in parts.first for node in pair}
    assert sorted(parts.nodes) == [node for node in range(len(legs)) if node not in used]
    assert [frozenset(term) for term in parts.core.inputs] == [legs[node] for node in parts.nodes]
    assert len(parts.nodes) + len(parts.first) == len(network.inputs)


def test_trees_vanish_and_loops_stay():
    tree = Network(
        [("a", "b"), ("b", "c", "d"), ("c",), ("d", "e"), ("e",)], ("a",), dict.fromkeys("abcde", 2)
    )
    assert len(simplified(tree).nodes) == 1
    grid = Network.from_einsum("abc,bde,cdf,aef->", [(2, 2, 2)] * 4)
    assert len(simplified(grid).nodes) == 4


def test_pieces_without_a_common_index_become_one():
    pieces = Network([("a",), ("a",), ("b",), ("b",), ("c",)], ("c",), {"a": 2, "b": 3, "c": 4})
    assert len(simplified(pieces).nodes) == 1
    assert (
        len(simplified(Network([("a",), ("a",), ("b",), ("b",)], (), {"a": 2, "b": 3})).nodes) == 1
    )


def test_a_path_of_the_core_is_one_of_the_whole():
    network = Network.from_einsum("abc,bde,cdf,aeg,fh,gh->", [(2, 2, 2)] * 4 + [(2, 2)] * 2)
    parts = simplified(network)
    assert 1 < len(parts.nodes) < 6
    count = len(parts.nodes)
    along = tuple((0 if k == 0 else count + k - 1, k + 1) for k in range(count - 1))
    whole = parts.whole(along)
    nodes = sorted(node for pair in whole for node in pair)
    assert nodes == list(range(2 * 6 - 2))


def test_an_order_of_the_whole_is_one_of_the_core():
    network = Network.from_einsum("ab,bc,cdx,dey,efx,fay->", [(2, 2)] * 2 + [(2, 2, 2)] * 4)
    parts = simplified(network)
    order = parts.order([5, 4, 3, 2, 1, 0])
    assert sorted(order) == list(range(len(parts.nodes)))
    assert parts.nodes[order[0]] == 5 or parts.nodes[order[0]] >= 6
