"""Tensor-network simulation of distributed quantum machine learning."""

import importlib
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

from tnqml import ansatz
from tnqml.channels import CHANNELS
from tnqml.circuit import Circuit, Message
from tnqml.errors import CircuitError, InputError, RouteError, StorageError, TnqmlError
from tnqml.forms import KINDS
from tnqml.gates import Gate
from tnqml.model import DistributedModel, RouteCost
from tnqml.noise import noisy
from tnqml.observables import Observable, X, Y, Z, parity, pauli, projector
from tnqml.storage import load, save

if TYPE_CHECKING:
    from tnqml import expressivity, protocols, spectrum

__all__ = [
    "CHANNELS",
    "KINDS",
    "Circuit",
    "CircuitError",
    "DistributedModel",
    "Gate",
    "InputError",
    "Message",
    "Observable",
    "RouteCost",
    "RouteError",
    "StorageError",
    "TnqmlError",
    "X",
    "Y",
    "Z",
    "__version__",
    "ansatz",
    "expressivity",
    "load",
    "noisy",
    "parity",
    "pauli",
    "projector",
    "protocols",
    "save",
    "spectrum",
]

__version__ = version("tnqml")


def __getattr__(name: str) -> ModuleType:
    """The packages of protocols and measures, imported when they are first named."""
    if name in {"expressivity", "protocols", "spectrum"}:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What `tnqml` offers."""
    return sorted(__all__)
