from dataclasses import dataclass, replace

import pytest
from toy_study import STUDY, ToyCell

import studies
from studies.cells import field_types, grid, override, parameters
from studies.errors import CellError, StudyError, UnknownPreset, UnknownStudy
from studies.study import load


def test_grid_is_the_product_with_the_last_field_fastest():
    cells = grid(ToyCell, {"size": [1, 2], "seed": range(2)})
    assert [(cell.size, cell.seed) for cell in cells] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert {cell.kind for cell in cells} == {"plain"}


def test_grid_names_the_valid_fields():
    with pytest.raises(CellError, match=r"no field 'depth'.*size, noise, kind, doubled, seed"):
        grid(ToyCell, {"depth": [1]})


@pytest.mark.parametrize("value", [1.5, True, "1", None])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(CellError, match="expected int"):
        grid(ToyCell, {"size": [value]})


def test_override_replaces_drops_duplicates_and_keeps_order():
    cells = grid(ToyCell, {"size": [3, 1, 2], "seed": [0, 1]})
    replaced = override(cells, {"size": [5, 4]})
    assert [(cell.seed, cell.size) for cell in replaced] == [(0, 5), (1, 5), (0, 4), (1, 4)]
    assert override(cells, {}) == cells


def test_override_narrows_to_a_value_that_cells_have():
    cells = grid(ToyCell, {"size": [3, 1, 2], "seed": [0, 1]})
    assert override(cells, {"size": [1], "seed": [1]}) == [ToyCell(size=1, seed=1)]
    mixed = override(cells, {"size": [2, 9]})
    assert [(cell.size, cell.seed) for cell in mixed] == [(2, 0), (2, 1), (9, 0), (9, 1)]


def test_override_says_what_the_cell_refuses():
    with pytest.raises(CellError, match="refuses size=-1: size is negative"):
        override([ToyCell()], {"size": [-1]})


def test_parameters_of_equal_cells_are_identical():
    plain = parameters(ToyCell(noise=1))
    assert plain == parameters(ToyCell(noise=1.0))
    assert type(plain["noise"]) is float
    assert list(plain) == ["size", "noise", "kind", "doubled", "seed"]


def test_cells_that_are_not_plain_are_refused():
    @dataclass(frozen=True)
    class Listed:
        sizes: list[int]
        seed: int = 0

    @dataclass(frozen=True)
    class NoDefault:
        size: int
        seed: int = 0

    @dataclass(frozen=True)
    class Unseeded:
        size: int = 1

    @dataclass
    class Mutable:
        seed: int = 0

    for cell, reason in (
        (Listed, "only int, float, str and bool"),
        (NoDefault, "no default"),
        (Unseeded, "seed"),
        (Mutable, "frozen"),
    ):
        with pytest.raises(CellError, match=reason):
            field_types(cell)


def test_a_study_refuses_names_that_clash():
    @dataclass(frozen=True)
    class Clashing:
        workers: int = 1
        seed: int = 0

    with pytest.raises(CellError, match="--workers"):
        replace(STUDY, cell=Clashing)
    for name in ("all", "Two words"):
        with pytest.raises(StudyError, match=name):
            replace(STUDY, name=name)
    with pytest.raises(StudyError, match="presets"):
        replace(STUDY, presets={"quick": list})


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(UnknownPreset, match="'huge'; choose from quick, full"):
        STUDY.cells("huge")
    with pytest.raises(UnknownStudy, match="'nothing'; choose from: toy"):
        studies.find("nothing", {"toy": STUDY})


def test_a_reference_leads_to_the_study_or_to_an_error():
    assert load(STUDY.where) is STUDY
    for where in ("toy_study:measure", "toy_study:NOTHING", "nowhere:STUDY", "toy_study", ""):
        with pytest.raises(StudyError):
            load(where)


def test_every_name_of_the_package_is_there():
    assert len(set(studies.__all__)) == len(studies.__all__)
    assert all(hasattr(studies, name) for name in studies.__all__)
    for name, study in studies.STUDIES.items():
        assert study.name == name
        assert load(study.where) is study
