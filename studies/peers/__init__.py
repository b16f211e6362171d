"""The same models through other simulators: values, gradients and seconds, in one run."""

from studies.peers.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
