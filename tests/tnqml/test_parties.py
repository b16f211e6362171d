"""Parties that run by turns or in processes: same results, same ledger, clear ends."""

import multiprocessing
from functools import partial

import numpy as np
import party_roles as roles
import pytest

from tnqml.errors import InputError
from tnqml.protocols import Entry
from tnqml.protocols.execution.parties import PartyLost, ProtocolStuck, Receive, Send, run_parties


def two(first, second):
    return {"alice": first, "bob": second}


def test_rounds_follow_what_a_sender_has_received():
    def alice():
        yield Send("bob", np.zeros(1), "bit", 1, purpose="a1")
        yield Send("carol", np.zeros(1), "bit", 2, purpose="a1 too")
        got = yield Receive("carol")
        yield Send("bob", got, "bit", 3, purpose="a4")

    def bob():
        yield Send("carol", np.zeros(1), "qubit", 4, copies=3, purpose="b1")
        yield Receive("alice")
        yield Send("carol", np.zeros(1), "bit", 5, purpose="b2")
        yield Receive("alice")

    def carol():
        yield Receive("bob")
        yield Receive("bob")
        yield Receive("alice")
        yield Send("alice", np.zeros(1), "bit", 6, purpose="c3")

    run = run_parties({"alice": alice, "bob": bob, "carol": carol})
    assert [(entry.round, entry.purpose) for entry in run.ledger] == [
        (1, "a1"),
        (1, "a1 too"),
        (1, "b1"),
        (2, "b2"),
        (3, "c3"),
        (4, "a4"),
    ]
    assert run.ledger[2] == Entry(1, "bob", "carol", "qubit", 4, copies=3, purpose="b1")
    assert dict(run.results) == {"alice": None, "bob": None, "carol": None}


def test_processes_give_the_same_results_and_ledger():
    # all three send more than a pipe holds before they receive anything
    by_turns = run_parties(roles.triangle())
    apart = run_parties(roles.triangle(), processes=True)
    assert apart.results == by_turns.results
    assert apart.ledger == by_turns.ledger
    assert list(apart.results) == ["alice", "bob", "carol"]
    assert not multiprocessing.active_children()


def test_parties_share_no_memory():
    sender, receiver = partial(roles.changes_its_own, "bob"), partial(roles.hears_twice, "alice")
    assert run_parties(two(sender, receiver)).results["bob"] == ([5, 5], [1, 1])


@pytest.mark.parametrize("processes", [False, True])
def test_everybody_waits(processes):
    stuck = two(partial(roles.waits, "bob"), partial(roles.waits, "alice"))
    with pytest.raises(ProtocolStuck, match="'alice' waits for 'bob'; 'bob' waits for 'alice'"):
        run_parties(stuck, processes=processes)
    assert not multiprocessing.active_children()


def test_waiting_for_one_who_has_finished():
    with pytest.raises(ProtocolStuck, match="'bob' waits for 'alice', which has finished"):
        run_parties(
            two(
                partial(roles.changes_its_own, "bob"),
                lambda: (yield from (Receive("alice") for _ in range(3))),
            )
        )


@pytest.mark.parametrize("processes", [False, True])
def test_a_message_that_nobody_receives(processes):
    both = two(partial(roles.sends_once, "bob"), partial(roles.sends_once, "alice"))
    with pytest.raises(ProtocolStuck, match="never received: 1 from 'alice' to 'bob', 1 from 'bob"):
        run_parties(both, processes=processes)


@pytest.mark.parametrize("processes", [False, True])
def test_a_role_that_raises(processes):
    broken = two(partial(roles.raises, KeyError("seven")), partial(roles.waits, "alice"))
    with pytest.raises(PartyLost, match="party 'alice' failed with KeyError: 'seven'"):
        run_parties(broken, processes=processes)
    assert not multiprocessing.active_children()


def test_errors_of_this_package_stay_as_they_are():
    with pytest.raises(InputError, match="the data of alice are not good") as caught:
        run_parties(two(roles.refuses, partial(roles.waits, "alice")))
    assert caught.value.__cause__ is None


def test_a_killed_process_ends_the_run_with_one_error():
    lost = two(partial(roles.sends_once, "bob"), partial(roles.dies, "alice"))
    lost["carol"] = partial(roles.waits, "bob")
    with pytest.raises(PartyLost, match="process of party 'bob' ended with exit code -9"):
        run_parties(lost, processes=True)
    assert not multiprocessing.active_children()


def test_bad_input():
    waits = partial(roles.waits, "bob")
    with pytest.raises(InputError, match=r"1 parties \(alice\); expected at least two"):
        run_parties({"alice": waits})
    for payload, what in (([1, 2], "list"), (np.array(["a"]), "<U1"), (np.array([{}]), "object")):
        with pytest.raises(InputError, match=f"payload of a message from 'alice' is {what}"):
            run_parties(two(lambda: (yield Send("bob", payload, "bit", 1)), waits))  # noqa: B023
    for name in ("carol", "alice"):
        for step in (Send(name, np.zeros(1), "bit", 1), Receive(name)):
            with pytest.raises(InputError, match=f"'alice' names the party '{name}'; the others"):
                run_parties(two(lambda: (yield step), waits))  # noqa: B023
    with pytest.raises(InputError, match="size of a message is -1"):
        run_parties(two(lambda: (yield Send("bob", np.zeros(1), "bit", -1)), waits))
    with pytest.raises(InputError, match="'alice' yields a int; expected Send"):
        run_parties(two(lambda: (yield 5), waits))
    with pytest.raises(InputError, match="role of 'alice' gives a NoneType; expected a generator"):
        run_parties(two(lambda: None, waits))
    with pytest.raises(InputError, match="role of 'bob' cannot be sent to a process"):
        run_parties(two(waits, lambda: (yield 5)), processes=True)
    assert not multiprocessing.active_children()
