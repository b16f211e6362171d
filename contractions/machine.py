"""What a machine can do: the roofline that predicted seconds are taken from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from contractions.errors import PlanError

ITEMSIZE = {"float32": 4, "float64": 8, "complex64": 8, "complex128": 16}


@dataclass(frozen=True)
class Rates:
    """What a step of a contraction takes, in seconds.

    Attributes:
        product: a multiplication and an addition of two entries.
        entry: reading or writing an entry.
        step: the smallest step.
        matrix: one more matrix in a batched product, however small.
        lane: a multiplication and an addition side by side with others; infinite if none are.
    """

    product: float
    entry: float
    step: float
    matrix: float
    lane: float = math.inf

    def seconds(self, products: float, entries: float, matrices: float) -> float:
        """A step of so many products in so many matrices that reads and writes so many entries."""
        work = max(products * self.product, entries * self.entry) + matrices * self.matrix
        side_by_side = products * self.lane + self.step  # in several calls, not one
        return min(work, side_by_side) + self.step


@dataclass(frozen=True)
class Machine:
    """A machine's roofline.

    Args:
        flops: matrix-multiply rate in operations a second, by dtype name.
        bandwidth: bytes a second that a copy too large for caches reads and writes together.
        step_bandwidth: bytes a second that a large step of a program reads and writes, its
            operands permuted, as most are.
        step_seconds: time of a smallest step of a program, whatever its size.
        memory: bytes of memory that a contraction may fill by default.
        name: for people, what was measured.
        matrix_seconds: time of one more small matrix in a batched product.
        lane_seconds: time of a multiplication and an addition among many side by side in memory.
    """

    flops: Mapping[str, float] = field(hash=False)
    bandwidth: float
    step_bandwidth: float
    step_seconds: float
    memory: int
    name: str = "unnamed"
    matrix_seconds: float = 0.0
    lane_seconds: float = math.inf

    def itemsize(self, dtype: str) -> int:
        """Bytes of one number; refuses dtypes that the engine does not contract."""
        if not isinstance(dtype, str) or dtype not in ITEMSIZE:
            raise PlanError(f"dtype is {dtype!r}; expected one of {', '.join(ITEMSIZE)}")
        return ITEMSIZE[dtype]

    def rates(self, dtype: str, *, passes: int = 1, lanes: bool = False) -> Rates:
        """What a step takes that is repeated in so many passes.

        Args:
            dtype: of the arrays.
            passes: how often each step runs.
            lanes: whether products can run side by side; see `Network.lane`.
        """
        operations = 8 if dtype.startswith("complex") else 2
        return Rates(
            product=passes * operations / self.flops[dtype],
            entry=passes * self.itemsize(dtype) / self.step_bandwidth,
            step=passes * self.step_seconds,
            matrix=passes * self.matrix_seconds,
            lane=passes * self.lane_seconds * operations / 2 if lanes else math.inf,
        )
