"""How many random Fourier features a classical surrogate needs to match a model."""

from studies.expressivity.cell import Cell
from studies.study import Row

ERROR = 0.1
_HELD_OUT = 512


def measure(cell: Cell) -> list[Row]:
    """Distinct frequencies that ridge regression needs for a relative error of 0.1.

    Drawn with the exact probabilities |C_d|^2. The lambda are powers of 3, so that all sums are
    distinct integers and one period of each feature is enough to fit on.
    """
    import torch

    from studies.expressivity.families import full_cone
    from tnqml import spectrum
    from tnqml.expressivity import FeaturesNeeded, uniform

    model = full_cone(
        "haar", cell.qubits, layers=cell.layers, frequencies="exponential", seed=cell.seed
    )
    drawn = spectrum.sample(model, cell.draws, seed=cell.seed)
    effective = spectrum.effective_features(model, min(cell.draws, 1000), seed=cell.seed)
    search = FeaturesNeeded(
        uniform(cell.qubits), drawn.features, error=ERROR, repeats=2, held_out=_HELD_OUT
    )
    found = search.run(model, torch.Generator().manual_seed(cell.seed))
    needed = found.frequencies
    return [
        {
            "needed": needed.value,
            "needed_low": needed.low,
            "needed_high": needed.high,
            "reached": found.reached,
            "frequencies_in_all": (3 ** (cell.qubits * cell.layers) - 1) // 2,
            "effective": effective.value,
            "effective_low": effective.low,
            "effective_high": effective.high,
            "cone_uploads": cell.qubits * cell.layers,
        }
    ]
