import json
import math
from dataclasses import replace

import cotengra
import numpy as np
import pytest
import torch

from contractions import (
    ContractionError,
    ContractionTooLarge,
    Machine,
    Network,
    NetworkError,
    PlanError,
    measure,
    plan,
    this_machine,
)

MACHINE = Machine(
    flops=dict.fromkeys(("float32", "float64", "complex64", "complex128"), 1e10),
    bandwidth=1e10,
    step_bandwidth=1e10,
    step_seconds=1e-5,
    memory=2**30,
    name="a fixed machine",
)


def lattice(*dims, size=4, seed=0):
    inputs, output, _, sizes = cotengra.utils.lattice_equation(dims, seed=seed)
    return Network(inputs, output, dict.fromkeys(sizes, size))


@pytest.mark.parametrize("effort", [0, 1, 4])
def test_a_seed_and_an_effort_give_one_plan(effort):
    network = lattice(5, 5)
    plans = [
        plan(network, effort=effort, seed=3, machine=MACHINE, expected_calls=10**6, cache=False)
        for _ in range(2)
    ]
    assert plans[0].path == plans[1].path
    assert (plans[0].winner, plans[0].trials) == (plans[1].winner, plans[1].trials)
    assert plans[0].trials == effort
    assert plans[0].stopped == "effort"


def test_more_effort_is_never_predicted_slower():
    network = lattice(6, 6)
    seconds = [
        plan(
            network, effort=effort, machine=MACHINE, expected_calls=10**6, cache=False
        ).cost.seconds
        for effort in (0, 1, 3, 6)
    ]
    assert seconds == sorted(seconds, reverse=True)


def test_a_plan_that_runs_once_is_not_refined():
    cheap = plan(lattice(4, 4), expected_calls=1, effort=6, machine=MACHINE, cache=False)
    assert (cheap.stopped, cheap.trials) == ("gain", 0)


@pytest.mark.parametrize(("calls", "trials"), [(100, 36), (1000, 114), (1, 36)])
def test_more_calls_are_worth_more_trials(calls, trials):
    slow = replace(MACHINE, step_bandwidth=1e-3)  # so that no search stops for want of gain
    made = plan(lattice(5, 5), expected_calls=calls, machine=slow, cache=False)
    assert (made.trials, made.stopped) == (trials, "effort")


