"""How many functions of the data a model has, against its depth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING

from studies.cells import grid
from studies.errors import CellError
from studies.study import Claim, Row, Study
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from pandas import DataFrame

    Matrix = NDArray[np.float64]

_CHOICES = {
    "model": ("scalar", "digits", "linear-scalar", "linear-digits"),
    "uploads": ("diagonal", "qubitwise"),
    "frequencies": ("independent", "equal", "exponential"),
}
_UNREAD = {
    "scalar": ("images", "draws"),
    "linear-scalar": ("images", "draws", "qubits", "uploads", "frequencies"),
    "digits": ("qubits", "uploads", "frequencies"),
    "linear-digits": ("qubits", "uploads", "frequencies"),
}
_SCALAR_RANGE = 1e4
_SAFE_GAP = 100.0


@dataclass(frozen=True)
class Cell:
    """One model family.

    `scalar`: functions of one number by dense Haar blocks around uploads. `digits`: 64-qubit
    brickwork with Z on every qubit, on real images. `linear-scalar` and `linear-digits` are the
    linear model on the same data.
    """

    model: str = field(
        default="scalar",
        metadata={"help": "scalar, digits, linear-scalar or linear-digits"},
    )
    qubits: int = field(default=1, metadata={"help": "qubits of the scalar models"})
    layers: int = field(default=1, metadata={"help": "depth L, the number of uploads"})
    uploads: str = field(default="diagonal", metadata={"help": "diagonal or qubitwise"})
    frequencies: str = field(
        default="independent", metadata={"help": "independent, equal or exponential"}
    )
    images: int = field(default=1024, metadata={"help": "digit images, the points of the rank"})
    draws: int = field(default=24, metadata={"help": "random parameters for the digits"})
    seed: int = field(default=0, metadata={"help": "of blocks, parameters, points and images"})

    def __post_init__(self) -> None:
        """Refuse unknown names; fields that a model does not read get their default."""
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise CellError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        for name in ("qubits", "layers", "images", "draws"):
            if getattr(self, name) < 1:
                raise CellError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name in _UNREAD[self.model]:
            object.__setattr__(self, name, type(self).__dataclass_fields__[name].default)


def formula(cell: Cell) -> int | None:
    """The dimension that theory predicts, where it does (THEORY section 3)."""
    size = 2**cell.qubits
    if cell.model == "linear-scalar":
        return 2
    if cell.model != "scalar":
        return None
    if cell.frequencies == "equal":
        return 2 * cell.qubits * cell.layers + 1 if cell.uploads == "qubitwise" else None
    if cell.uploads == "diagonal" and cell.frequencies == "independent":
        return int((size**2 - size + 1) ** cell.layers)
    return int(3 ** (cell.qubits * cell.layers)) if cell.uploads == "qubitwise" else None


def measure(cell: Cell) -> list[Row]:
    """The dimension or rank of one model family; see `Cell`."""
    measures = {
        "scalar": _scalar,
        "linear-scalar": _linear_scalar,
        "digits": _digits,
        "linear-digits": _linear_digits,
    }
    return [measures[cell.model](cell)]


def _scalar(cell: Cell) -> Row:
    """Random circuits of the family on random points, as many as the rank needs."""
    import numpy as np
    import torch

    from tnqml import DistributedModel, Z, ansatz

    generator = np.random.default_rng(cell.seed)

    def draw(count: int, points: int) -> "Matrix":
        x = torch.tensor(generator.uniform(0, _SCALAR_RANGE, (points, 1)))
        rows = []
        for seed in generator.integers(2**31, size=count):
            circuit = ansatz.haar(
                cell.qubits,
                layers=cell.layers,
                seed=int(seed),
                uploads=cell.uploads,  # type: ignore[arg-type]  # checked by haar
                frequencies=cell.frequencies,  # type: ignore[arg-type]
            )
            model = DistributedModel(circuit, Z(0), dtype=torch.float64, route="state")
            with torch.no_grad():
                rows.append(model(x).numpy())
        return np.stack(rows)

    return _dimension(draw, cell)


def _linear_scalar(cell: Cell) -> Row:
    """Functions a x + b with random a and b."""
    import numpy as np

    generator = np.random.default_rng(cell.seed)

    def draw(count: int, points: int) -> "Matrix":
        x = np.stack([generator.uniform(0, 1, points), np.ones(points)])
        return np.asarray(generator.normal(size=(count, 2)) @ x)

    return _dimension(draw, cell)


def _dimension(draw: Callable[[int, int], "Matrix"], cell: Cell) -> Row:
    """The dimension that the functions drawn span, beside the formula."""
    from tnqml.expressivity import span_dimension

    rank, count = span_dimension(draw)
    return {
        "rank": rank.rank,
        "effective_rank": rank.effective,
        "gap": rank.gap,
        "functions": count,
        "formula": formula(cell),
    }


def _digits(cell: Cell) -> Row:
    """Every output at many random parameters, on the images."""
    import numpy as np
    import torch

    from studies import digits
    from tnqml import DistributedModel, Z, ansatz
    from tnqml.expressivity import numerical_rank

    x = torch.tensor(digits.images(cell.images, seed=cell.seed))
    circuit = ansatz.brickwork(digits.PIXELS, layers=cell.layers)
    outputs = [Z(qubit) for qubit in range(digits.PIXELS)]
    model = DistributedModel(circuit, outputs, dtype=torch.float64, route="pauli")
    generator = torch.Generator().manual_seed(cell.seed)
    rows = []
    with torch.no_grad():
        for _ in range(cell.draws):
            model.theta.uniform_(0, 2 * torch.pi, generator=generator)
            rows.append(model(x).numpy().T)
    cones = model.light_cones()
    seen = [cone.features for cone in cones]
    rank = numerical_rank(np.concatenate(rows))
    return {
        "rank": rank.rank,
        "effective_rank": rank.effective,
        "gap": rank.gap,
        "functions": cell.draws * digits.PIXELS,
        "cone_pixels_least": min(len(pixels) for pixels in seen),
        "cone_pixels_most": max(len(pixels) for pixels in seen),
        "cone_uploads_most": max(cone.uploads for cone in cones),
        "pixels_seen": len(set().union(*seen)),
    }


def _linear_digits(cell: Cell) -> Row:
    """Random linear functions with offset of the pixels."""
    import numpy as np

    from studies import digits
    from tnqml.expressivity import numerical_rank

    x = digits.images(cell.images, seed=cell.seed)
    count = cell.draws * digits.PIXELS
    weights = np.random.default_rng(cell.seed).normal(size=(count, digits.PIXELS + 1))
    rank = numerical_rank(weights @ np.vstack([x.T, np.ones(len(x))]))
    return {
        "rank": rank.rank,
        "effective_rank": rank.effective,
        "gap": rank.gap,
        "functions": count,
        "cone_pixels_least": digits.PIXELS,
        "cone_pixels_most": digits.PIXELS,
        "pixels_seen": digits.PIXELS,
    }


def _families(largest: int) -> list[Cell]:
    """Scalar models whose dimension by formula is at most `largest`, and the linear one."""
    cells = [
        cell
        for uploads, frequencies in (
            ("diagonal", "independent"),
            ("qubitwise", "independent"),
            ("qubitwise", "equal"),
        )
        for cell in grid(
            Cell,
            {
                "model": ["scalar"],
                "uploads": [uploads],
                "frequencies": [frequencies],
                "qubits": [1, 2],
                "layers": [1, 2, 3, 4],
            },
        )
    ]
    known = [cell for cell in cells if (formula(cell) or 0) <= largest]
    return known + grid(Cell, {"model": ["linear-scalar"], "layers": [1, 2, 3, 4]})


def _on_digits(*, layers: Sequence[int], images: int, draws: int, seeds: int) -> list[Cell]:
    return grid(
        Cell,
        {
            "model": ["linear-digits", "digits"],
            "layers": layers,
            "images": [images],
            "draws": [draws],
            "seed": range(seeds),
        },
    )


def quick() -> list[Cell]:
    """Dimensions up to 169; digits to depth 3."""
    return _families(169) + _on_digits(layers=[1, 2, 3], images=1024, draws=18, seeds=2)


def full() -> list[Cell]:
    """Dimensions up to 729; all digits to depth 4, three seeds."""
    return _families(729) + _on_digits(layers=[1, 2, 3, 4], images=1797, draws=40, seeds=3)


def draw_dimension(ax: "Axes", frame: "DataFrame") -> None:
    """Measured dimension against depth on a logarithmic axis, the formula as a line."""
    scalar = frame[frame["model"].isin(["scalar", "linear-scalar"])]
    if scalar.empty:
        say_empty(ax)
        return
    markers, sizes = cycle("osD^vPX"), cycle([6, 9, 6, 6, 6, 5, 6])
    dashes = cycle(["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))])
    for (model, uploads, frequencies, qubits), rows in scalar.groupby(
        ["model", "uploads", "frequencies", "qubits"]
    ):
        name = f"{uploads}, {frequencies} $\\lambda$, $n$ = {qubits}"
        line = rows.groupby("layers")[["rank", "formula"]].median()
        ax.plot(
            line.index,
            line["rank"],
            linestyle="none",
            marker=next(markers),
            markerfacecolor="none",
            markersize=next(sizes),
            label="linear model" if model == "linear-scalar" else name,
        )
        colour = ax.lines[-1].get_color()
        ax.plot(line.index, line["formula"], marker="", linestyle=next(dashes), color=colour)
    ax.set(xlabel="depth $L$ (uploads)", ylabel="dimension of the function span", yscale="log")
    ax.set_xticks(sorted(scalar["layers"].unique()))
    legend_below(ax, title="points: measured; lines: formula")


def draw_digits(ax: "Axes", frame: "DataFrame") -> None:
    """Numerical and effective rank on the digits against depth, beside the linear model."""
    on_digits = frame[frame["model"].isin(["digits", "linear-digits"])]
    if on_digits.empty:
        say_empty(ax)
        return
    names = {"digits": "64-qubit brickwork", "linear-digits": "linear model"}
    for model, rows in on_digits.groupby("model"):
        for column, kind in (("rank", "rank"), ("effective_rank", "effective rank")):
            values = rows.groupby("layers")[column]
            best = values.median()
            draw_interval(
                ax,
                best.index,
                low=values.min(),
                best=best,
                high=values.max(),
                label=f"{names[str(model)]}, {kind}",
            )
    most = int(on_digits["images"].max())
    ax.axhline(most, color="grey", linewidth=0.8, marker="", linestyle=":")
    ax.annotate(
        f"{most} images", (1, most), textcoords="offset points", xytext=(0, -10), fontsize=8
    )
    ax.set_xticks(sorted(on_digits["layers"].unique()))
    ax.set(xlabel="depth $L$ (uploads of every pixel)", ylabel="rank on the digits", yscale="log")
    legend_below(ax)


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of the dimension formulas, the collapse and the digits."""
    found = []
    names = {
        ("scalar", "diagonal", "independent"): "diagonal uploads span (N'^2 - N' + 1)^L",
        ("scalar", "qubitwise", "independent"): "qubit-wise uploads span 3^(nL)",
        ("scalar", "qubitwise", "equal"): "equal frequencies collapse to 2nL + 1",
        ("linear-scalar", "diagonal", "independent"): "the linear model stays at 2",
    }
    for key, rows in frame.groupby(["model", "uploads", "frequencies"]):
        if key not in names or rows["formula"].isna().any():
            continue
        clear = bool((rows["gap"] > _SAFE_GAP).all())
        ordered = rows.sort_values(["qubits", "layers", "seed"])
        found.append(
            Claim(
                text=names[key],
                expected=", ".join(f"{int(value)}" for value in ordered["formula"]),
                measured=", ".join(f"{int(value)}" for value in ordered["rank"])
                + f" (singular values drop by {rows['gap'].min():.1g} or more)",
                holds=bool((rows["rank"] == rows["formula"]).all()) if clear else None,
            )
        )
    return found + _digit_claims(frame)


