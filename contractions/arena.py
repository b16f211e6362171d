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
        self._starts: list[int] = []
        self._lengths: dict[int, int] = {}

    def take(self, entries: int) -> int:
        """The offset of the smallest gap that is large enough."""
        fitting = [start for start in self._starts if self._lengths[start] >= entries]
        if not fitting:
            last = self._starts[-1] if self._starts else None
            if last is not None and last + self._lengths[last] == self.size:
                self._remove(last)
                self.size = last + entries
                return last
            self.size += entries
            return self.size - entries
        best = min(fitting, key=lambda start: self._lengths[start])
        length = self._remove(best)
        if length > entries:
            self._insert(best + entries, length - entries)
        return best

    def give_back(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Free blocks (offset, entries), joined with the gaps beside them."""
        for offset, entries in blocks:
            start, length = offset, entries
            place = bisect_left(self._starts, start)
            if place < len(self._starts) and self._starts[place] == start + length:
                length += self._remove(self._starts[place])
            if place and self._starts[place - 1] + self._lengths[self._starts[place - 1]] == start:
                start = self._starts[place - 1]
                length += self._remove(start)
            self._insert(start, length)

    def _insert(self, start: int, length: int) -> None:
        insort(self._starts, start)
        self._lengths[start] = length

    def _remove(self, start: int) -> int:
        self._starts.pop(bisect_left(self._starts, start))
        return self._lengths.pop(start)
