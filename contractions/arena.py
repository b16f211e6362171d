"""Memory planned ahead: buffers with known lifetimes placed in one block."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

_ALIGNMENT = 16  # entries, 64 bytes of float32


class Placement(NamedTuple):
    """Where buffers lie.

    Attributes:
        offsets: of each buffer, in entries.
        size: of the whole block.
    """

    offsets: tuple[int, ...]
    size: int


class Buffers:
    """Buffers of one type, each needed from one moment to another, both included.

    Example:
        >>> buffers = Buffers()
        >>> one, two, three = (buffers.add(16, t, t + 1) for t in (0, 1, 2))
        >>> buffers.place()  # the third takes the place of the first
        Placement(offsets=(0, 16, 0), size=32)
    """

    def __init__(self) -> None:
        self._wanted: list[tuple[int, int, int]] = []

    def add(self, entries: int, first: int, last: int) -> int:
        """The number of a new buffer of so many entries."""
        rounded = -(-max(entries, 1) // _ALIGNMENT) * _ALIGNMENT
        self._wanted.append((rounded, first, last))
        return len(self._wanted) - 1

    def place(self) -> Placement:
        """Offsets such that no two buffers overlap while both are needed.

        In order of time each buffer takes the smallest gap that holds it, else new space.
        """
        offsets = [0] * len(self._wanted)
        ending: dict[int, list[int]] = defaultdict(list)
        for number, (_, _, last) in enumerate(self._wanted):
            ending[last].append(number)
        order = sorted(range(len(offsets)), key=lambda k: (self._wanted[k][1], -self._wanted[k][0]))
        gaps, passed = _Gaps(), iter(sorted(ending))
        moment = next(passed, None)
        for number in order:
            entries, first, _ = self._wanted[number]
            while moment is not None and moment < first:
                gaps.give_back((offsets[k], self._wanted[k][0]) for k in ending[moment])
                moment = next(passed, None)
            offsets[number] = gaps.take(entries)
        return Placement(tuple(offsets), gaps.size)


class _Gaps:
    """The free parts of a block that grows as needed."""

    def __init__(self) -> None:
        self.size = 0
        self._by_length: list[tuple[int, int]] = []  # (length, start), ascending
        self._lengths: dict[int, int] = {}  # by start
        self._starts: dict[int, int] = {}  # by end

    def take(self, entries: int) -> int:
        """The offset of the smallest gap that is large enough."""
        place = bisect_left(self._by_length, (entries, 0))
        if place == len(self._by_length):
            start = self._starts.get(self.size, self.size)
            if start < self.size:
                self._remove(start)
            self.size = start + entries
            return start
        length, start = self._by_length[place]
        self._remove(start)
        if length > entries:
            self._insert(start + entries, length - entries)
        return start

    def give_back(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Free blocks (offset, entries), joined with the gaps beside them."""
        for start, entries in blocks:
            length = entries
            if start + length in self._lengths:
                length += self._remove(start + length)
            before = self._starts.get(start, start)
            if before < start:
                length += self._remove(before)
            self._insert(before, length)

    def _insert(self, start: int, length: int) -> None:
        insort(self._by_length, (length, start))
        self._lengths[start] = length
        self._starts[start + length] = start

    def _remove(self, start: int) -> int:
        length = self._lengths.pop(start)
        del self._starts[start + length]
        del self._by_length[bisect_left(self._by_length, (length, start))]
        return length
