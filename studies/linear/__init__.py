"""Linear classification between two parties: the quantum advantage nearly vanishes."""

from studies.linear.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
