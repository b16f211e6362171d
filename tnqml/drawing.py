"""Text drawings of circuits, marked by party and folded to a width."""

import textwrap
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.gates import Gate

_MOST_ROWS, _LONGEST_NAME = 16, 16
_CROSSING, _ARROW = "║", "→"
_NAMES = {
    "sdg": "S†",
    "tdg": "T†",
    "sxdg": "SX†",
    "swap": "×",  # noqa: RUF001
    "iswap": "iSWAP",
    "depolarising": "~dep",
    "dephasing": "~Z",
    "amplitude_damping": "~damp",
    "pauli_channel": "~P",
    "kraus": "~K",
}


def draw(circuit: Circuit, *, width: int = 100, qubits: Sequence[int] | None = None) -> str:
    """A text drawing of a circuit, time from left to right, folded into blocks.

    It begins with counts: qubits, gates, features, parameters, parties, and the messages and qubits
    that cross between the parties in one run. Every shown qubit is a row; gates stand as early as
    they can. The qubits of a gate are joined by a bracket: ┐ first, ┤ one more, ┘ last, ┼ a wire
    that only passes. ● is a control, or either side of a CZ; U[0] and D[0] are the first qubits of
    a dense and of a diagonal gate, [X] a letter of a Pauli rotation; RZ(0.7 x3) reads feature 3
    times 0.7, RY(t12) parameter 12, RX(0.5) is a number.

    A circuit split by layers has a header with the party and a bar ║ wherever the register crosses;
    in one split by qubits the labels name the holder and → the party to which a qubit crosses.

    Args:
        circuit: of any size.
        width: of the text, in characters.
        qubits: the rows to show; by default all of up to 16, else the first 8 and the last 8. A row
            ⋮ stands for those in between; gates that touch none that is shown are left out.

    Raises:
        InputError: a qubit that the circuit does not have, or too small a width.

    Example:
        >>> gates = [Gate("ry", 0, feature=0, party="alice"), Gate("cx", (0, 1), party="bob")]
        >>> print(draw(Circuit(2, gates)))
        2 qubits, 2 gates, 1 feature, 0 parameters
        alice and bob, split by layers: 1 message per run (║) carries 2 qubits
        <BLANKLINE>
            alice  ║ bob
        q0 ─RY(x0)─║─●┐─
        q1 ────────║─X┘─
    """
    rows = _rows(circuit, qubits)
    columns = _layout(circuit, rows)
    owners = _first_owners(circuit, rows) if circuit.split == "qubits" else {}
    names = [*owners.values(), *(name for c in columns for name in c.owners.values())]
    label_width = max(len(row.label) for row in rows) + 1
    indent = label_width + (max(map(len, names)) + 1 if names else 0) + 1
    needed = indent + max(_needed(column) for column in columns)
    if width < needed:
        raise InputError(f"width is {width}; this drawing needs at least {needed}")
    lines = [line for text in _summary(circuit) for line in textwrap.wrap(text, width)]
    for block in _fold(columns, width - indent):
        drawn = [
            (row.label.ljust(label_width) + owners.get(place, "")).ljust(indent - 1) + row.fill
            for place, row in enumerate(rows)
        ]
        header = " " * indent
        for column, gap, name in block:
            header = header.ljust(len(drawn[0]) + gap) + name
            for place, row in enumerate(rows):
                drawn[place] += row.fill * gap + column.cell(place, row.fill)
            owners |= column.owners
        lines += ["", *([header] if header.strip() else []), *drawn]
    return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True)
class _Row:
    """A qubit that is shown, or a range of hidden ones."""

    first: int
    last: int
    shown: bool

    @property
    def label(self) -> str:
        if self.shown:
            return f"q{self.first}"
        return f"⋮ q{self.first}-q{self.last} ({self.last - self.first + 1})"

    @property
    def fill(self) -> str:
        return "─" if self.shown else " "


