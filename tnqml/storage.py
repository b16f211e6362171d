"""Models on disk: readable JSON and safetensors, without pickle.

A folder holds `model.json` (circuit, observables, options, and the SHA-256 of the arrays) and
`arrays.safetensors` (theta, and every distinct matrix or array of phases once; complex numbers as
pairs of reals). Both are written in full before either replaces an older one, `model.json` last, so
that a save that was cut short between the two renames shows by the checksum.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_from_bytes
from safetensors.numpy import save as bytes_from_arrays

from tnqml.circuit import Circuit
from tnqml.errors import StorageError, TnqmlError
from tnqml.forms import Form
from tnqml.gates import Gate
from tnqml.model import DistributedModel
from tnqml.observables import Observable, String, pauli

FORMAT = "tnqml model"
VERSION = 1

_MODEL = "model.json"
_ARRAYS = "arrays.safetensors"
_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_ARRAY_KEYS = {
    "diagonal": "phases",
    "unitary": "matrix",
    "pauli_channel": "probabilities",
    "kraus": "kraus",
}
Arrays = Mapping[str, NDArray[np.generic]]
T = TypeVar("T")


def save(model: DistributedModel, folder: str | Path) -> None:
    """Write a model to a folder, which is made if needed and whose older save is replaced.

    Kept are circuit, observables, parameters, dtype, the route asked for and the memory cap, to the
    last bit; not the device, gradients or `expected_calls`.

    Args:
        model: on any device.
        folder: where `model.json` and `arrays.safetensors` go.

    Raises:
        StorageError: the folder cannot be written, or a parameter is not finite.

    Example:
        >>> import tempfile
        >>> from tnqml import Z
        >>> model = DistributedModel(Circuit(1, [Gate("ry", 0, parameter=0)]), Z(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(model, folder)
        ...     load(folder).circuit == model.circuit
        True
    """
    if not isinstance(model, DistributedModel):
        raise StorageError(f"got a {type(model).__name__} to save; expected a DistributedModel")
    target = _path(folder)
    theta = model.theta.detach().cpu().numpy()
    if not np.isfinite(theta).all():
        place = int(np.flatnonzero(~np.isfinite(theta))[0])
        raise StorageError(f"theta[{place}] is {theta[place]}; only finite parameters are saved")
    forms = dict.fromkeys(gate.form for gate in model.circuit.gates if gate.form.values)
    names = {form: f"array{number}" for number, form in enumerate(forms)}
    arrays = {"theta": np.ascontiguousarray(theta)}
    arrays |= {name: _as_reals(form) for form, name in names.items()}
    content = bytes_from_arrays(arrays)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "arrays_sha256": hashlib.sha256(content).hexdigest(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "route": model.wanted_route,
        "memory": None if model.memory is None else int(model.memory),
        "single_output": model.single_output,
        "observables": [observable.terms for observable in model.observables],
        "circuit": {
            "qubits": model.circuit.qubits,
            "split": model.circuit.split,
            "amplitudes": int(model.circuit.amplitudes),
            "gates": [_gate_record(gate, names) for gate in model.circuit.gates],
        },
    }
    text = json.dumps(document, allow_nan=False).encode()
    try:
        target.mkdir(parents=True, exist_ok=True)
        _replace({target / _ARRAYS: content, target / _MODEL: text})
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot save a model in {target}: {error}") from error


def _path(folder: object) -> Path:
    if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
        raise StorageError(f"the folder is {folder!r:.40}; expected a path")
    return Path(folder)


def load(folder: str | Path) -> DistributedModel:
    """The model that `save` wrote to a folder, on the CPU.

    Everything is checked before it is used; nothing in the files is executed.

    Raises:
        StorageError: a file is missing or unreadable, is not of this format or version, was cut
            short or changed, or describes a model that is not well formed.
    """
    source = _path(folder)
    document = _document(_content(source / _MODEL), source / _MODEL)
    content = _content(source / _ARRAYS)
    found = hashlib.sha256(content).hexdigest()
    if found != document.get("arrays_sha256"):
        raise StorageError(
            f"{source / _ARRAYS} is not the file that {_MODEL} was saved with: its SHA-256 is "
            f"{found:.12}..., expected {document.get('arrays_sha256')!s:.12}...; a save was cut "
            "short or a file changed, so save the model again"
        )
    try:
        return _model(document, arrays_from_bytes(content))
    except (TnqmlError, SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise StorageError(f"{source} holds no valid model: {error}") from error


def _replace(contents: Mapping[Path, bytes]) -> None:
    """Write all files under other names in their folder and only then rename them, in order."""
    temporary = {path: path.with_name(f".{path.name}.{secrets.token_hex(4)}") for path in contents}
    try:
        for path, content in contents.items():
            with temporary[path].open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, written in temporary.items():
            written.replace(path)
    finally:
        for written in temporary.values():
            with contextlib.suppress(OSError):
                written.unlink()  # still there only if something failed


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read a saved model: {error}") from error


def _document(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StorageError(f"{path} was not written by tnqml: it has no format {FORMAT!r}")
    if document.get("version") != VERSION:
        raise StorageError(
            f"{path} is of format version {document.get('version')!r}; this tnqml reads version "
            f"{VERSION}"
        )
    return document


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _as_reals(form: Form) -> NDArray[np.float64]:
    """Real numbers as they are, complex ones as pairs of reals along a last axis."""
    array = form.array
    if np.iscomplexobj(array):
        return np.ascontiguousarray(array).view(np.float64).reshape(*array.shape, 2)
    return np.asarray(array, dtype=np.float64)


def _gate_record(gate: Gate, names: Mapping[Form, str]) -> dict[str, object]:
    record: dict[str, object] = {"kind": gate.kind, "qubits": gate.qubits, "party": gate.party}
    if gate.source == "angle":
        record["strength" if gate.form.is_channel else "angle"] = gate.value
    elif gate.source is not None:
        record |= {gate.source: gate.slot, "scale": gate.value}
    if gate.form.word:
        record["word"] = gate.form.word
    if gate.form in names:
        record["array"] = names[gate.form]
    return record


def _model(document: Mapping[str, Any], arrays: Arrays) -> DistributedModel:
    circuit = _circuit(_field(document, "circuit", dict), arrays)
    observables = [
        Observable(_term(term) for term in _typed(terms, "an observable", list))
        for terms in _field(document, "observables", list)
    ]
    dtype = _field(document, "dtype", str)
    if dtype not in _DTYPES:
        raise StorageError(f"dtype is {dtype!r}; expected {' or '.join(_DTYPES)}")
    alone = _field(document, "single_output", bool)
    if alone and len(observables) != 1:
        raise StorageError(f"single_output is true with {len(observables)} observables, not one")
    theta = _array(arrays, "theta", dtype=dtype, shape=(circuit.parameters,))
    memory = None if document.get("memory") is None else _field(document, "memory", int)
    model = DistributedModel(
        circuit,
        observables[0] if alone else observables,
        dtype=_DTYPES[dtype],
        route=_field(document, "route", str),
        memory=memory,
    )
    with torch.no_grad():
        model.theta.copy_(torch.from_numpy(theta.copy()))
    return model


def _circuit(record: Mapping[str, Any], arrays: Arrays) -> Circuit:
    gates = []
    for position, entry in enumerate(_field(record, "gates", list)):
        try:
            gates.append(_gate(_typed(entry, "the gate", dict), arrays))
        except TnqmlError as error:
            raise StorageError(f"gate {position}: {error}") from error
    split: Any = _field(record, "split", str)  # the circuit checks which
    return Circuit(
        _field(record, "qubits", int),
        gates,
        amplitudes=_field(record, "amplitudes", int),
        split=split,
    )


def _gate(record: Mapping[str, Any], arrays: Arrays) -> Gate:
    kind = _field(record, "kind", str)
    qubits = [_typed(qubit, "a qubit", int) for qubit in _field(record, "qubits", list)]
    given: dict[str, Any] = {}
    for key, wanted in (
        ("party", str),
        ("feature", int),
        ("parameter", int),
        ("angle", float),
        ("strength", float),
        ("scale", float),
        ("word", str),
    ):
        if record.get(key) is not None:
            given[key] = _field(record, key, wanted)
    known = {"kind", "qubits", "party", *given} | ({"array"} if kind in _ARRAY_KEYS else set())
    if set(record) - known:
        raise StorageError(f"{kind!r} has the unknown entries {sorted(set(record) - known)}")
    if kind in _ARRAY_KEYS:
        size = 2 ** len(qubits)
        name = _field(record, "array", str)
        shape: tuple[int, ...] = {
            "diagonal": (size,),
            "unitary": (size, size, 2),
            "pauli_channel": (size**2,),
            "kraus": (len(arrays.get(name, ())), size, size, 2),
        }[kind]
        array = _array(arrays, name, dtype="float64", shape=shape)
        if len(shape) > 1:
            array = array.copy().view(np.complex128)[..., 0]
        given[_ARRAY_KEYS[kind]] = array
    return Gate(kind, qubits, **given)


def _term(term: object) -> tuple[float, String]:
    weight, word = _pair(term, "a term of an observable")
    entries = [_pair(entry, "an entry of a Pauli string") for entry in _typed(word, "word", list)]
    letters = {_typed(qubit, "a qubit", int): _typed(p, "a letter", str) for qubit, p in entries}
    ((_, string),) = pauli(letters).terms
    if len(string) != len(entries):
        raise StorageError(f"the Pauli string {word!r:.60} repeats a qubit or has an identity")
    return _typed(weight, "a weight", float), string


def _pair(value: object, name: str) -> tuple[object, object]:
    pair = _typed(value, name, list)
    if len(pair) != 2:
        raise StorageError(f"{name} is {pair!r:.60}; expected two entries")
    return pair[0], pair[1]


def _array(arrays: Arrays, name: str, *, dtype: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    if name not in arrays:
        raise StorageError(f"the array {name!r} is missing from {_ARRAYS}")
    array = arrays[name]
    if array.dtype.name != dtype or array.shape != shape:
        raise StorageError(
            f"{name} is {array.dtype.name} of shape {array.shape}; expected {dtype} {shape}"
        )
    if not np.isfinite(np.asarray(array, dtype=np.float64)).all():
        raise StorageError(f"{name} has entries that are not finite")
    return array


def _field(record: Mapping[str, Any], key: str, wanted: type[T]) -> T:
    if key not in record:
        raise StorageError(f"the entry {key!r} is missing")
    return _typed(record[key], key, wanted)


def _typed(value: object, name: str, wanted: type[T]) -> T:
    """The value if it has exactly this type (an integer for a float too, as JSON has one kind)."""
    if wanted is float and type(value) is int:
        return wanted(value)  # type: ignore[call-arg]
    if type(value) is not wanted:
        raise StorageError(
            f"{name} is {value!r:.60}; expected {wanted.__name__}, got {type(value).__name__}"
        )
    return value
