"""Refined trees: priced as plans are, valid, never dearer, the best of all for a few tensors."""

import itertools

import numpy as np
import pytest

from contractions import Machine, Network
from contractions.legs import Legs, bits
from contractions.machine import Rates
from contractions.refining import Refiner
from contractions.tree import cost, leaf_legs, products

MACHINE = Machine(
    flops=dict.fromkeys(("float32", "float64", "complex64", "complex128"), 1e10),
    bandwidth=1e10,
    step_bandwidth=4e9,
    step_seconds=1e-7,
    memory=2**40,
    matrix_seconds=1e-7,
)
RATES = MACHINE.rates("float64")


def random_network(seed: int, tensors: int = 30) -> Network:
    """Tensors with indices of sizes 1 to 4, most on two of them, some on three or in the output."""
    rng = np.random.default_rng(seed)
    terms: list[list[int]] = [[] for _ in range(tensors)]
    count = 2 * tensors
    for index in range(count):
        holders = 3 if rng.random() < 0.2 else 2
        for tensor in rng.choice(tensors, size=min(holders, tensors), replace=False):
            terms[tensor].append(index)
    present = sorted({index for term in terms for index in term})
    output = [index for index in present if rng.random() < 0.05]
    return Network(terms, output, {index: int(rng.integers(1, 5)) for index in range(count)})


def random_path(tensors: int, seed: int) -> tuple[tuple[int, int], ...]:
    draws = np.random.default_rng(seed)
    alive, path = list(range(tensors)), []
    for step in range(tensors - 1):
        left, right = (int(node) for node in draws.choice(alive, 2, replace=False))
        alive = [node for node in alive if node not in (left, right)] + [tensors + step]
        path.append((left, right))
    return tuple(path)


def predicted(network: Network, path) -> float:
    return cost(network, path, machine=MACHINE, dtype="float64", gradient=False).seconds


def check_path(path, tensors: int) -> None:
    assert sorted(node for pair in path for node in pair) == list(range(2 * tensors - 2))
    for step, pair in enumerate(path):
        assert max(pair) < tensors + step


@pytest.mark.parametrize("seed", range(10))
def test_masks_are_the_legs_of_the_products(seed):
    network = random_network(seed)
    path = random_path(30, seed)
    legs = Legs(network)
    assert [set(bits(mask)) for mask in legs.tensors] == [set(t) for t in leaf_legs(network)]
    expected = [step.legs for step in products(network, path)]
    assert [set(bits(mask)) for mask in legs.results(path)] == [set(term) for term in expected]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("gradient", [False, True])
def test_a_tree_is_priced_as_a_plan_is(seed, gradient):
    network, path = random_network(seed), random_path(30, seed)
    rates = MACHINE.rates("complex64", passes=3 if gradient else 1)
    planned = cost(network, path, machine=MACHINE, dtype="complex64", gradient=gradient)
    assert Refiner(Legs(network), path, rates).seconds == pytest.approx(planned.seconds, rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_refining_and_rebuilding_never_cost_and_stay_valid(seed):
    network, path = random_network(seed), random_path(30, seed)
    tree = Refiner(Legs(network), path, RATES)
    assert predicted(network, tree.path()) == pytest.approx(tree.seconds)
    draws = np.random.default_rng(seed)
    before = tree.seconds
    tree.refine(draws)
    assert tree.seconds < 0.1 * before  # a random path is that bad
    for _ in range(5):
        other = tree.rebuilt(draws)
        assert other is tree or other.seconds < tree.seconds
        tree = other
    check_path(tree.path(), 30)
    assert predicted(network, tree.path()) == pytest.approx(tree.seconds, rel=1e-12)


def all_paths(alive: tuple[int, ...], fresh: int):
    if len(alive) == 1:
        yield ()
        return
    for pair in itertools.combinations(alive, 2):
        rest = tuple(node for node in alive if node not in pair)
        for path in all_paths((*rest, fresh), fresh + 1):
            yield (pair, *path)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_order_of_a_few_tensors_is_found(seed):
    """Against every order of five tensors, each joined to each, where arithmetic is all."""
    rng = np.random.default_rng(seed)
    edges = list(itertools.combinations(range(5), 2))
    terms = [[edge for edge in edges if tensor in edge] for tensor in range(5)]
    network = Network(terms, (), {edge: int(rng.integers(2, 9)) for edge in edges})
    legs, rates = Legs(network), Rates(product=1.0, entry=1e-9, step=0.0, matrix=0.0)
    best = min(Refiner(legs, path, rates).seconds for path in all_paths(tuple(range(5)), 5))
    tree = Refiner(legs, random_path(5, seed), rates)
    tree.refine(np.random.default_rng(0))
    assert tree.seconds == pytest.approx(best, rel=1e-6)


def test_a_copy_is_left_alone():
    network, path = random_network(3), random_path(30, 3)
    tree = Refiner(Legs(network), path, RATES)
    copy = tree.copy()
    tree.refine(np.random.default_rng(0))
    assert copy.path() == Refiner(Legs(network), path, RATES).path() != tree.path()


def test_sizes_beyond_floating_point_are_capped():
    network = Network([("a", "b"), ("b", "c"), ("c", "a")], (), dict.fromkeys("abc", 2**500))
    legs = Legs(network)
    assert legs.entries(0b111) == 2.0**1000
