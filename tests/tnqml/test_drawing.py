"""Drawings: read back qubit by qubit, and a few as they should look."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnqml import Circuit, Gate, ansatz
from tnqml.drawing import draw
from tnqml.errors import InputError

PARTIES = ("alice", "bob", "a party with a very long name indeed")


def words(text):
    """By row label what stands on it, in order, over all blocks; and the blocks' lines."""
    blocks = [block.split("\n") for block in text.split("\n\n")[1:]]
    found = {}
    for block in blocks:
        for line in block:
            match = re.match(r"(q\d+)[^─║]*([─║].*)", line)
            if match:
                items = [re.sub("[┐┤┘┼║]", "", word) for word in re.split("[─]", match[2])]
                found.setdefault(match[1], []).extend(item for item in items if item)
    return found, blocks


def joined(blocks):
    """Every bracket opens, passes through all rows below, and closes."""
    count = 0
    for block in blocks:
        for column in range(max(map(len, block))):
            marks = "".join(line[column] if column < len(line) else " " for line in block)
            for run in re.findall("[┐┤┘┼]+", marks):
                assert re.fullmatch("(┐[┤┼]*┘)+", run), marks
                count += run.count("┐")
    return count


@st.composite
def circuits(draw_from):
    qubits = draw_from(st.integers(1, 24))
    split = draw_from(st.sampled_from(["layers", "qubits"]))
    gates = []
    for _ in range(draw_from(st.integers(0, 40))):
        party = draw_from(st.sampled_from([None, *PARTIES]))
        number = draw_from(st.integers(0, 2000))
        first = draw_from(st.integers(0, qubits - 1))
        second = draw_from(st.integers(0, qubits - 1))
        if first == second:
            gates.append(Gate("rz", first, feature=number, scale=0.7, party=party))
        else:
            kind = draw_from(st.sampled_from(["cz", "cx", "swap"]))
            gates.append(Gate(kind, (first, second), party=party))
    return Circuit(qubits, gates, split=split)


TWO = {"cz": ("●", "●"), "cx": ("●", "X"), "swap": ("×", "×")}  # noqa: RUF001


def expected(circuit):
    """By shown qubit the words on its wire."""
    shown = [q for q in range(circuit.qubits) if circuit.qubits <= 16 or q < 8]
    shown += [q for q in range(circuit.qubits) if circuit.qubits > 16 and q >= circuit.qubits - 8]
    result = {f"q{qubit}": [] for qubit in shown}
    owner = {}
    for gate in circuit.gates:
        clipped = gate.party and (gate.party if len(gate.party) <= 16 else gate.party[:15] + "…")
        texts = TWO.get(gate.kind, (f"RZ(0.7 x{gate.slot})",))
        for qubit, text in zip(gate.qubits, texts, strict=True):
            row = result.setdefault(f"q{qubit}", [])
            moves = gate.party is not None and owner.get(qubit, gate.party) != gate.party
            if circuit.split == "qubits" and moves:
                row.append(f"→{clipped}")
            if gate.party is not None:
                owner[qubit] = gate.party
            row.append(text)
    return {name: row for name, row in result.items() if int(name[1:]) in shown}


@given(circuits(), st.integers(60, 140))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_wire_reads_as_the_circuit_within_the_width(circuit, width):
    text = draw(circuit, width=width)
    found, blocks = words(text)
    assert max(map(len, text.split("\n"))) <= width
    assert found == expected(circuit)
    if circuit.qubits <= 16:
        pairs = sum(len(gate.qubits) == 2 for gate in circuit.gates)
        assert joined(blocks) == pairs
    if circuit.split == "layers":
        for line in (line for block in blocks for line in block if line.startswith("q")):
            crossings = [number for number, mark in enumerate(line) if mark == "║"]
            block = next(block for block in blocks if line in block)
            assert all(row[number] == "║" for row in block for number in crossings)
        first_rows = [next(line for line in block if line.startswith("q0 ")) for block in blocks]
        assert sum(row.count("║") for row in first_rows) == len(circuit.messages())


def test_two_qubits():
    assert draw(ansatz.brickwork(2, layers=1)).split("\n") == [
        "2 qubits, 9 gates, 2 features, 4 parameters",
        "alice and bob, split by layers: 1 message per run (║) carries 2 qubits",
        "",
        "    alice              ║ bob",
        "q0 ─H─RZ(x0)─RY(t0)─●┐─║─RX(t2)─",
        "q1 ─H─RZ(x1)─RY(t1)─●┘─║─RX(t3)─",
    ]


def test_qubits_that_cross_carry_an_arrow():
    text = draw(ansatz.brickwork(4, layers=1, split="qubits"))
    assert text.split("\n")[1:] == [
        "alice and bob, split by qubits: 1 message per run (→) carries 1 qubit",
        "",
        "q0 alice ─H─RZ(x0)─RY(t0)─●┐─RX(t4)───────────",
        "q1 alice ─H─RZ(x1)─RY(t1)─●┘─RX(t5)────────●┐─",
        "q2 bob   ─H─RZ(x2)─RY(t2)─●┐─RX(t6)─→alice─●┘─",
        "q3 bob   ─H─RZ(x3)─RY(t3)─●┘─RX(t7)───────────",
    ]


