"""A small study whose cells fail, die or wait when told to; importable by worker processes."""

import math
import os
import time
from dataclasses import dataclass, field, replace

from studies.cells import grid
from studies.study import Claim, Study
from studies.style import draw_interval


@dataclass(frozen=True)
class ToyCell:
    size: int = field(default=2, metadata={"help": "How large."})
    noise: float = 0.0
    kind: str = "plain"
    doubled: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.size < 0:
            raise ValueError("size is negative")


def measure(cell):
    if cell.kind == "fail":
        raise RuntimeError(f"size {cell.size} is bad")
    if cell.kind == "die":
        os._exit(3)
    if cell.kind == "exit":
        raise SystemExit("left")
    if cell.kind == "slow":
        time.sleep(0.2)
    if cell.kind == "threads":
        return [{"value": float(os.environ["OMP_NUM_THREADS"])}]
    if cell.kind == "odd":
        return [{"value": math.nan, "bound": math.inf, "low": -math.inf, "missing": None}]
    if cell.kind == "array":
        return [{"value": {"not": "plain"}}]
    if cell.kind == "clash":
        return [{"size": 1}]
    factor = 2 if cell.doubled else 1
    return [{"value": factor * cell.size + point + cell.noise, "point": point} for point in (0, 1)]


def figure(ax, frame):
    lines = frame[frame["point"] == 0].sort_values("size")
    value = lines["value"].to_numpy()
    draw_interval(ax, lines["size"], low=value - 0.5, best=value, high=value + 0.5, label="toy")
    ax.legend()


def claims(frame):
    measured = float(frame["value"].max())
    return [
        Claim(text="values | grow", expected="> 1", measured=f"{measured:g}", holds=measured > 1),
        Claim(text="rest", expected="?", measured="-", holds=None),
    ]


STUDY = Study(
    name="toy",
    where=f"{__name__}:STUDY",
    version=1,
    summary="A study for tests.",
    cell=ToyCell,
    presets={
        "quick": lambda: grid(ToyCell, {"size": [1, 2, 3]}),
        "full": lambda: [*grid(ToyCell, {"size": [1, 2], "seed": range(2)}), ToyCell(size=9)],
    },
    measure=measure,
    figures={"growth": figure},
    claims=claims,
    headline=True,
)

# The same without its figure, for tests that start whole processes.
BARE = replace(STUDY, where=f"{__name__}:BARE", figures={})