def _digit_claims(frame: "DataFrame") -> list[Claim]:
    wide = frame[frame["model"] == "digits"]
    linear = frame[frame["model"] == "linear-digits"]
    if wide.empty or linear.empty:
        return []
    effective = wide.groupby("layers")["effective_rank"].median()
    rank = wide.groupby("layers")["rank"].median()
    cones = ", ".join(
        f"L = {layers}: {int(rows['cone_pixels_least'].min())} to "
        f"{int(rows['cone_pixels_most'].max())} pixels, "
        f"{int(rows['cone_uploads_most'].max())} uploads"
        for layers, rows in wide.groupby("layers")
    )
    return [
        Claim(
            text="rank on the digits exceeds the linear model's at every depth",
            expected=f"> {int(linear['rank'].max())}",
            measured=", ".join(f"L = {k}: {int(v)}" for k, v in rank.items())
            + f" (of at most {int(wide['images'].max())} images)",
            holds=bool(rank.min() > linear["rank"].max()),
        ),
        Claim(
            text="effective rank on the digits grows with depth, the linear model's does not",
            expected=f"growing; linear {linear['effective_rank'].median():.1f}",
            measured=", ".join(f"L = {k}: {v:.1f}" for k, v in effective.items()),
            holds=bool(effective.is_monotonic_increasing) if len(effective) > 1 else None,
        ),
        Claim(
            text="the outputs together see every pixel (light cones of the outputs)",
            expected="64 pixels",
            measured=f"{int(wide['pixels_seen'].min())} pixels; {cones}",
            holds=bool((wide["pixels_seen"] == 64).all()),
        ),
    ]


STUDY = Study(
    name="expressivity",
    where=f"{__name__}:STUDY",
    version=1,
    summary="dimension of the function span and rank on real images, against depth",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={"dimension": draw_dimension, "digits": draw_digits},
    claims=claims,
    headline=True,
)
