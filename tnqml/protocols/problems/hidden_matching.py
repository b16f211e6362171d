"""Hidden Matching: one edge of Bob's matching with the xor of Alice's bits at its ends.

Alice's functions see her bits and the shared seed, Bob's his edges, the seed and what arrives. One
way, from Alice to Bob, log2 N qubits do what takes Theta(sqrt N) bits; if Bob may speak first the
separation is gone. Source: Bar-Yossef, Jayram, Kerenidis, STOC 2004.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.protocols.ledger import Entry, Ledger
from tnqml.protocols.problems.instances import ALICE, BOB, MatchingInstance
from tnqml.protocols.problems.one_shot import State, measure, qubits_of

Bits = NDArray[np.uint8]
Edges = NDArray[np.int64]


@dataclass(frozen=True)
class EdgeAnswer:
    """What a protocol answers, and the messages that it took.

    Attributes:
        edge: of Bob's matching.
        parity: claimed for the xor of Alice's bits at its ends.
        ledger: the messages.
    """

    edge: tuple[int, int]
    parity: int
    ledger: Ledger


def phase_state(
    bits: Bits,  # (N,)
) -> State:
    """(N,) amplitudes (-1)^x_i / sqrt(N): Alice's quantum message.

    Raises:
        InputError: N is not a power of two.
    """
    qubits_of(len(bits))
    state: State = (1.0 - 2.0 * bits).astype(np.complex128) / np.sqrt(len(bits))
    return state


def edge_from_state(
    edges: Edges,  # (N / 2, 2)
    state: State,  # (N,)
    *,
    seed: int,
) -> tuple[tuple[int, int], int]:
    """Bob's edge and parity from one copy, in the basis (|i> + |j>), (|i> - |j>) of his edges.

    The state has no part in the outcomes of the wrong parity.
    """
    first, second = state[edges[:, 0]], state[edges[:, 1]]
    turned = np.stack([first + second, first - second], 1).reshape(-1) / np.sqrt(2)
    string = measure(turned, shots=1, seed=seed)[0]
    outcome = int("".join(map(str, string)), 2)
    return _edge(edges, outcome // 2), outcome % 2


def matching_by_state(instance: MatchingInstance, *, seed: int) -> EdgeAnswer:
    """One message of log2 N qubits, one shot, always right.

    Raises:
        InputError: N is not a power of two.
    """
    edge, parity = edge_from_state(instance.edges, phase_state(instance.bits), seed=seed)
    sent = Entry(1, ALICE, BOB, "qubit", qubits_of(instance.size), purpose="state")
    return EdgeAnswer(edge, parity, Ledger([sent]))


def shared_places(size: int, *, count: int, seed: int) -> NDArray[np.int64]:
    """(count,) distinct places, uniform: from the randomness that both parties share.

    Raises:
        InputError: count is under 1 or over the size.
    """
    check_count(count, "the number of bits sent")
    check_count(size, "the number of bits", least=count)
    return np.random.default_rng((seed, 2)).permutation(size)[:count]


def edge_from_bits(
    edges: Edges,  # (N / 2, 2)
    places: NDArray[np.int64],  # (count,)
    bits: Bits,  # (count,)
    *,
    seed: int,
) -> tuple[tuple[int, int], int]:
    """Bob's edge and parity from the bits of some places.

    An edge with both ends among them is right; without one, he guesses.
    """
    known = np.full(2 * len(edges), -1)
    known[places] = bits
    ends = known[edges]
    complete = np.flatnonzero((ends >= 0).all(1))
    generator = np.random.default_rng((seed, 1))
    if len(complete):
        chosen = int(generator.choice(complete))
        return _edge(edges, chosen), int(ends[chosen, 0] ^ ends[chosen, 1])
    return _edge(edges, int(generator.integers(len(edges)))), int(generator.integers(2))


def matching_by_bits(instance: MatchingInstance, *, count: int, seed: int) -> EdgeAnswer:
    """One message of so many of Alice's bits, at places that shared randomness names.

    About sqrt(N) of them hold both ends of an edge (a birthday): `expected_success`.

    Raises:
        InputError: count is under 1 or over N.
    """
    places = shared_places(instance.size, count=count, seed=seed)
    message = instance.bits[places]  # all that Bob sees of Alice's input
    edge, parity = edge_from_bits(instance.edges, places, message, seed=seed)
    return EdgeAnswer(edge, parity, Ledger([Entry(1, ALICE, BOB, "bit", count, purpose="bits")]))


def expected_success(size: int, *, count: int) -> float:
    """The probability that `matching_by_bits` is right: 1 - P(no edge complete) / 2.

    Of the C(N, c) sets of places, C(N/2, c) 2^c hold no edge (derived; tests count them all).
    """
    check_count(count, "the number of bits sent")
    check_count(size, "the number of bits", least=count)
    half = size // 2
    if count > half:
        return 1.0
    logarithm = _log_choose(half, count) + count * math.log(2) - _log_choose(size, count)
    return 1 - math.exp(logarithm) / 2


def bits_for(size: int, *, success: float = 0.9) -> int:
    """The fewest bits with which `matching_by_bits` is right that often."""
    count = 1
    while expected_success(size, count=count) < success:
        count += 1
    return count


def matching_by_edge(instance: MatchingInstance, *, seed: int) -> EdgeAnswer:
    """Two ways: Bob names an edge by its ends, Alice answers one bit; always right.

    2 ceil(log2 N) + 1 bits, which is why the separation is one-way only.
    """
    chosen = int(np.random.default_rng((seed, 1)).integers(len(instance.edges)))
    first, second = edge = _edge(instance.edges, chosen)
    parity = int(instance.bits[first] ^ instance.bits[second])
    place = (instance.size - 1).bit_length()
    ledger = Ledger(
        [
            Entry(1, BOB, ALICE, "bit", 2 * place, purpose="edge"),
            Entry(2, ALICE, BOB, "bit", 1, purpose="parity"),
        ]
    )
    return EdgeAnswer(edge, parity, ledger)


def _edge(edges: Edges, number: int) -> tuple[int, int]:
    first, second = edges[number]
    return int(first), int(second)


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
