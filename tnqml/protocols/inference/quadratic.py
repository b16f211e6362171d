"""Classical inference of one-round quadratic forms f = x^T O x from one message of Alice's.

It is what a model computes that has amplitude-encoded data of Alice's, one message, and gates of
Bob's: O is his observable pulled back through them. Alice sends a sketch, some coefficients or all
of her vector; Bob estimates f.

With Gaussian rows g_i and t(p_i) what Alice sends of her projections p_i = g_i . x, the mean of
t(p_i) g_i is c x, c = E[t(p) p] over standard normal p, and rows are independent. So with
v = sum_i t(p_i) g_i

    (v^T O v - sum_i t(p_i)^2 g_i^T O g_i) / (c^2 k (k - 1))

has the mean f, whatever O is. One bit is t = sign, c = sqrt(2/pi). Its standard deviation is of the
order sqrt(2 Tr O^2) / (c^2 k) while k < N, and falls as 1/sqrt(k) beyond (derived in
tests/tnqml/test_quadratic.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from tnqml import statevector
from tnqml.checks import check_count
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.protocols.ledger import Ledger
from tnqml.protocols.problems.coefficients import coefficients_message
from tnqml.protocols.problems.instances import TOLERANCE, Real
from tnqml.protocols.problems.one_way import Message, one_way
from tnqml.protocols.problems.sketches import dequantise, quantise
from tnqml.protocols.streams import stream

_ROWS = 0  # a stream of one seed, from which the form may be drawn too
_RANGE = 4.0  # projections beyond so many standard deviations are sent as if they were so many


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """f = x^T O x: Alice's unit vector x, Bob's symmetric O with eigenvalues in [-1, 1].

    Args:
        vector: x.
        matrix: O.

    Raises:
        InputError: the shapes do not fit, the vector is not of unit length, the matrix not
            symmetric or too large (each to 1e-9), and by how much.
    """

    vector: Real  # (N,)
    matrix: Real  # (N, N)

    def __post_init__(self) -> None:
        vector = np.array(self.vector, dtype=np.float64)
        matrix = np.array(self.matrix, dtype=np.float64)
        size = len(vector) if vector.ndim == 1 else 0
        if size < 2 or matrix.shape != (size, size):
            raise InputError(
                f"Alice's vector has shape {vector.shape} and Bob's matrix {matrix.shape}; "
                "expected (N,) and (N, N), N at least 2"
            )
        if not (np.isfinite(vector).all() and np.isfinite(matrix).all()):
            raise InputError("a number of the quadratic form is not finite")
        for what, off in (
            ("Alice's vector is off unit length", abs(float(np.linalg.norm(vector)) - 1)),
            ("Bob's matrix is off symmetric", float(np.abs(matrix - matrix.T).max())),
            ("an eigenvalue of Bob's matrix exceeds 1", float(np.linalg.norm(matrix, 2)) - 1),
        ):
            if off > TOLERANCE:
                raise InputError(f"{what} by {off:.3g}; expected at most {TOLERANCE:g}")
        for name, array in (("vector", vector), ("matrix", matrix)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def size(self) -> int:
        """N."""
        return len(self.vector)

    @property
    def value(self) -> float:
        """f, exactly."""
        return float(self.vector @ self.matrix @ self.vector)


@dataclass(frozen=True)
class FormEstimate:
    """Bob's estimate of f, and the message that it took."""

    value: float
    ledger: Ledger


