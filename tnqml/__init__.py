"""Tensor-network simulation of distributed quantum machine learning."""

from tnqml import ansatz, expressivity, protocols, spectrum
from tnqml.channels import CHANNELS
from tnqml.circuit import Circuit, Message
from tnqml.errors import CircuitError, InputError, RouteError, StorageError, TnqmlError
from tnqml.forms import KINDS
from tnqml.gates import Gate
from tnqml.model import DistributedModel, RouteCost
from tnqml.noise import noisy
from tnqml.observables import Observable, X, Y, Z, parity, pauli, projector
from tnqml.storage import load, save

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