def test_the_clock_stops_the_search_and_the_plan_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network, options = lattice(6, 6), {"machine": MACHINE, "effort": 6, "expected_calls": 10**6}
    stopped = plan(network, max_seconds=0, **options)
    assert (stopped.stopped, stopped.trials) == ("clock", 0)
    assert stopped.cost.seconds > 0
    assert not list(tmp_path.rglob("*.json"))
    whole = plan(network, max_seconds=1e6, **options)
    assert whole.stopped == "effort"
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_a_plan_from_the_cache_equals_the_one_that_was_searched(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network = lattice(5, 5)
    first, second = (plan(network, machine=MACHINE) for _ in range(2))
    assert first.search_seconds > 0
    assert second.search_seconds == 0
    assert first.path == second.path
    assert first.cost == second.cost
    assert (first.winner, first.trials, first.stopped) == (
        second.winner,
        second.trials,
        second.stopped,
    )
    arrays = [np.random.default_rng(1).uniform(size=shape) for shape in network.shapes]
    np.testing.assert_array_equal(first.contract(arrays), second.contract(arrays))


def test_every_option_that_matters_is_part_of_the_key(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network = lattice(3, 3)
    order = list(range(9))
    options = [
        {},
        {"seed": 1},
        {"effort": 2},
        {"dtype": "float32"},
        {"gradient": True},
        {"memory": 10**7},
        {"expected_calls": 7},
        {"orders": [order]},
        {"orders": [order[::-1]]},
        {"machine": Machine(MACHINE.flops, 1e9, 1e9, 1e-5, 2**30, "another")},
    ]
    for count, option in enumerate(options, start=1):
        assert plan(network, **({"machine": MACHINE} | option)).search_seconds > 0
        assert len(list(tmp_path.rglob("*.json"))) == count
    assert plan(network, machine=MACHINE).search_seconds == 0


def test_a_plan_larger_than_the_cap_is_refused_with_numbers():
    network = lattice(6, 6)
    needed = plan(network, machine=MACHINE, cache=False).cost
    with pytest.raises(ContractionTooLarge, match=r"[KMG]iB.*memory cap.*`memory`") as caught:
        plan(network, machine=MACHINE, memory=needed.peak_bytes - 1, cache=False)
    assert caught.value.predicted_bytes == needed.peak_bytes
    assert caught.value.memory == needed.peak_bytes - 1
    assert caught.value.predicted_seconds == needed.seconds
    assert isinstance(caught.value, ContractionError)
    kept = plan(network, machine=MACHINE, memory=needed.peak_bytes, cache=False)
    assert kept.cost.peak_bytes == kept.memory


def test_a_network_far_too_large_is_refused_by_default():
    with pytest.raises(ContractionTooLarge) as caught:
        plan(lattice(9, 9, size=16), machine=MACHINE, effort=0, cache=False)
    assert caught.value.predicted_bytes > caught.value.memory == MACHINE.memory


def test_a_resized_plan_keeps_its_tree():
    network = Network.from_einsum("xab,xbc,xcd->xad", [(2, 3, 4), (2, 4, 5), (2, 5, 6)])
    small = plan(network, machine=MACHINE, cache=False)
    large = small.resized({"x": 9})
    assert large.path == small.path
    assert large.cost.peak_bytes > small.cost.peak_bytes
    assert large.cost.operations == pytest.approx(4.5 * small.cost.operations)
    generator = np.random.default_rng(3)
    arrays = [generator.uniform(size=shape) for shape in large.network.shapes]
    expected = np.einsum("xab,xbc,xcd->xad", *arrays)
    np.testing.assert_allclose(large.contract(arrays), expected, rtol=1e-13)
    with pytest.raises(ContractionTooLarge):
        small.resized({"x": 10**9})
    with pytest.raises(NetworkError, match="'y' is not in the network"):
        small.resized({"y": 2})


def test_a_gradient_costs_more():
    network = lattice(5, 5)
    value = plan(network, machine=MACHINE, cache=False)
    both = plan(network, machine=MACHINE, gradient=True, cache=False)
    assert both.cost.seconds > 2 * value.cost.seconds
    assert both.cost.peak_bytes > value.cost.peak_bytes
    assert both.cost.operations >= 3 * value.cost.operations * 0.99


def test_the_cost_of_a_matrix_product_is_what_one_counts():
    network = Network.from_einsum("ab,bc->ac", [(10, 20), (20, 30)])
    real = plan(network, machine=MACHINE, cache=False).cost
    assert real.operations == 2 * 10 * 20 * 30
    assert real.bytes_moved == 8 * (200 + 600 + 300)
    assert (real.steps, real.slices) == (1, 1)
    assert 2**real.width == pytest.approx(600)
    assert real.peak_bytes >= real.bytes_moved
    assert real.seconds == pytest.approx(12000 / 1e10 + 1e-5)
    complex_ = plan(network, dtype="complex64", machine=MACHINE, cache=False).cost
    assert complex_.operations == 4 * real.operations
    assert complex_.bytes_moved == real.bytes_moved
    assert "12" in str(real)
    assert "1 steps" in str(real)


def test_a_good_order_of_the_caller_is_used():
    # a ladder whose tensors come shuffled: the sweep along it is as good as any
    length = 40
    shuffle = np.random.default_rng(5).permutation(2 * length)
    inputs = [
        [f"rung{k}", f"{row}{k}", f"{row}{k + 1}"] for k in range(length) for row in ("top", "low")
    ]
    sizes = {index: 3 for term in inputs for index in term}
    network = Network([inputs[place] for place in shuffle], (), sizes)
    order = [int(place) for place in np.argsort(shuffle)]
    made = plan(network, orders=[order], effort=0, machine=MACHINE, cache=False)
    assert made.cost.width <= 4 * np.log2(3) + 1e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": []}, r"dtype is \[\]; expected one of float32"),
        ({"dtype": "float16"}, "dtype is 'float16'; expected one of float32, float64"),
        ({"memory": 0}, "memory is 0; expected 1 or more"),
        ({"memory": -5}, "memory is -5; expected 1 or more"),
        ({"memory": 1.5}, "memory is 1.5; expected an integer"),
        ({"memory": True}, "memory is True; expected an integer"),
        ({"machine": "cpu"}, "machine is 'cpu'; expected a Machine"),
        ({"seed": "0"}, "seed is '0'; expected an integer"),
        ({"max_seconds": "1"}, "max_seconds is '1'; expected 0 or more"),
        ({"max_seconds": float("nan")}, "max_seconds is nan; expected 0 or more"),
        ({"orders": 3}, "orders is 3; expected a sequence of permutations"),
        ({"orders": [0, 1, 2]}, r"orders is \[0, 1, 2\]; expected a sequence of permutations"),
        ({"effort": -1}, "effort is -1"),
        ({"expected_calls": 0}, "expected_calls is 0"),
        ({"orders": [[0, 1]]}, "order 0 is not a permutation of the network's 3 tensors"),
        ({"orders": [[0, 1, 2], [0, 1, 1]]}, "order 1 is not a permutation"),
        ({"orders": [[1, 2, 3]]}, "order 0 is not a permutation"),
    ],
)
def test_an_option_that_cannot_be_met_is_refused(options, message):
    network = Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3)
    with pytest.raises(PlanError, match=message):
        plan(network, cache=False, **options)


