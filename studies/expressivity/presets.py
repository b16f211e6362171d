"""The cells of the presets quick and full."""

from collections.abc import Iterable, Mapping, Sequence

from studies.cells import Scalar, grid
from studies.expressivity.cell import Cell
from studies.expressivity.dimension import formula


def quick() -> list[Cell]:
    """Dimensions up to 169, digits to depth 2; small circuits and few seeds of everything else."""
    return [
        *_families(169),
        *_on_digits(layers=[1, 2], images=1024, draws=18, seeds=1),
        *_spectra({2: 4, 3: 3}, narrow=3, seeds=3, draws=100),
        *_wide(layers=[1, 2], draws=100, seeds=1),
        *grid(Cell, {"task": ["pixels"], "model": ["digits"], "layers": [1, 2]}),
        *_measures(qubits=[3], layers=[1, 2, 4], draws=200, seeds=1),
        *_mirrors({1: 4}, draws=4000, seeds=3),
        *_forecasts(layers=[1, 2, 3]),
        *_regressions("brickwork", qubits=3, layers=[1, 2], draws=2, seeds=2),
    ]


def full() -> list[Cell]:
    """Dimensions up to 729, all digits to depth 3; more depth, width and seeds of everything.

    At depth 3 the rank on the digits has reached the number of images; more depth shows no more.
    """
    return [
        *_families(729),
        *_on_digits(layers=[1, 2, 3], images=1797, draws=40, seeds=3),
        *_spectra({2: 8, 3: 6, 4: 5}, narrow=3, seeds=12, draws=1000),
        *_wide(layers=[1, 2, 3], draws=1000, seeds=3),
        *grid(
            Cell,
            {"task": ["pixels"], "model": ["digits"], "layers": [1, 2], "seed": range(5)},
        ),
        *_measures(qubits=[3, 4], layers=[1, 2, 3, 4, 6, 8], draws=400, seeds=3),
        *_mirrors({1: 6, 2: 3}, draws=20_000, seeds=5),
        *_forecasts(layers=[1, 2, 3, 4, 5]),
        *_regressions("brickwork", qubits=5, layers=[1, 2, 3], draws=3, seeds=5),
        *_regressions("reuploading", qubits=5, layers=[1, 2, 3], draws=2, seeds=3),
    ]


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


def _spectra(depths: Mapping[int, int], *, narrow: int, seeds: int, draws: int) -> list[Cell]:
    """Full cones: for each width all depths up to one; every ansatz, encoding and the control.

    Equal lambda and the control from the width `narrow` on; exponential lambda, with as many terms
    as independent ones, and the other ansaetze there alone.
    """
    cells = []
    for qubits, deepest in depths.items():
        here: dict[str, Iterable[Scalar]] = {
            "task": ["spectrum"],
            "qubits": [qubits],
            "layers": range(1, deepest + 1),
            "draws": [draws],
            "seed": range(seeds),
        }
        cells += grid(Cell, here | {"model": ["haar"]})
        if qubits >= narrow:
            cells += grid(Cell, here | {"model": ["haar"], "frequencies": ["equal"]})
            cells += grid(Cell, here | {"model": ["linear"]})
        if qubits == narrow:
            cells += grid(Cell, here | {"model": ["haar"], "frequencies": ["exponential"]})
            cells += grid(Cell, here | {"model": ["brickwork", "all-to-all"]})
    return cells


def _wide(*, layers: Sequence[int], draws: int, seeds: int) -> list[Cell]:
    return grid(
        Cell,
        {
            "task": ["spectrum"],
            "model": ["digits"],
            "frequencies": ["equal", "independent"],
            "layers": layers,
            "draws": [draws],
            "seed": range(seeds),
        },
    )


def _measures(
    *, qubits: Sequence[int], layers: Sequence[int], draws: int, seeds: int
) -> list[Cell]:
    return grid(
        Cell,
        {
            "task": ["measures"],
            "model": ["brickwork"],
            "qubits": qubits,
            "layers": layers,
            "draws": [draws],
            "seed": range(seeds),
        },
    )


def _mirrors(depths: Mapping[int, int], *, draws: int, seeds: int) -> list[Cell]:
    """For each width all depths up to one."""
    return [
        cell
        for qubits, deepest in depths.items()
        for cell in grid(
            Cell,
            {
                "task": ["mirror"],
                "model": ["haar"],
                "qubits": [qubits],
                "layers": range(1, deepest + 1),
                "draws": [draws],
                "seed": range(seeds),
            },
        )
    ]


def _forecasts(*, layers: Sequence[int]) -> list[Cell]:
    return grid(
        Cell,
        {
            "task": ["forecast"],
            "model": ["digits"],
            "frequencies": ["equal", "independent"],
            "layers": layers,
        },
    )


def _regressions(
    model: str, *, qubits: int, layers: Sequence[int], draws: int, seeds: int
) -> list[Cell]:
    return grid(
        Cell,
        {
            "task": ["regression"],
            "model": [model],
            "qubits": [qubits],
            "layers": layers,
            "draws": [draws],
            "seed": range(seeds),
        },
    )
