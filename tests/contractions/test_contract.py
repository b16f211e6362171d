import math

import cotengra
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from contractions import Network, plan

DTYPES = ("float32", "float64", "complex64", "complex128")
TOLERANCE = {"float32": 1e-5, "complex64": 1e-5, "float64": 1e-12, "complex128": 1e-12}


def random_arrays(shapes, dtype, seed):
    """Entries mostly of one sign, so that sums do not cancel and rounding is that of the dtype."""
    generator = np.random.default_rng(seed)

    def one(shape):
        array = generator.uniform(-0.3, 1.0, shape)
        if dtype.startswith("complex"):
            array = array * np.exp(0.3j * generator.uniform(-1, 1, shape))
        return np.asarray(array, dtype=dtype)

    return [one(shape) for shape in shapes]


def wide(arrays):
    return [array.astype(np.result_type(array.dtype, np.float64)) for array in arrays]


def assert_close(result, expected, dtype):
    assert result.dtype == np.dtype(dtype)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= TOLERANCE[dtype] * np.abs(expected).max()


def contract(network, arrays, dtype, **options):
    return plan(network, dtype=dtype, effort=2, cache=False, **options).contract(arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_random_equations_with_hyper_indices(seed, dtype):
    inputs, output, shapes, sizes = cotengra.utils.rand_equation(
        n=4 + seed, reg=3, n_out=seed % 4, n_hyper_in=seed % 3, n_hyper_out=seed % 2, seed=seed
    )
    arrays = random_arrays(shapes, dtype, seed)
    equation = cotengra.utils.inputs_output_to_eq(inputs, output)
    expected = np.einsum(equation, *wide(arrays), optimize="greedy")
    assert_close(contract(Network(inputs, output, sizes), arrays, dtype), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("dims", "cyclic"), [((4, 5), False), ((3, 4), True), ((2, 3, 3), False)])
def test_lattices(dims, cyclic, dtype):
    inputs, output, shapes, sizes = cotengra.utils.lattice_equation(dims, cyclic=cyclic, seed=3)
    arrays = random_arrays(shapes, dtype, seed=5)
    expected = np.asarray(cotengra.array_contract(wide(arrays), inputs, output, optimize="greedy"))
    assert_close(
        np.asarray(contract(Network(inputs, output, sizes), arrays, dtype)), expected, dtype
    )


EQUATIONS = [
    "->",
    "a->a",
    "a->",
    "ab->ba",
    "aab->b",
    "aab->ab",
    "aaa->",
    "aab,b->a",
    "abc,c->",
    "ab,c->",  # everything summed alone
    "ab,cd->abcd",
    "ab,cd->dbca",
    "a,b,c->cab",
    ",ab,->ba",
    ",->",
    "a,a,a->a",
    "a,a,a->",
    "ax,bx,cx->abcx",
    "ax,bx,cx->xcba",
    "ax,bx,cx->abc",
    "xab,xbc,xcd->xad",
    "abc,abd,acd,bcd->",
    "ab,bc,cd,de,ef,fa->",
    "ab,bc,cd,de->ea",
    "aabb,bbcc->ac",
    "abab,cb->ca",
    "x,xab,xbc,xca->x",
    "abcd,abcd->",
    "abcd,dcba->abcd",
    "abcd,e,dcba->ae",
]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_equations_of_every_structure(equation, size):
    terms = equation.partition("->")[0].split(",")
    sizes = {index: size + k % 2 * (size > 1) for k, index in enumerate("abcdefx")}
    shapes = [tuple(sizes[index] for index in term) for term in terms]
    arrays = random_arrays(shapes, "float64", seed=len(equation))
    result = contract(Network.from_einsum(equation, shapes), arrays, "float64")
    assert isinstance(result, np.ndarray)
    assert_close(result, np.asarray(np.einsum(equation, *arrays)), "float64")


@st.composite
def networks(draw):
    inputs = draw(st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=5))
    present = sorted({index for term in inputs for index in term})
    kept = draw(st.lists(st.sampled_from(present), unique=True)) if present else []
    sizes = {index: draw(st.integers(1, 3)) for index in present}
    return Network(inputs, kept, sizes)


