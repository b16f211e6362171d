"""What a plan says of itself: a report for people, and a drawing of its cost over time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contractions.machine import Machine
from contractions.network import Network
from contractions.tree import Path, products

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class StepCost:
    """One step of a contraction, in the order in which they run.

    Attributes:
        shape: (shared, rows, columns, summed): entries of the indices that both operands and the
            result have, that only the left or right one has, and that are summed.
        seconds: predicted, of the forward pass.
        live_bytes: held after the step, if no reverse pass follows.
        limit: what bounds it: "operations", "bytes" or "overhead", or "lanes" if its products run
            side by side.
    """

    shape: tuple[int, int, int, int]
    seconds: float
    live_bytes: int
    limit: str


def step_costs(network: Network, path: Path, *, machine: Machine, dtype: str) -> list[StepCost]:
    """What each step of a path is predicted to cost."""
    sizes = network.numbered[2]
    item, rates = machine.itemsize(dtype), machine.rates(dtype, lanes=network.lane is not None)

    def entries(legs: frozenset[int]) -> int:
        return math.prod(sizes[index] for index in legs)

    listed = list(products(network, path))
    consumed = {node for product in listed for node in (product.left, product.right)}
    made = set(range(len(network.inputs), len(network.inputs) + len(listed)))
    first = [
        entries(product.left_legs if node == product.left else product.right_legs)
        for product in listed
        for node in (product.left, product.right)
        if node in consumed - made
    ]
    live, costs = item * sum(first), []
    for product in listed:
        a, b, c = product.left_legs, product.right_legs, product.legs
        live += item * (entries(c) - entries(a) - entries(b))
        arithmetic = rates.product * entries(a | b)
        traffic = rates.entry * (entries(a) + entries(b) + entries(c))
        matrices = entries(a & b & c)
        overhead = rates.step + rates.matrix * matrices
        seconds = rates.seconds(entries(a | b), entries(a) + entries(b) + entries(c), matrices)
        whole = max(arithmetic, traffic) + overhead
        parts = {"operations": arithmetic, "bytes": traffic, "overhead": overhead}
        costs.append(
            StepCost(
                shape=(
                    matrices,
                    entries((a - b) & c),
                    entries((b - a) & c),
                    entries(a & b - c),
                ),
                seconds=seconds,
                live_bytes=live,
                limit=max(parts, key=lambda name: parts[name]) if seconds >= whole else "lanes",
            )
        )
    return costs


def table(costs: Sequence[StepCost], *, most: int = 5) -> str:
    """The share of each limit, and the dearest steps, as text."""
    total = sum(cost.seconds for cost in costs) or 1.0
    lines = []
    for limit in ("operations", "bytes", "overhead"):
        chosen = [cost for cost in costs if cost.limit == limit]
        share = sum(cost.seconds for cost in chosen) / total
        lines.append(f"{len(chosen):>6} steps bound by {limit:<10} {share:>6.1%} of the time")
    if costs:
        lines.append("  step  shared x rows x columns x summed      time   share  bound by")
    ranked = sorted(range(len(costs)), key=lambda number: -costs[number].seconds)
    for number in ranked[:most]:
        cost = costs[number]
        shape = " x ".join(str(entries) for entries in cost.shape)
        lines.append(
            f"{number:>6}  {shape:<32}  {cost.seconds:>8.2g} s  {cost.seconds / total:>5.1%}  "
            f"{cost.limit}"
        )
    return "\n".join(lines)


def draw(costs: Sequence[StepCost], ax: "Axes") -> None:
    """Draw the memory held over predicted time, and where the time goes, on the given axes.

    Args:
        costs: of the steps.
        ax: a second vertical axis is added at its right.
    """
    import numpy as np

    ends = np.cumsum([cost.seconds for cost in costs]) * 1e3
    live = np.array([cost.live_bytes for cost in costs]) / 1e6
    ax.step(ends, live, where="post", color="black", linestyle="-", marker="")
    ax.set(xlabel="predicted time (ms)", ylabel="memory held (MB, solid)", yscale="log")
    steps = ax.twinx()
    steps.plot(ends, np.arange(1, len(costs) + 1), color="black", linestyle="--", marker="")
    steps.set_ylabel("steps done (dashed)")
