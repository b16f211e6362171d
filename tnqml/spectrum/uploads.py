"""Which gates upload a feature into an output, and how their frequencies form the axes of C."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tnqml.circuit import Circuit
from tnqml.cone import Cone, Wires, canonical, light_cone
from tnqml.errors import InputError
from tnqml.expansion import fits_pauli_picture, pauli_pieces
from tnqml.gates import Gate
from tnqml.model import DistributedModel
from tnqml.observables import Observable
from tnqml.spectrum.frequencies import Frequencies, partition, sums

Merging = Literal["scales", "independent"]
"""How uploads of one feature are taken together.

"scales": by their frequencies, scale times gap of the generator: those that have equal sums are
added up, those with rationally independent ones are not. "independent": every upload as if it had
a phase of its own, whatever its scale.
"""
_MERGINGS = ("scales", "independent")
_NAMED_AT_MOST = 5

ROTATIONS = {"rx": "X", "ry": "Y", "rz": "Z", "p": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ"}
"""Gates that are, up to a phase, the rotation by a Pauli word."""


@dataclass(frozen=True)
class Upload:
    """A gate that reads a feature.

    Attributes:
        gate: its position in the circuit.
        feature: which entry of the input it reads.
        scale: the factor on it.
        frequencies: the positive ones by which it can change the phase, in radians for each unit
            of the feature.
    """

    gate: int
    feature: int
    scale: float
    frequencies: Frequencies


@dataclass(frozen=True)
class Axis:
    """An index of the coefficients C: one upload, or uploads of one feature added up.

    Attributes:
        name: "x3", or "x3@17+40" with the gates if the feature has more than this axis.
        feature: the entry of the input.
        gates: positions in the circuit of the gates that upload it here.
        frequencies: of exp(i frequency x), ascending, in radians for each unit of the feature.
    """

    name: str
    feature: int
    gates: tuple[int, ...]
    frequencies: tuple[float, ...]


@dataclass(frozen=True)
class View:
    """What an output sees of the circuit.

    Attributes:
        output: which of the model's observables.
        cone: the gates that any of its strings can feel; the letter of a qubit is the word of its
            letters in all strings.
        uploads: in the order of the cone's gates.
        weights: of the strings.
    """

    output: int
    cone: Cone
    uploads: tuple[Upload, ...]
    weights: tuple[float, ...]

    @property
    def pattern(self) -> tuple[tuple[int, float], ...]:
        """For each upload its feature, counted as they come, and its scale."""
        names: dict[int, int] = {}
        return tuple(
            (names.setdefault(upload.feature, len(names)), upload.scale) for upload in self.uploads
        )

    @property
    def features(self) -> tuple[int, ...]:
        """The entries of the input that it sees, in the order of `pattern`."""
        return tuple(dict.fromkeys(upload.feature for upload in self.uploads))


def views(model: DistributedModel, outputs: Sequence[int]) -> list[View]:
    """What each output sees.

    Warns of uploads that no output of the model can feel.

    Raises:
        InputError: the model has features in amplitudes, an upload that is no exponential of a
            generator, or a gate too large for the Pauli picture.
    """
    circuit = model.circuit
    _check_gates(circuit)
    wires = Wires(circuit)
    seen = [_cone(wires, observable) for observable in model.observables]
    _warn_of_idle_uploads(circuit, {position for _, kept in seen for position in kept})
    return [
        View(
            output=output,
            cone=cone,
            uploads=tuple(
                Upload(position, gate.slot, gate.value, _frequencies(gate))
                for position, gate in zip(positions, wires.gates.select(positions), strict=True)
                if gate.source == "feature"
            ),
            weights=tuple(weight for weight, _ in model.observables[output].terms),
        )
        for output in outputs
        for cone, positions in [seen[output]]
    ]


def alike(seen: Sequence[View]) -> list[list[View]]:
    """Views of one structure together: their networks differ in numbers alone."""
    groups: dict[object, list[View]] = defaultdict(list)
    for view in seen:
        groups[view.cone.key, view.pattern, len(view.weights)].append(view)
    return list(groups.values())


@dataclass(frozen=True)
class Layout:
    """The axes of the coefficients of a view.

    Attributes:
        members: for each axis its uploads, counted in the order of the view's, ascending.
        frequencies: and the sums of their frequencies.
        features: and which of the view's features it belongs to.
    """

    members: tuple[tuple[int, ...], ...]
    frequencies: tuple[Frequencies, ...]
    features: tuple[int, ...]


def layout(view: View, merging: Merging, *, commensurate: bool = False) -> Layout:
    """The axes of a view, those uploaded last first.

    Args:
        view: what an output sees.
        merging: which uploads are added up.
        commensurate: see `partition`.
    """
    by_feature: dict[int, list[int]] = defaultdict(list)
    for number, (feature, _) in enumerate(view.pattern):
        by_feature[feature].append(number)
    axes = []
    for feature, numbers in by_feature.items():
        sets = [view.uploads[number].frequencies for number in numbers]
        groups: tuple[tuple[int, ...], ...] = tuple((k,) for k in range(len(sets)))
        if merging == "scales":
            groups = partition(sets, commensurate=commensurate)
        for group in groups:
            total = sets[group[0]]
            for k in group[1:]:
                total = sums(total, sets[k])
            axes.append((tuple(numbers[k] for k in group), total, feature))
    axes.sort(key=lambda axis: -axis[0][-1])
    return Layout(
        tuple(members for members, _, _ in axes),
        tuple(frequencies for _, frequencies, _ in axes),
        tuple(feature for _, _, feature in axes),
    )


def named_axes(view: View, plan: Layout) -> tuple[Axis, ...]:
    """The axes with what they are called."""
    named = []
    for members, frequencies, feature in zip(
        plan.members, plan.frequencies, plan.features, strict=True
    ):
        entry = view.features[feature]
        gates = tuple(sorted(view.uploads[number].gate for number in members))
        alone = plan.features.count(feature) == 1
        name = f"x{entry}" if alone else f"x{entry}@{'+'.join(str(gate) for gate in gates)}"
        both = (*(-f for f in reversed(frequencies)), 0.0, *frequencies)
        named.append(Axis(name, entry, gates, both))
    return tuple(named)


def chosen_outputs(model: DistributedModel, observable: int | None) -> list[int]:
    """The outputs asked for: one, or all for None.

    Raises:
        InputError: there is no such output.
    """
    if not isinstance(model, DistributedModel):
        raise InputError(f"got a {type(model).__name__} as a model; expected a DistributedModel")
    count = len(model.observables)
    if observable is None:
        return list(range(count))
    if isinstance(observable, bool) or not isinstance(observable, int):
        raise InputError(f"observable is {observable!r}; expected an index from 0 to {count - 1}")
    if not 0 <= observable < count:
        raise InputError(
            f"observable {observable} of a model that has {count}; expected 0 to {count - 1}"
        )
    return [observable]


def check_merging(merging: str) -> None:
    """Refuse an unknown way of taking uploads together."""
    if merging not in _MERGINGS:
        raise InputError(f"merging is {merging!r}; expected {' or '.join(map(repr, _MERGINGS))}")


def _check_gates(circuit: Circuit) -> None:
    if circuit.amplitudes:
        raise InputError(
            f"features 0 to {circuit.amplitudes - 1} are amplitudes of the initial state; the "
            "spectrum is that of uploads by gates exp(-i x G), so encode them in angles"
        )
    for position, gate in enumerate(circuit.gates):
        if gate.source == "feature" and gate.form.is_channel:
            raise InputError(
                f"gate {position} uploads feature {gate.slot} as the strength of a channel "
                f"{gate.kind!r}; expected uploads by gates exp(-i x G)"
            )
        if not fits_pauli_picture(gate.form):
            raise InputError(
                f"gate {position} ({gate.kind} on {gate.form.arity} qubits) is too large for the "
                "Pauli picture; write it as smaller gates"
            )


def _cone(wires: Wires, observable: Observable) -> tuple[Cone, list[int]]:
    """The gates that any string of an observable can feel, each with the word of its letters.

    With the cone come the positions of its gates in the circuit, in the order of its key.
    """
    strings = [dict(string) for _, string in observable.terms]
    kept = sorted({position for string in strings for position in light_cone(wires, string)})
    letters = {
        qubit: "".join(string.get(qubit, "I") for string in strings) for qubit in observable.qubits
    }
    cone = canonical(wires.gates.select(kept), letters)
    return cone, np.array(kept, dtype=np.int64)[cone.positions].tolist()


def _frequencies(gate: Gate) -> Frequencies:
    gaps: Sequence[object] = (1.0,)
    if gate.kind not in ROTATIONS and gate.kind != "pauli":
        gaps = pauli_pieces(gate.form)[0].functions
    return tuple(abs(gate.value) * gap for gap in gaps if isinstance(gap, float) and gate.value)


def _warn_of_idle_uploads(circuit: Circuit, felt: set[int]) -> None:
    """Name the uploads that no output feels, or that act on a qubit still in |0>."""
    turned: set[int] = set()
    idle = []
    for position, gate in enumerate(circuit.gates):
        diagonal = all(axis == "Z" for axis in gate.axes)
        if gate.source == "feature":
            still = diagonal and not turned.intersection(gate.qubits)
            if still or position not in felt or not _frequencies(gate):
                why = "acts on |0>" if still else "commutes with, or never reaches, any output"
                why = why if _frequencies(gate) else "has a single frequency"
                idle.append(
                    f"gate {position} ({gate.kind} of feature {gate.slot} on qubit"
                    f"{'s' * (len(gate.qubits) > 1)} {', '.join(map(str, gate.qubits))}) {why}"
                )
        turned |= {
            qubit
            for qubit, axis in zip(gate.qubits, gate.axes, strict=True)
            if axis != "Z" or gate.form.is_channel
        }
    if idle:
        more = f"; and {len(idle) - _NAMED_AT_MOST} more" * (len(idle) > _NAMED_AT_MOST)
        count = f"{len(idle)} uploads add" if len(idle) > 1 else "1 upload adds"
        warnings.warn(
            f"{count} nothing to any output: {'; '.join(idle[:_NAMED_AT_MOST])}{more}",
            stacklevel=5,
        )