@settings(max_examples=150)
@given(networks(), st.sampled_from(["float64", "complex128"]), st.integers(0, 2**16))
def test_any_structure(network, dtype, seed):
    arrays = random_arrays(network.shapes, dtype, seed)
    operands = [part for pair in zip(arrays, network.inputs, strict=True) for part in pair]
    expected = np.asarray(np.einsum(*operands, network.output))
    result = contract(network, arrays, dtype)
    # entries of both signs: measured against what the sum would be without cancellation
    sizes = [
        part for pair in zip(map(np.abs, arrays), network.inputs, strict=True) for part in pair
    ]
    largest = np.abs(np.einsum(*sizes, network.output)).max()
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= 1e-13 * largest


@settings(max_examples=60)
@given(networks(), st.integers(0, 2**16))
def test_scaled_equals_plain_on_any_structure(network, seed):
    arrays = random_arrays(network.shapes, "float64", seed)
    made = plan(network, effort=0, cache=False)
    plain, scaled = made.contract(arrays), made.contract(arrays, scaled=True)
    assert isinstance(scaled.mantissa, np.ndarray)
    assert scaled.mantissa.shape == scaled.log_scale.shape == plain.shape
    np.testing.assert_allclose(scaled.mantissa * np.exp(scaled.log_scale), plain, rtol=1e-12)
    modulus = np.abs(scaled.mantissa)
    np.testing.assert_allclose(modulus, plain != 0, rtol=1e-14)


@pytest.mark.parametrize("equation", ["aab,bc,cd->ad", "xa,xab,xbc->xc", "a,a,ab->b", "ab,cb,c->"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients_equal_those_of_einsum(equation, dtype):
    sizes = dict(zip("abcdx", (2, 3, 4, 2, 3), strict=True))
    terms = equation.partition("->")[0].split(",")
    shapes = [tuple(sizes[index] for index in term) for term in terms]
    arrays = [
        torch.tensor(array).requires_grad_() for array in random_arrays(shapes, dtype, seed=11)
    ]
    made = plan(Network.from_einsum(equation, shapes), dtype=dtype, gradient=True, cache=False)
    result, expected = made.contract(arrays), torch.einsum(equation, *arrays)
    cotangent = torch.tensor(random_arrays([tuple(expected.shape)], dtype, seed=12)[0])
    ours = torch.autograd.grad(result, arrays, cotangent)
    theirs = torch.autograd.grad(expected, arrays, cotangent)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12 * float(other.abs().max()))


@pytest.mark.parametrize("seed", range(4))
def test_gradients_equal_central_differences_of_numpy(seed):
    inputs, output, shapes, sizes = cotengra.utils.rand_equation(
        n=6, reg=3, n_out=1, n_hyper_in=1, n_hyper_out=seed % 2, seed=seed
    )
    equation = cotengra.utils.inputs_output_to_eq(inputs, output)
    arrays = random_arrays(shapes, "float64", seed)
    direction = random_arrays(shapes, "float64", seed + 100)
    made = plan(Network(inputs, output, sizes), gradient=True, effort=2, cache=False)
    tensors = [torch.tensor(array).requires_grad_() for array in arrays]
    gradients = torch.autograd.grad(made.contract(tensors).sum(), tensors)
    slope = sum(
        float((gradient * torch.tensor(way)).sum())
        for gradient, way in zip(gradients, direction, strict=True)
    )

    # the contraction is linear in each tensor, so the difference along one tensor is exact
    expected = 0.0
    for position, way in enumerate(direction):
        changed = [*arrays[:position], way, *arrays[position + 1 :]]
        expected += np.einsum(equation, *changed, optimize="greedy").sum()
    assert slope == pytest.approx(expected, rel=1e-12)


@pytest.fixture
def small():
    network = Network.from_einsum("xab,bcc,xca,d->xd", [(2, 2, 3), (3, 2, 2), (2, 2, 2), (2,)])
    made = plan(network, gradient=True, cache=False)
    return made, [torch.tensor(a) for a in random_arrays(network.shapes, "float64", seed=4)]


def test_gradients_of_gradients(small):
    made, arrays = small
    arrays = [array.requires_grad_() for array in arrays]
    assert torch.autograd.gradgradcheck(lambda *given: made.contract(given), arrays)


def test_gradients_of_gradients_of_a_complex_network():
    network = Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3)
    made = plan(network, dtype="complex128", gradient=True, cache=False)
    arrays = [
        torch.tensor(array).requires_grad_()
        for array in random_arrays(network.shapes, "complex128", seed=6)
    ]
    assert torch.autograd.gradcheck(lambda *given: made.contract(given), arrays)
    assert torch.autograd.gradgradcheck(lambda *given: made.contract(given), arrays)


