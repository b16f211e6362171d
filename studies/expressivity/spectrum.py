"""Effective number of Fourier features and shares of the feature orders."""

import math
from typing import TYPE_CHECKING, Any

from studies.expressivity.cell import Cell
from studies.study import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml import DistributedModel

ORDERS = 12
"""Feature orders with a column of their own; the last one holds all beyond."""

_SAMPLED = range(4, 64, 8)  # outputs of the wide model whose terms are drawn


def measure(cell: Cell) -> list[Row]:
    """A row for each output: effective features, mean order, shares of the orders, and its cone."""
    from studies.expressivity.families import full_cone, linear

    if cell.model == "digits":
        return _wide(cell)
    if cell.model == "linear":
        return [_row(linear(cell.qubits, layers=cell.layers, seed=cell.seed), cell)]
    model = full_cone(
        cell.model, cell.qubits, layers=cell.layers, frequencies=cell.frequencies, seed=cell.seed
    )
    row = _row(model, cell)
    if cell.model == "haar" and cell.frequencies != "equal":
        row["haar_order"] = haar_mean_order(cell.qubits, cell.layers)
        row["haar_entropy"] = cell.layers * haar_entropy(cell.qubits)
    return [row]


def _row(model: "DistributedModel", cell: Cell) -> dict[str, Any]:
    from tnqml import spectrum

    profile = spectrum.feature_orders(model, 0)
    return {
        "output": 0,
        **_cone(model, 0),
        **_effective(model, 0, cell),
        **_orders(profile.shares),
        "variance": float(profile.variance),
    }


def _wide(cell: Cell) -> list[Row]:
    """Orders of all 64 outputs; the effective features of every eighth."""
    from tnqml import spectrum

    model = digits_model(cell.layers, frequencies=cell.frequencies, seed=cell.seed)
    profile = spectrum.feature_orders(model)
    rows: list[Row] = []
    for output in range(len(model.observables)):
        drawn = _effective(model, output, cell) if output in _SAMPLED else {}
        rows.append(
            {
                "output": output,
                **_cone(model, output),
                **drawn,
                **_orders(profile.shares[output]),
                "variance": float(profile.variance[output]),
            }
        )
    return rows


def digits_model(layers: int, *, frequencies: str, seed: int) -> "DistributedModel":
    """64-qubit brickwork at random parameters, a pixel a qubit, Z on every qubit.

    The lambda of the upload layers are as for `ansatz.upload_frequencies`.
    """
    import torch

    from studies.data.digits import PIXELS
    from tnqml import Circuit, DistributedModel, Gate, Z, ansatz

    scales = ansatz.upload_frequencies(layers, 1, kind=frequencies)[:, 0]  # type: ignore[arg-type]
    circuit = ansatz.brickwork(PIXELS, layers=layers)
    gates, seen = [], 0
    for gate in circuit.gates:
        if gate.source != "feature":
            gates.append(gate)
            continue
        gates.append(
            Gate(
                gate.kind,
                gate.qubits,
                feature=gate.slot,
                scale=float(scales[seen // PIXELS]),
                party=gate.party,
            )
        )
        seen += 1
    outputs = [Z(qubit) for qubit in range(PIXELS)]
    return DistributedModel(Circuit(PIXELS, gates), outputs, dtype=torch.float64, seed=seed)


def _cone(model: "DistributedModel", output: int) -> dict[str, Any]:
    cone = model.light_cones()[output]
    return {"cone_uploads": cone.uploads, "cone_features": len(cone.features)}


def _effective(model: "DistributedModel", output: int, cell: Cell) -> dict[str, Any]:
    from tnqml import spectrum

    found = spectrum.effective_features(model, cell.draws, seed=cell.seed, observable=output)
    return {
        "effective": found.value,
        "effective_low": found.low,
        "effective_high": found.high,
        "entropy": found.entropy,
    }


def _orders(shares: "NDArray[np.float64]") -> dict[str, Any]:
    """Mean order and the share of each order; `shares` (orders,) from order 1 up."""
    import numpy as np

    columns = np.zeros(ORDERS)
    np.add.at(columns, np.minimum(np.arange(len(shares)), ORDERS - 1), shares)
    mean = float(shares @ np.arange(1, len(shares) + 1))
    return {"mean_order": mean} | {
        f"order_{order}": float(share) for order, share in enumerate(columns, start=1)
    }


def haar_mean_order(qubits: int, layers: int) -> float:
    """The mean feature order of the Haar average of |C_d|^2, for independent lambda.

    A Haar block spreads the power evenly over the 4^n - 1 Pauli strings other than the identity;
    2^(2n-1) of them have X or Y on a given qubit, 2^n - 1 on none. Each layer draws anew, and
    d = 0, the mean, is left out. Checked in tests/studies/test_expressivity_study.py.

    Example:
        >>> round(haar_mean_order(1, 3), 6), round(haar_mean_order(2, 1), 6)
        (1.0, 1.333333)
    """
    strings = 4**qubits - 1
    idle = 1 - 2 ** (2 * qubits - 1) / strings
    constant = ((2**qubits - 1) / strings) ** layers
    return float(qubits * (1 - idle**layers) / (1 - constant))


def haar_entropy(qubits: int) -> float:
    """The entropy in nats of one layer of the Haar average of |C_d|^2, for independent lambda.

    Upload d has k nonzero entries of either sign with probability 2^n / (4^n - 1) / 2^k, and none
    with (2^n - 1) / (4^n - 1). L layers have L times as much, an upper bound for the mean
    entropy of single circuits, as entropy is concave.

    Example:
        >>> round(haar_entropy(1) / math.log(3), 6)
        1.0
    """
    strings = 4**qubits - 1
    none = (2**qubits - 1) / strings
    total: float = -none * math.log(none)
    for active in range(1, qubits + 1):
        one = 2 ** (qubits - active) / strings
        total -= math.comb(qubits, active) * 2**active * one * math.log(one)
    return total
