"""The indices of tensors as the bits of integers, which a search can afford to look at."""

import math
from collections import Counter
from collections.abc import Sequence

from contractions.network import Network
from contractions.tree import leaf_legs

_LARGEST = 1000.0


class Legs:
    """A network's tensors as bit masks.

    Attributes:
        tensors: a mask for each tensor; bit i is the network's i-th index.
        output: the mask of the output.
    """

    def __init__(self, network: Network) -> None:
        _, output, sizes = network.numbered
        terms = leaf_legs(network)
        self.tensors = [sum(1 << index for index in term) for term in terms]
        self.output = sum(1 << index for index in output)
        self._holders = Counter(index for term in terms for index in term)
        by_size: dict[int, int] = {}
        for index, size in enumerate(sizes):
            by_size[size] = by_size.get(size, 0) | 1 << index
        self._by_size = [(mask, math.log2(size)) for size, mask in by_size.items() if size > 1]
        self._entries: dict[int, float] = {}

    def entries(self, mask: int) -> float:
        """The product of the sizes of the indices; at most 2^1000."""
        known = self._entries.get(mask)
        if known is None:
            bits = sum(log * (mask & same).bit_count() for same, log in self._by_size)
            known = self._entries[mask] = 2.0 ** min(bits, _LARGEST)
        return known

    def results(self, path: Sequence[tuple[int, int]]) -> list[int]:
        """The masks of the nodes that a path makes, in order."""
        masks, holders = list(self.tensors), self._holders.copy()
        for left, right in path:
            shared = masks[left] & masks[right]
            gone = 0
            for index in bits(shared):
                holders[index] -= 1
                if holders[index] == 1:
                    gone |= 1 << index
            masks.append((masks[left] | masks[right]) & ~(gone & ~self.output))
        return masks[len(self.tensors) :]


def bits(mask: int) -> list[int]:
    """The numbers of the bits that are set, the lowest first."""
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found
