import pytest

from tnqml import (
    Circuit,
    CircuitError,
    Gate,
    Message,
    Observable,
    X,
    Z,
    ansatz,
    parity,
    pauli,
    projector,
)
from tnqml.cone import Wires, light_cone


def gates(text):
    """Gates from words like "a:cz01": party, kind, qubits; "-" is no party."""
    parties = {"a": "alice", "b": "bob", "c": "carol", "-": None}
    return [
        Gate(
            word[2:].rstrip("0123456789"),
            [int(digit) for digit in word[2:].lstrip("abcdefghijklmnopqrstuvwxyz")],
            party=parties[word[0]],
        )
        for word in text.split()
    ]


def cone_of(circuit, letters):
    return circuit.gates.select(light_cone(Wires(circuit), letters))


def messages(*listed):
    names = {"a": "alice", "b": "bob", "c": "carol"}
    return tuple(Message(names[m[0]], names[m[1]], tuple(map(int, m[2:]))) for m in listed)


def test_features_and_parameters_are_counted_by_the_last_one_read():
    assert (Circuit(1, []).features, Circuit(1, []).parameters) == (0, 0)
    circuit = Circuit(
        2,
        [
            Gate("rx", 0, feature=4),
            Gate("rx", 1, parameter=2),
            Gate("rx", 0, feature=1),
            Gate("rx", 0, angle=1.0),
        ],
    )
    assert (circuit.features, circuit.parameters) == (5, 3)
    assert Circuit(3, circuit.gates, amplitudes=7).features == 7
    assert Circuit(3, circuit.gates, amplitudes=3).features == 5


def test_parties_are_in_order_of_appearance():
    assert Circuit(3, gates("-:h0 c:h1 a:h0 c:h2")).parties == ("carol", "alice")


@pytest.mark.parametrize(
    ("text", "layers", "qubits"),
    [
        ("", [], []),
        ("-:h0 -:h1", [], []),
        ("a:h0 a:cz01", [], []),
        ("a:h0 b:h0", ["ab01"], ["ab0"]),
        ("a:h0 b:h1", ["ab01"], []),
        ("a:cz01 b:cz01 a:cz01", ["ab01", "ba01"], ["ab01", "ba01"]),
        ("a:h0 -:h0 b:h0", ["ab01"], ["ab0"]),
        ("a:h0 b:h1 a:h0", ["ab01", "ba01"], []),
        # a qubit that follows another the same way goes in the same message
        ("a:h0 a:h1 b:h0 b:h1", ["ab01"], ["ab01"]),
        ("a:h0 b:h1 a:cz01 b:cz01", ["ab01", "ba01", "ab01"], ["ba1", "ab01"]),
        # three parties
        ("a:cz01 b:h0 c:h1", ["ab01", "bc01"], ["ab0", "ac1"]),
        (
            "a:cz01 b:cz01 c:cz01 a:h1",
            ["ab01", "bc01", "ca01"],
            ["ab01", "bc01", "ca1"],
        ),
        ("a:h0 b:h1 c:cz01", ["ab01", "bc01"], ["ac0", "bc1"]),
    ],
)
def test_messages(text, layers, qubits):
    listed = gates(text)
    assert Circuit(2, listed).messages() == messages(*layers)
    assert Circuit(2, listed, split="qubits").messages() == messages(*qubits)


def test_the_whole_register_crosses_between_layers():
    circuit = ansatz.brickwork(5, layers=3)
    assert [len(message.qubits) for message in circuit.messages()] == [5] * 5
    assert [message.sender for message in circuit.messages()] == ["alice", "bob"] * 2 + ["alice"]
    three = ansatz.brickwork(4, layers=2, parties=("alice", "bob", "carol"))
    assert [message.receiver for message in three.messages()] == [
        *("bob", "carol", "alice", "bob", "carol")
    ]


def test_only_the_border_crosses_under_a_qubit_split():
    # blocks 0..3 and 4..7; the one CZ between them is on (3, 4) and is alice's
    circuit = ansatz.brickwork(8, layers=2, split="qubits")
    assert circuit.messages() == messages("ba4", "ab4", "ba4")
    three = ansatz.brickwork(9, layers=1, split="qubits", parties=("alice", "bob", "carol"))
    # bonds (2, 3) even, (5, 6) odd: the even one is before bob's second rotation on qubit 3
    assert three.messages() == messages("ba3", "ab3", "cb6", "bc6")


@pytest.mark.parametrize(
    ("text", "letters", "expected"),
    [
        ("a:h0 a:h1 b:h0 b:h1", "Z0", ["ab0"]),
        ("a:h0 a:h1 b:h0 b:h1", "Z0 Z1", ["ab01"]),
        ("a:h0 b:h1", "Z0", []),
        (
            "a:h0 b:h1",
            "Z0 Z1",
            ["ab0"],
        ),  # bob makes qubit 1 himself, 0 has to reach the measurement
        ("a:h0 b:h1 a:cx10 ", "Z0", ["ab0", "ba01"]),
        ("a:h0 a:h1 b:cx10 c:h0", "Z0", ["ab01", "bc0"]),
        ("a:h0 a:h1 b:cx10 c:h1", "Z0", ["ab01"]),
    ],
)
def test_messages_that_a_light_cone_needs(text, letters, expected):
    circuit = Circuit(2, gates(text))
    word = {int(part[1:]): part[0] for part in letters.split()}
    assert circuit.cone_messages(cone_of(circuit, word), tuple(word)) == messages(*expected)