def test_options_may_be_numpy_integers(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network = Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3)
    plain = plan(network, seed=1, effort=2, orders=[[2, 0, 1]], machine=MACHINE)
    order = np.array([2, 0, 1])
    again = plan(
        network,
        seed=np.int64(1),
        effort=np.int32(2),
        orders=[order],
        max_seconds=np.float32(9),
        machine=MACHINE,
    )
    assert plain.path == again.path
    assert again.search_seconds == 0  # found in the cache


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([np.ones((2, 3))], "has 2 tensors, got 1 arrays"),
        ([np.ones((2, 3))] * 3, "has 2 tensors, got 3 arrays"),
        (
            [np.ones((2, 3)), np.ones((3, 5))],
            r"array 1, of indices \('b', 'c'\), has shape \(3, 5\); expected \(3, 4\)",
        ),
        ([np.ones((2, 3)), np.ones(12)], r"array 1.*'b', 'c'.*\(12,\).*\(3, 4\)"),
        (
            [np.ones((2, 3)), np.ones((3, 4), dtype=np.float32)],
            "array 1 is float32, but the plan was made for float64",
        ),
        ([np.ones((2, 3)), np.ones((3, 4), dtype=int)], "array 1 is int64.*convert it$"),
        (None, "got a NoneType of arrays; expected a sequence"),
        (iter([]), "of arrays; expected a sequence"),
        ([torch.ones(2, 3), torch.ones(3, 4)], "array 0 is float32.*float64"),
        ([np.ones((2, 3)), torch.ones(3, 4, dtype=torch.float64)], "of Tensor, ndarray; pass all"),
        ([[[1.0] * 3] * 2, [[1.0] * 4] * 3], "pass all numpy or all torch"),
    ],
)
@pytest.mark.parametrize("scaled", [False, True])
def test_arrays_that_do_not_fit_are_refused(arrays, message, scaled):
    made = plan(Network.from_einsum("ab,bc->ac", [(2, 3), (3, 4)]), machine=MACHINE, cache=False)
    with pytest.raises(NetworkError, match=message):
        made.contract(arrays, scaled=scaled)


def test_none_is_no_network_and_no_mapping():
    with pytest.raises(NetworkError, match="got a NoneType to plan; expected a Network"):
        plan(None)
    made = plan(Network.from_einsum("ab,bc->ac", [(2, 3), (3, 4)]), machine=MACHINE, cache=False)
    with pytest.raises(NetworkError, match="got a NoneType of sizes; expected a mapping"):
        made.resized(None)
    with pytest.raises(NetworkError, match="got a NoneType of arrays; expected a mapping"):
        made.fold(None)


def test_arrays_on_two_devices_are_refused():
    made = plan(Network.from_einsum("a,a->", [(2,), (2,)]), machine=MACHINE, cache=False)
    here, nowhere = (
        torch.ones(2, dtype=torch.float64),
        torch.ones(2, dtype=torch.float64, device="meta"),
    )
    with pytest.raises(NetworkError, match="array 1 is on meta, array 0 on cpu"):
        made.contract([here, nowhere])


def test_this_machine_is_measured_once_and_kept(cache_home):
    machine = this_machine()
    assert machine is this_machine()
    (file,) = (cache_home / "tnqml").glob("machine-*.json")
    stored = json.loads(json.loads(file.read_text())["text"])
    assert stored["bandwidth"] == machine.bandwidth
    assert stored["flops"] == dict(machine.flops)


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_measured_machine_is_plausible(mode):
    with mode():
        machine = measure()
    assert machine.memory > 2**20
    assert 1e8 < machine.bandwidth < 1e13
    assert 1e7 < machine.step_bandwidth < 1e13
    assert 1e-8 < machine.step_seconds < 1e-2
    assert set(machine.flops) == {"float32", "float64", "complex64", "complex128"}
    assert all(1e8 < rate < 1e15 for rate in machine.flops.values())


@pytest.mark.parametrize("ask", [this_machine, measure])
@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("meta", "device is 'meta'; contractions run on 'cpu' and 'cuda'"),
        ("elsewhere", "device is 'elsewhere'; expected 'cpu'"),
        (None, "device is None; expected 'cpu'"),
        (f"cuda:{torch.cuda.device_count()}", "this machine has [0-9]+ GPUs"),
    ],
)
def test_a_device_that_is_not_there_is_refused(ask, device, message):
    with pytest.raises(PlanError, match=message):
        ask(device)


def test_a_device_may_be_named():
    assert this_machine("cpu") is this_machine(torch.device("cpu"))


def test_a_report_accounts_for_every_step():
    network = Network.from_einsum("zab,zbc,zcd,zda->z", [(5, 8, 8)] * 4)
    made = plan(network, machine=MACHINE, cache=False)
    assert len(made.steps) == made.cost.steps
    assert math.isclose(sum(step.seconds for step in made.steps), made.cost.seconds)
    assert made.steps[-1].live_bytes == 5 * 8
    work = sum(2 * math.prod(step.shape) for step in made.steps)
    assert math.isclose(work, made.cost.operations)
    text = made.report()
    assert made.winner in text
    assert text.count("bound by") == 4


def test_a_plan_is_drawn_over_its_time():
    from matplotlib.figure import Figure

    network = Network.from_einsum("zab,zbc,zcd,zda->z", [(5, 8, 8)] * 4)
    made = plan(network, machine=MACHINE, cache=False)
    ax = Figure().add_subplot()
    made.draw(ax)
    (line,) = ax.lines
    times, held = line.get_data()
    assert math.isclose(times[-1], 1e3 * made.cost.seconds)
    assert math.isclose(held[-1], 5 * 8 / 1e6)
