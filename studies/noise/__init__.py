"""What noise on the links costs: error, bias and copies, and where the advantage is lost."""

from studies.noise.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
