"""The arena and its leases: nothing overlaps, nothing is shared, nothing is lost."""

import copy
import dataclasses
import gc
import io
import pickle
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from contractions import Given, Network, NetworkError, plan
from contractions.arena import Buffers
from contractions.leases import LEASES, Leases


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 30), st.integers(0, 12)), min_size=1))
def test_buffers_needed_at_once_do_not_overlap(wanted):
    buffers = Buffers()
    for entries, first, length in wanted:
        buffers.add(entries, first, first + length)
    offsets, size = buffers.place()
    for k, (entries, first, length) in enumerate(wanted):
        assert 0 <= offsets[k] <= size - entries
        for j, (other, start, more) in enumerate(wanted[:k]):
            if first <= start + more and start <= first + length:
                assert offsets[k] + entries <= offsets[j] or offsets[j] + other <= offsets[k]


def chain(length=12, size=6):
    letters = "abcdefghijklmnopqrstuvwxyz"
    terms = ",".join(letters[k] + letters[k + 1] for k in range(length))
    network = Network.from_einsum(f"{terms}->a{letters[length]}", [(size, size)] * length)
    return plan(network, gradient=True, cache=False)


def arrays_of(length=12, size=6, *, seed, grad=True):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(size, size, dtype=torch.float64, generator=generator, requires_grad=grad)
        for _ in range(length)
    ]


def expected(arrays):
    """Value and gradients by a chain of matrix products under torch's own autograd."""
    leaves = [array.detach().clone().requires_grad_() for array in arrays]
    value = torch.linalg.multi_dot(leaves)
    value.square().sum().backward()
    return value.detach(), [leaf.grad for leaf in leaves]


def assert_gradients(arrays, wanted):
    for array, one in zip(arrays, wanted, strict=True):
        torch.testing.assert_close(array.grad, one, rtol=1e-10, atol=1e-10)


def test_a_result_keeps_its_numbers_when_the_program_runs_again():
    made = chain()
    first, second = arrays_of(seed=1, grad=False), arrays_of(seed=2, grad=False)
    one = made.contract(first)
    kept = one.clone()
    made.contract(second)
    assert torch.equal(one, kept)
    one.zero_()
    torch.testing.assert_close(made.contract(first), kept, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128, torch.bfloat16])
def test_new_memory_is_written_before_it_is_used(dtype):
    """It is large enough to be touched beside, by a thread of its own."""
    sizes = [(700, 600), (600, 800), (800, 3)]
    network = Network.from_einsum("ab,bc,cd->ad", sizes)
    made = plan(network, effort=1, cache=False)
    program = made.program(Given(((0,), (1,), (2,))))
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        arrays = [torch.rand(1, *size, generator=generator).to(dtype) for size in sizes]
        arrays[1].requires_grad_()
        value = program.run(arrays)
        a, b, c = (array[0].detach().to(torch.complex128) for array in arrays)
        small = 1e-12 if dtype == torch.complex128 else 1e-5 if dtype == torch.float32 else 0.05
        expected = a @ b @ c
        assert (value - expected).abs().max() <= small * expected.abs().max()
        (found,) = torch.autograd.grad(value.abs().sum(), arrays[1])
        pulled = a.T.conj() @ torch.ones_like(expected) @ c.T.conj()
        assert (found[0] - pulled).abs().max() <= small * pulled.abs().max()
        LEASES.forget(lambda _: True)  # so that the next run takes new memory


def test_a_cotangent_takes_the_place_of_what_its_step_took():
    rows = 2**12
    network = Network.from_einsum("xa,ab,bc,cd->xd", [(rows, 4)] + [(4, 4)] * 3)
    found = plan(network, gradient=True, cache=False)
    made = dataclasses.replace(found, path=((0, 1), (4, 2), (5, 3)))
    state = rows * 4 * 8  # given, and after each of three steps
    assert 4 * state < made.cost.peak_bytes < 4.5 * state


