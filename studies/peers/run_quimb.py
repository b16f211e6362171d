"""quimb's networks contracted along cotengra's trees, with arrays and gradients by torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studies.peers.problem import Answer, Prepared, Problem
from studies.planning.cotengra_trees import Terms, random_greedy, to_tree

if TYPE_CHECKING:
    from torch import Tensor

    from tnqml import Circuit

_BATCH = "batch"


def prepare(problem: Problem) -> Prepared:
    """One network and tree for each term of the observable, searched for as long as we search."""
    import quimb.tensor as qtn
    import torch

    theta = torch.from_numpy(problem.theta).requires_grad_()
    x = torch.from_numpy(problem.x)
    seconds = problem.search_seconds / len(problem.strings)
    other = qtn.Circuit(problem.circuit.qubits, dtype="complex64")
    for gate in problem.circuit.gates:
        angles = [] if gate.source is None else [0.1]  # any: it is a parameter of the tensor
        other.apply_gate(
            gate.kind.upper(), *angles, *gate.qubits, parametrize=gate.source is not None
        )
    terms = [_Term(problem.circuit, other, string) for string in problem.strings]
    trees = [term.search(len(x), seconds) for term in terms]

    def call() -> Answer:
        theta.grad = None
        matrices = _matrices(problem.circuit, x, theta)
        values = torch.zeros(len(x))
        for term, tree in zip(terms, trees, strict=True):
            # torch's functions are named because autoray 0.8.4, which PennyLane asks for, hands
            # out those of the backend that was asked for first
            result = tree.contract(
                term.arrays(matrices),
                implementation=(torch.einsum, torch.tensordot),
                prefer_einsum=True,
            )
            values = values + result.real
        values.sum().backward()  # type: ignore[no-untyped-call]
        gradient = torch.zeros_like(theta) if theta.grad is None else theta.grad
        return Answer(values.detach().numpy(), gradient.numpy())

    return Prepared(call)


@dataclass(frozen=True)
class _Leaf:
    """A tensor of the network: which gate it is, or what it always holds."""

    indices: tuple[str, ...]
    gate: int | None
    conjugated: bool
    constant: "Tensor | None"


class _Term:
    """The network of the expectation of one product of Z: ket, the Zs, bra, and a batch leg."""

    def __init__(self, circuit: "Circuit", other: Any, string: Sequence[int]) -> None:
        import numpy as np
        import quimb.tensor as qtn
        import torch

        ket = other.get_psi_reverse_lightcone(list(string))
        bra = ket.H.mangle_inner_()
        bra.reindex_({f"k{qubit}": f"b{qubit}" for qubit in string})
        sign = torch.tensor([[1, 0], [0, -1]], dtype=torch.complex64)
        self.leaves = [_Leaf((f"b{q}", f"k{q}"), None, False, sign) for q in string]
        for part in (ket, bra):
            for tensor in part:
                if not isinstance(tensor, qtn.PTensor):
                    constant = torch.from_numpy(np.asarray(tensor.data))
                    self.leaves.append(_Leaf(tensor.inds, None, part is bra, constant))
                    continue
                (number,) = [int(tag[5:]) for tag in tensor.tags if tag.startswith("GATE_")]
                batched = circuit.gates[number].source == "feature"
                indices = (_BATCH, *tensor.inds) if batched else tensor.inds
                self.leaves.append(_Leaf(indices, number, part is bra, None))

    def search(self, batch: int, seconds: float) -> Any:
        """The best tree that random-greedy restarts with reconfiguration find in so many seconds.

        At the fractions of a second that we take, none of cotengra's searches finds better ones.
        """
        sizes = {index: 2 for leaf in self.leaves for index in leaf.indices}
        inputs = [leaf.indices for leaf in self.leaves]
        output = (_BATCH,) if _BATCH in sizes else ()
        terms = Terms.of(inputs, output, sizes | {_BATCH: batch})
        seen = random_greedy(terms, seconds=seconds, minimize="combo", seed=0)
        trees = [to_tree(terms, one.pairs) for one in seen]
        return min(trees, key=lambda tree: tree.combo_cost())

    def arrays(self, matrices: "dict[int, Tensor]") -> "list[Tensor]":
        """The arrays of the leaves, from the matrix of every gate with an angle."""
        filled = []
        for leaf in self.leaves:
            array = leaf.constant
            if leaf.gate is not None:
                array = matrices[leaf.gate].conj() if leaf.conjugated else matrices[leaf.gate]
            if array is not None:
                filled.append(array)
        return filled


def _matrices(
    circuit: "Circuit",
    x: "Tensor",  # (batch, features)
    theta: "Tensor",  # (parameters,)
) -> "dict[int, Tensor]":
    """By position the matrix of every gate with an angle, (2, 2) or (batch, 2, 2), made at once."""
    import torch

    groups: dict[tuple[str, str], list[int]] = {}
    for number, gate in enumerate(circuit.gates):
        if gate.source is not None:
            groups.setdefault((gate.kind, gate.source), []).append(number)
    matrices: dict[int, Tensor] = {}
    for (kind, source), numbers in groups.items():
        slots = torch.tensor([circuit.gates[number].slot for number in numbers])
        half = (x if source == "feature" else theta).index_select(-1, slots) / 2
        cosine, sine, nothing = half.cos(), half.sin(), torch.zeros_like(half)
        real, imaginary = {
            "rz": ([cosine, nothing, nothing, cosine], [-sine, nothing, nothing, sine]),
            "ry": ([cosine, -sine, sine, cosine], [nothing] * 4),
            "rx": ([cosine, nothing, nothing, cosine], [nothing, -sine, -sine, nothing]),
        }[kind]
        both = torch.complex(torch.stack(real, -1), torch.stack(imaginary, -1))
        stacked = both.reshape(*half.shape, 2, 2).unbind(half.ndim - 1)
        matrices |= dict(zip(numbers, stacked, strict=True))
    return matrices
