"""The study `expressivity` on its smallest cells, against the formulas and by hand."""

import pandas as pd
import pytest
import torch

from studies import digits, expressivity
from studies.errors import CellError
from tnqml import DistributedModel, Z, ansatz


@pytest.mark.parametrize(
    ("cell", "dimension"),
    [
        (expressivity.Cell(qubits=1, layers=2), 9),
        (expressivity.Cell(qubits=2, layers=1), 13),
        (expressivity.Cell(qubits=2, layers=1, uploads="qubitwise"), 9),
        (expressivity.Cell(qubits=2, layers=2, uploads="qubitwise", frequencies="equal"), 9),
        (expressivity.Cell(model="linear-scalar", layers=3), 2),
    ],
)
def test_dimensions_are_those_of_theory(cell, dimension):
    (row,) = expressivity.measure(cell)
    assert row["rank"] == dimension
    assert row["formula"] == dimension
    assert row["gap"] > 100


def test_digits_beat_the_linear_model_and_see_all_pixels():
    cells = [
        expressivity.Cell(model=model, layers=1, images=200, draws=4)
        for model in ("digits", "linear-digits")
    ]
    rows = {cell.model: expressivity.measure(cell)[0] for cell in cells}
    assert rows["digits"]["rank"] > rows["linear-digits"]["rank"]
    assert rows["linear-digits"]["rank"] <= 65
    assert rows["digits"]["pixels_seen"] == 64


def test_an_unknown_model_lists_the_known():
    with pytest.raises(CellError, match="linear-digits"):
        expressivity.Cell(model="cubic")


def test_claims_do_not_hold_for_wrong_dimensions():
    cell = expressivity.Cell(qubits=1, layers=2)
    frame = pd.DataFrame([vars(cell) | {"rank": 8, "formula": 9, "gap": 1e9}])
    (claim,) = expressivity.claims(frame)
    assert claim.holds is False


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_far_pixel_changes_an_output(layers):
    model = DistributedModel(
        ansatz.brickwork(64, layers=layers), [Z(qubit) for qubit in range(64)], dtype=torch.float64
    )
    x = torch.tensor(digits.images(1, seed=0))
    with torch.no_grad():
        before = model(x)
        for pixel in (0, 37, 63):
            changed = x.clone()
            changed[0, pixel] += 0.5
            difference = (model(changed) - before).abs()[0]
            assert difference.max() > 1e-3
            assert abs(int(difference.argmax()) - pixel) <= 2 * layers
