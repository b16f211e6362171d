"""Our planner against cotengra's searches, at the same time and at ten times ours."""

from studies.planning.study import STUDY, Cell

__all__ = ["STUDY", "Cell"]