def test_messages_of_a_cone_under_a_qubit_split():
    circuit = Circuit(2, gates("a:h0 b:h1 a:cx10 b:h1"), split="qubits")
    assert circuit.cone_messages(cone_of(circuit, {0: "Z"}), (0,)) == messages("ba1")
    assert circuit.messages() == messages("ba1", "ab1")


def test_a_cone_never_needs_more_than_the_circuit():
    circuit = ansatz.brickwork(12, layers=3)
    cone = cone_of(circuit, {6: "Z"})
    needed, whole = circuit.cone_messages(cone, (6,)), circuit.messages()
    assert len(needed) <= len(whole)
    assert all(set(m.qubits) < set(range(12)) for m in needed)
    assert 6 in needed[-1].qubits


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, []), {}, "0 qubits; expected an integer of at least 1"),
        ((-1, []), {}, "-1 qubits"),
        ((2.0, []), {}, "2.0 qubits"),
        ((True, []), {}, "True qubits"),
        ((2, [Gate("h", 2)]), {}, r"gate 0 \(h\) acts on qubit 2; the circuit has qubits 0 to 1"),
        ((2, [Gate("h", 0), Gate("cz", (7, 0))]), {}, r"gate 1 \(cz\) acts on qubit 7"),
        ((2, ["h"]), {}, "gate 0 is a str; expected a Gate"),
        ((2, []), {"amplitudes": -1}, "-1 amplitudes; expected an integer of at least 0"),
        ((2, []), {"amplitudes": "3"}, "'3' amplitudes; expected an integer of at least 0"),
        ((2, []), {"amplitudes": 5}, r"5 amplitudes do not fit 2 qubits; expected 0 to 2\^2"),
        ((2, []), {"amplitudes": -1}, "-1 amplitudes"),
        ((2, []), {"split": "time"}, "split is 'time'; expected 'layers' or 'qubits'"),
    ],
)
def test_a_bad_circuit_is_refused(arguments, options, message):
    with pytest.raises(CircuitError, match=message):
        Circuit(*arguments, **options)


def test_amplitudes_that_just_fit():
    assert Circuit(2, [], amplitudes=4).features == 4
    assert Circuit(60, [], amplitudes=2**60).features == 2**60


def test_a_circuit_after_another():
    one = Circuit(2, gates("a:h0"), amplitudes=3, split="qubits")
    other = Circuit(2, gates("b:cz01"), split="qubits")
    both = one + other
    assert both.gates == one.gates + other.gates
    assert (both.qubits, both.amplitudes, both.split) == (2, 3, "qubits")
    for wrong in (
        Circuit(3, [], split="qubits"),
        Circuit(2, [], split="layers"),
        Circuit(2, [], split="qubits", amplitudes=1),
    ):
        with pytest.raises(CircuitError, match="cannot append"):
            one + wrong
    with pytest.raises(TypeError):
        one + 3


def test_equal_circuits_are_equal_and_hash_alike():
    one, same = (ansatz.from_graph(ansatz.ring(4), layers=2) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != ansatz.from_graph(ansatz.ring(4), layers=1)


def test_observables_add_up():
    assert sum([Z(0), Z(1)]) == Z(0) + Z(1)
    assert (2 * Z(0) - Z(0)).terms == Z(0).terms
    assert (Z(0) * 3).terms == ((3.0, ((0, "Z"),)),)
    assert projector(2).terms == ((0.5, ()), (0.5, ((2, "Z"),)))
    assert pauli("IXI", (3, 1, 0)) == X(1)
    assert pauli("ZX", (4, 1)).terms == ((1.0, ((1, "X"), (4, "Z"))),)
    assert parity([3, 0]) == pauli({0: "Z", 3: "Z"})
    assert (pauli("XY") + Z(5)).qubits == (0, 1, 5)
    assert str(0.5 * Z(0) - X(2)) == "0.5 Z0 - X2"
    assert str(pauli("I")) == "1"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Z(-1), "names the qubit -1"),
        (lambda: Z(0.5), "names the qubit 0.5"),
        (lambda: Z(True), "names the qubit True"),
        (lambda: pauli({0: "Q"}), "the letter 'Q'"),
        (lambda: pauli("XX", (1, 1)), "one distinct qubit"),
        (lambda: pauli("XX", (1,)), "one distinct qubit"),
        (lambda: float("nan") * Z(0), "weight nan"),
        (lambda: float("inf") * Z(0), "weight inf"),
        (lambda: Observable([(1j, ())]), "weight 1j"),
        (lambda: Observable([]), "at least one term"),
    ],
)
def test_a_bad_observable_is_refused(make, message):
    with pytest.raises(CircuitError, match=message):
        make()


def test_an_observable_on_a_missing_qubit_is_refused():
    with pytest.raises(CircuitError, match="Z3 acts on qubit 3; the circuit has qubits 0 to 2"):
        Circuit(3, []).check(Z(3))
    with pytest.raises(CircuitError, match="expected an Observable"):
        Circuit(3, []).check("Z")
    Circuit(3, []).check(parity(range(3)))
