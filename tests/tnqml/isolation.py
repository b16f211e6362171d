"""Runs a protocol while all that a party should not need is NaN."""

import copy

import numpy as np

from tnqml.protocols import ALICE, BOB
from tnqml.protocols.execution.parties import run_parties


class _Captured(Exception):
    pass


def roles_of(monkeypatch, module, protocol):
    """The roles that a protocol would run; `module` is where it calls `run_parties`."""

    def capture(roles, *, processes=False):
        raise _Captured(roles)

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_parties", capture)
        try:
            protocol()
        except _Captured as captured:
            return captured.args[0]
    raise AssertionError("the protocol ran no parties")


def assert_isolated(monkeypatch, module, protocol, *, corrupted):
    """Same results and ledger where each role comes from a call that is NaN beyond its own party's.

    `corrupted` has a call of the protocol for every party.
    """
    expected = run_parties(roles_of(monkeypatch, module, protocol))
    mixed = {name: roles_of(monkeypatch, module, corrupted[name])[name] for name in corrupted}
    run = run_parties(mixed)
    assert run.ledger == expected.ledger
    assert run.results == expected.results
    return run


def assert_instance_isolated(monkeypatch, module, instance, *, protocol, alice, bob):
    """The same for a promise problem, whose fields `alice` and `bob` are theirs.

    Reading the right answer fails.
    """

    def without(field):
        other = copy.copy(instance)
        object.__setattr__(other, field, np.full_like(getattr(instance, field), np.nan))
        return lambda: protocol(other)

    def forbidden(_):
        raise AssertionError("a party read the answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(instance), "answer", property(forbidden))
        return assert_isolated(
            monkeypatch,
            module,
            lambda: protocol(instance),
            corrupted={ALICE: without(bob), BOB: without(alice)},
        )
