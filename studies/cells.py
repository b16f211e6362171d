"""Cells of a study: reading their fields, building grids of them, overriding values.

A cell is an instance of a frozen dataclass. Every field is an int, a float, a str or a bool with
a default, and one of them is `seed: int = 0`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, replace
from itertools import product
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from studies.errors import CellError

Scalar = int | float | str | bool
Parameters = dict[str, Scalar]

SCALAR_TYPES: tuple[type[Scalar], ...] = (int, float, str, bool)


class Cell(Protocol):
    """What every cell has: the fields of a dataclass, a seed among them."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def seed(self) -> int:
        """The seed of every random number that the measurement draws."""


CellT = TypeVar("CellT", bound=Cell)


def field_types(cell_type: type[Cell]) -> dict[str, type[Scalar]]:
    """Return the type of each field of a cell, in the order of declaration.

    Raises:
        CellError: `cell_type` is not a frozen dataclass, a field has no default or a type other
            than int, float, str and bool, or there is no `seed: int`.
    """
    name = cell_type.__name__
    made_by: Any = getattr(cell_type, "__dataclass_params__", None)
    if made_by is None or not made_by.frozen:
        raise CellError(f"{name} is not a frozen dataclass; decorate it @dataclass(frozen=True)")
    hints = get_type_hints(cell_type)
    types = {field.name: hints[field.name] for field in fields(cell_type)}
    for field in fields(cell_type):
        if types[field.name] not in SCALAR_TYPES:
            raise CellError(
                f"{name}.{field.name} has type {types[field.name]}; "
                "a cell holds only int, float, str and bool"
            )
        if field.default is MISSING:
            raise CellError(f"{name}.{field.name} has no default; give it one")
    if types.get("seed") is not int:
        raise CellError(f"{name} has no field `seed: int = 0`; add it")
    return types


def field_help(cell_type: type[Cell]) -> dict[str, str]:
    """Return the help text of each field, empty where its metadata has none."""
    return {field.name: str(field.metadata.get("help", "")) for field in fields(cell_type)}


def parameters(cell: Cell) -> Parameters:
    """Return a cell's fields by name; an int in a float field becomes a float.

    Raises:
        CellError: a value is not of its field's type.
    """
    types = field_types(type(cell))
    return {name: _checked(type(cell), name, getattr(cell, name), types[name]) for name in types}


def grid(cell_type: type[CellT], values: Mapping[str, Iterable[Scalar]]) -> list[CellT]:
    """Return a cell for each combination of `values`, the last field varying fastest.

    Fields that `values` leaves out keep their defaults.

    Raises:
        CellError: a name that is no field of the cell, or a value of another type.
    """
    return _replaced([cell_type()], values)


def override(cells: Sequence[CellT], values: Mapping[str, Sequence[Scalar]]) -> list[CellT]:
    """Return `cells` narrowed or changed to the values given, field by field.

    A value that some of the cells have keeps those cells; one that none has takes the place of
    theirs in all cells. Cells that become equal are kept once, at their first place.

    Raises:
        CellError: as for `grid`, or a value that the cell itself refuses.
    """
    _check_names_of_all(cells, values)
    for name, given in values.items():
        chosen: list[CellT] = []
        for value in given:
            kept = [cell for cell in cells if getattr(cell, name) == value]
            chosen += kept or _replaced(cells, {name: [value]})
        cells = list(dict.fromkeys(chosen))
    return list(cells)


def _replaced(cells: Sequence[CellT], values: Mapping[str, Iterable[Scalar]]) -> list[CellT]:
    choices = {name: list(given) for name, given in values.items()}
    _check_names_of_all(cells, choices)
    replaced: dict[tuple[Scalar, ...], CellT] = {}
    for cell in cells:
        for chosen in product(*choices.values()):
            new = _with_values(cell, dict(zip(choices, chosen, strict=True)))
            replaced.setdefault(tuple(parameters(new).values()), new)
    return list(replaced.values())


def _check_names_of_all(cells: Sequence[Cell], given: Iterable[str]) -> None:
    for cell_type in {type(cell) for cell in cells}:
        _check_names(cell_type, given)


def _check_names(cell_type: type[Cell], given: Iterable[str]) -> None:
    valid = field_types(cell_type)
    for name in given:
        if name not in valid:
            raise CellError(
                f"{cell_type.__name__} has no field {name!r}; its fields are {', '.join(valid)}"
            )


def _with_values(cell: CellT, values: Parameters) -> CellT:
    types = field_types(type(cell))
    checked = {
        name: _checked(type(cell), name, value, types[name]) for name, value in values.items()
    }
    try:
        return replace(cell, **checked)
    except ValueError as error:
        given = ", ".join(f"{name}={value!r}" for name, value in checked.items())
        raise CellError(f"{type(cell).__name__} refuses {given}: {error}") from error


def _checked(cell_type: type[Cell], name: str, value: Scalar, expected: type[Scalar]) -> Scalar:
    if type(value) is expected:
        return value
    if expected is float and type(value) is int:
        return float(value)
    raise CellError(
        f"{cell_type.__name__}.{name} is {value!r} of type {type(value).__name__}; "
        f"expected {expected.__name__}"
    )
