import numpy as np
import pytest
import quimb.tensor as qtn
from hypothesis import given
from hypothesis import strategies as st

from contractions import ContractionError, Network, NetworkError, plan


@pytest.mark.parametrize(
    ("equation", "shapes", "inputs", "output"),
    [
        ("ab,bc->ac", [(2, 3), (3, 4)], ["ab", "bc"], "ac"),
        ("ab,bc->ca", [(2, 3), (3, 4)], ["ab", "bc"], "ca"),
        (" ab , bc -> ac ", [(2, 3), (3, 4)], ["ab", "bc"], "ac"),
        ("ba,bc", [(3, 2), (3, 4)], ["ba", "bc"], "ac"),
        ("cb,ab", [(4, 3), (2, 3)], ["cb", "ab"], "ac"),
        ("aab", [(2, 2, 3)], ["aab"], "b"),
        ("ab,bc,ca", [(2, 2)] * 3, ["ab", "bc", "ca"], ""),
        ("->", [()], [""], ""),
        (",a->a", [(), (5,)], ["", "a"], "a"),
        ("xa,xb->xab", [(2, 3), (2, 4)], ["xa", "xb"], "xab"),
    ],
)
def test_an_equation_is_read_as_numpy_reads_it(equation, shapes, inputs, output):
    network = Network.from_einsum(equation, shapes)
    assert network.inputs == tuple(tuple(term) for term in inputs)
    assert network.output == tuple(output)
    assert network.shapes == tuple(shapes)
    arrays = [np.ones(shape) for shape in shapes]
    result = np.einsum(equation.replace(" ", ""), *arrays)
    assert result.shape == tuple(network.sizes[index] for index in network.output)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("a...,a->...", [(2, 3), (2,)], "ellipsis"),
        ("ab,bc->ac", [(2, 3)], "names 2 tensors, got 1"),
        ("ab", [(2, 3, 4)], r"tensor 0 is 'ab'.*2 indices.*\(2, 3, 4\)"),
        ("ab,bc", [(2, 3), (4, 5)], r"'b' has size 3 in one tensor and 4 in tensor 1"),
        ("aa->a", [(2, 3)], "'a' has size 2"),
        ("ab->ac", [(2, 3)], "output index 'c' is in no tensor"),
        ("ab->aa", [(2, 3)], "output index 'a' is named 2 times"),
        ("a->b->a", [(2,)], "is in no tensor"),
        ("a", [(0,)], "at least 1"),
    ],
)
def test_an_equation_that_does_not_fit_is_refused(equation, shapes, message):
    with pytest.raises(NetworkError, match=message):
        Network.from_einsum(equation, shapes)


@pytest.mark.parametrize(
    ("inputs", "output", "sizes", "message"),
    [
        ([], (), {}, "at least one tensor"),
        ([("a",)], (), {}, "'a' has no size"),
        ([("a",)], (), {"a": 0}, "size 0; expected an integer of at least 1"),
        ([("a",)], (), {"a": -2}, "size -2"),
        ([("a",)], (), {"a": 2.5}, "size 2.5"),
        ([("a",)], ("b",), {"a": 2, "b": 2}, "'b' is in no tensor"),
        ([("a", "b")], ("a", "b", "a"), {"a": 2, "b": 2}, "'a' is named 2 times"),
    ],
)
def test_a_bad_network_is_refused(inputs, output, sizes, message):
    with pytest.raises(NetworkError, match=message) as caught:
        Network(inputs, output, sizes)
    assert isinstance(caught.value, ContractionError)
    assert isinstance(caught.value, ValueError)


def test_indices_may_be_anything_hashable_and_sizes_of_others_are_forgotten():
    network = Network(
        [(0, ("x", 1)), [("x", 1), None]], [None, 0], {0: 2, ("x", 1): 3, None: 4, 9: 9}
    )
    assert network.shapes == ((2, 3), (3, 4))
    assert dict(network.sizes) == {0: 2, ("x", 1): 3, None: 4}
    assert network.output == (None, 0)


terms = st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=5)


@given(terms, st.permutations(range(6)), st.data())
def test_the_signature_does_not_depend_on_names(inputs, renamed, data):
    sizes = {index: 2 + index % 3 for index in range(6)}
    present = sorted({index for term in inputs for index in term})
    output = data.draw(st.lists(st.sampled_from(present), unique=True)) if present else []
    one = Network(inputs, output, sizes)
    other = Network(
        [[f"i{renamed[index]}" for index in term] for term in inputs],
        [f"i{renamed[index]}" for index in output],
        {f"i{renamed[index]}": size for index, size in sizes.items()},
    )
    assert one.signature == other.signature
    assert one.numbered == other.numbered


def test_the_signature_depends_on_sizes_output_and_structure():
    def signature(equation, *shapes):
        return Network.from_einsum(equation, shapes).signature

    signatures = [
        signature("ab,bc->ac", (2, 3), (3, 4)),
        signature("ab,bc->ca", (2, 3), (3, 4)),
        signature("ab,bc->a", (2, 3), (3, 4)),
        signature("ab,bc->abc", (2, 3), (3, 4)),
        signature("ab,bc->ac", (2, 3), (3, 5)),
        signature("ab,cb->ac", (2, 3), (4, 3)),
        signature("ab,ab->", (2, 3), (2, 3)),
        signature("ab,ba->", (2, 2), (2, 2)),
        signature("ab,ab->", (2, 2), (2, 2)),
    ]
    assert len(set(signatures)) == len(signatures)


def test_resizing_keeps_the_structure():
    network = Network.from_einsum("xa,xb->xab", [(1, 3), (1, 4)])
    larger = network.resized({"x": 7})
    assert larger.shapes == ((7, 3), (7, 4))
    assert (larger.inputs, larger.output) == (network.inputs, network.output)
    assert network.shapes == ((1, 3), (1, 4))
    assert larger.resized({"x": 1}).signature == network.signature
    with pytest.raises(NetworkError, match="'y' is not in the network"):
        network.resized({"y": 2})
    with pytest.raises(NetworkError, match="at least 1"):
        network.resized({"x": 0})
    for size in ("x", None, True, 2.0, float("nan")):
        with pytest.raises(NetworkError, match=f"size {size!r}; expected an integer"):
            network.resized({"x": size})


def test_a_quimb_network_is_taken_over():
    tensors = qtn.TN_rand_reg(8, 3, D=2, phys_dim=2, seed=1)
    network = Network.from_quimb(tensors)
    assert network.output == tuple(tensors.outer_inds())
    assert network.shapes == tuple(tensor.shape for tensor in tensors)
    expected = tensors.contract(output_inds=tensors.outer_inds()).data
    result = plan(network, effort=1, cache=False).contract(tensors.arrays)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_a_quimb_network_keeps_the_indices_asked_for():
    tensors = qtn.TN_rand_reg(6, 3, D=2, phys_dim=2, seed=2)
    kept = tuple(tensors.outer_inds())[4:1:-1]
    expected = tensors.contract(output_inds=kept).data
    network = Network.from_quimb(tensors, output=kept)
    result = plan(network, effort=1, cache=False).contract(tensors.arrays)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
