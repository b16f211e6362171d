"""The ledger: totals, merges, drawing, and what it refuses."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnqml import InputError
from tnqml.protocols import Entry, Ledger, Traffic

PARTIES = ("alice", "bob", "carol")


@st.composite
def ledgers(draw):
    entries = []
    for _ in range(draw(st.integers(0, 6))):
        sender, receiver = draw(st.permutations(PARTIES))[:2]
        entries.append(
            Entry(
                draw(st.integers(1, 4)),
                sender,
                receiver,
                draw(st.sampled_from(["qubit", "bit"])),
                draw(st.integers(0, 9)),
                copies=draw(st.integers(1, 5)),
                purpose=draw(st.sampled_from(["state", "sketch", ""])),
            )
        )
    return Ledger(entries)


def example() -> Ledger:
    return Ledger(
        [
            Entry(2, "bob", "alice", "bit", 3, purpose="reply"),
            Entry(1, "alice", "bob", "qubit", 4, copies=7, purpose="state"),
            Entry(2, "bob", "carol", "qubit", 2, copies=2, purpose="state"),
        ]
    )


def test_totals():
    ledger = example()
    assert (ledger.qubits, ledger.bits, ledger.rounds, len(ledger)) == (32, 3, 2, 3)
    assert [entry.round for entry in ledger] == [1, 2, 2]
    assert ledger[0].total == 28
    assert ledger.parties == PARTIES
    assert ledger.by_party("qubit") == {
        "alice": Traffic(28, 0),
        "bob": Traffic(4, 28),
        "carol": Traffic(0, 4),
    }
    assert ledger.by_party("bit")["bob"] == Traffic(3, 0)
    assert ledger.by_purpose("qubit") == {"state": 32}
    assert ledger.by_purpose("bit") == {"reply": 3}
    assert ledger.by_round("qubit") == (28, 4)
    assert ledger.by_round("bit") == (0, 3)


def test_an_empty_ledger():
    empty = Ledger()
    assert (empty.qubits, empty.bits, empty.rounds, empty.parties) == (0, 0, 0, ())
    assert empty.drawing() == ""
    assert empty + example() == example() == example() + empty
    assert len(empty.to_frame()) == 0
    assert "size" in empty.to_frame().columns


def test_nobody_changes_a_ledger():
    with pytest.raises(FrozenInstanceError):
        example().entries = ()
    with pytest.raises(FrozenInstanceError):
        example()[0].size = 3


@given(ledgers(), ledgers(), st.integers(1, 5))
def test_merging_adds_up(first, second, copies):
    after, beside, repeated = first + second, first.beside(second), first.times(copies)
    assert after.rounds == first.rounds + second.rounds
    assert beside.rounds == max(first.rounds, second.rounds)
    assert repeated.rounds == first.rounds
    for kind in ("qubit", "bit"):
        total = first.total(kind) + second.total(kind)
        assert after.total(kind) == beside.total(kind) == total
        assert repeated.total(kind) == copies * first.total(kind)
        assert after.by_round(kind) == first.by_round(kind) + second.by_round(kind)
        for ledger in (after, beside, repeated):
            by_party = ledger.by_party(kind).values()
            assert sum(party.sent for party in by_party) == ledger.total(kind)
            assert sum(party.received for party in by_party) == ledger.total(kind)
            assert sum(ledger.by_purpose(kind).values()) == ledger.total(kind)
            assert sum(ledger.by_round(kind)) == ledger.total(kind)


@given(ledgers())
def test_the_frame_holds_every_message(ledger):
    frame = ledger.to_frame()
    assert [row.size for row in ledger] == list(frame["size"])
    assert frame.loc[frame["kind"] == "qubit", "total"].sum() == ledger.qubits
    if len(ledger):
        assert Ledger(Entry(*row) for row in frame.drop(columns="total").to_numpy()) == ledger


def test_the_drawing_of_three_parties():
    ledger = example().beside(Ledger([Entry(3, "carol", "alice", "bit", 1)]))
    assert ledger.drawing().splitlines() == [
        "round  alice                 bob                   carol",
        "    1  |---- 7 x 4 qubits -->|                     |  state",
        "    2  |<------ 3 bits ------|                     |  reply",
        "    2  |                     |---- 2 x 2 qubits -->|  state",
        "    3  |<----------------- 1 bit ------------------|",
    ]


@given(ledgers())
def test_every_drawn_line_has_every_lane(ledger):
    lines = ledger.drawing().splitlines()
    assert len(lines) == (len(ledger) + 1 if len(ledger) else 0)
    for line, entry in zip(lines[1:], ledger, strict=True):
        places = [lines[0].index(name) for name in (entry.sender, entry.receiver)]
        assert all(line[place] == "|" for place in places)
        head = line[places[1] - 1] if places[0] < places[1] else line[places[1] + 1]
        assert head == (">" if places[0] < places[1] else "<")
        assert f" {entry.size} {entry.kind}" in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"round": 0}, "round of a message is 0"),
        ({"size": -1}, "size of a message is -1"),
        ({"size": 1.5}, "size of a message is 1.5"),
        ({"copies": 0}, "copies of a message is 0"),
        ({"copies": True}, "copies of a message is True"),
        ({"receiver": "alice"}, "sends a message to itself"),
        ({"sender": ""}, "sender of a message is ''"),
        ({"kind": "ebit"}, "kind of a message is 'ebit'"),
    ],
)
def test_bad_messages(change, message):
    good = {"round": 1, "sender": "alice", "receiver": "bob", "kind": "bit", "size": 1}
    with pytest.raises(InputError, match=message):
        Entry(**good | change)


def test_bad_use():
    with pytest.raises(InputError, match="copies is 0"):
        example().times(0)
    with pytest.raises(InputError, match="message 0 is a int"):
        Ledger([3])
    with pytest.raises(InputError, match="kind is 'qubits'"):
        example().total("qubits")
    with pytest.raises(InputError, match="cannot merge a list"):
        example().beside([])
    with pytest.raises(TypeError):
        example() + 3
    assert Entry(1, "alice", "bob", "bit", np.int64(3)).total == 3
