"""Command-line flags made from the fields of a study's cell."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Annotated, Any

import typer

from studies.cells import Cell, Scalar, field_help, field_types


class Truth(Enum):
    """How a bool is written on the command line, so that its flag can be repeated."""

    TRUE = "true"
    FALSE = "false"


def flag(field: str) -> str:
    """Return the flag of a field.

    >>> flag("bond_dimension")
    '--bond-dimension'
    """
    return "--" + field.replace("_", "-")


def flag_parameters(cell_type: type[Cell]) -> list[inspect.Parameter]:
    """Return a keyword parameter per field, annotated for typer as a flag that may be repeated."""
    texts = field_help(cell_type)
    defaults = {field.name: field.default for field in fields(cell_type)}
    made = []
    for name, kind in field_types(cell_type).items():
        read: type = Truth if kind is bool else kind
        text = f"{texts[name]} (repeatable; a cell's default is {defaults[name]})".strip()
        option = typer.Option(flag(name), help=text, show_default=False)
        # Built while running, out of a checker's sight: the list of what the flag was given.
        annotation = Annotated[list[read] | None, option]  # type: ignore[valid-type]
        made.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )
        )
    return made


def overrides(
    cell_type: type[Cell], given: Mapping[str, Sequence[Any] | None]
) -> dict[str, list[Scalar]]:
    """Return the values of each field whose flag was given at least once."""
    return {
        name: [value is Truth.TRUE if isinstance(value, Truth) else value for value in values]
        for name in field_types(cell_type)
        if (values := given.get(name))
    }
