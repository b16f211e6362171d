"""Scripts: read from disk they do what they do when they are made."""

import json
import logging

import numpy as np
import pytest
import torch
from test_plan import MACHINE

from contractions import Given, Network, plan
from contractions.emission import Emission
from contractions.files import code_hash, read_checked, write_checked
from contractions.instructions import OPERATIONS, Instruction, Permutation, gather_map
from contractions.lowering import Lowered
from contractions.script import Script, Scripts


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tnqml" / "scripts"


def lattice(*, batch, rows=5, columns=9):
    """A lattice of tensors, each with a batch, first or last by its length."""
    terms = []
    for r in range(rows):
        for c in range(columns):
            ends = [("down", r - 1, c), ("across", r, c - 1), ("down", r, c), ("across", r, c)]
            inside = (r > 0, c > 0, r < rows - 1, c < columns - 1)
            legs = [end for end, is_inside in zip(ends, inside, strict=True) if is_inside]
            terms.append([*legs, "batch"] if batch >= 64 else ["batch", *legs])
    sizes = {index: 2 for term in terms for index in term} | {"batch": batch}
    return Network(terms, ["batch"], sizes)


def arrays_of(network, dtype, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, dtype=dtype, generator=generator, requires_grad=True)
        for shape in network.shapes
    ]


def values(made, arrays, *, scaled):
    """The result and the gradients of every second array."""
    arrays = [array.detach().requires_grad_(number % 2 == 0) for number, array in enumerate(arrays)]
    result = made.contract(arrays, scaled=scaled)
    last = result.mantissa if scaled else result
    last.abs().sum().backward()
    logs = [result.log_scale] if scaled else []
    return [last.detach(), *logs, *(array.grad for array in arrays[::2])]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("batch", [3, 64])
def test_read_from_disk_it_gives_the_same_numbers(folder, monkeypatch, batch, dtype, scaled):
    network = lattice(batch=batch)
    arrays = arrays_of(network, dtype)
    options = {"dtype": str(dtype).removeprefix("torch."), "gradient": True, "machine": MACHINE}
    unkept = values(plan(network, **options, cache=False), arrays, scaled=scaled)
    assert not folder.exists()
    written = values(plan(network, **options), arrays, scaled=scaled)
    assert len(list(folder.iterdir())) == 2  # there and back

    def refuse(*_, **__):
        pytest.fail("the steps were made again")

    monkeypatch.setattr("contractions.script.Emission", refuse)
    read = values(plan(network, **options), arrays, scaled=scaled)
    for one, two, three in zip(unkept, written, read, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)


def test_numbers_are_those_of_einsum(folder):
    network = lattice(batch=3, rows=2, columns=17)
    arrays = [array.detach().numpy() for array in arrays_of(network, torch.float64)]
    inputs, output, _ = network.numbered
    pairs = [part for array, term in zip(arrays, inputs, strict=True) for part in (array, term)]
    expected = np.einsum(*pairs, output, optimize="greedy")
    for _ in range(2):
        found = plan(network, machine=MACHINE).contract(arrays)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert len(list(folder.iterdir())) == 1


def test_other_cotangents_have_a_script_of_their_own(folder):
    network = lattice(batch=2)
    arrays = arrays_of(network, torch.float64)
    options = {"gradient": True, "machine": MACHINE}
    all_of_them = torch.autograd.grad(plan(network, **options).contract(arrays).sum(), arrays)
    for chosen in ([0], [7, 30], list(range(45))):
        some = [array.detach().requires_grad_(k in chosen) for k, array in enumerate(arrays)]
        value = plan(network, **options).contract(some).sum()
        found = torch.autograd.grad(value, [some[k] for k in chosen])
        for one, number in zip(found, chosen, strict=True):
            torch.testing.assert_close(one, all_of_them[number], rtol=1e-12, atol=1e-12)
    assert len(list(folder.iterdir())) == 1 + 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "nothing",
        lambda _: [],
        lambda document: document | {"future": 1},
        lambda document: {"views": document["views"]},
    ],
)
def test_a_bad_file_is_ignored_with_one_warning_and_replaced(folder, caplog, spoil):
    network = lattice(batch=2)
    arrays = [array.detach() for array in arrays_of(network, torch.float64)]
    expected = plan(network, machine=MACHINE).contract(arrays)
    (file,) = folder.iterdir()
    good = file.read_text()
    write_checked(file, json.dumps(spoil(json.loads(read_checked(file)))))
    with caplog.at_level(logging.WARNING):
        assert torch.equal(plan(network, machine=MACHINE).contract(arrays), expected)
    (record,) = caplog.records
    assert str(file) in record.getMessage()
    assert file.read_text() == good