def quadratic_form(
    model: DistributedModel,
    x: ArrayLike,  # (amplitudes,)
    *,
    observable: int = 0,
) -> QuadraticForm:
    """The quadratic form of a model of one message: amplitudes of Alice's, all gates Bob's.

    The real part of O is what real data feels.

    Raises:
        InputError: the model's data is not amplitude-encoded, a gate reads a feature or is noisy,
            a party other than one last one has gates, or the shapes do not fit.
    """
    circuit = model.circuit
    data = np.asarray(x, dtype=np.float64)
    if not circuit.amplitudes or any(gate.source == "feature" for gate in circuit.gates):
        raise InputError("the model reads features in gates; a quadratic form has amplitude data")
    if circuit.noisy or len(circuit.parties) > 1:
        raise InputError(
            f"the gates belong to {circuit.parties} and noisy is {circuit.noisy}; expected the "
            "unitary gates of one party, after Alice's preparation"
        )
    if data.shape != (circuit.amplitudes,) or not np.isfinite(data).all() or not data.any():
        raise InputError(
            f"x has shape {data.shape}; expected ({circuit.amplitudes},), finite and not all zero"
        )
    size = 2**circuit.qubits
    every = torch.eye(size, dtype=torch.float64)
    theta = model.theta.detach().double().cpu()
    columns = statevector.run(
        Circuit(circuit.qubits, circuit.gates, amplitudes=size), theta, every
    ).numpy()
    matrix = np.zeros((size, size), dtype=np.complex128)
    index = torch.arange(size)
    for weight, string in model.observables[observable].terms:
        flips, sign, phase = statevector.action(string, size, index)
        turned = (columns * (phase * sign.numpy()))[:, index.numpy() ^ flips]
        matrix += weight * (columns.conj() @ turned.T)
    scale = max(1.0, float(np.linalg.norm(matrix.real, 2)))
    vector = np.zeros(size)
    vector[: len(data)] = data / np.linalg.norm(data)
    symmetric = (matrix.real + matrix.real.T) / 2
    if scale > 1 + TOLERANCE:
        raise InputError(
            f"the observable has the norm {scale:.6g}; expected at most 1: divide it by that"
        )
    return QuadraticForm(vector, symmetric)


def form_by_signs(
    form: QuadraticForm, *, numbers: int, seed: int, processes: bool = False
) -> FormEstimate:
    """F from one bit of each of so many shared projections; unbiased.

    Raises:
        InputError: numbers is under 2.
    """
    check_count(numbers, "the number of projections", least=2)
    return _sent(
        partial(_signs, form.vector, numbers=numbers, seed=seed),
        partial(_from_signs, form.matrix, seed=seed),
        size=numbers,
        purpose="signs",
        processes=processes,
    )


def form_by_projections(
    form: QuadraticForm, *, numbers: int, bits: int, seed: int, processes: bool = False
) -> FormEstimate:
    """F from so many shared projections at `bits` bits each; unbiased up to their rounding.

    Raises:
        InputError: numbers is under 2, or bits outside 1 to 52.
    """
    check_count(numbers, "the number of projections", least=2)
    return _sent(
        partial(_projections, form.vector, numbers=numbers, bits=bits, seed=seed),
        partial(_from_projections, form.matrix, bits=bits, seed=seed),
        size=numbers * bits,
        purpose="projections",
        processes=processes,
    )


def form_by_coefficients(
    form: QuadraticForm, *, numbers: int, bits: int, processes: bool = False
) -> FormEstimate:
    """F of Alice's largest coefficients, normalised; the rest is taken as 0, a bias.

    Raises:
        InputError: numbers is under 1 or over N, or bits outside 1 to 52.
    """
    check_count(numbers, "the number of coefficients")
    check_count(form.size, "N, to hold so many coefficients", least=numbers)
    return _sent(
        partial(coefficients_message, form.vector, numbers=numbers, bits=bits),
        partial(_from_coefficients, form.matrix, bits=bits),
        size=numbers * ((form.size - 1).bit_length() + bits),
        purpose="coefficients",
        processes=processes,
    )


def form_by_vector(form: QuadraticForm, *, bits: int, processes: bool = False) -> FormEstimate:
    """F of Alice's whole vector at `bits` bits a number, normalised.

    Raises:
        InputError: bits is outside 1 to 52.
    """
    return _sent(
        partial(quantise, form.vector, bits=bits),
        partial(_from_vector, form.matrix, bits=bits),
        size=form.size * bits,
        purpose="vector",
        processes=processes,
    )


class Estimates(Protocol):
    """A protocol of this module with all but the form and the seed given."""

    def __call__(self, form: QuadraticForm, /, *, seed: int) -> FormEstimate:
        """The estimate of one run."""


@dataclass(frozen=True)
class FormError:
    """How far a protocol is off over trials.

    Attributes:
        root_mean_square: of the error.
        interval: its 95% interval, from the variance of the squares.
        bias: the mean of the error.
    """

    root_mean_square: float
    interval: tuple[float, float]
    bias: float