def reference(*arrays):
    return torch.einsum("xab,bcc,xca,d->xd", *arrays)


def test_torch_func_grad(small):
    made, arrays = small
    which = tuple(range(4))
    ours = torch.func.grad(lambda *given: made.contract(given).sum(), which)(*arrays)
    theirs = torch.func.grad(lambda *given: reference(*given).sum(), which)(*arrays)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd, torch.func.hessian])
def test_torch_func_derivatives(small, transform):
    made, arrays = small
    ours = transform(lambda one: made.contract([one, *arrays[1:]]))(arrays[0])
    theirs = transform(lambda one: reference(one, *arrays[1:]))(arrays[0])
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("scaled", [False, True])
def test_torch_func_vmap(small, scaled):
    made, arrays = small
    stack = torch.stack([arrays[0], 2 * arrays[0], arrays[0].flip(0)])

    def value(one):
        if not scaled:
            return made.contract([one, *arrays[1:]])
        mantissa, log_scale = made.contract([one, *arrays[1:]], scaled=True)
        return mantissa * log_scale.exp()

    ours = torch.func.vmap(value)(stack)
    theirs = torch.stack([reference(one, *arrays[1:]) for one in stack])
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)
    gradients = torch.func.vmap(
        torch.func.grad(lambda one: made.contract([one, *arrays[1:]]).sum())
    )
    slow = [torch.func.grad(lambda one: reference(one, *arrays[1:]).sum())(one) for one in stack]
    torch.testing.assert_close(gradients(stack), torch.stack(slow), rtol=1e-12, atol=1e-13)


def test_numpy_arrays_of_any_layout():
    network = Network.from_einsum("ab,bc->ac", [(3, 4), (4, 5)])
    made = plan(network, cache=False)
    a, b = random_arrays(network.shapes, "float64", seed=8)
    frozen = a.copy()
    frozen.flags.writeable = False
    for one, other in ((np.asfortranarray(a), b), (a[::-1], b[:, ::-1]), (frozen, b)):
        before = one.copy()
        np.testing.assert_allclose(made.contract([one, other]), one @ other, rtol=1e-13)
        np.testing.assert_array_equal(one, before)


def test_a_result_of_one_tensor_is_no_view_that_numpy_can_write_through():
    made = plan(Network.from_einsum("ab->ab", [(2, 2)]), cache=False)
    array = np.ones((2, 2))
    made.contract([array])[0, 0] = 5
    assert array[0, 0] == 1


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("sizes", [(1e-30, 1e-30), (1e30, 1e30), (1e-30, 1e30)])
def test_a_scaled_result_of_few_tensors_neither_underflows_nor_overflows(dtype, sizes):
    shapes = [(2, 2), (2, 2), (2, 2), (2, 2)]
    arrays = random_arrays(shapes, "float64", seed=4)
    exact = np.linalg.multi_dot(arrays)
    factors = [sizes[number % 2] for number in range(4)]
    single = [(f * array).astype(dtype) for f, array in zip(factors, arrays, strict=True)]
    made = plan(Network.from_einsum("ab,bc,cd,de->ae", shapes), dtype=dtype, cache=False)
    expected = np.log(np.abs(exact)) + np.log(factors).sum()
    stacked = [np.stack(single[::2]), np.stack(single[1::2])]
    for some, stacks in ((single, None), (stacked, ((0, 2), (1, 3)))):
        mantissa, log_scale = made.contract(some, stacks=stacks, scaled=True)
        np.testing.assert_allclose(log_scale, expected, atol=2e-6)
        np.testing.assert_allclose(mantissa, np.sign(exact), atol=1e-6)
        assert (mantissa.dtype, log_scale.dtype) == (dtype, "float64")