def test_a_script_is_void_when_the_code_changes(folder, monkeypatch):
    network = lattice(batch=2)
    arrays = [array.detach() for array in arrays_of(network, torch.float64)]
    plan(network, machine=MACHINE).contract(arrays)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr("contractions.script._CODE", "another")
    plan(network, machine=MACHINE).contract(arrays)
    assert len(list(folder.iterdir())) == 2


def test_the_code_is_that_of_the_import(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("1")
    before = code_hash(str(module))
    assert code_hash(str(module)) == before
    (tmp_path / "other.py").write_text("2")
    assert code_hash(str(module)) != before


def test_stacks_of_numpy_integers_are_kept_too(folder):
    network = lattice(batch=2)
    arrays = [array.detach() for array in arrays_of(network, torch.float64)]
    listed = [[np.int64(number)] for number in range(len(arrays))]
    made = plan(network, machine=MACHINE)
    stacked = [array.unsqueeze(0) for array in arrays]
    assert torch.equal(made.contract(stacked, stacks=listed), made.contract(arrays))

    class Numbered(Given):
        bindable = False

    program = made.program(Numbered(tuple(map(tuple, listed))))
    assert torch.equal(program.run(stacked), made.contract(arrays))
    assert len(list(folder.iterdir())) == 1


def test_the_emission_goes_when_the_scripts_are_made():
    network = lattice(batch=2)
    made = plan(network, gradient=True, machine=MACHINE, cache=False)
    for reverse in (False, True):
        stacks = [[number] for number in range(45)]
        scripts = Scripts(
            Lowered(network, made.path), stacks, reverse=reverse, scaled=False, keep=False
        )
        assert scripts.forward.instructions
        if reverse:
            whole = scripts.reverse((True,) * 45)
            part = scripts.reverse((True,) + (False,) * 44)
            assert len(part.instructions) < len(whole.instructions)
        assert "_emission" not in vars(scripts)


def test_what_is_soon_made_is_not_kept(folder):
    network = Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3)
    plan(network, machine=MACHINE).contract([np.ones((2, 2))] * 3)
    assert not folder.exists()


def test_a_script_holds_for_every_dtype_and_block(folder):
    network = lattice(batch=3, rows=3, columns=4)
    made = plan(network, gradient=True, machine=MACHINE, cache=False)
    stacks = tuple((number,) for number in range(12))
    emission = Emission(Lowered(network, made.path), stacks, reverse=True, scaled=False)
    places = {"stacks": emission.stacks, "result": [emission.result]}
    script = Script.recorded(emission.size, emission.forward, places)
    script = Script(**json.loads(json.dumps(vars(script))))
    for dtype in (torch.float32, torch.complex128):
        arrays = [array.detach() for array in arrays_of(network, dtype, seed=1)]
        block = torch.full((script.size,), torch.nan, dtype=dtype)
        calls, named = script.on(block)
        for stack, array in zip(named["stacks"], arrays, strict=True):
            stack.copy_(array.reshape(1, -1))
        for call in calls:
            call()
        expected = made.program(Given(stacks)).plain(
            [array.unsqueeze(0) for array in arrays], scaled=False
        )[0]
        torch.testing.assert_close(named["result"][0], expected)


def run(operation, *views):
    for call in OPERATIONS[operation](*views):
        call()


