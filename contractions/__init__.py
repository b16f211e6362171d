"""Plan, lower and run the contraction of any tensor network."""

from contractions.calibration import measure, this_machine
from contractions.calls import Call
from contractions.errors import ContractionError, ContractionTooLarge, NetworkError, PlanError
from contractions.files import cache_folder
from contractions.folding import Folded
from contractions.machine import Machine
from contractions.network import LANES, Network
from contractions.plan import Plan, plan
from contractions.program import Program
from contractions.report import StepCost
from contractions.scaling import Scaled
from contractions.sources import Filling, Given, Source
from contractions.tree import Cost

__all__ = [
    "LANES",
    "Call",
    "ContractionError",
    "ContractionTooLarge",
    "Cost",
    "Filling",
    "Folded",
    "Given",
    "Machine",
    "Network",
    "NetworkError",
    "Plan",
    "PlanError",
    "Program",
    "Scaled",
    "Source",
    "StepCost",
    "cache_folder",
    "measure",
    "plan",
    "this_machine",
]
