"""The Pauli matrices and their products."""

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]

PAULIS: dict[str, Complex] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1, -1]).astype(np.complex128),
}


def pauli_matrix(word: str) -> Complex:
    """The Kronecker product of Paulis, qubit 0 first (most significant).

    Example:
        >>> pauli_matrix("ZX").real.astype(int).tolist()
        [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, -1, 0]]
    """
    matrix = np.eye(1, dtype=np.complex128)
    for letter in word:
        matrix = np.asarray(np.kron(matrix, PAULIS[letter]))
    return matrix
