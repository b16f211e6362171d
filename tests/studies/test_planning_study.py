"""The study `planning` and its networks: reproducible, judged by one cost, able to fail."""

import itertools
import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import contractions
from contractions.tree import cost
from studies.errors import CellError
from studies.planning import cotengra_trees, networks
from studies.planning import study as planning
from studies.planning.cotengra_trees import Seen, Terms, to_pairs, to_tree
from studies.style import new_figure, styled

MACHINE = contractions.Machine(
    flops={"float32": 2e10, "float64": 1e10, "complex64": 2e10, "complex128": 1e10},
    bandwidth=1e10,
    step_bandwidth=4e9,
    step_seconds=1e-5,
    memory=2**40,
)


@pytest.mark.parametrize("family", networks.FAMILIES)
def test_networks_come_from_their_seeds(family):
    size = networks.FAMILIES[family].sizes[0]
    made = networks.network(family, size, seed=3)
    assert made == networks.network(family, size, seed=3)
    if family not in {"square", "torus", "cube", "bar"}:  # lattices whose sizes are all 2
        assert made != networks.network(family, size, seed=4)


def test_networks_are_what_their_names_say():
    assert len(networks.network("torus", 5, seed=0).inputs) == 25
    assert {len(term) for term in networks.network("torus", 5, seed=0).inputs} == {4}
    assert {len(term) for term in networks.network("quintic", 12, seed=0).inputs} == {5}
    assert len(networks.network("strip", 7, seed=0).inputs) == 21
    loops = networks.network("loops", 60, seed=1)
    assert len(loops.sizes) == 60 - 1 + 60 // 30 + 15
    hypergraph = Counter(
        index for term in networks.network("hypergraph", 40, seed=0).inputs for index in set(term)
    )
    assert sum(count > 2 for count in hypergraph.values()) == 40 // 8
    assert {len(set(term)) for term in networks.network("clauses", 50, seed=0).inputs} == {3}


def test_the_full_preset_has_thirty_networks_besides_circuits():
    cells = planning.STUDY.cells("full")
    generated = [cell for cell in cells if cell.family in networks.FAMILIES]
    assert len(set(generated)) >= 30
    largest = max(
        len(networks.network(cell.family, cell.size, seed=0).inputs)
        for cell in generated
        if cell.size >= 1000
    )
    assert largest == 3000
    assert len(cells) > len(generated)


def test_trees_cost_the_same_on_both_sides():
    network = networks.network("hypergraph", 20, seed=2)
    terms = Terms.of_network(network)
    plan = contractions.plan(network, machine=MACHINE, cache=False)
    there = to_tree(terms, plan.path)
    assert to_pairs(to_tree(terms, to_pairs(there))) == to_pairs(there)
    judged = [
        cost(network, path, machine=MACHINE, dtype="float64", gradient=False).operations
        for path in (plan.path, to_pairs(there))
    ]
    assert judged[0] == judged[1]
    assert judged[0] == 2 * there.contraction_cost()


@pytest.mark.parametrize("search", ["random_greedy", "hyper", "auto_hq"])
def test_searches_note_whole_trees_in_order_of_time(search):
    network = networks.network("cubic", 40, seed=0)
    options = {"seed": 0} if search == "random_greedy" else {}
    seen = getattr(cotengra_trees, search)(
        Terms.of_network(network), seconds=0.3, minimize="limit-64", **options
    )
    assert seen
    assert all(a.elapsed <= b.elapsed for a, b in itertools.pairwise(seen))
    for one in seen:
        nodes = sorted(node for pair in one.pairs for node in pair)
        assert nodes == list(range(2 * 40 - 2))


def test_random_greedy_goes_on_until_time_is_up():
    seen = cotengra_trees.random_greedy(
        Terms.of_network(networks.network("cubic", 20, seed=0)),
        seconds=0.2,
        minimize="limit-64",
        seed=0,
    )
    assert seen[-1].elapsed >= 0.2
    assert len(seen) > 2


