"""What a run of a program needs to hold at once: its buffers, placed in one block."""

from collections.abc import Sequence

from contractions.arena import Buffers
from contractions.layout import Layout, Side
from contractions.lowering import Lowered
from contractions.steps import Step

_SMALL = 2048  # entries up to which a call for each takes longer than a gather of all: measured


def sides(step: Step) -> tuple[tuple[Side, Layout, int], tuple[Side, Layout, int]]:
    """For either operand of a step its name, its layout and the node it comes from."""
    return ("left", step.left_layout, step.left), ("right", step.right_layout, step.right)


class Reservation:
    """Every buffer of a run, with the moments between which it is needed, and where it lies.

    Step k of n runs at moment k and is pulled back at moment 2n - 1 - k. Small leaves lie side by
    side, as they are given ("given") and as their steps take them ("arranged"), so that a single
    gather brings one to the other.

    Args:
        lowered: the steps.
        stacks: for each array that is given, the tensors that it holds.
        reverse: whether a reverse pass may follow; else what it needs is not kept.
        scaled: whether results are rescaled along the way.

    Attributes:
        size: entries of the block.
        arranged: the small leaves in their order there, each with how its step takes it; none if
            hardly any is permuted.
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
        self._named: dict[object, tuple[int, int, int]] = {}
        self.arranged = self._small_leaves()
        self._reserve()
        self._offsets, self.size = self._buffers.place()

    def span(self, name: object) -> slice:
        """Where a buffer lies; nowhere if it has no entries."""
        number, first, entries = self._named[name]
        start = self._offsets[number] + first if entries else 0
        return slice(start, start + entries)

    def is_copied(self, layout: Layout, node: int) -> bool:
        """Whether a step takes a permuted copy of a node."""
        return layout.moves and node not in self.arranged

    def _undone_at(self, number: int) -> int:
        """When a step is pulled back; without a reverse pass it is done with at once."""
        return 2 * len(self._steps) - 1 - number if self._has_reverse else number

    def _add(self, name: object, entries: int, first: int, last: int) -> None:
        number = self._buffers.add(entries, first, last) if entries else -1
        self._named[name] = number, 0, entries

    def _add_parts(
        self, name: object, parts: Sequence[tuple[object, int]], first: int, last: int
    ) -> None:
        """A buffer of parts side by side, each with a name and entries of its own."""
        self._add(name, sum(entries for _, entries in parts), first, last)
        (number, begin, _) = self._named[name]
        for part, entries in parts:
            self._named[part] = number, begin, entries
            begin += entries

    def _small_leaves(self) -> dict[int, Layout]:
        """Each with how its step takes it, stack by stack; none unless several are permuted."""
        if not self._steps:
            return {}
        small = {
            leaf: self._layout(leaf)
            for stack in self._stacks
            if self._lowered.size_of(stack[0]) <= _SMALL
            for leaf in stack
        }
        return small if sum(layout.moves for layout in small.values()) > 1 else {}

    def _layout(self, node: int) -> Layout:
        """How the consumer of a node takes it."""
        step = self._steps[self._consumer[node]]
        return step.left_layout if step.left == node else step.right_layout

    def _needed_to(self, node: int) -> int:
        """The last moment at which a node's own entries are read."""
        number = self._consumer[node]
        if number == len(self._steps) or self.is_copied(self._layout(node), node):
            return number
        return self._undone_at(number)

    def _reserve_arranged(self, end: int) -> None:
        """Ask for the small leaves, which are arranged before the first step."""
        size_of = self._lowered.size_of
        leaves = [(leaf, size_of(leaf)) for leaf in self.arranged]
        stacks = [
            (number, sum(map(size_of, stack)))
            for number, stack in enumerate(self._stacks)
            if stack[0] in self.arranged
        ]
        undone = [self._undone_at(self._consumer[leaf]) for leaf in self.arranged]
        self._add_parts("given", [(("stack", k), size) for k, size in stacks], -1, 0)
        self._add_parts("arranged", leaves, 0, max(undone, default=0))
        if self._has_reverse:
            first = min(undone, default=end)
            taken = [((leaf, "pulled"), size) for leaf, size in leaves]
            self._add_parts(("arranged", "pulled"), taken, first, end)
            given = [(("pulled", k), size) for k, size in stacks]
            self._add_parts(("given", "pulled"), given, end, end)

    def _reserve(self) -> None:
        """Ask for every buffer, with the moments between which it is needed."""
        end = 2 * len(self._steps)
        self._reserve_arranged(end)
        for number, stack in enumerate(self._stacks):
            if stack[0] in self.arranged:
                continue
            entries = sum(self._lowered.size_of(node) for node in stack)
            last = max(self._needed_to(node) for node in stack)
            self._add(("stack", number), entries, -1, last)
            if self._has_reverse:
                first = min(self._undone_at(self._consumer[node]) for node in stack)
                self._add(("pulled", number), entries, first, end)
        for number, step in enumerate(self._steps):
            node, undone = self._leaves + number, self._undone_at(number)
            self._reserve_node(node, made=number, undone=undone)
            for side, layout, source in sides(step):
                if not self.is_copied(layout, source):
                    continue
                entries = self._lowered.size_of(source)
                self._add((number, side), entries, number, undone)
                if not self._has_reverse:
                    continue
                if source == self.overwritten(number):
                    self._named[number, side, "pulled"] = self._named[number, side]
                else:
                    self._add((number, side, "pulled"), entries, undone, undone)
            scratch = step.scratch_entries
            self._add((number, "scratch"), scratch, number, number)
            rescale = self._rescales[number]
            if rescale is not None:
                kept = undone if self._has_reverse else len(self._steps)
                self._add((number, "scale"), rescale.count, number, kept)
            if self._has_reverse:
                self._add((number, "scratch", "pulled"), scratch, undone, undone)

    def _reserve_node(self, node: int, *, made: int, undone: int) -> None:
        """Ask for a result, and for its cotangent, which takes its place where it may."""
        entries, needed_to = self._lowered.size_of(node), self._needed_to(node)
        if not self._has_reverse:
            self._add(node, entries, made, needed_to)
            return
        consumer, is_last = self._consumer[node], node + 1 == self._ends
        pulled = undone if is_last else self._undone_at(consumer)
        if is_last or (needed_to == pulled and node == self.overwritten(consumer)):
            self._add(node, entries, made, undone)
            self._named[node, "pulled"] = self._named[node]
        else:
            self._add(node, entries, made, needed_to)
            self._add((node, "pulled"), entries, pulled, undone)

    def overwritten(self, number: int) -> int:
        """The node of a step whose cotangent takes the place of what the step took: the larger.

        The step must pull it back last: the other's cotangent is made from it.
        """
        step = self._steps[number]
        size_of = self._lowered.size_of
        return step.left if size_of(step.left) > size_of(step.right) else step.right
