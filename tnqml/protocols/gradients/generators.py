"""Generators of a circuit's parameters as Pauli words, in blocks that commute at one cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from tnqml.circuit import Circuit
from tnqml.forms import Form, spectrum
from tnqml.gates import Gate
from tnqml.observables import String
from tnqml.paulis import pauli_matrix
from tnqml.protocols.execution.holders import turns

_NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Term:
    """One Pauli word of one parameter: df/d(parameter) gets weight times df/dt.

    t is the angle of a rotation exp(-i t word / 2) put in beside the gate.

    Attributes:
        parameter: its index.
        weight: twice the word's coefficient in the gate's generator, times the gate's scale.
        word: the Pauli string, without identities.
    """

    parameter: int
    weight: float
    word: String


@dataclass(frozen=True)
class Block:
    """Terms of one party whose words commute with each other and reach one cut of the circuit.

    Attributes:
        party: whose gates they are, and who measures.
        turn: the index of the party's turn.
        cut: how many gates of the turn come before the cut.
        terms: at least one.
    """

    party: str
    turn: int
    cut: int
    terms: tuple[Term, ...]

    @property
    def words(self) -> tuple[String, ...]:
        """The distinct words, in order of first appearance."""
        return tuple(dict.fromkeys(term.word for term in self.terms))


def commuting_blocks(circuit: Circuit) -> tuple[Block, ...]:
    """The terms of all parameters in blocks, by turn and cut.

    The gates of a turn are walked in order. The generator of a gate with a parameter is written as
    a sum of Pauli words, which commute for every kind of gate there is: one word for a Pauli
    rotation and "p", two for the controlled rotations, three for "cp", up to 2^k - 1 for "diagonal"
    on k qubits. A word moves to every cut of its turn that is reached through gates that commute
    with it, and joins the first block that has such a cut and commutes with it as a whole; else it
    begins a block. The cut of a block is the last that all its words reach.

    Example:
        >>> from tnqml import ansatz
        >>> blocks = commuting_blocks(ansatz.brickwork(3, layers=1))
        >>> [(block.party, len(block.terms)) for block in blocks]
        [('alice', 3), ('bob', 3)]
    """
    found: list[Block] = []
    for index, turn in enumerate(turns(circuit)):
        drafts: list[_Draft] = []
        for place, gate in enumerate(turn.gates):
            if gate.source != "parameter":
                continue
            for term in _terms(gate):
                first, last = _reach(term.word, place, turn.gates)
                for draft in drafts:
                    if draft.takes(term.word, first, last):
                        break
                else:
                    draft = _Draft(first, last, [])
                    drafts.append(draft)
                draft.add(term, first, last)
        found += [
            Block(turn.party, index, draft.last, tuple(draft.terms))
            for draft in sorted(drafts, key=lambda draft: draft.last)
        ]
    return tuple(found)


def commute(one: String, other: String) -> bool:
    """Whether two Pauli strings commute: they differ on an even number of shared qubits.

    Example:
        >>> commute(((0, "X"), (1, "X")), ((0, "Z"), (1, "Z")))
        True
    """
    letters = dict(other)
    return sum(letters.get(qubit, letter) != letter for qubit, letter in one) % 2 == 0


def commutes_with(gate: Gate, word: String) -> bool:
    """Whether a gate, at every angle, commutes with a Pauli string."""
    letters = dict(word)
    own = "".join(letters.get(qubit, "I") for qubit in gate.qubits)
    return set(own) == {"I"} or _form_commutes(gate.form, own)


@lru_cache(maxsize=256)
def generator_words(form: Form) -> tuple[tuple[float, str], ...]:
    """Pairs (c, word) with the gate = exp(-i angle sum_k c_k word_k) up to a global phase.

    Words have one letter a qubit of the gate. The coefficient of a word is Tr(word G)/2^k for the
    generator G; the identity, a global phase, is left out.

    Example:
        >>> from tnqml import Gate
        >>> generator_words(Gate("crx", (0, 1), angle=0.1).form)
        ((0.25, 'IX'), (-0.25, 'ZX'))
    """
    if form.kind == "pauli":
        return ((0.5, form.word),)
    if form.kind == "diagonal":
        grid = np.asarray(form.array, dtype=np.float64).reshape((2,) * form.arity)
        for axis in range(form.arity):  # the Walsh-Hadamard transform, one qubit at a time
            zero, one = np.moveaxis(grid, axis, 0)
            grid = np.stack([zero + one, zero - one], axis) / 2
        words = product("IZ", repeat=form.arity)
        pairs = zip(grid.reshape(-1).tolist(), map("".join, words), strict=True)
    else:
        frequencies, projectors = spectrum(form)
        generator = np.tensordot(frequencies, projectors, 1)
        listed = ["".join(letters) for letters in product("IXYZ", repeat=form.arity)]
        traces = [np.trace(pauli_matrix(word) @ generator).real for word in listed]
        values = np.round(np.array(traces) / 2**form.arity, 15)
        pairs = zip(values.tolist(), listed, strict=True)
    return tuple(
        (value, word) for value, word in pairs if abs(value) > _NEGLIGIBLE and set(word) != {"I"}
    )


def _terms(gate: Gate) -> Iterator[Term]:
    for value, letters in generator_words(gate.form):
        if gate.value:
            pairs = zip(gate.qubits, letters, strict=True)
            word = tuple(sorted((qubit, letter) for qubit, letter in pairs if letter != "I"))
            yield Term(gate.slot, 2 * value * gate.value, word)


@dataclass
class _Draft:
    """A block in the making: the cuts `first` to `last` are reached by all its words."""

    first: int
    last: int
    terms: list[Term]

    def takes(self, word: String, first: int, last: int) -> bool:
        shared = max(first, self.first) <= min(last, self.last)
        return shared and all(commute(word, term.word) for term in self.terms)

    def add(self, term: Term, first: int, last: int) -> None:
        self.first, self.last = max(first, self.first), min(last, self.last)
        self.terms.append(term)


def _reach(word: String, place: int, gates: Sequence[Gate]) -> tuple[int, int]:
    """The first and last cut that a word of the gate at `place` reaches; cut c is before gate c."""
    first, last = place, place + 1
    while first > 0 and commutes_with(gates[first - 1], word):
        first -= 1
    while last < len(gates) and commutes_with(gates[last], word):
        last += 1
    return first, last


@lru_cache(maxsize=4096)
def _form_commutes(form: Form, word: str) -> bool:
    """Whether a gate commutes with a Pauli word on its own qubits."""
    flips = int("".join("1" if letter in "XY" else "0" for letter in word), 2)
    index = np.arange(2**form.arity)
    if form.kind == "diagonal":
        phases = np.asarray(form.array)
        return bool(np.abs(phases[index ^ flips] - phases).max() <= _NEGLIGIBLE)
    if form.has_angle:
        own = tuple(enumerate(word))
        return all(
            commute(_without_identities(own), _without_identities(tuple(enumerate(other))))
            for _, other in generator_words(form)
        )
    # word|j> = phase_j |j xor flips>, hence word U = U word where the two sides below agree
    columns = index[:, None] >> np.arange(form.arity - 1, -1, -1) & 1
    signed = np.array([letter in "YZ" for letter in word])
    phase = (1j) ** word.count("Y") * (-1.0) ** (columns[:, signed].sum(1))
    matrix = spectrum(form)[1][0]
    turned = matrix[index ^ flips][:, index ^ flips]
    return bool(np.abs(phase[:, None] * matrix - turned * phase).max() <= _NEGLIGIBLE)


def _without_identities(letters: String) -> String:
    return tuple((qubit, letter) for qubit, letter in letters if letter != "I")