def test_two_forwards_before_one_backward():
    made = chain()
    first, second = arrays_of(seed=1), arrays_of(seed=2)
    one, two = made.contract(first), made.contract(second)
    one.square().sum().backward()
    two.square().sum().backward()
    assert_gradients(first, expected(first)[1])
    assert_gradients(second, expected(second)[1])


def test_gradients_keep_their_numbers_when_the_program_runs_again():
    made = chain()
    first = arrays_of(seed=1)
    made.contract(first).square().sum().backward()
    kept = [array.grad.clone() for array in first]
    second = arrays_of(seed=2)
    made.contract(second).square().sum().backward()
    for array, one in zip(first, kept, strict=True):
        assert torch.equal(array.grad, one)


def test_a_second_backward_through_one_graph():
    made = chain()
    arrays = arrays_of(seed=3)
    value = made.contract(arrays).square().sum()
    value.backward(retain_graph=True)
    for array in arrays:
        array.grad = None
    value.backward()
    assert_gradients(arrays, expected(arrays)[1])


def test_hooks_that_copy_saved_tensors():
    made = chain()
    arrays = arrays_of(seed=4)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: t.numpy(force=True).copy(), torch.tensor
    ):
        value = made.contract(arrays)
    value.square().sum().backward()
    assert_gradients(arrays, expected(arrays)[1])


def test_a_checkpoint_holds_no_memory_between_the_passes():
    made = chain()
    arrays = arrays_of(seed=5)
    made.contract(arrays).sum().backward()
    before = len(LEASES._lent)
    value = torch.utils.checkpoint.checkpoint(
        lambda *given: made.contract(given), *arrays, use_reentrant=False
    )
    assert len(LEASES._lent) == before
    for array in arrays:
        array.grad = None
    value.square().sum().backward()
    assert_gradients(arrays, expected(arrays)[1])


def test_a_lease_ends_with_its_graph():
    made = chain()
    before = len(LEASES._lent)
    value = made.contract(arrays_of(seed=6))
    assert len(LEASES._lent) == before + 1
    del value
    gc.collect()
    assert len(LEASES._lent) == before


def test_a_graph_that_ran_backward_gives_its_memory_back():
    made = chain()
    arrays = arrays_of(seed=6)
    before = len(LEASES._lent)
    value = made.contract(arrays).sum()
    value.backward()
    assert len(LEASES._lent) == before  # though `value` and its graph are still here


def test_idle_memory_is_bounded_and_goes_with_its_program():
    class Block:
        device = torch.device("cpu")

        def __init__(self, nbytes):
            self.nbytes = nbytes

    leases = Leases(most_bytes=lambda _: 100)
    numbers = [leases.borrow(("a", k), lambda: Block(60)) for k in range(3)]
    for number in numbers:
        leases.give_back(number)
    assert sum(bound.nbytes for _, bound in leases._idle.values()) == 60
    again = leases.borrow(("a", 2), lambda: pytest.fail("the last one lies idle"))
    leases.give_back(again)
    leases.forget(lambda key: key[0] == "a")
    assert not leases._idle


def test_a_graph_that_outlives_its_plan_leaves_nothing_behind():
    made = chain()
    value = made.contract(arrays_of(seed=0))
    before = len(LEASES._lent)
    del made
    gc.collect()
    assert len(LEASES._lent) == before  # the graph still needs it
    idle = len(LEASES._idle)
    del value
    gc.collect()
    assert len(LEASES._lent) == before - 1
    assert len(LEASES._idle) == idle


def test_a_pickled_plan_does_not_take_the_memory_of_another():
    stored = io.BytesIO()
    torch.save(chain(), stored)
    program = chain()._program(None)
    arrays = arrays_of(seed=0)
    expected_value = program.run(arrays).detach()
    stored.seek(0)
    loaded = torch.load(stored, weights_only=False)._program(None)
    copied = pickle.loads(pickle.dumps(program))  # noqa: S301 - our own, made just now
    for other in (loaded, copied):
        assert other._number != program._number
        torch.testing.assert_close(other.run(arrays).detach(), expected_value)


