"""What copies of the messages give away: of states, of real data, of Bob's parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studies.cells import grid
from studies.errors import CellError
from studies.privacy.claims import claims
from studies.privacy.figures import (
    draw_accuracy,
    draw_bits,
    draw_digits,
    draw_fidelity,
    draw_parameters,
    draw_photographs,
)
from studies.study import Row, Study

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from studies.data.examples import Split
    from tnqml.protocols.execution.holders import Holder

    Values = NDArray[np.float64]
    Attack = Callable[["NDArray[np.complex128]", int], "NDArray[np.complex128]"]

_KINDS = ("states", "accuracy", "digits", "photographs", "parameters")
_UNREAD = {
    "states": ("bits", "error"),
    "accuracy": ("bits",),
    "digits": ("error",),
    "photographs": ("error",),
    "parameters": ("bits", "error"),
}
_DIGITS = 64
_COLLECTIVE = 20  # as many trials of the collective attack as of one that measures each copy
_LISTED = 1000  # training examples that the adversary holds
_HELD_OUT = 200
_RESAMPLES = 2000  # of the bootstrap for the error of Bob's angles


@dataclass(frozen=True)
class Cell:
    """An attack on so many copies of one message.

    `states`: Haar-random states. `accuracy`: the same, as many copies as an estimate to the error
    takes. `digits`, `photographs`: real data in the amplitudes of the first message of a model
    whose gates are known, and the classical message at some bits a number instead of copies.
    `parameters`: angles of Bob's gates, by queries.
    """

    kind: str = field(default="states", metadata={"help": ", ".join(_KINDS)})
    size: int = field(default=16, metadata={"help": "N', the dimension of the message"})
    copies: int = field(default=16, metadata={"help": "T; 0 for the classical message"})
    bits: int = field(default=0, metadata={"help": "a number, of the classical message"})
    error: float = field(default=0.1, metadata={"help": "of f, reached by 1/error^2 copies"})
    trials: int = field(default=40, metadata={"help": "attacks, each on a message of its own"})
    seed: int = field(default=0, metadata={"help": "of messages, outcomes and guesses"})

    def __post_init__(self) -> None:
        """Refuse what cannot be measured; fields that a kind does not read get one value."""
        if self.kind not in _KINDS:
            raise CellError(f"kind is {self.kind!r}; expected one of {', '.join(_KINDS)}")
        if not 0 < self.error < 1:
            raise CellError(f"error is {self.error}; expected a number between 0 and 1")
        for name in _UNREAD[self.kind]:
            object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)
        if self.kind == "digits":
            object.__setattr__(self, "size", _DIGITS)
        if self.kind == "accuracy":
            object.__setattr__(self, "copies", round(1 / self.error**2))
        if self.size < 4 or self.size & (self.size - 1):
            raise CellError(f"size is {self.size}; expected a power of two of at least 4")
        if self.trials < 2:
            raise CellError(f"trials is {self.trials}; expected at least 2")
        if (self.copies < 1) == (self.bits < 1) or min(self.copies, self.bits) < 0:
            raise CellError(
                f"{self.copies} copies and {self.bits} bits; expected copies of a state, or 0 "
                "copies and the bits a number of the classical message of real data"
            )
        if self.kind in {"digits", "photographs"} and self.trials > _HELD_OUT:
            raise CellError(f"{self.trials} trials on real data; expected at most {_HELD_OUT}")


def measure(cell: Cell) -> list[Row]:
    """A row for each attack: its mean fidelity, or its error in radians; see `Cell`."""
    if cell.kind == "states":
        return _states(cell)
    if cell.kind == "accuracy":
        from tnqml.protocols.privacy.attacks import collective_guess

        return [
            _on_haar(
                cell,
                "collective",
                lambda state, seed: collective_guess(state, copies=cell.copies, seed=seed),
            )
        ]
    if cell.kind == "parameters":
        return _parameters(cell)
    return _classical(cell) if cell.bits else _real(cell)


def _states(cell: Cell) -> list[Row]:
    """All copies measured together, and each alone in random bases of two kinds."""
    from tnqml.protocols.privacy import attacks

    copies = cell.copies
    return [
        _on_haar(
            cell,
            "collective",
            lambda state, seed: attacks.collective_guess(state, copies=copies, seed=seed),
        ),
        _on_haar(
            cell,
            "global bases",
            lambda state, seed: attacks.likeliest_state(
                attacks.covariant_kets(state, copies=copies, seed=seed)
            ),
        ),
        _on_haar(
            cell,
            "local bases",
            lambda state, seed: attacks.likeliest_state(
                attacks.local_kets(state, copies=copies, seed=seed)
            ),
        ),
    ]


def _on_haar(cell: Cell, name: str, attack: "Attack") -> Row:
    """The mean fidelity of an attack on states of its own, beside the bound."""
    import numpy as np

    from tnqml.protocols.privacy import attacks
    from tnqml.protocols.privacy import bounds as privacy

    trials = cell.trials * (_COLLECTIVE if name == "collective" else 1)
    seeds = np.random.default_rng(cell.seed).integers(2**63, size=(trials, 2))
    found = []
    for own, other in seeds:
        state = attacks.haar_state(cell.size, seed=int(own))
        found.append(attacks.fidelity(attack(state, int(other)), state))
    bound = privacy.best_fidelity(cell.size, copies=cell.copies)
    return {"attack": name, **_mean(np.array(found)), "bound": bound}


def _real(cell: Cell) -> list[Row]:
    """Each image in Alice's message: blind, by what the examples tell, and by whole lists."""
    import numpy as np

    from tnqml.protocols.privacy import bounds as privacy
    from tnqml.protocols.privacy import prior_attacks
    from tnqml.protocols.privacy.attacks import local_kets

    split = _split(cell)
    examples = split.train.x[:_LISTED]
    blind = prior_attacks.blind_guess(examples)
    sender = _sender(cell.size, seed=cell.seed)
    generator = np.random.default_rng((cell.seed, 1))
    found: dict[str, list[float]] = {"on the list": [], "by the list": [], "by the moments": []}
    blinds: dict[str, list[float]] = {name: [] for name in found}
    learned = []

    def outcomes(image: "Values") -> "NDArray[np.complex128]":
        """Alice applies her gates; the adversary measures, and takes them off what was found."""
        message = sender.apply(0, image[None].astype(np.complex128))[0]
        kets = local_kets(message, copies=cell.copies, seed=int(generator.integers(2**63)))
        return sender.undo(0, kets)

    def note(name: str, guess: "Values", image: "Values") -> None:
        found[name].append(float(guess @ image) ** 2)
        blinds[name].append(float(blind @ image) ** 2)

    for new in split.test.x[: cell.trials]:
        place = int(generator.integers(len(examples)))
        kets = outcomes(examples[place])
        note("on the list", prior_attacks.listed_guess(kets, examples), examples[place])
        weights = prior_attacks.posterior(kets, examples)
        learned.append(prior_attacks.learned_bits(weights, place))
        kets = outcomes(new)
        note("by the list", prior_attacks.listed_guess(kets, examples), new)
        note("by the moments", prior_attacks.fitted_guess(kets, examples), new)
    bound = privacy.best_fidelity(cell.size, copies=cell.copies)
    rows: list[Row] = [
        {"attack": "blind", **_mean(np.array(blinds["by the list"])), "bound": bound}
    ]
    for name, values in found.items():
        gain = _mean(np.array(values) - np.array(blinds[name]))
        rows.append(
            {
                "attack": name,
                **_mean(np.array(values)),
                "bound": bound,
                "gain": gain["value"],
                "gain_low": gain["low"],
                "sent": cell.copies * (cell.size.bit_length() - 1),
            }
        )
    bits = _mean(np.array(learned))
    rows[1] = {
        **rows[1],
        "learned": bits["value"],
        "learned_low": bits["low"],
        "learned_high": bits["high"],
        "holevo": privacy.identical_copies_bits(cell.size, copies=cell.copies),
    }
    return rows


