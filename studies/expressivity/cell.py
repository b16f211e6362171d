"""What a cell of the study measures, and of which model."""

from dataclasses import dataclass, field

from studies.errors import CellError

_READ = {
    ("dimension", "scalar"): ("qubits", "uploads", "frequencies"),
    ("dimension", "linear-scalar"): (),
    ("dimension", "digits"): ("images", "draws"),
    ("dimension", "linear-digits"): ("images", "draws"),
    ("spectrum", "haar"): ("qubits", "frequencies", "draws"),
    ("spectrum", "brickwork"): ("qubits", "frequencies", "draws"),
    ("spectrum", "all-to-all"): ("qubits", "frequencies", "draws"),
    ("spectrum", "linear"): ("qubits", "draws"),
    ("spectrum", "digits"): ("frequencies", "draws"),
    ("pixels", "digits"): (),
    ("measures", "brickwork"): ("qubits", "draws"),
    ("mirror", "haar"): ("qubits", "draws"),
    ("regression", "brickwork"): ("qubits", "draws"),
    ("regression", "reuploading"): ("qubits", "draws"),
    ("forecast", "digits"): ("frequencies",),
}
"""By task and model the fields that it reads beside the depth and the seed."""

_GOVERNED = ("qubits", "uploads", "frequencies", "images", "draws")
_UPLOADS = ("diagonal", "qubitwise")
_FREQUENCIES = ("independent", "equal", "exponential")


@dataclass(frozen=True)
class Cell:
    """One measurement of one model.

    Tasks: `dimension` of the function span, or rank on real images; `spectrum`: effective number of
    Fourier features and feature orders; `pixels`: Sobol indices; `measures`: expressibility,
    entanglement, gradients, Fisher information and kernel; `mirror`: random features that a
    classical surrogate needs; `regression` on planted interactions of order 1 to 5; `forecast`:
    what the orders of the spectrum are predicted to cost, and took where that is little.

    Models: `scalar`: functions of one number by dense Haar blocks around uploads; `digits`:
    64-qubit brickwork with Z on every qubit, a pixel a qubit; `haar`, `brickwork` and `all-to-all`:
    a feature a qubit, uploaded again in each layer, and between the layers blocks that show
    every upload to the output (`brickwork` in `measures` and `regression`: plain layers, in
    `regression` behind a single upload); `reuploading`: the same with the upload in every layer;
    `linear`, `linear-scalar` and `linear-digits`: the controls.
    """

    task: str = field(
        default="dimension",
        metadata={"help": "dimension, spectrum, pixels, measures, mirror, regression or forecast"},
    )
    model: str = field(
        default="scalar",
        metadata={
            "help": "scalar, haar, brickwork, reuploading, all-to-all, digits, or the controls "
            "linear, linear-scalar, linear-digits"
        },
    )
    qubits: int = field(default=1, metadata={"help": "qubits of all models but the digits'"})
    layers: int = field(default=1, metadata={"help": "depth L, how often the data is uploaded"})
    uploads: str = field(
        default="diagonal", metadata={"help": "of the scalar: diagonal or qubitwise"}
    )
    frequencies: str = field(
        default="independent",
        metadata={"help": "independent, equal or exponential, over the uploads of a feature"},
    )
    images: int = field(default=1024, metadata={"help": "digit images, the points of the rank"})
    draws: int = field(
        default=24,
        metadata={
            "help": "random parameters (dimension, measures), terms of the spectrum (spectrum, "
            "mirror) or starts of the training (regression)"
        },
    )
    seed: int = field(default=0, metadata={"help": "of blocks, parameters, points and images"})

    def __post_init__(self) -> None:
        """Refuse unknown names; fields that a model does not read get their default."""
        tasks = tuple(dict.fromkeys(task for task, _ in _READ))
        models = tuple(model for task, model in _READ if task == self.task)
        for name, known in (
            ("task", tasks),
            ("model", models),
            ("uploads", _UPLOADS),
            ("frequencies", _FREQUENCIES),
        ):
            if getattr(self, name) not in known:
                where = f" of the task {self.task}" if name == "model" else ""
                raise CellError(
                    f"{name}{where} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        for name in ("qubits", "layers", "images", "draws"):
            if getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name in _GOVERNED:
            if name not in _READ[self.task, self.model]:
                object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)
