"""What a study is: its cells, its measurement, its figures and its claims."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic

from studies.cells import CellT, field_types
from studies.errors import CellError, StudyError, UnknownPreset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

JsonScalar = int | float | str | bool | None
Row = Mapping[str, JsonScalar]

PRESETS = ("quick", "full")
RESERVED_FLAGS = ("preset", "workers", "store", "output", "help")
RESERVED_NAMES = ("all", "headline")

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that a study's rows support, refute or leave open.

    `expected` and `measured` are for a reader, with units; `holds` is None where the rows at hand
    do not decide.
    """

    text: str
    expected: str
    measured: str
    holds: bool | None


@dataclass(frozen=True, kw_only=True)
class Study(Generic[CellT]):
    """An experiment over many cells.

    Attributes:
        name: lower case, as on the command line.
        where: "module:attribute", from which a worker process imports this study.
        version: raised whenever the rows would come out differently; older rows are not read.
        summary: one line.
        cell: the frozen dataclass of a cell.
        presets: the lists of cells "quick" and "full", by name.
        measure: the rows of a cell; plain numbers, strings, booleans or None by column. Column
            names are identifiers and differ from the cell's fields.
        figures: by file name without suffix; each draws on the axes it is given, from a frame
            with the cell's fields and the rows' columns.
        claims: what the rows say about the study's claims.
        headline: whether `run headline` runs this study.

    Raises:
        StudyError: a name is not allowed or taken by a command or flag; a preset is missing.
        CellError: the cell is not as `cells.field_types` asks.
    """

    name: str
    where: str
    version: int
    summary: str
    cell: type[CellT]
    presets: Mapping[str, Callable[[], Sequence[CellT]]]
    measure: Callable[[CellT], Sequence[Row]]
    figures: Mapping[str, Callable[["Axes", "DataFrame"], None]]
    claims: Callable[["DataFrame"], Sequence[Claim]]
    headline: bool = False

    def __post_init__(self) -> None:
        for name in (self.name, *self.figures):
            if not _NAME.fullmatch(name):
                raise StudyError(
                    f"{name!r} names a study or a figure; "
                    "use lower-case letters, digits, '-' and '_', a letter first"
                )
        if self.name in RESERVED_NAMES:
            raise StudyError(f"a study cannot be called {self.name!r}, which `run` uses itself")
        if set(self.presets) != set(PRESETS):
            raise StudyError(
                f"study {self.name!r} has presets {sorted(self.presets)}; "
                f"expected {sorted(PRESETS)}"
            )
        for field in field_types(self.cell):
            if field in RESERVED_FLAGS:
                raise CellError(
                    f"{self.cell.__name__}.{field} clashes with the flag --{field}; rename it"
                )

    def cells(self, preset: str) -> list[CellT]:
        """Return the cells of a preset.

        Raises:
            UnknownPreset: the study has no such preset.
        """
        if preset not in self.presets:
            raise UnknownPreset(
                f"study {self.name!r} has no preset {preset!r}; choose from "
                + ", ".join(self.presets)
            )
        return list(self.presets[preset]())


def load(where: str) -> Study[Any]:
    """Return the study that "module:attribute" refers to.

    Raises:
        StudyError: the reference leads to nothing, or to something that is not a study.
    """
    module, _, attribute = where.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise StudyError(f"no study at {where!r}, expected 'module:attribute': {error}") from error
    if not isinstance(found, Study):
        raise StudyError(f"{where!r} is a {type(found).__name__}, not a Study")
    return found
