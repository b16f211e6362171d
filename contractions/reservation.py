"""What a run of a program needs to hold at once: its buffers, placed in one block."""

from collections.abc import Sequence

from contractions.arena import Buffers
from contractions.layout import Layout, Side
from contractions.lowering import Lowered
from contractions.steps import Step


def sides(step: Step) -> tuple[tuple[Side, Layout, int], tuple[Side, Layout, int]]:
    """For either operand of a step its name, its layout and the node it comes from."""
    return ("left", step.left_layout, step.left), ("right", step.right_layout, step.right)


class Reservation:
    """Every buffer of a run, with the moments between which it is needed, and where it lies.

    Step k of n runs at moment k and is pulled back at moment 2n - 1 - k.

    Args:
        lowered: the steps.
        stacks: for each array that is given, the tensors that it holds.
        reverse: whether a reverse pass may follow; else what it needs is not kept.
        scaled: whether results are rescaled along the way.

    Attributes:
        size: entries of the block.
    """

    def __init__(
        self,
        lowered: Lowered,
        stacks: Sequence[Sequence[int]],
        *,
        reverse: bool,
        scaled: bool,
    ) -> None:
        self._lowered, self._stacks, self._has_reverse = lowered, stacks, reverse
        self._steps = [step for step, _ in lowered.steps]
        self._rescales = [rescale if scaled else None for _, rescale in lowered.steps]
        self._leaves = len(lowered.orders) - len(self._steps)
        self._ends = len(lowered.orders)
        self._consumer = [len(self._steps)] * self._ends
        for number, step in enumerate(self._steps):
            self._consumer[step.left] = self._consumer[step.right] = number
        self._buffers = Buffers()
        self._named: dict[object, tuple[int, int]] = {}
        self._reserve()
        self._offsets, self.size = self._buffers.place()

    def span(self, name: object) -> slice:
        """Where a buffer lies; nowhere if it has no entries."""
        number, entries = self._named[name]
        start = self._offsets[number] if entries else 0
        return slice(start, start + entries)

    def _undone_at(self, number: int) -> int:
        """When a step is pulled back; without a reverse pass it is done with at once."""
        return 2 * len(self._steps) - 1 - number if self._has_reverse else number

    def _add(self, name: object, entries: int, first: int, last: int) -> None:
        number = self._buffers.add(entries, first, last) if entries else -1
        self._named[name] = number, entries

    def _layout(self, node: int) -> Layout:
        """How the consumer of a node takes it."""
        step = self._steps[self._consumer[node]]
        return step.left_layout if step.left == node else step.right_layout

    def _needed_to(self, node: int) -> int:
        """The last moment at which a node's own entries are read."""
        number = self._consumer[node]
        if number == len(self._steps) or self._layout(node).moves:
            return number
        return self._undone_at(number)

    def _reserve(self) -> None:
        """Ask for every buffer, with the moments between which it is needed."""
        end = 2 * len(self._steps)
        for number, stack in enumerate(self._stacks):
            entries = sum(self._lowered.size_of(node) for node in stack)
            last = max(self._needed_to(node) for node in stack)
            self._add(("stack", number), entries, -1, last)
            if self._has_reverse:
                first = min(self._undone_at(self._consumer[node]) for node in stack)
                self._add(("pulled", number), entries, first, end)
        for number, step in enumerate(self._steps):
            node, undone = self._leaves + number, self._undone_at(number)
            self._add(node, self._lowered.size_of(node), number, self._needed_to(node))
            for side, layout, source in sides(step):
                if not layout.moves:
                    continue
                entries = self._lowered.size_of(source)
                self._add((number, side), entries, number, undone)
                if self._has_reverse:
                    self._add((number, side, "pulled"), entries, undone, undone)
            scratch = step.scratch_entries
            self._add((number, "scratch"), scratch, number, number)
            rescale = self._rescales[number]
            if rescale is not None:
                kept = undone if self._has_reverse else len(self._steps)
                self._add((number, "scale"), rescale.count, number, kept)
            if self._has_reverse:
                self._add((number, "scratch", "pulled"), scratch, undone, undone)
                made = self._undone_at(self._consumer[node]) if node + 1 < self._ends else undone
                self._add((node, "pulled"), self._lowered.size_of(node), made, undone)
