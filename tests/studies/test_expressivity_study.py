"""The study `expressivity` on its smallest cells, against the formulas and by hand."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from studies import expressivity
from studies.data import digits
from studies.errors import CellError
from studies.expressivity import forecast_shown, regression
from studies.expressivity.families import full_cone, linear
from studies.expressivity.fitting import best_fit
from studies.expressivity.regression import hidden_units
from studies.expressivity.spectrum import digits_model, haar_entropy, haar_mean_order
from studies.expressivity.statistics import over_seeds, slopes
from tnqml import DistributedModel, Z, spectrum
from tnqml.expressivity import planted


def _row(**fields):
    (row,) = expressivity.measure(expressivity.Cell(**fields))
    return row


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
    rows = {
        model: _row(model=model, layers=1, images=200, draws=4)
        for model in ("digits", "linear-digits")
    }
    assert rows["digits"]["rank"] > rows["linear-digits"]["rank"]
    assert rows["linear-digits"]["rank"] <= 65
    assert rows["digits"]["pixels_seen"] == 64


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"model": "cubic"}, "linear-digits"),
        ({"task": "spectrum", "model": "scalar"}, "all-to-all"),
        ({"task": "depth"}, "regression"),
        ({"frequencies": "random"}, "exponential"),
        ({"layers": 0}, "at least 1"),
    ],
)
def test_a_wrong_field_lists_what_is_possible(fields, named):
    with pytest.raises(CellError, match=named):
        expressivity.Cell(**fields)


def test_fields_that_a_model_does_not_read_get_their_default():
    cell = expressivity.Cell(task="spectrum", model="linear", frequencies="equal", images=3)
    assert cell == expressivity.Cell(task="spectrum", model="linear")


def test_presets_hold_valid_cells_of_every_task():
    for preset in ("quick", "full"):
        cells = expressivity.STUDY.cells(preset)
        assert len(set(cells)) == len(cells)
        assert {cell.task for cell in cells} == {
            "dimension",
            "spectrum",
            "pixels",
            "measures",
            "mirror",
            "regression",
            "forecast",
        }


def test_claims_do_not_hold_for_wrong_dimensions():
    cell = expressivity.Cell(qubits=1, layers=2)
    frame = pd.DataFrame([vars(cell) | {"rank": 8, "formula": 9, "gap": 1e9}])
    (claim,) = expressivity.claims(frame)
    assert claim.holds is False


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_far_pixel_changes_an_output(layers):
    model = digits_model(layers, frequencies="equal", seed=0).float().double()
    x = torch.tensor(digits.images(1, seed=0))
    with torch.no_grad():
        before = model(x)
        for pixel in (0, 37, 63):
            changed = x.clone()
            changed[0, pixel] += 0.5
            difference = (model(changed) - before).abs()[0]
            assert difference.max() > 1e-3
            assert abs(int(difference.argmax()) - pixel) <= 2 * layers


@pytest.mark.parametrize("name", ["haar", "brickwork", "all-to-all"])
@pytest.mark.parametrize("layers", [1, 3])
def test_every_upload_is_in_the_cone_at_any_depth(name, layers):
    model = full_cone(name, 3, layers=layers, frequencies="independent", seed=0)
    (cone,) = model.light_cones()
    assert cone.uploads == 3 * layers
    assert len(cone.features) == 3


def test_mean_of_f_squared_over_phases_is_the_power_of_the_family():
    model = full_cone("haar", 2, layers=2, frequencies="equal", seed=3)
    phases = 2 * math.pi * np.arange(8) / 8  # frequencies up to 2: an exact mean
    x = torch.tensor(list(itertools.product(phases, phases)))
    with torch.no_grad():
        values = model(x).numpy()
    assert np.mean(values**2) == pytest.approx(float(spectrum.power(model, 0).total), abs=1e-12)


@pytest.mark.parametrize("layers", [1, 4])
def test_linear_model_is_of_order_one_at_every_depth(layers):
    model = linear(3, layers=layers, seed=1)
    profile = spectrum.feature_orders(model, 0)
    assert profile.shares[0] == pytest.approx(1, abs=1e-12)
    x = 2 * math.pi * torch.rand(200, 3, dtype=torch.float64, generator=torch.manual_seed(0))
    columns = torch.cat([x.cos(), x.sin(), torch.ones(200, 1)], 1)
    with torch.no_grad():
        y = model(x)
    residual = y - columns @ torch.linalg.lstsq(columns, y.unsqueeze(1)).solution.squeeze(1)
    assert residual.abs().max() < 1e-10


@pytest.mark.parametrize(("qubits", "layers"), [(1, 2), (2, 1), (2, 2)])
def test_haar_averages_by_counting_pauli_strings(qubits, layers):
    letters = [
        string for string in itertools.product("IXYZ", repeat=qubits) if set(string) != {"I"}
    ]
    weight = 1 / len(letters)
    upload: dict[tuple[int, ...], float] = {}
    for string in letters:
        active = [letter in "XY" for letter in string]
        for signs in itertools.product((-1, 1), repeat=sum(active)):
            step = iter(signs)
            d = tuple(next(step) if on else 0 for on in active)
            upload[d] = upload.get(d, 0.0) + weight / 2 ** sum(active)
    assert haar_entropy(qubits) == pytest.approx(-sum(p * math.log(p) for p in upload.values()))
    order = total = 0.0
    for word in itertools.product(upload.items(), repeat=layers):
        share = math.prod(p for _, p in word)
        features = sum(any(d[q] for d, _ in word) for q in range(qubits))
        order += share * features
        total += share * (features > 0)
    assert haar_mean_order(qubits, layers) == pytest.approx(order / total)


def test_spectrum_rows_grow_with_depth_and_not_for_the_linear_model():
    rows = {
        (model, layers): _row(
            task="spectrum", model=model, qubits=3, layers=layers, draws=100, seed=1
        )
        for model in ("haar", "linear")
        for layers in (1, 3)
    }
    assert rows["haar", 3]["effective_low"] > 10 * rows["haar", 1]["effective_high"]
    assert rows["linear", 3]["effective"] <= 7
    shares = [value for name, value in rows["haar", 3].items() if name.startswith("order_")]
    assert sum(shares) == pytest.approx(1)


def test_exponential_lambda_uses_as_many_features_as_independent_and_equal_fewer():
    entropy = {
        kind: _row(task="spectrum", model="haar", qubits=2, layers=3, draws=200, frequencies=kind)[
            "entropy"
        ]
        for kind in ("independent", "exponential", "equal")
    }
    assert entropy["exponential"] == pytest.approx(entropy["independent"])
    assert entropy["equal"] < entropy["independent"]


def test_a_pixel_outside_the_cone_has_no_index():
    cell = expressivity.Cell(task="pixels", model="digits", layers=1)
    rows = expressivity.measure(cell)
    assert len(rows) == 64
    for row in rows:
        assert (row["middle_total"] > 0) == row["in_middle_cone"]
        assert row["main"] <= row["total"] + 1e-12


def test_mirror_of_one_upload_needs_its_one_frequency():
    row = _row(task="mirror", model="haar", qubits=1, layers=1, draws=200)
    assert row["needed"] == row["frequencies_in_all"] == 1


def test_one_layer_fits_all_orders_of_three_features_and_the_linear_model_just_one():
    """Z on the middle qubit sees both sides: terms of order 1, 2 and 3 are in the spectrum."""
    cell = expressivity.Cell(task="regression", model="brickwork", qubits=3, draws=2)
    rows = expressivity.measure(cell)
    assert [row["order"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["term_share"] > 1e-4
        assert row["r2"] > 0.99
        assert (row["r2_linear"] > 0.99) == (row["order"] == 1)
        assert row["order_share"] >= row["term_share"]


def test_what_a_spectrum_lacks_is_not_fitted():
    """At L = 1 of 5 qubits no output has order 4 or 5."""
    cell = expressivity.Cell(task="regression", model="brickwork", qubits=5, draws=1)
    rows = expressivity.measure(cell)
    for row in rows[3:]:
        assert row["term_share"] < 1e-12
        assert row["order_share"] < 1e-12
        assert row["r2"] < 0.1
        assert row["cone_features"] == 4


@pytest.mark.parametrize("model", ["brickwork", "reuploading"])
def test_share_of_a_term_is_its_mean_over_the_inputs(model):
    """Against the mean of output times term on a grid that is exact for these frequencies."""
    cell = expressivity.Cell(task="regression", model=model, qubits=3, layers=2)
    drawn = regression.circuit(cell)
    one = DistributedModel(drawn, [Z(qubit) for qubit in range(3)], dtype=torch.float64, seed=4)
    grid = torch.arange(7, dtype=torch.float64) * 2 * torch.pi / 7
    x = torch.cartesian_prod(grid, grid, grid)
    with torch.no_grad():
        values = one(x)
    values = values - values.mean(0)
    inside = regression.held([one])
    for order in (1, 2, 3):
        target = planted(3, {order: 1}, seed=order)
        inner = (values * target.values(x)[:, None]).mean(0) ** 2
        expected = (inner / (values**2).mean(0)).max()
        assert inside.share(target.terms[0]) == pytest.approx(float(expected), abs=1e-12)


def test_a_fit_recovers_a_model_of_the_same_circuit():
    cell = expressivity.Cell(task="regression", model="brickwork", qubits=3, layers=1)
    drawn = regression.circuit(cell)
    outputs = [Z(qubit) for qubit in range(3)]
    truth, *starts = (
        DistributedModel(drawn, outputs, dtype=torch.float64, seed=seed) for seed in range(4)
    )
    x = 6 * torch.rand(300, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = truth(x) @ torch.tensor([0.5, -1.0, 0.7], dtype=torch.float64) + 0.3
    fit = best_fit(starts, x, y, rows=200)
    assert fit.train > 0.999
    assert fit.test > 0.99


def test_forecast_beside_what_was_taken():
    row = _row(task="forecast", model="digits", layers=1, frequencies="equal")
    assert row["fits"]
    assert row["cone_uploads"] == 2
    assert 0 < row["took_seconds"] < 60
    assert row["predicted_bytes"] > 0
    frame = pd.DataFrame(
        [
            {"task": "forecast", "frequencies": "equal", "layers": 2}
            | {key: row[key] for key in row}
            | {"took_seconds": seconds}
            for seconds in (3.0, None)
        ]
    )
    (claim,) = forecast_shown.claims(frame.iloc[:1])
    assert claim.holds
    (claim,) = forecast_shown.claims(frame.iloc[1:])
    assert claim.holds is False
    assert "not run" in claim.measured


def test_hidden_units_match_the_parameters():
    for parameters in (16, 30, 56):
        units = hidden_units(parameters, inputs=10)
        assert abs(units * 12 + 1 - parameters) <= 6


def test_slopes_and_means_of_known_lines():
    frame = pd.DataFrame(
        [
            {"seed": seed, "layers": depth, "y": seed + (2 + seed) * depth}
            for seed in (0, 1)
            for depth in (1, 2, 3)
        ]
    )
    assert slopes(frame, "y") == pytest.approx([2, 3])
    first = over_seeds(frame, "layers", "y").iloc[0]
    assert first["value"] == 3  # of 2 and 4: standard error 1, Student's quantile 12.7062
    assert first["high"] - first["value"] == pytest.approx(12.7062, abs=1e-4)


def test_figures_and_claims_of_no_rows_of_their_own():
    from studies.style import new_figure, styled

    cell = expressivity.Cell(qubits=1, layers=2)
    frame = pd.DataFrame([vars(cell) | {"rank": 9, "formula": 9, "gap": 1e9}])
    with styled():
        for draw in expressivity.STUDY.figures.values():
            _, ax = new_figure()
            draw(ax, frame)
            assert ax.texts or ax.lines