def _classical(cell: Cell) -> list[Row]:
    """The same images as numbers of some bits each: who reads the message has them."""
    import numpy as np

    from tnqml.protocols import dequantise, quantise

    found = []
    for image in _split(cell).test.x[: cell.trials]:
        read = dequantise(quantise(image, bits=cell.bits), bits=cell.bits)
        found.append(float(read @ image) ** 2 / float(read @ read))
    return [{"attack": "classical", **_mean(np.array(found)), "sent": cell.size * cell.bits}]


def _parameters(cell: Cell) -> list[Row]:
    """The angles of Bob's gates between two messages, uniform at random, as Alice fits them."""
    import numpy as np

    from tnqml import Circuit, ansatz
    from tnqml.protocols.execution.holders import turns
    from tnqml.protocols.privacy.queries import apart, fit, query

    qubits = cell.size.bit_length() - 1
    (_, turn) = turns(ansatz.brickwork(qubits, layers=1, uploads=0, start="zero"))
    circuit = Circuit(qubits, [gate.shifted(parameters=-qubits) for gate in turn.gates])
    generator = np.random.default_rng(cell.seed)
    errors = []
    for one, two in generator.integers(2**63, size=(cell.trials, 2)):
        truth = generator.uniform(-np.pi, np.pi, circuit.parameters)
        queries = query(circuit, truth, copies=cell.copies, seed=int(one))
        errors.append(apart(fit(circuit, queries, seed=int(two)), truth))
    squares = np.concatenate(errors) ** 2
    drawn = generator.integers(len(squares), size=(_RESAMPLES, len(squares)))
    low, high = np.quantile(np.sqrt(squares[drawn].mean(1)), [0.025, 0.975])
    best = float(np.sqrt(squares.mean()))
    row = {"value": best, "low": min(float(low), best), "high": max(float(high), best)}
    return [{"attack": "queries", **row, "angles": circuit.parameters}]


