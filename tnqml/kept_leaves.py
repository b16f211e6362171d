"""The leaves of a light cone's network kept on disk, beside its plans: they are made once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from contractions.files import Entry, code_hash
from tnqml.cone import Cone
from tnqml.leaves import Leaf, Pieces, Source, Wired, wire

_CODE = code_hash(__file__)
_WORTH_KEEPING = 20  # gates: the leaves of fewer are made as soon as they are read


def kept_leaves(
    cone: Cone,
    pieces: Pieces,
    *,
    initial: Mapping[int, int],
    final: Sequence[Sequence[int | None]],
    places: Sequence[int],
) -> Wired:
    """What `leaves.wire` makes of a cone's gates, from the disk if it is there."""
    gates, _ = cone.key

    def made() -> Wired:
        return wire(gates, pieces, initial=initial, final=final, places=places)

    if len(gates) < _WORTH_KEEPING:
        return made()
    named = [
        [form.kind, form.arity, form.word, form.values.hex(), qubits, source, number]
        for form, qubits, source, number in gates
    ]
    key = {
        "code": [_CODE, np.__version__],
        "gates": named,
        "picture": pieces.__name__,
        "ends": [sorted(initial.items()), final, places],
    }
    entry = Entry("leaves", key)
    wired = entry.read(_from_document)
    if wired is None:
        wired = made()
        entry.write(_to_document(wired))
    return wired


def _to_document(wired: Wired) -> dict[str, Any]:
    """The leaves as what JSON can write, equal bases and sources once.

    A basis is its dtype, its shape and its numbers, of a complex one both parts of each.
    """
    bases: dict[bytes, int] = {}
    written: list[Any] = []
    sources: dict[Source, int] = {}
    leaves = []
    for leaf in wired.leaves:
        flat = np.ascontiguousarray(leaf.basis).ravel()
        described = [str(flat.dtype), leaf.basis.shape]
        alike = repr(described).encode() + flat.tobytes()
        if alike not in bases:
            bases[alike] = len(bases)
            written.append([*described, flat.view(np.float64).tolist()])
        read = [sources.setdefault(source, len(sources)) for source in leaf.sources]
        leaves.append([bases[alike], read, leaf.legs, leaf.place])
    return {
        "bases": written,
        "sources": [[source.kind, source.slot, source.functions] for source in sources],
        "leaves": leaves,
        "open_legs": wired.open_legs,
    }


def _from_document(document: Any) -> Wired:
    bases = [
        np.array(numbers, np.float64).view(dtype).reshape(shape)
        for dtype, shape, numbers in document["bases"]
    ]
    sources = [
        Source(kind, slot, tuple(functions)) for kind, slot, functions in document["sources"]
    ]
    leaves = [
        Leaf(bases[basis], tuple([sources[k] for k in read]), tuple(legs), (place[0], place[1]))
        for basis, read, legs, place in document["leaves"]
    ]
    return Wired(tuple(leaves), tuple(document["open_legs"]))