@pytest.mark.parametrize("sizes", [(1e-200, 1e200, 1.0), (1e-200, 1e-200, 1e200)])
def test_tensors_of_one_stack_have_scales_of_their_own(sizes):
    stack = np.eye(2) * np.reshape(sizes, (3, 1, 1))
    made = plan(Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3), cache=False)
    mantissa, log_scale = made.contract([stack], stacks=[[0, 1, 2]], scaled=True)
    assert mantissa == 1
    assert log_scale == pytest.approx(math.log(2) + np.log(sizes).sum(), rel=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_scales_round_nothing(dtype):
    bonds = chain(40)
    terms = [(*term, "x") if number % 3 == 0 else term for number, term in enumerate(bonds.inputs)]
    network = Network([*terms, ("y", 40)], ("x", "y"), {**bonds.sizes, "x": 3, "y": 5})
    arrays = [torch.from_numpy(a) for a in random_arrays(network.shapes, dtype, seed=5)]
    made = plan(network, dtype=dtype, cache=False)
    tensor, exponent = made._rescaled(arrays, None)
    assert exponent.abs().max() > 10
    assert torch.equal(tensor * 2**exponent, made.contract(arrays))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_each_entry_of_the_output_has_its_own_scale_in_every_tensor(dtype):
    """Rows and columns of a product that are each smaller by 1e-150, four times over."""
    generator = np.random.default_rng(8)
    sizes = 10.0 ** np.array([0, -150, 150])
    exact = [generator.normal(size=(3, 2, 2)).astype(dtype) for _ in range(8)]
    network = Network.from_einsum("xab,xbc,xcd,xde,yef,yfg,ygh,yha->xy", [(3, 2, 2)] * 8)
    arrays = [array * sizes.reshape(3, 1, 1) for array in exact]
    mantissa, log_scale = plan(network, dtype=dtype, cache=False).contract(arrays, scaled=True)
    plain = np.einsum("xab,xbc,xcd,xde,yef,yfg,ygh,yha->xy", *exact, optimize=True)
    logs = 4 * np.log(sizes)
    np.testing.assert_allclose(mantissa, plain / np.abs(plain), atol=1e-13)
    np.testing.assert_allclose(
        log_scale, np.log(np.abs(plain)) + logs[:, None] + logs, rtol=1e-13, atol=1e-12
    )


@pytest.mark.parametrize("entry", [5e-324 + 1e-323j, 1e-310j, 1.5e308 * (1 + 1j), -1.7e308 + 0j])
def test_the_smallest_and_largest_numbers_can_be_scaled(entry):
    arrays = [np.array([[entry, 0], [0, entry]])] * 3
    made = plan(Network.from_einsum("ab,bc,cd->ad", [(2, 2)] * 3), dtype="complex128", cache=False)
    mantissa, log_scale = made.contract(arrays, scaled=True)
    near = complex(entry.real * 2.0**1000, entry.imag * 2.0**1000) if abs(entry.real) < 1 else None
    near = near or complex(entry.real * 2.0**-1000, entry.imag * 2.0**-1000)
    shift = 1000 * math.log(2) * (-1 if abs(entry.real) < 1 else 1)
    np.testing.assert_allclose(np.diag(mantissa), (near / abs(near)) ** 3, rtol=1e-13)
    np.testing.assert_allclose(np.diag(log_scale), 3 * (math.log(abs(near)) + shift), rtol=1e-13)
    assert mantissa[0, 1] == 0


def test_what_is_infinite_stays_in_its_row():
    arrays = [np.array([[np.inf, 1.0], [2.0, 3.0]]), np.ones((2, 2))]
    made = plan(Network.from_einsum("ab,bc->ac", [(2, 2)] * 2), cache=False)
    mantissa, log_scale = made.contract(arrays, scaled=True)
    np.testing.assert_allclose((mantissa * np.exp(log_scale))[1], [5, 5], rtol=1e-14)


def test_sums_do_not_overflow_a_scaled_result():
    size, length = 1024, 13
    network = Network(chain(length).inputs, (), dict.fromkeys(range(length + 1), size))
    arrays = [np.ones(shape, np.float32) for shape in network.shapes]
    made = plan(network, dtype="float32", effort=0, cache=False)
    assert made.contract(arrays) == np.inf
    mantissa, log_scale = made.contract(arrays, scaled=True)
    assert mantissa == 1
    assert log_scale == pytest.approx((length + 1) * math.log(size), rel=1e-6)


def chain(length):
    """v M_1 ... M_length w."""
    inputs = [(0,), *[(k, k + 1) for k in range(length)], (length,)]
    return Network(inputs, (), dict.fromkeys(range(length + 1), 2))


def environments(arrays):
    """Left and right environments of each matrix of a chain, rescaled; log |f| and its sign."""
    left, lefts, log = arrays[0], [], 0.0
    for matrix in arrays[1:-1]:
        lefts.append(left)
        left = left @ matrix
        log += math.log(np.abs(left).max())
        left = left / np.abs(left).max()
    right, rights = arrays[-1], []
    last = float(left @ right)
    for matrix in arrays[-2:0:-1]:
        rights.append(right)
        right = matrix @ right
        right = right / np.abs(right).max()
    return lefts, rights[::-1], log + math.log(abs(last)), math.copysign(1, last)


@pytest.mark.parametrize("size", [0.01, 50.0])
def test_a_long_chain_neither_underflows_nor_overflows(size):
    length = 1998
    network = chain(length)
    arrays = [size * array for array in random_arrays(network.shapes, "float64", seed=9)]
    arrays[3] *= -1
    lefts, rights, log, sign = environments(arrays)
    made = plan(network, effort=0, gradient=True, cache=False)
    tensors = [torch.tensor(array).requires_grad_() for array in arrays]
    plain = made.contract(tensors).item()
    assert plain == 0 if size < 1 else not math.isfinite(plain)
    mantissa, log_scale = made.contract(tensors, scaled=True)
    assert mantissa.item() == pytest.approx(sign, abs=1e-14)
    assert log_scale.item() == pytest.approx(log, rel=1e-13)
    assert not log_scale.requires_grad
    gradients = torch.autograd.grad(mantissa, tensors)
    for position in (1, 2, 999, length):
        left, right, matrix = lefts[position - 1], rights[position - 1], arrays[position]
        expected = sign * np.outer(left, right) / (left @ matrix @ right)
        np.testing.assert_allclose(gradients[position].numpy(), expected, rtol=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_every_entry_of_a_scaled_result_has_a_scale_of_its_own(seed):
    length, speeds = 400, np.array([1.0, 0.1, 0.01, 1e-4])
    generator = np.random.default_rng(seed)
    bonds = [(0,), *[(k, k + 1) for k in range(length)], (length,)]
    # the batch stands anywhere in a tensor, and for odd seeds is missing in every second one
    terms = [list(term) for term in bonds]
    places = [int(generator.integers(len(term) + 1)) for term in terms]
    stacks = random_arrays([(4, *[2] * len(term)) for term in bonds], "float64", seed=10)
    arrays = []
    for number, (term, place, stack) in enumerate(zip(terms, places, stacks, strict=True)):
        if seed % 2 and number % 2:
            stack[:] = stack[0]
            arrays.append(stack[0])
        else:
            stack[:] = stack * speeds.reshape(-1, *[1] * (stack.ndim - 1))
            term.insert(place, "x")
            arrays.append(np.moveaxis(stack, 0, place))
    network = Network(terms, ("x",), {"x": 4} | dict.fromkeys(range(length + 1), 2))
    expected = [environments([stack[row] for stack in stacks])[2:] for row in range(4)]
    mantissa, log_scale = plan(network, effort=1, cache=False).contract(arrays, scaled=True)
    np.testing.assert_allclose(mantissa, [sign for _, sign in expected], atol=1e-14)
    np.testing.assert_allclose(log_scale, [log for log, _ in expected], rtol=1e-13)


def test_exact_zeros_stay_zero():
    network = chain(60)
    arrays = [1e-9 * array for array in random_arrays(network.shapes, "float64", seed=13)]
    arrays[30] = np.zeros((2, 2))
    tensors = [torch.tensor(array).requires_grad_() for array in arrays]
    mantissa, log_scale = plan(network, effort=0, cache=False).contract(tensors, scaled=True)
    assert mantissa.item() == 0
    assert math.isfinite(log_scale.item())
    gradients = torch.autograd.grad(mantissa, tensors)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_scaled_complex_result_has_modulus_one():
    network = chain(40)
    arrays = random_arrays(network.shapes, "complex128", seed=14)
    made = plan(network, dtype="complex128", effort=0, cache=False)
    plain, scaled = made.contract(arrays), made.contract(arrays, scaled=True)
    assert np.abs(scaled.mantissa) == pytest.approx(1, abs=1e-14)
    assert scaled.log_scale.dtype == np.float64
    assert scaled.mantissa * np.exp(scaled.log_scale) == pytest.approx(complex(plain), rel=1e-12)
