"""Dimension of the function span of scalar models, and ranks on the digits; see `Cell`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from studies.expressivity.cell import Cell
from studies.study import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_SCALAR_RANGE = 1e4


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
    """The dimension or rank of one model family."""
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

    from studies.data import digits
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

    from studies.data import digits
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
