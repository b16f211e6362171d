"""What a model holds: within its cap, its own, and nothing once it is gone."""

import copy
import io
from dataclasses import replace

import pytest
import torch
from random_circuits import angles
from routes import assert_close, batch_of, model_of, on_every_route
from torch.func import functional_call

from contractions import ContractionTooLarge
from contractions.leases import LEASES
from tnqml import Circuit, DistributedModel, Gate, X, Z, ansatz, pauli, projector
from tnqml.network import Task


def lent() -> int:
    return sum(bound.nbytes for _, bound in LEASES._lent.values())


def many_structures(memory: int | None = None) -> DistributedModel:
    words = ["XZ", "ZY", "YY", "XX", "ZX", "YZ", "ZZ", "XY"]
    outputs = [pauli(word, [4 * k, 4 * k + 1 + k % 3]) for k, word in enumerate(words)]
    circuit = ansatz.brickwork(32, layers=3)
    return DistributedModel(circuit, outputs, dtype=torch.float64, route="pauli", memory=memory)


def test_networks_that_together_pass_the_cap_are_made_again_in_the_reverse_pass():
    x = torch.rand(20, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    free = many_structures()
    before = lent()
    value = free(x)
    together = lent() - before
    (expected,) = torch.autograd.grad(value.square().sum(), free.theta)
    assert together <= free.cost(batch=20).cost.peak_bytes
    cap = together // 2
    capped = many_structures(memory=cap)
    assert len(capped.route("pauli").networks) > 2
    value = capped(x)
    assert lent() - before <= cap
    (found,) = torch.autograd.grad(value.square().sum(), capped.theta)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cap", [2**18, 2**20])
def test_the_jacobian_keeps_the_cap_with_its_leaves(cap, monkeypatch):
    model = DistributedModel(
        ansatz.brickwork(12, layers=3), Z(5), dtype=torch.float64, route="pauli", memory=cap
    )
    held = []
    borrow = LEASES.borrow

    def watched(key, make):
        number = borrow(key, make)
        held.append(number)
        return number

    monkeypatch.setattr(LEASES, "borrow", watched)
    peaks = []
    give_back = LEASES.give_back

    def weighed(number):
        peaks.append(LEASES.bound(number).nbytes)
        give_back(number)

    monkeypatch.setattr(LEASES, "give_back", weighed)
    model.jacobian(torch.rand(40, 12, dtype=torch.float64))
    assert peaks
    assert max(peaks) <= cap


def test_a_loaded_model_gives_its_own_numbers():
    models = [
        DistributedModel(ansatz.brickwork(6, layers=2), Z(3), seed=seed, route="pauli")
        for seed in range(2)
    ]
    x = torch.rand(2, 6)
    stored = io.BytesIO()
    expected = models[0](x)
    torch.save(models[0], stored)
    models[1](x)
    stored.seek(0)
    torch.testing.assert_close(torch.load(stored, weights_only=False)(x), expected)


def test_a_first_call_in_inference_mode_leaves_later_gradients_alone():
    model = DistributedModel(ansatz.brickwork(6, layers=2), Z(3), route="pauli")
    x = torch.rand(2, 6)
    with torch.inference_mode():
        value, jacobian = model(x), model.jacobian(torch.rand(2, 6) * 0 + x)
    (first,) = torch.autograd.grad(model(x).sum(), model.theta, create_graph=True)
    torch.autograd.grad(first.square().sum(), model.theta)
    torch.testing.assert_close(model(x), value.clone())
    torch.testing.assert_close(model.jacobian(x), jacobian.clone())


def test_second_derivatives_where_a_cone_reads_nothing_that_is_asked_for():
    gates = [Gate("ry", 0, parameter=0), Gate("cx", (0, 1)), Gate("ry", 2, feature=0)]
    gates += [Gate("cx", (2, 3)), Gate("rx", 2, feature=0), Gate("cx", (3, 2))]
    x = torch.rand(3, 1, dtype=torch.float64)
    found = {}
    for route in ("state", "pauli"):
        model = DistributedModel(Circuit(4, gates), [Z(1), Z(2)], dtype=torch.float64, route=route)
        (first,) = torch.autograd.grad(model(x).sum(), model.theta, create_graph=True)
        found[route] = torch.autograd.grad(first.sum(), model.theta)[0]
    torch.testing.assert_close(found["pauli"], found["state"])


def cut(model, batch):
    """A memory cap that cuts a batch into several parts and is not refused."""
    task = Task(model.dtype, gradient=True)
    route = model.route(model.cost(batch=1).route)
    memory = route.cost(batch=batch, task=task).peak_bytes // 3
    route.cost(batch=1, task=replace(task, memory=memory))  # not refused
    return memory


@on_every_route
@pytest.mark.parametrize("wanted", ["parameters", "features"])
def test_a_batch_that_is_cut_gives_the_same(route, wanted):
    circuit = ansatz.brickwork(8, layers=2)
    observables = [Z(qubit) for qubit in range(8)] + [projector(2) + X(3)]
    whole = model_of(circuit, observables, route)
    memory = cut(whole, 37)
    parts = model_of(circuit, observables, route, memory=memory)
    task = Task(torch.float64, gradient=True, memory=memory)
    if route == "pauli":
        assert parts.route(route).cost(batch=37, task=task).slices > 1
    else:
        assert parts.route(route)._rows(37, task) < 37
    x = batch_of(circuit, 37).requires_grad_()
    cotangent = torch.tensor(angles(9, 37, 9))
    results = [model(x) for model in (whole, parts)]
    assert_close(results[1], results[0], 1e-13)
    theirs, ours = (
        torch.autograd.grad(result, (model.theta, x), cotangent)
        for model, result in zip((whole, parts), results, strict=True)
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other, 1e-12)
    assert_close(parts.jacobian(x, wanted=wanted), whole.jacobian(x, wanted=wanted), 1e-12)
    with torch.no_grad():
        assert_close(parts(x), results[0], 1e-13)
    scaled = parts.scaled(x)
    assert_close(scaled.mantissa * scaled.log_scale.exp(), results[0], 1e-12)


@on_every_route
def test_torch_func_works_on_a_batch_that_is_cut(route):
    circuit = ansatz.brickwork(6, layers=1)
    whole = model_of(circuit, Z(3), route)
    parts = model_of(circuit, Z(3), route, memory=cut(whole, 21))
    x = batch_of(circuit, 21)

    def value(theta):
        return functional_call(parts, {"theta": theta}, (x,))

    assert_close(torch.func.jacrev(value)(parts.theta.detach()), whole.jacobian(x)[:, 0], 1e-12)


@on_every_route
def test_a_memory_far_too_small_is_refused_with_numbers(route):
    circuit = ansatz.brickwork(8, layers=2)
    model = model_of(circuit, Z(4), route, memory=200)
    x = batch_of(circuit, 4)
    for call in (
        lambda: model(x),
        lambda: model.jacobian(x),
        lambda: model.scaled(x),
        lambda: model.cost(batch=4),
    ):
        with pytest.raises(ContractionTooLarge, match=r"needs .* [KMG]iB.*memory cap") as caught:
            call()
        assert caught.value.memory == 200
        assert caught.value.predicted_bytes > 200


def test_a_model_is_copied_after_a_transform_and_its_cost_keeps_the_cap():
    model = DistributedModel(ansatz.brickwork(6, layers=2), [Z(0), X(3)], route="pauli")
    x = torch.rand(65, 6)

    def total(theta):
        return functional_call(model, {"theta": theta}, (x,)).sum()

    torch.func.grad(total)(model.theta.detach())
    torch.testing.assert_close(copy.deepcopy(model)(x), model(x))
    capped = DistributedModel(model.circuit, [Z(0), X(3)], route="pauli", memory=300_000)
    assert capped.cost(batch=1000).cost.peak_bytes <= 300_000
