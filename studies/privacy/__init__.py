"""What copies of the messages give away: of states, of real data, of Bob's parameters."""

from studies.privacy.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
