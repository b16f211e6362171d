"""Roles for the tests of `parties`, in a module that a fresh process imports quickly."""

import os
import signal
from functools import partial

import numpy as np

from tnqml.errors import InputError
from tnqml.protocols.execution.parties import Receive, Send

_LONG = 50_000
NAMES = ("alice", "bob", "carol")


def triangle():
    """Three parties who all talk to each other, by role."""
    return {name: partial(talks, name, seed) for seed, name in enumerate(NAMES)}


def talks(me, seed):
    """Sends to both others and hears both, twice; each payload depends on what came before."""
    generator = np.random.default_rng(seed)
    state = generator.normal(size=_LONG) + 1j * generator.normal(size=_LONG)
    others = [name for name in NAMES if name != me]
    for _ in range(2):
        for other in others:
            yield Send(other, state, "qubit", 2, copies=seed + 1, purpose=f"from {me}")
        for other in others[:: 1 - 2 * (seed % 2)]:
            state = state * (yield Receive(other)) + generator.normal()
    if me != "alice":
        yield Send("alice", np.arange(seed, dtype=np.uint8), "bit", 8 * seed)
    else:
        for other in others:
            state = np.append(state, (yield Receive(other)))
    return state.tobytes()


def waits(other):
    yield Receive(other)


def sends_once(other):
    yield Send(other, np.zeros(1), "bit", 1)


def dies(other):
    yield Receive(other)
    os.kill(os.getpid(), signal.SIGKILL)


def raises(error):
    raise error
    yield


def refuses():
    return raises(InputError("the data of alice are not good"))


def changes_its_own(other):
    """Sends an array, then changes it."""
    own = np.zeros(2)
    yield Send(other, own, "bit", 1)
    own += 1
    yield Send(other, own, "bit", 1)


def hears_twice(other):
    first = yield Receive(other)
    first += 5
    second = yield Receive(other)
    return first.tolist(), second.tolist()