def test_several_cotangents_at_once_take_the_plain_route():
    made, arrays = chain(), arrays_of(seed=0)
    value = made.contract(arrays)
    cotangents = torch.randn(3, *value.shape, dtype=value.dtype)
    found = torch.autograd.grad(value, arrays, cotangents, is_grads_batched=True, retain_graph=True)
    for number, cotangent in enumerate(cotangents):
        one_by_one = torch.autograd.grad(value, arrays, cotangent, retain_graph=True)
        for many, one in zip(found, one_by_one, strict=True):
            torch.testing.assert_close(many[number], one)


def test_threads_do_not_share_memory():
    made = chain()
    wrong = []

    def work(seed):
        for k in range(15):
            arrays = arrays_of(seed=100 * seed + k)
            made.contract(arrays).square().sum().backward()
            for array, one in zip(arrays, expected(arrays)[1], strict=True):
                if not torch.allclose(array.grad, one, rtol=1e-9, atol=1e-9):
                    wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_gradients_after_a_run_under_inference_mode():
    made = chain()
    arrays = arrays_of(seed=7)
    with torch.inference_mode():
        made.contract([array.detach() for array in arrays])
    value = made.contract(arrays)
    assert value.requires_grad
    value.square().sum().backward()
    assert_gradients(arrays, expected(arrays)[1])


def test_a_copied_plan_contracts():
    made = chain()
    arrays = arrays_of(seed=8, grad=False)
    value = made.contract(arrays)
    torch.testing.assert_close(copy.deepcopy(made).contract(arrays), value, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("scaled", [False, True])
def test_stacks_give_what_single_arrays_give(dtype, scaled):
    network = Network.from_einsum("zab,bc,zcd,de,zef->zaf", [(5, 4, 4), (4, 4)] * 2 + [(5, 4, 4)])
    made = plan(network, dtype=dtype, gradient=True, cache=False)
    generator = np.random.default_rng(1)
    kind = getattr(torch, dtype)

    def random(*shape):
        numbers = generator.normal(size=shape) + 1j * generator.normal(size=shape)
        return torch.tensor(numbers if kind.is_complex else numbers.real, dtype=kind)

    batched, plain = random(3, 5, 4, 4).requires_grad_(), random(2, 4, 4).requires_grad_()
    stacks = ((4, 0, 2), (1, 3))
    singles = [batched[1], plain[0], batched[2], plain[1], batched[0]]
    one = made.contract([batched, plain], stacks=stacks, scaled=scaled)
    two = made.contract(singles, scaled=scaled)
    one, two = (value.mantissa if scaled else value for value in (one, two))
    tolerance = {"rtol": 0, "atol": 1e-5 if dtype in {"float32", "complex64"} else 1e-12}
    torch.testing.assert_close(one, two, **tolerance)
    weights = random(*one.shape)
    found = torch.autograd.grad((one * weights).sum().abs(), [batched, plain])
    wanted = torch.autograd.grad((two * weights).sum().abs(), [batched, plain])
    largest = max(float(w.abs().max()) for w in wanted)
    for f, w in zip(found, wanted, strict=True):
        torch.testing.assert_close(f, w, rtol=0, atol=tolerance["atol"] * max(largest, 1))


@pytest.mark.parametrize(
    ("stacks", "message"),
    [
        (((0, 1), (2,)), "several shapes"),
        (((0, 2),), "no partition"),
        (((0, 2), (1, 1)), "no partition"),
    ],
)
def test_bad_stacks_are_refused(stacks, message):
    made = plan(Network.from_einsum("ab,bc,ca->", [(2, 3), (3, 2), (2, 2)]), cache=False)
    with pytest.raises(NetworkError, match=message):
        made.contract([np.ones((2, 2, 3)), np.ones((1, 3, 2))], stacks=stacks)
