"""Bits and qubits that two parties exchange: the separation, its crossover, real image patches."""

from studies.communication.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
