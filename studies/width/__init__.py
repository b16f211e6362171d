"""What width costs: time, memory and the variance of the gradient from 8 to 1000 qubits."""

from studies.width.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
