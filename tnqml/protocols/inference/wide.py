"""Inference at any width: outcomes drawn by the engine, messages read off the circuit.

No party is simulated: the measured qubits of each term are drawn jointly from their exact
distribution, and the ledger is that of the messages which the gates' labels imply.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tnqml import sampling
from tnqml.checks import check_count
from tnqml.circuit import Circuit, Message
from tnqml.model import DistributedModel, LightCone
from tnqml.observables import String
from tnqml.protocols.execution.readout import Group, Readout, basis_gates
from tnqml.protocols.ledger import Entry, Ledger
from tnqml.protocols.stopping import Goal, Tally
from tnqml.protocols.streams import stream

_OUTCOMES = 0  # a stream of one seed


def ledger_of(circuit: Circuit, copies: int, *, cone: LightCone | None = None) -> Ledger:
    """The ledger of so many runs of a circuit, from its gates' labels.

    The round of a message is one more than the largest round among those that its sender has
    received before it.

    Args:
        circuit: layer split or qubit split.
        copies: runs, at least 1.
        cone: count only what this light cone would need, of `DistributedModel.light_cones`.

    Raises:
        InputError: copies is under 1.

    Example:
        >>> from tnqml import ansatz
        >>> ledger = ledger_of(ansatz.brickwork(5, layers=2), 100)
        >>> ledger.rounds, ledger.qubits
        (3, 1500)
    """
    check_count(copies, "copies")
    messages = circuit.messages() if cone is None else cone.messages
    return Ledger(_entries(messages, copies))


def _entries(messages: Sequence[Message], copies: int) -> list[Entry]:
    earliest: dict[str, int] = {}
    entries = []
    for message in messages:
        own = earliest.get(message.sender, 1)
        earliest[message.receiver] = max(earliest.get(message.receiver, 1), own + 1)
        entries.append(
            Entry(
                own,
                message.sender,
                message.receiver,
                "qubit",
                len(message.qubits),
                copies=copies,
                purpose="state",
            )
        )
    return entries


def infer_by_engine(
    model: DistributedModel,
    features: Tensor,  # (1, features)
    *,
    readout: Readout,
    goal: Goal,
    seed: int,
    request_bits: int,
) -> tuple[Tally, Ledger]:
    """The outcomes, as the last party counts them, and the ledger.

    Args:
        model: of any width.
        features: one input.
        readout: of one of the model's observables.
        goal: when to stop.
        seed: of terms and outcomes.
        request_bits: of a request for more copies; 0 where nobody asks.
    """
    generator = stream(seed, _OUTCOMES)
    distributions: dict[int, Tensor] = {}
    owners = _owners(model.circuit)
    collector = _collector(model.circuit, readout, owners)
    ledger, seen = Ledger(), Tally()
    while wanted := goal.wanted(seen):
        drawn, counts = np.unique(readout.drawn(wanted, generator=generator), return_counts=True)
        ledger += ledger_of(model.circuit, wanted)
        answers: list[Entry] = []
        for index, shots in zip(drawn.tolist(), counts.tolist(), strict=True):
            group = readout.groups[index]
            if index not in distributions:
                distributions[index] = _distribution(model, features, group.string)
            own = torch.Generator().manual_seed(int(generator.integers(2**63)))
            bits = sampling.draw(distributions[index], shots=shots, generator=own)[0].numpy()
            seen += Tally.of(group.shares(bits), generator=generator)
            answers += [
                Entry(1, owner, collector, "bit", size, copies=shots, purpose="outcome")
                for owner, size in _sizes(group, owners, collector).items()
            ]
        ledger += Ledger(answers)
        if request_bits:
            others = [party for party in model.circuit.parties if party != collector]
            ledger += Ledger(
                Entry(1, collector, other, "bit", request_bits, purpose="request")
                for other in others
            )
    return seen, ledger


def _distribution(model: DistributedModel, features: Tensor, string: String) -> Tensor:
    """(1, 2^k): of the string's k qubits, measured in its letters."""
    circuit = model.circuit
    turned = Circuit(
        circuit.qubits,
        (*circuit.gates, *basis_gates(string)),
        amplitudes=circuit.amplitudes,
        split=circuit.split,
    )
    with torch.no_grad():
        return sampling.probabilities(
            turned,
            model.theta.detach(),
            features,
            qubits=[qubit for qubit, _ in string],
            memory=model.memory,
        ).cpu()


def _sizes(group: Group, owners: Mapping[int, str], collector: str) -> dict[str, int]:
    """Bits that each other party sends for a copy: its outcomes, or the parities that are asked."""
    parties = dict.fromkeys(owners.get(qubit, collector) for qubit, _ in group.string)
    sizes = {}
    for party in parties:
        if party == collector:
            continue
        held = {qubit for qubit, _ in group.string if owners.get(qubit, collector) == party}
        asked = {frozenset(held.intersection(q for q, _ in string)) for _, string in group.terms}
        sizes[party] = min(len(held), len(asked - {frozenset()}))
    return sizes


def _owners(circuit: Circuit) -> dict[int, str]:
    """Who holds each qubit at the end; of a layer split the last party holds them all."""
    labelled = [gate for gate in circuit.gates if gate.party is not None]
    if circuit.split == "layers":
        return dict.fromkeys(range(circuit.qubits), str(labelled[-1].party))
    return {qubit: str(gate.party) for gate in labelled for qubit in gate.qubits}


def _collector(circuit: Circuit, readout: Readout, owners: dict[int, str]) -> str:
    """Who adds up the outcomes: the holder of the first measured qubit."""
    measured = sorted({qubit for _, string in readout.terms for qubit, _ in string})
    held = [owners[qubit] for qubit in measured if qubit in owners]
    return held[0] if held else circuit.parties[0]
