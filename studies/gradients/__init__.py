"""Copies and qubits that a gradient takes, against its number of parameters and the depth."""

from studies.gradients.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
