"""How expressive models are, against their depth."""

from studies.expressivity.cell import Cell
from studies.expressivity.measured import measure
from studies.expressivity.study import STUDY, claims

__all__ = ["STUDY", "Cell", "claims", "measure"]