def test_labels_of_every_sort():
    phases, dense = [0.0, 1.0, 2.0, 3.0], np.eye(4)
    gates = [
        Gate("rx", 0, feature=3),
        Gate("ry", 0, parameter=12),
        Gate("rx", 0, angle=0.5),
        Gate("rz", 0, feature=3, scale=0.7),
        Gate("p", 0, parameter=1, scale=-1),
        Gate("sdg", 0),
        Gate("unitary", 0, matrix=np.eye(2)),
        Gate("diagonal", 0, phases=[1, 2], angle=1),
        Gate("crx", (0, 2), parameter=0),
        Gate("cp", (2, 0), angle=np.pi),
        Gate("rzz", (0, 2), feature=0),
        Gate("pauli", (2, 1, 0), word="XYZ", parameter=3),
        Gate("diagonal", (2, 0), phases=phases, feature=1),
        Gate("unitary", (1, 0), matrix=dense),
        Gate("iswap", (1, 2)),
    ]
    found, blocks = words(draw(Circuit(3, gates, amplitudes=5), width=300))
    assert found == {
        "q0": [
            *("RX(x3)", "RY(t12)", "RX(0.5)", "RZ(0.7 x3)", "P(-t1)", "S†", "U", "D(1)"),
            *("●", "P(3.142)", "RZZ(x0)", "[Z]", "D[1]", "U[1]"),
        ],
        "q1": ["[Y]", "U[0]", "iSWAP"],
        "q2": ["RX(t0)", "●", "RZZ", "[X](t3)", "D[0](x1)", "iSWAP"],
    }
    assert joined(blocks) == 7
    assert draw(Circuit(3, gates, amplitudes=5)).startswith(
        "3 qubits, 15 gates, 5 features, 13 parameters, starting from 5 amplitudes\n\nq0"
    )


def test_many_qubits_are_elided_and_folded():
    text = draw(ansatz.brickwork(64, layers=3), width=80)
    lines = text.split("\n")
    assert lines[0] == "64 qubits, 829 gates, 64 features, 384 parameters"
    assert "5 messages per run (║) carry 320 qubits" in lines[1]
    blocks = text.split("\n\n")[1:]
    assert len(blocks) > 1
    for block in blocks:
        names = re.findall(r"(?m)^(?:q\d+|⋮ q8-q55 \(48\)) ", block)
        assert len(names) == 17
        assert names[8] == "⋮ q8-q55 (48) "
        assert re.match(" +(alice|bob)", block)
    assert max(map(len, lines)) <= 80


def test_chosen_qubits():
    circuit = ansatz.brickwork(10, layers=1)
    text = draw(circuit, qubits=[7, 3, 4])
    labels = re.findall(r"(?m)^(⋮ \S+ \(\d+\)|q\d+) ", text)
    assert labels == ["⋮ q0-q2 (3)", "q3", "q4", "⋮ q5-q6 (2)", "q7", "⋮ q8-q9 (2)"]
    everything = draw(circuit)
    rows = words(text)[0]
    assert rows == {name: words(everything)[0][name] for name in ("q3", "q4", "q7")}


def test_a_deep_and_wide_circuit_is_drawn_in_full():
    circuit = ansatz.brickwork(64, layers=20, split="qubits")
    found, _ = words(draw(circuit, width=100, qubits=range(64)))
    hadamards = sum(row.count("H") for row in found.values())
    dots = sum(row.count("●") for row in found.values())
    assert (hadamards, dots) == (64, 2 * sum(gate.kind == "cz" for gate in circuit.gates))


def test_nothing_at_all():
    assert draw(Circuit(1, [])) == "1 qubit, 0 gates, 0 features, 0 parameters\n\nq0 ──"
    alone = draw(Circuit(1, [Gate("h", 0, party="alice")]))
    assert "alice, split by layers: nothing crosses" in alone


def test_a_name_has_room_and_no_line_break():
    gates = [Gate("x", 0, party="al\nice"), Gate("y", 0, party="bob"), Gate("z", 0, party="carol")]
    assert draw(Circuit(1, gates)).split("\n")[-2:] == [
        "    al ice ║ bob ║ carol",
        "q0 ─X──────║─Y───║─Z─",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 10}, "width is 10; this drawing needs at least 11"),
        ({"qubits": [4]}, r"qubits is \[4\]; expected some of 0 to 3"),
        ({"qubits": [-1]}, r"qubits is \[-1\]; expected some of 0 to 3"),
        ({"qubits": []}, r"qubits is \[\]; expected some of 0 to 3"),
        ({"qubits": "01"}, "qubits is '01'; expected some of 0 to 3"),
    ],
)
def test_refusals(options, message):
    circuit = ansatz.brickwork(4, layers=1)
    with pytest.raises(InputError, match=message):
        draw(circuit, **options)
    assert draw(circuit, width=11).count("\n\n") > 1
