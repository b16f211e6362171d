"""A model cut into what each party knows: its own gates, with angles from its own numbers.

Under a layer split the register goes from party to party; a party's consecutive gates are a turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tnqml import statevector
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.gates import Gate
from tnqml.model import DistributedModel

State = NDArray[np.complex128]

MOST_QUBITS = 22
"""The widest register that parties pass on as a state vector."""

_FEWEST_PARTIES = 2
_ENTRIES = 1 << 18  # amplitudes taken through the gates at once


@dataclass(frozen=True)
class Turn:
    """Consecutive gates of one party, between receiving the register and sending it on.

    Attributes:
        party: whose turn it is.
        gates: at least one; unlabelled gates belong to whoever holds the register.
        first: the place of the first of them in the circuit.
    """

    party: str
    gates: Sequence[Gate]
    first: int


def turns(circuit: Circuit) -> tuple[Turn, ...]:
    """The turns of a circuit in order; between two of them the whole register crosses.

    Raises:
        InputError: fewer than two parties are named, or the register is split by qubits.

    Example:
        >>> gates = [Gate("h", 0, party="alice"), Gate("s", 0), Gate("h", 1, party="bob")]
        >>> [(turn.party, len(turn.gates), turn.first) for turn in turns(Circuit(2, gates))]
        [('alice', 2, 0), ('bob', 1, 2)]
    """
    check_parties(circuit)
    if circuit.split != "layers":
        raise InputError(
            "the circuit is split by qubits; parties that pass on state vectors need split="
            "'layers', since no party holds the register as a whole: build the circuit so, or use "
            "protocols.infer, whose engine mode runs qubit splits"
        )
    holder, start = circuit.parties[0], 0
    found: list[Turn] = []
    for position, gate in enumerate(circuit.gates):
        if gate.party not in {None, holder}:
            found.append(Turn(holder, circuit.gates[start:position], start))
            holder, start = str(gate.party), position
    return (*found, Turn(holder, circuit.gates[start:], start))


def check_parties(circuit: Circuit) -> None:
    """Refuse a circuit whose gates name fewer than two parties.

    Raises:
        InputError: naming those it has.
    """
    parties = circuit.parties
    if len(parties) < _FEWEST_PARTIES:
        raise InputError(
            f"the model's gates name {len(parties)} parties ({', '.join(parties) or 'none'}); a "
            "protocol needs at least two: label them, as in Gate('rx', 0, ..., party='alice')"
        )


@dataclass(frozen=True, eq=False)
class Holder:
    """All that one party knows: its own gates with their angles as numbers, and its data.

    Attributes:
        party: its name.
        qubits: of the register.
        steps: for each of its turns, by index, its gates with their angles in radians.
        start: the state that it prepares, of the first party alone.
    """

    party: str
    qubits: int
    steps: Mapping[int, tuple[tuple[Gate, float], ...]]
    start: State | None  # (2^qubits,)

    def prepare(self) -> State:
        """(1, 2^qubits): the register at the beginning, |0...0> or the encoded data.

        Raises:
            InputError: the party is not the first.
        """
        if self.start is None:
            raise InputError(f"{self.party!r} prepares nothing; expected the first party")
        return self.start[None].copy()

    def apply(
        self,
        turn: int,
        state: State,  # (batch, 2^qubits)
        *,
        part: slice = slice(None),
    ) -> State:
        """(batch, 2^qubits): the register after a turn, or after a part of its gates.

        Args:
            turn: the index of one of the party's own turns.
            state: before it.
            part: which of the turn's gates.

        Raises:
            InputError: the turn is not the party's, or the state does not fit the register.
        """
        return self._through(self._own(turn)[part], state)

    def undo(
        self,
        turn: int,
        state: State,  # (batch, 2^qubits)
        *,
        part: slice = slice(None),
    ) -> State:
        """(batch, 2^qubits): the register before a turn, from that after it; see `apply`."""
        inverse = [_inverse(gate, angle) for gate, angle in reversed(self._own(turn)[part])]
        return self._through(inverse, state)

    def _own(self, turn: int) -> tuple[tuple[Gate, float], ...]:
        if turn not in self.steps:
            raise InputError(
                f"turn {turn} is not one of {self.party!r}, whose turns are "
                f"{', '.join(map(str, self.steps))}"
            )
        return self.steps[turn]

    def _through(self, steps: Sequence[tuple[Gate, float]], state: State) -> State:
        if state.ndim != 2 or state.shape[1] != 2**self.qubits:
            raise InputError(
                f"a register of shape {state.shape} came to {self.party!r}; expected "
                f"(batch, {2**self.qubits})"
            )
        register = torch.from_numpy(np.ascontiguousarray(state, dtype=np.complex128))
        angles = [torch.tensor([angle], dtype=torch.float64) for _, angle in steps]
        rows = max(1, _ENTRIES >> self.qubits)
        pieces = []
        for first in range(0, len(register), rows):
            piece = register[first : first + rows]
            for (gate, _), angle in zip(steps, angles, strict=True):
                piece = statevector.apply(gate, piece, angle)
            pieces.append(piece)
        result: State = (torch.cat(pieces) if len(pieces) > 1 else [*pieces, register][0]).numpy()
        return result


def holders(
    model: DistributedModel,
    x_row: ArrayLike | Tensor,  # (features,)
) -> dict[str, Holder]:
    """What each party knows of a model and one input, by name; the first party first.

    Raises:
        InputError: the model has fewer than two parties, is split by qubits, has noise channels
            among its gates or is wider than a state vector; or the input does not fit it.
    """
    circuit = model.circuit
    turns(circuit)  # refuses what cannot be cut
    check_narrow(circuit)
    features = checked_row(model, x_row)
    parameters = model.theta.detach().double().cpu().numpy()
    return {
        party: holder(circuit, party, parameters=parameters, features=features)
        for party in circuit.parties
    }


def holder(
    circuit: Circuit,
    party: str,
    *,
    parameters: NDArray[np.float64],  # (parameters,)
    features: NDArray[np.float64],  # (features,)
) -> Holder:
    """What one party knows; no other number of the parameters and features is looked at."""
    cut = turns(circuit)
    numbers, theta = features.tolist(), parameters.tolist()
    steps = {
        index: tuple((gate, gate.angle(numbers, theta)) for gate in turn.gates)
        for index, turn in enumerate(cut)
        if turn.party == party
    }
    start = None
    if cut[0].party == party:
        data = torch.from_numpy(features)[None]
        start = statevector.initial_state(circuit, data)[0].numpy()
    return Holder(party, circuit.qubits, steps, start)


def checked_row(
    model: DistributedModel,
    x_row: ArrayLike | Tensor,  # (features,)
) -> NDArray[np.float64]:
    """(features,) of one input as the model reads it, refused if it does not fit.

    Raises:
        InputError: as `DistributedModel.check_input`.
    """
    row = x_row
    if not isinstance(row, Tensor):
        array = np.array(x_row)  # a copy, which torch may write to
        if array.dtype.kind not in "biuf":
            raise InputError(f"x_row holds {array.dtype}; expected real numbers")
        row = torch.from_numpy(array)
    row = row.to(model.theta.device)
    if row.ndim != 1:
        raise InputError(
            f"x_row has shape {tuple(row.shape)}; expected one input, ({model.circuit.features},)"
        )
    checked: NDArray[np.float64] = model.check_input(row[None])[0].detach().double().cpu().numpy()
    return checked


def check_narrow(circuit: Circuit) -> None:
    """Refuse a circuit that parties cannot pass on as a state vector.

    Raises:
        InputError: it is too wide, or has noise channels among its gates.
    """
    if circuit.qubits > MOST_QUBITS:
        raise InputError(
            f"the circuit has {circuit.qubits} qubits; parties pass on state vectors of at most "
            f"{MOST_QUBITS}: use protocols.infer, whose engine mode runs models of any width"
        )
    noisy = next((gate for gate in circuit.gates if gate.form.is_channel), None)
    if noisy is not None:
        raise InputError(
            f"the circuit has the noise channel {noisy.kind!r} on qubits {noisy.qubits}; parties "
            "pass on pure states: leave channels out of the circuit and give them as links"
        )


def _inverse(gate: Gate, angle: float) -> tuple[Gate, float]:
    return (gate, -angle) if gate.form.has_angle else (gate.dagger(), angle)
