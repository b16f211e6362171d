"""What every simulator is asked for: the circuit, the observable and the numbers of one cell."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studies.errors import CellError, StudyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml import Circuit, Gate, Observable

FAMILIES = {
    "chain": "1D brickwork",
    "grid": "2D grid",
    "regular": "random 3-regular graph",
    "complete": "all-to-all",
}
OBSERVABLES = {"local": "local Z", "sum": "sum of all Z", "parity": "global parity"}
_DEGREE = 3


class PeerRefusal(StudyError):
    """A simulator cannot run a problem at all; the message says why."""


@dataclass(frozen=True)
class Problem:
    """One model at one set of parameters, for a batch of inputs.

    Attributes:
        circuit: its gates; the only kinds are rz, ry, rx and cz.
        strings: the qubits of each product of Z; the observable is their sum.
        theta: the parameters (parameters,), float32.
        x: the inputs (batch, features), float32.
        search_seconds: time that a contraction search may take, where a simulator has one.
    """

    circuit: "Circuit"
    strings: tuple[tuple[int, ...], ...]
    theta: "NDArray[np.float32]"
    x: "NDArray[np.float32]"
    search_seconds: float

    @property
    def observable(self) -> "Observable":
        """The observable as this library writes it."""
        from tnqml import parity

        terms = [parity(string) for string in self.strings]
        return sum(terms[1:], terms[0])


@dataclass(frozen=True)
class Answer:
    """What a simulator gives back.

    Attributes:
        values: the expectation of every input (batch,).
        gradient: of the sum of the values by every parameter (parameters,), or None.
    """

    values: "NDArray[np.floating[Any]]"
    gradient: "NDArray[np.floating[Any]] | None"


@dataclass(frozen=True)
class Prepared:
    """A problem set up by a simulator.

    Attributes:
        call: value and gradient; every call does all the work that a new set of parameters needs.
        facts: called after the last call; columns that this simulator alone can fill.
    """

    call: Callable[[], Answer]
    facts: Callable[[], Mapping[str, float | str]] = field(default=dict)


def circuit(family: str, qubits: int, *, layers: int, seed: int) -> "Circuit":
    """A circuit of a family on |0...0>, every upload with features of its own.

    Args:
        family: one of `FAMILIES`.
        qubits: n; for "grid" a square, for "regular" an even number of at least 4.
        layers: L.
        seed: of the random graph; the other families have none.

    Raises:
        CellError: there is no such family, or none of it with so many qubits.

    Example:
        >>> circuit("grid", 9, layers=1, seed=0).qubits
        9
    """
    import networkx as nx

    from tnqml import ansatz

    check_family(family, qubits)
    if family == "chain":
        return ansatz.brickwork(qubits, layers=layers, start="zero", reupload=False)
    if family == "grid":
        graph = ansatz.grid(_root(qubits), _root(qubits))
    elif family == "regular":
        graph = nx.random_regular_graph(_DEGREE, qubits, seed=seed)
    else:
        graph = ansatz.all_to_all(qubits)
    return ansatz.from_graph(graph, layers=layers, start="zero", reupload=False)


def check_family(family: str, qubits: int) -> None:
    """Refuse a family that does not exist, or that has no member of so many qubits."""
    if family not in FAMILIES:
        raise CellError(f"family is {family!r}; expected one of {', '.join(FAMILIES)}")
    if family == "grid" and _root(qubits) ** 2 != qubits:
        raise CellError(f"a grid of {qubits} qubits is no square; expected 16, 25, 36, ...")
    if family == "regular" and (qubits <= _DEGREE or qubits % 2):
        raise CellError(f"no 3-regular graph has {qubits} nodes; expected an even number from 4 on")


def _root(qubits: int) -> int:
    return math.isqrt(qubits)


def strings(kind: str, family: str, qubits: int) -> tuple[tuple[int, ...], ...]:
    """The qubits of each product of Z in an observable: in the middle, every qubit's, or of all.

    >>> strings("local", "grid", 9), strings("parity", "chain", 3)
    (((4,),), ((0, 1, 2),))
    """
    if kind == "local":
        root = _root(qubits)
        return (((root // 2) * root + root // 2 if family == "grid" else qubits // 2,),)
    if kind == "sum":
        return tuple((qubit,) for qubit in range(qubits))
    if kind == "parity":
        return (tuple(range(qubits)),)
    raise CellError(f"observable is {kind!r}; expected one of {', '.join(OBSERVABLES)}")


def problem(
    family: str,
    qubits: int,
    *,
    layers: int,
    observable: str,
    inputs: int,
    seed: int,
    search_seconds: float = 1.0,
) -> Problem:
    """The problem of a cell, with angles uniform over a turn from the seed."""
    import numpy as np

    made = circuit(family, qubits, layers=layers, seed=seed)
    generator = np.random.default_rng(seed)
    return Problem(
        circuit=made,
        strings=strings(observable, family, qubits),
        theta=generator.uniform(0, 2 * np.pi, made.parameters).astype(np.float32),
        x=generator.uniform(0, 2 * np.pi, (inputs, made.features)).astype(np.float32),
        search_seconds=search_seconds,
    )


def angle(gate: "Gate", x: Any, theta: Any) -> Any:
    """The angle of a gate, in whatever arrays the features and parameters are given."""
    return gate.value * (x if gate.source == "feature" else theta)[gate.slot]
