"""Observables: weighted sums of Pauli strings."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Self

from tnqml.errors import CircuitError

String = tuple[tuple[int, str], ...]
"""A Pauli string: (qubit, letter) pairs, sorted by qubit, without identities."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Observable:
    """A real linear combination of Pauli strings; add, subtract and scale it.

    Attributes:
        terms: pairs of a weight and a string; the empty string is the identity.

    Example:
        >>> (0.5 * Z(0) - X(2)).terms
        ((0.5, ((0, 'Z'),)), (-1.0, ((2, 'X'),)))
    """

    def __init__(self, terms: Iterable[tuple[float, String]]) -> None:
        weights: dict[String, float] = {}
        for weight, string in terms:
            if isinstance(weight, complex) or not math.isfinite(weight):
                raise CircuitError(f"an observable has the weight {weight!r}; expected a real")
            ordered = _ordered(string)
            weights[ordered] = weights.get(ordered, 0.0) + float(weight)
        if not weights:
            raise CircuitError("an observable needs at least one term")
        self.__dict__["_weights"] = weights

    @cached_property
    def terms(self) -> tuple[tuple[float, String], ...]:
        """Pairs of a weight and a string."""
        weights: dict[String, float] = self.__dict__["_weights"]
        return tuple((weight, string) for string, weight in weights.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Observable) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __repr__(self) -> str:
        return f"Observable({self.terms!r})"

    @property
    def qubits(self) -> tuple[int, ...]:
        """The qubits that it acts on, sorted."""
        return tuple(sorted({qubit for _, string in self.terms for qubit, _ in string}))

    def __add__(self, other: "Observable") -> "Observable":
        if not isinstance(other, Observable):
            return NotImplemented
        total = object.__new__(Observable)
        weights = dict(self.__dict__["_weights"])  # a plain copy, so that long sums stay quick
        for string, weight in other.__dict__["_weights"].items():
            weights[string] = weights.get(string, 0.0) + weight
        total.__dict__["_weights"] = weights
        return total

    def __radd__(self, other: object) -> Self:
        return self if other == 0 else NotImplemented  # `sum` starts from 0

    def __mul__(self, factor: float) -> "Observable":
        if not isinstance(factor, int | float):
            return NotImplemented
        return Observable((factor * weight, string) for weight, string in self.terms)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Observable":
        if not isinstance(divisor, int | float):
            return NotImplemented
        return self * (1 / divisor)

    def __neg__(self) -> "Observable":
        return -1.0 * self

    def __sub__(self, other: "Observable") -> "Observable":
        return self + -other

    def __str__(self) -> str:
        """For people, as in ``0.5 Z0 - X2``."""
        parts = []
        for weight, string in self.terms:
            word = " ".join(f"{letter}{qubit}" for qubit, letter in string) or "1"
            size = "" if abs(weight) == 1 else f"{abs(weight):g} "
            parts.append(f"{'-' if weight < 0 else '+'} {size}{word}")
        return " ".join(parts).removeprefix("+ ")


def pauli(letters: Mapping[int, str] | str, qubits: Sequence[int] | None = None) -> Observable:
    """The Pauli string with these letters, given by qubit or as a word with its qubits.

    Example:
        >>> pauli("XZ", (0, 3)) == pauli({0: "X", 3: "Z"})
        True
    """
    if isinstance(letters, str):
        if qubits is not None and not isinstance(qubits, Iterable):
            raise CircuitError(
                f"Pauli word {letters!r} on qubits {qubits!r}; expected a sequence of them"
            )
        places = range(len(letters)) if qubits is None else tuple(qubits)
        if len(set(places)) != len(letters) or len(places) != len(letters):
            raise CircuitError(
                f"Pauli word {letters!r} on qubits {tuple(places)}; expected one distinct qubit "
                "for each letter"
            )
        letters = dict(zip(places, letters, strict=True))
    for qubit, letter in letters.items():
        if isinstance(qubit, bool) or not isinstance(qubit, Integral) or qubit < 0:
            raise CircuitError(f"an observable names the qubit {qubit!r}; expected 0, 1, 2, ...")
        if letter not in {"I", "X", "Y", "Z"}:
            raise CircuitError(f"an observable has the letter {letter!r}; expected I, X, Y or Z")
    string = sorted((int(qubit), letter) for qubit, letter in letters.items() if letter != "I")
    return Observable([(1.0, tuple(string))])


def _ordered(string: String) -> String:
    """The string with its qubits ascending, refused if it is none or names one twice."""
    try:
        ordered = tuple(sorted((qubit, letter) for qubit, letter in string))
    except (TypeError, ValueError):
        raise CircuitError(
            f"an observable has the string {string!r:.60}; expected pairs of a qubit and a letter"
        ) from None
    if len({qubit for qubit, _ in ordered}) != len(ordered):
        raise CircuitError(
            f"an observable has the string {string!r:.60}, which names a qubit twice"
        )
    return ordered


def X(qubit: int) -> Observable:  # noqa: N802 - the operator's name in the field
    """Pauli X on a qubit."""
    return pauli({qubit: "X"})


def Y(qubit: int) -> Observable:  # noqa: N802
    """Pauli Y on a qubit."""
    return pauli({qubit: "Y"})


def Z(qubit: int) -> Observable:  # noqa: N802
    """Pauli Z on a qubit."""
    return pauli({qubit: "Z"})


def projector(qubit: int) -> Observable:
    """The projector |0><0| on a qubit, (1 + Z) / 2."""
    return Observable([(0.5, ()), *(0.5 * Z(qubit)).terms])


def parity(qubits: Iterable[int]) -> Observable:
    """The product of Z over distinct qubits."""
    if not isinstance(qubits, Iterable):
        raise CircuitError(f"a parity over {qubits!r}; expected several qubits")
    listed = list(qubits)
    return pauli("Z" * len(listed), listed)