def _split(cell: Cell) -> "Split":
    """What the adversary holds, and what Alice has."""
    from studies.data import examples, photographs

    if cell.kind == "digits":
        return examples.digits(seed=cell.seed)
    return photographs.split(
        cell.size, train=_LISTED, test=_HELD_OUT, seed=cell.seed, content="texture"
    )


def _sender(size: int, *, seed: int) -> "Holder":
    """Alice's gates before her first message, at random angles that everybody knows."""
    import numpy as np

    from tnqml import ansatz
    from tnqml.protocols.execution.holders import holder

    qubits = size.bit_length() - 1
    circuit = ansatz.brickwork(qubits, layers=1, uploads=0, start="zero").on_amplitudes(size)
    angles = np.random.default_rng((seed, 2)).uniform(-np.pi, np.pi, circuit.parameters)
    return holder(circuit, "alice", parameters=angles, features=np.eye(size)[0])


def _mean(values: "Values") -> dict[str, float]:
    """A mean with its 95% interval, 1.96 standard errors to each side."""
    best = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return {"value": best, "low": best - half, "high": best + half}


def _copies(size: int, ratios: Sequence[float]) -> list[int]:
    return sorted({max(1, round(ratio * size)) for ratio in ratios})


def quick() -> list[Cell]:
    """States to N' = 64, two sizes of each kind of real data, 4 qubits of Bob's."""
    return [
        *_grid("states", 16, (0.25, 1, 4, 16), trials=40),
        *_grid("states", 64, (0.25, 1, 4), trials=20),
        *grid(
            Cell,
            {
                "kind": ["accuracy"],
                "size": [16, 128, 1024],
                "error": [0.3, 0.1, 0.03],
                "trials": [20],
            },
        ),
        *_grid("digits", 64, (0.125, 0.5, 2, 8), trials=16),
        *_grid("photographs", 64, (0.125, 0.5, 2, 8), trials=16),
        *_messages("photographs", 64, bits=(1, 2, 3, 4, 6, 8), trials=100),
        *_grid("parameters", 16, (2, 16, 256), trials=10),
    ]


def full() -> list[Cell]:
    """More sizes, more copies, more trials."""
    ratios = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)
    return [
        *_grid("states", 4, ratios, trials=400),
        *_grid("states", 16, ratios, trials=400),
        *_grid("states", 64, ratios, trials=100),
        *grid(
            Cell,
            {
                "kind": ["accuracy"],
                "size": [2**power for power in range(4, 13)],
                "error": [0.3, 0.1, 0.03],
            },
        ),
        *_grid("digits", 64, ratios, trials=100),
        *_grid("photographs", 16, ratios, trials=100),
        *_grid("photographs", 64, ratios, trials=100),
        *_grid("photographs", 256, ratios[:6], trials=40),
        *_messages("photographs", 64, bits=(1, 2, 3, 4, 6, 8, 10), trials=200),
        *_messages("digits", 64, bits=(1, 2, 3, 4, 6, 8, 10), trials=100),
        *_grid("parameters", 16, (2, 4, 8, 16, 32, 64, 128, 256), trials=100),
    ]


def _grid(kind: str, size: int, ratios: Sequence[float], *, trials: int) -> list[Cell]:
    return [Cell(kind, size, copies, trials=trials) for copies in _copies(size, ratios)]


def _messages(kind: str, size: int, *, bits: Sequence[int], trials: int) -> list[Cell]:
    return [Cell(kind, size, 0, bits=each, trials=trials) for each in bits]


STUDY = Study(
    name="privacy",
    where=f"{__name__}:STUDY",
    version=2,
    summary="what copies of the messages reveal of states, data and parameters",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "fidelity": draw_fidelity,
        "accuracy": draw_accuracy,
        "digits": draw_digits,
        "photographs": draw_photographs,
        "bits": draw_bits,
        "parameters": draw_parameters,
    },
    claims=claims,
)