def test_operations_do_what_their_names_say():
    generator = torch.Generator().manual_seed(3)
    a = torch.randn(4, 3, 5, dtype=torch.float64, generator=generator)
    b = torch.randn(4, 5, 2, dtype=torch.float64, generator=generator)
    out = torch.empty(4, 3, 2, dtype=torch.float64)
    run("product", a, b, torch.empty(0, dtype=torch.float64), out)
    torch.testing.assert_close(out, torch.einsum("gmk,gkn->gmn", a, b))
    doubled = a.clone()
    run("add product", a, torch.full((1,), 1.0, dtype=torch.float64), doubled)
    torch.testing.assert_close(doubled, 2 * a)
    run("multiply", a, a, doubled)
    torch.testing.assert_close(doubled, a**2)
    summed = torch.empty(4, 1, 5, dtype=torch.float64)
    run("sum", a, summed)
    torch.testing.assert_close(summed, a.sum(1, keepdim=True))
    turned = torch.empty(5, 3, dtype=torch.float64)
    run("copy", a[0].T, turned)
    assert torch.equal(turned, a[0].T)
    source, target = a.reshape(4, 15), torch.empty(4, 15, dtype=torch.float64)
    permutation = Permutation((3, 5), (1, 0))
    run("gather", source, target, gather_map((permutation,), source.device))
    assert torch.equal(target, a.transpose(1, 2).reshape(4, 15))
    rows, scale = a.reshape(4, 15).clone(), torch.empty(4, 1, dtype=torch.float64)
    rows[2] = 0
    kept = rows.clone()
    run("rescale", scale, rows)
    assert torch.equal(torch.frexp(rows.abs().amax(1)).exponent, torch.tensor([1, 1, 0, 1]))
    assert torch.equal(rows * scale, kept)
    run("divide", scale, kept)
    assert torch.equal(rows, kept)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
@pytest.mark.parametrize("tail", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("begin", [0, 1])
@pytest.mark.parametrize("side", [8, 256])
def test_a_gather_permutes_entries_of_any_width_that_begin_anywhere(dtype, tail, begin, side):
    permutation = Permutation((2, side, 2, side // 2), (3, 1, 0, 2))
    entries = 3 * 2 * side * side * tail
    block = torch.randn(2, begin + entries, dtype=dtype)
    shape = (3, -1) if tail == 1 else (3, 2 * side * side, tail)
    source, target = (row[begin:].view(shape) for row in block)
    run("gather", source, target, gather_map((permutation,), block.device))
    expected = source.reshape(3, 2, side, 2, side // 2, tail).permute(0, 4, 2, 1, 3, 5)
    assert torch.equal(target.reshape(-1), expected.reshape(-1))


def test_instructions_name_known_operations_alone():
    network = lattice(batch=64, rows=3, columns=4)
    made = plan(network, gradient=True, machine=MACHINE, cache=False)
    emission = Emission(
        Lowered(network, made.path),
        [(number,) for number in range(12)],
        reverse=True,
        scaled=True,
    )
    every: list[Instruction] = [*emission.forward, *emission.reverse([True] * 12)]
    assert {instruction.operation for instruction in every} <= set(OPERATIONS)


def wheel(*, small, large):
    """A hub of a long leg and spokes, whose rim has tensors of two sizes, axes in any order."""
    sizes = {"long": 64} | {f"s{k}": small for k in range(6)} | {f"r{k}": large for k in range(6)}
    rim = [(f"r{k}", f"s{k}", f"r{(k + 1) % 6}")[:: 1 - 2 * (k % 2)] for k in range(6)]
    hubs = [("s4", "long", "s1"), ("s0", "long", "s3"), ("s5", "s2", "long")]
    return Network([*rim, *hubs], ("long",), sizes)


@pytest.mark.parametrize(
    ("small", "large", "gathered"),
    [(2, 3, 9), (2, 40, 3), (7, 40, 0)],
    ids=["all small", "the rim large", "all large"],
)
def test_small_leaves_are_arranged_by_one_gather_there_and_back(small, large, gathered):
    network = wheel(small=small, large=large)
    made = plan(network, machine=MACHINE, cache=False)
    lowered = Lowered(network, made.path)
    emission = Emission(lowered, [[k] for k in range(9)], reverse=True, scaled=False)
    forward, reverse = emission.forward, emission.reverse([True] * 9)
    joint = [row for row in (*forward, *reverse) if len(row.permutations) > 1]
    assert joint == ([forward[0], reverse[-1]] if gathered else [])
    assert [len(row.permutations) for row in joint] == [gathered] * len(joint)

    arrays = arrays_of(network, torch.float64)
    names = {index: number for number, index in enumerate(network.sizes)}
    operands = []
    for array, term in zip(arrays, network.inputs, strict=True):
        operands += [array, [names[index] for index in term]]
    exact = torch.einsum(*operands, [names[index] for index in network.output])
    weights = torch.linspace(-1, 2, exact.numel(), dtype=torch.float64).reshape(exact.shape)
    found = made.contract(arrays)
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=0)
    for wanted in (arrays, arrays[1:2], arrays[6:]):
        one = torch.autograd.grad((found * weights).sum(), wanted, retain_graph=True)
        two = torch.autograd.grad((exact * weights).sum(), wanted, retain_graph=True)
        for a, b in zip(one, two, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * float(b.abs().max()))