def form_error(protocol: Estimates, form: QuadraticForm, *, trials: int, seed: int) -> FormError:
    """The measured error of a protocol on one form, over seeds of the shared randomness.

    Example:
        >>> form = QuadraticForm(np.array([1.0, 0.0]), np.diag([0.5, -0.5]))
        >>> error = form_error(partial(form_by_signs, numbers=50), form, trials=100, seed=0)
        >>> error.interval[0] < error.root_mean_square < error.interval[1]
        True
    """
    check_count(trials, "trials", least=2)
    seeds = np.random.default_rng(seed).integers(2**63, size=trials)
    errors = np.array([protocol(form, seed=int(own)).value - form.value for own in seeds])
    squares = errors**2
    mean, side = float(squares.mean()), 1.96 * float(squares.std(ddof=1)) / np.sqrt(trials)
    low, high = np.sqrt(max(mean - side, 0.0)), np.sqrt(mean + side)
    return FormError(float(np.sqrt(mean)), (float(low), float(high)), float(errors.mean()))


def _sent(
    message: Callable[[], Message],
    estimate: Callable[[Message], float],
    *,
    size: int,
    purpose: str,
    processes: bool,
) -> FormEstimate:
    decide = cast("Callable[[Message], int]", estimate)  # it passes on whatever Bob makes of it
    answer = one_way(message, decide, kind="bit", size=size, purpose=purpose, processes=processes)
    return FormEstimate(float(answer.value), answer.ledger)


def _rows(numbers: int, size: int, *, seed: int) -> Real:
    """The shared Gaussian rows, which each party draws for itself."""
    return stream(seed, _ROWS).standard_normal((numbers, size))


def _signs(vector: Real, *, numbers: int, seed: int) -> NDArray[np.int64]:
    return (_rows(numbers, len(vector), seed=seed) @ vector >= 0).astype(np.int64)


def _from_signs(matrix: Real, codes: Message, *, seed: int) -> float:
    return _unbiased(matrix, 2.0 * codes - 1, mean=np.sqrt(2 / np.pi), seed=seed)


def _projections(vector: Real, *, numbers: int, bits: int, seed: int) -> NDArray[np.int64]:
    values = _rows(numbers, len(vector), seed=seed) @ vector
    within = np.append(values.clip(-_RANGE, _RANGE), _RANGE)  # the last one sets the scale
    return quantise(within, bits=bits)[:-1]


def _from_projections(matrix: Real, codes: Message, *, bits: int, seed: int) -> float:
    """The mean of t(p) p is that of t(p)^2 where rounding is to the middle of its step, nearly."""
    return _unbiased(matrix, _RANGE * dequantise(codes, bits=bits), mean=_gain(bits), seed=seed)


def _gain(bits: int) -> float:
    """E[t(p) p] of a standard normal p, t rounding it to so many bits within the range."""
    from scipy.stats import norm

    edges = np.linspace(-_RANGE, _RANGE, 2 ** min(bits, 16) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    edges[0], edges[-1] = -np.inf, np.inf
    return float(np.sum(middles * (norm.pdf(edges[:-1]) - norm.pdf(edges[1:]))))


def _unbiased(matrix: Real, sent: Real, *, mean: float, seed: int) -> float:
    """The estimate of the module's docstring."""
    rows = _rows(len(sent), len(matrix), seed=seed)
    whole = sent @ rows
    own = np.einsum("i,ij,jk,ik->", sent**2, rows, matrix, rows, optimize=True)
    count = len(sent)
    return float((whole @ matrix @ whole - own) / (mean**2 * count * (count - 1)))


def _from_coefficients(matrix: Real, message: Message, *, bits: int) -> float:
    places, codes = message
    vector = np.zeros(len(matrix))
    vector[places] = dequantise(codes, bits=bits)
    return float(vector @ matrix @ vector / (vector @ vector))


def _from_vector(matrix: Real, codes: Message, *, bits: int) -> float:
    vector = dequantise(codes, bits=bits)
    return float(vector @ matrix @ vector / (vector @ vector))
