import pandas as pd
import pytest
from matplotlib.figure import Figure

from studies.errors import CellError
from studies.overhead import STUDY, Cell, claims


def frame_of(cells):
    return pd.DataFrame([{**vars(cell), **row} for cell in cells for row in STUDY.measure(cell)])


@pytest.fixture(scope="module")
def frame():
    steps = [Cell(qubits=n) for n in (4, 5, 6, 7)]
    sizes = [
        Cell(task="gradient-size", ansatz=ansatz, qubits=n, draws=30)
        for ansatz in ("deep", "shallow")
        for n in (3, 4, 5, 6)
    ]
    return frame_of(steps + sizes)


def test_small_cells_show_the_claims(frame):
    held = {claim.text: claim.holds for claim in claims(frame)}
    assert len(held) == 5
    assert held["encoding takes O(N) local gates and no message"]
    assert held["size of a gradient, deep model"]


def test_a_claim_fails_where_gradients_do_not_shrink(frame):
    flat = frame.assign(gradient=0.5, gradient_low=0.49, gradient_high=0.51)
    held = {claim.text: claim.holds for claim in claims(flat)}
    assert not held["size of a gradient, deep model"]
    assert held["size of a gradient, shallow model"]


def test_figures_draw_what_is_there_and_say_so_where_nothing_is(frame):
    for draw in STUDY.figures.values():
        ax = Figure().add_subplot()
        draw(ax, frame)
        assert ax.lines or ax.containers
        empty = Figure().add_subplot()
        draw(empty, frame.iloc[:0])
        assert "no cell" in empty.texts[0].get_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "gates"}, "task is 'gates'"),
        ({"task": "gradient-size"}, "ansatz is ''"),
        ({"ansatz": "deep"}, "ansatz is 'deep' of task 'step'"),
        ({"qubits": 1}, "qubits is 1"),
        ({"task": "gradient-size", "ansatz": "deep", "draws": 5}, "draws is 5"),
    ],
)
def test_bad_cells_are_refused(options, message):
    with pytest.raises(CellError, match=message):
        Cell(**options)