def test_small_networks_are_solved_by_enumeration():
    terms = Terms.of([("a", "b"), ("b", "c"), ("c", "a")], (), {"a": 2, "b": 9, "c": 3})
    (seen,) = cotengra_trees.auto_hq(terms, seconds=0.1, minimize="limit-64")
    assert to_tree(terms, seen.pairs).contraction_cost() == 2 * 9 * 3 + 2 * 3


def test_a_search_is_judged_at_our_time_and_at_its_own():
    network = contractions.Network.from_einsum("ab,bc,cd->ad", [(2, 50), (50, 2), (2, 50)])
    plan = contractions.plan(network, machine=MACHINE, cache=False)
    bad, good = ((1, 2), (0, 3)), ((0, 1), (2, 3))
    row = planning._judged(plan, 1.0, [Seen(0.5, bad), Seen(2.0, good)])
    assert row["their_seconds"] < row["their_seconds_same_time"]
    assert row["their_seconds"] == plan.cost.seconds
    late = planning._judged(plan, 0.1, [Seen(0.5, good), Seen(2.0, bad)])
    assert late["their_seconds_same_time"] == plan.cost.seconds


def test_the_objective_of_cotengra_weighs_traffic_by_the_machine():
    assert planning._objective(MACHINE, "float64") == f"limit-{round(2 * 8 / 4e9 * 1e10 / 2)}"
    assert planning._objective(MACHINE, "complex64") == f"limit-{round(2 * 8 / 4e9 * 2e10 / 8)}"


def test_a_network_is_measured():
    rows = planning.measure(planning.Cell(family="quintic", size=12, effort=2, times=1.0))
    assert [row["search"] for row in rows] == ["random greedy", "hyper", "auto-hq"]
    for row in rows:
        assert row["tensors"] == 12
        assert row["their_seconds"] <= row["their_seconds_same_time"]
        assert row["predicted_seconds"] > 0


def test_a_circuit_is_planned_anew_and_nothing_is_kept(monkeypatch, tmp_path):
    contractions.this_machine()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cell = planning.Cell(family="regular-circuit", size=8)
    first, seconds = planning._planned(cell)
    again, more = planning._planned(cell)
    assert min(seconds, more) > 0
    assert first.path == again.path
    assert first.gradient
    assert not list(tmp_path.rglob("plans/*"))
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "ring"}, "expected one of square, torus"),
        ({"size": 0}, "size is 0"),
        ({"effort": -1}, "effort is -1"),
        ({"times": 0.5}, "times is 0.5"),
    ],
)
def test_cells_that_cannot_be_planned_are_refused(changes, message):
    with pytest.raises(CellError, match=message):
        planning.Cell(**changes)


def test_a_circuit_does_not_read_the_effort():
    assert planning.Cell(family="grid-circuit", size=4, effort=3) == planning.Cell(
        family="grid-circuit", size=4
    )


def frame(costs: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Rows of two searches: our cost is 1, theirs as given, the second search a bad one."""
    rows = []
    for family, (late, early) in costs.items():
        for search, factor in (("hyper", 1.0), ("auto-hq", 50.0)):
            rows.append(
                {
                    "family": family,
                    "size": 8,
                    "effort": 12,
                    "calls": 100,
                    "times": 10.0,
                    "seed": 0,
                    "search": search,
                    "predicted_seconds": 1.0,
                    "their_seconds": late * factor,
                    "their_seconds_same_time": early * factor,
                }
            )
    return pd.DataFrame(rows)


def test_claims_compare_with_the_best_search_and_can_fail():
    found = planning.claims(frame({"torus": (0.5, 1.0), "cubic": (1.0, 1.0)}))
    assert [claim.holds for claim in found] == [False, True, True, False]
    assert "50% of 2" in found[0].measured
    assert "to 2" in found[0].measured
    assert planning.claims(pd.DataFrame()) == []


def test_figures_draw():
    rows = frame({"torus": (0.5, 1.0), "cubic": (1.0, 2.0), "cube": (0.9, 3.0)})
    with styled():
        for draw in planning.STUDY.figures.values():
            figure, ax = new_figure()
            draw(ax, rows)
            figure.canvas.draw()
            assert np.isfinite(ax.get_ylim()).all()