@dataclass
class _Column:
    """What stands above each other: texts and brackets by row, or the bar of a crossing.

    `party` is named above the first column of its turn; `owners` hold their rows from here on.
    """

    texts: dict[int, str] = field(default_factory=dict)
    brackets: dict[int, str] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    party: str = ""
    crossing: bool = False

    @property
    def text_width(self) -> int:
        return max(map(len, self.texts.values()), default=0)

    @property
    def width(self) -> int:
        return self.text_width + bool(self.brackets) + self.crossing + 1

    def cell(self, place: int, fill: str) -> str:
        if self.crossing:
            return _CROSSING + fill
        text = self.texts.get(place, "")
        if place in self.brackets:
            return text.rjust(self.text_width, fill) + self.brackets[place] + fill
        return text.ljust(self.width, fill)


def _needed(column: _Column) -> int:
    """The room that a column needs below the name of its party."""
    return max(column.width, len(column.party) + 1)


class _Board:
    """Columns under construction."""

    def __init__(self, party: str) -> None:
        self.columns: list[_Column] = []
        self._floor = 0
        self._free: dict[int, int] = {}
        self._party = party

    def place(
        self, texts: Mapping[int, str], brackets: Mapping[int, str], owners: Mapping[int, str]
    ) -> None:
        """Put a gate into the first column that is free in all of its rows, and after."""
        span = texts.keys() | brackets.keys()
        index = max([self._floor, *(self._free.get(row, 0) for row in span)])
        if index == len(self.columns):
            self.columns.append(_Column())
        self.columns[index].texts |= texts
        self.columns[index].brackets |= brackets
        self.columns[index].owners |= owners
        self._free |= dict.fromkeys(span, index + 1)

    def end_turn(self) -> None:
        """Close the party's columns."""
        if len(self.columns) == self._floor:
            self.columns.append(_Column())
        self.columns[self._floor].party = self._party

    def cross(self, party: str) -> None:
        """Hand the register to another party."""
        self.end_turn()
        self.columns.append(_Column(crossing=True))
        self._floor, self._party = len(self.columns), party


def _rows(circuit: Circuit, qubits: Sequence[int] | None) -> list[_Row]:
    count = circuit.qubits
    if qubits is None:
        half = count if count <= _MOST_ROWS else _MOST_ROWS // 2
        shown = [qubit for qubit in range(count) if qubit < half or qubit >= count - half]
    else:
        if len(qubits) == 0 or any(type(q) is not int or not 0 <= q < count for q in qubits):
            raise InputError(f"qubits is {qubits!r}; expected some of 0 to {count - 1}")
        shown = sorted(set(qubits))
    rows, following = [], 0
    for qubit in shown:
        if qubit > following:
            rows.append(_Row(following, qubit - 1, shown=False))
        rows.append(_Row(qubit, qubit, shown=True))
        following = qubit + 1
    if following < count:
        rows.append(_Row(following, count - 1, shown=False))
    return rows


def _layout(circuit: Circuit, rows: Sequence[_Row]) -> list[_Column]:
    by_layers = circuit.split == "layers"
    holder = circuit.parties[0] if circuit.parties else None
    board = _Board(_name(holder) if by_layers else "")
    lasts = [row.last for row in rows]
    owner: dict[int, str] = {}
    for gate in circuit.gates:
        places = [bisect_left(lasts, qubit) for qubit in gate.qubits]
        if gate.party is not None and by_layers and gate.party != holder:
            holder = gate.party
            board.cross(_name(holder))
        if gate.party is not None and not by_layers:
            name = _name(gate.party)
            for qubit, place in zip(gate.qubits, places, strict=True):
                if owner.get(qubit, gate.party) != gate.party and rows[place].shown:
                    board.place({place: _ARROW + name}, {}, {place: name})
                owner[qubit] = gate.party
        texts = _texts(gate, places, rows)
        if texts:
            board.place(texts, _brackets(places, rows), {})
    board.end_turn()
    return board.columns


