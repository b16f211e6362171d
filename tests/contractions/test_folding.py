import numpy as np
import pytest
import torch

from contractions import Network, NetworkError, plan

EQUATION = "zab,bc,zcd,de,ef,zfa,gg->z"
SHAPES = [(3, 4, 4), (4, 4), (3, 4, 4), (4, 4), (4, 4), (3, 4, 4), (2, 2)]


def case(dtype="float64"):
    made = plan(Network.from_einsum(EQUATION, SHAPES), dtype=dtype, cache=False)
    generator = np.random.default_rng(3)
    return made, [generator.normal(size=shape).astype(dtype) for shape in SHAPES]


@pytest.mark.parametrize(
    "fixed", [(), (0,), (1, 3), (1, 3, 4), (0, 1, 2), (6,), (0, 1, 2, 3, 4, 6), tuple(range(7))]
)
@pytest.mark.parametrize("scaled", [False, True])
def test_folding_changes_no_number(fixed, scaled):
    made, arrays = case()
    folded = made.fold({tensor: arrays[tensor] for tensor in fixed})
    assert folded.varying == tuple(k for k in range(7) if k not in fixed)
    result = folded.contract([arrays[k] for k in folded.varying], scaled=scaled)
    if scaled:
        result = result.mantissa * np.exp(result.log_scale)
    np.testing.assert_allclose(result, np.einsum(EQUATION, *arrays), rtol=1e-12)


def test_what_is_fixed_alone_is_contracted_once():
    made, arrays = case()
    folded = made.fold(dict(enumerate(arrays)))
    assert len(folded.arrays) == len(folded.constants) == 1
    assert not folded.plan.path


@pytest.mark.parametrize("size", [1e-150, 1e150])
@pytest.mark.parametrize("fixed", [(0, 1, 2, 3), (0, 1, 2, 3, 4, 5, 6), (1, 3, 4)])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_scaled_result_neither_underflows_nor_overflows_where_it_is_folded(size, fixed, kind):
    made, arrays = case()
    rows = np.array([1.0, 1e-140, 1e140]).reshape(3, 1, 1)
    exact = np.einsum(EQUATION, *arrays)
    given = [array * size * (rows if array.ndim == 3 else 1) for array in arrays]
    if kind == "torch":
        given = [torch.from_numpy(array) for array in given]
    folded = made.fold({tensor: given[tensor] for tensor in fixed})
    rest = [given[k] for k in folded.varying]
    mantissa, log_scale = folded.contract(rest, scaled=True)
    assert type(mantissa) is type(log_scale) is type(given[0])
    np.testing.assert_allclose(mantissa, np.sign(exact), atol=1e-13)
    logs = np.log(np.abs(exact)) + 7 * np.log(size) + 3 * np.log(rows.reshape(3))
    np.testing.assert_allclose(log_scale, logs, rtol=1e-13)
    with np.errstate(all="ignore"):
        assert not np.isfinite(np.log(np.abs(np.asarray(folded.contract(rest))))).all()


def test_gradients_of_what_varies():
    made, arrays = case()
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    folded = made.fold({k: tensors[k].detach() for k in (0, 1, 2)})
    folded.contract([tensors[k] for k in folded.varying]).sum().backward()
    found = [tensors[k].grad for k in folded.varying]
    wanted = torch.autograd.grad(
        torch.einsum(EQUATION, *tensors).sum(), [tensors[k] for k in folded.varying]
    )
    for one, two in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)
    assert tensors[0].grad is None


def test_what_is_fixed_is_constant_however_often_the_rest_is_pulled_back():
    made, arrays = case()
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    folded = made.fold({k: tensors[k] for k in (0, 1, 2, 6)})
    assert not any(array.requires_grad for array in folded.arrays)
    for _ in range(2):
        folded.contract([tensors[k] for k in folded.varying]).sum().backward()
    assert [k for k in range(7) if tensors[k].grad is not None] == list(folded.varying)


def test_bad_folding_is_refused():
    made, arrays = case()
    for tensor in (7, -1, True, 1.0, "0"):
        with pytest.raises(NetworkError, match=f"tensor {tensor!r} does not exist"):
            made.fold({tensor: arrays[1]})
    with pytest.raises(NetworkError, match="shape"):
        made.fold({0: arrays[1]})
    with pytest.raises(NetworkError, match="6 tensors vary, got 7"):
        made.fold({0: arrays[0]}).contract(arrays)
    for arrays in (None, 5, {0: 1}):
        with pytest.raises(NetworkError, match="expected a sequence"):
            made.fold({}).contract(arrays)
