"""Leaves read from disk are those that are made."""

import logging

import pytest
import torch

from contractions.files import write_checked
from tnqml import Circuit, DistributedModel, Gate, X, Z, ansatz
from tnqml.cone import light_cones
from tnqml.expansion import ket_pieces, pauli_pieces
from tnqml.kept_leaves import kept_leaves
from tnqml.leaves import wire


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tnqml" / "leaves"


def circuit():
    deep = ansatz.brickwork(8, layers=6, start="zero")
    more = [
        Gate("diagonal", (2, 3), phases=[0.1, 2.3, 0.7, -4.1], parameter=deep.parameters),
        Gate("depolarising", (3,), strength=0.02),
        Gate("pauli", (1, 3, 4), word="XZY", angle=0.4),
    ]
    return Circuit(8, [*deep.gates, *more])


def arguments(picture):
    ends = [(0, 0)] * 8 if picture is pauli_pieces else [(0,)] * 7 + [(None,)]
    return {"initial": {0: 0}, "final": ends, "places": list(range(8))}


def cone_of(circuit):
    (cones,) = light_cones(circuit, [{3: "X", 4: "Z"}])
    return cones[0]


@pytest.mark.parametrize("picture", [pauli_pieces, ket_pieces])
def test_they_are_equal_to_the_last_bit(folder, monkeypatch, picture):
    gates = circuit().gates if picture is pauli_pieces else [*circuit().gates][:-2]
    cone = cone_of(Circuit(8, [*gates]))
    qubits = len(cone.qubits)
    options = arguments(picture) | {"places": list(range(qubits))}
    options["final"] = options["final"][-qubits:]
    made = wire(cone.key[0], picture, **options)
    written = kept_leaves(cone, picture, **options)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr("tnqml.kept_leaves.wire", lambda *_, **__: pytest.fail("made again"))
    read = kept_leaves(cone, picture, **options)
    assert made.open_legs == written.open_legs == read.open_legs
    for one, two in zip(made.leaves, read.leaves, strict=True):
        assert one.basis.dtype == two.basis.dtype
        assert one.basis.shape == two.basis.shape
        assert one.basis.tobytes() == two.basis.tobytes()
        assert (one.sources, one.legs, one.place) == (two.sources, two.legs, two.place)


def test_a_model_from_disk_gives_the_same_numbers(folder):
    def run():
        model = DistributedModel(circuit(), [X(3), Z(4)], route="pauli", dtype=torch.float64)
        x = torch.rand(5, model.circuit.features, generator=torch.Generator().manual_seed(0))
        value = model(x)
        value.square().sum().backward()
        return value.detach(), model.theta.grad

    first = run()
    assert list(folder.iterdir())
    for one, two in zip(first, run(), strict=True):
        assert torch.equal(one, two)


def test_a_bad_file_is_ignored_and_replaced(folder, caplog):
    cone = cone_of(circuit())
    options = arguments(pauli_pieces) | {"places": list(range(len(cone.qubits)))}
    options["final"] = options["final"][-len(cone.qubits) :]
    kept_leaves(cone, pauli_pieces, **options)
    (file,) = folder.iterdir()
    good = file.read_text()
    for text in ("[]", '{"bases": []}', '{"bases": [["int3", [2], [1.0]]], "sources": []}'):
        write_checked(file, text)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            kept_leaves(cone, pauli_pieces, **options)
        (record,) = caplog.records
        assert str(file) in record.getMessage()
        assert file.read_text() == good