def _first_owners(circuit: Circuit, rows: Sequence[_Row]) -> dict[int, str]:
    """By row: who first acts on the qubit."""
    first: dict[int, str] = {}
    for gate in circuit.gates:
        if gate.party is not None:
            for qubit in gate.qubits:
                first.setdefault(qubit, _name(gate.party))
    places = {row.first: place for place, row in enumerate(rows) if row.shown}
    return {places[qubit]: name for qubit, name in first.items() if qubit in places}


def _name(party: str | None) -> str:
    """A party's name on one line, clipped."""
    text = " ".join(str(party or "").split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _texts(gate: Gate, places: Sequence[int], rows: Sequence[_Row]) -> dict[int, str]:
    """By shown row what the gate does there; its angle stands on one of them."""
    shown = [index for index, place in enumerate(places) if rows[place].shown]
    symbols = _symbols(gate)
    after_control = [index for index in shown if symbols[index] != "●"]
    texts = {places[index]: symbols[index] for index in shown}
    if gate.source is not None and shown:
        texts[places[(after_control or shown)[0]]] += f"({_angle(gate)})"
    return texts


def _symbols(gate: Gate) -> tuple[str, ...]:
    kind, arity = gate.kind, len(gate.qubits)
    if kind == "pauli":
        return tuple(f"[{letter}]" for letter in gate.form.word)
    if kind in {"diagonal", "unitary"}:
        letter = kind[0].upper()
        return (letter,) if arity == 1 else tuple(f"{letter}[{index}]" for index in range(arity))
    if kind.startswith("c"):
        return ("●", "●" if kind == "cz" else kind[1:].upper())
    return (_NAMES.get(kind, kind.upper()),) * arity


def _angle(gate: Gate) -> str:
    if gate.source == "angle":
        return f"{gate.value:.4g}"
    factor = {1.0: "", -1.0: "-"}.get(gate.value, f"{gate.value:.4g} ")
    return f"{factor}{'x' if gate.source == 'feature' else 't'}{gate.slot}"


def _brackets(places: Sequence[int], rows: Sequence[_Row]) -> dict[int, str]:
    """By row what joins the gate's qubits."""
    first, last = min(places), max(places)
    if first == last:
        return {}
    joints = dict.fromkeys(range(first, last + 1), "┼")
    joints |= dict.fromkeys(places, "┤") | {first: "┐", last: "┘"}
    return {place: joint if rows[place].shown else "┊" for place, joint in joints.items()}


def _fold(columns: Sequence[_Column], room: int) -> Iterator[list[tuple[_Column, int, str]]]:
    """Blocks of columns, each after a gap and below a header, with room for the party's name."""
    block: list[tuple[_Column, int, str]] = []
    used, named, name = 0, 0, ""
    for column in columns:
        name = column.party or name
        gap = max(0, named - used) if column.crossing else 0
        if used + gap + _needed(column) > room and block:
            yield block
            block, used, named, gap = [], 0, 0, 0
        header = _CROSSING if column.crossing else ""
        if not column.crossing and (column.party or not block):
            header, named = name, used + len(name) + 1
        block.append((column, gap, header))
        used += gap + column.width
    yield block


def _summary(circuit: Circuit) -> Iterator[str]:
    counts = {"qubit": circuit.qubits, "gate": len(circuit.gates)}
    counts |= {"feature": circuit.features, "parameter": circuit.parameters}
    start = f", starting from {circuit.amplitudes} amplitudes" if circuit.amplitudes else ""
    yield ", ".join(_plural(count, word) for word, count in counts.items()) + start
    if circuit.parties:
        messages = circuit.messages()
        crossing = sum(len(message.qubits) for message in messages)
        sign = _CROSSING if circuit.split == "layers" else _ARROW
        carries = f"{'carries' if len(messages) == 1 else 'carry'} {_plural(crossing, 'qubit')}"
        flow = f"{_plural(len(messages), 'message')} per run ({sign}) {carries}"
        *others, final = map(_name, circuit.parties)
        parties = f"{', '.join(others)} and {final}" if others else final
        yield f"{parties}, split by {circuit.split}: {flow if messages else 'nothing crosses'}"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
