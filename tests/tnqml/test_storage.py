"""Round trips to disk, and one clear error for everything that can be wrong there."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as write_arrays
from scipy.stats import unitary_group

from tnqml import KINDS, Circuit, DistributedModel, Gate, X, Y, Z, ansatz, pauli
from tnqml import storage as storage_module
from tnqml.errors import StorageError, TnqmlError
from tnqml.storage import load, save


def every_kind(seed=0):
    """A circuit with each kind of gate, angle and party."""
    rng = np.random.default_rng(seed)
    dense = unitary_group.rvs(4, random_state=rng)
    phases = rng.normal(size=8)
    gates = [Gate("rx", q, feature=q, scale=rng.normal(), party="alice") for q in range(3)]
    special = {"pauli", "diagonal", "unitary"}
    for number, kind in enumerate(k for k in KINDS if k not in special):
        source = [{"angle": rng.normal()}, {"feature": 4, "scale": 1 / 3}, {"parameter": number}]
        angle = source[number % 3] if KINDS.index(kind) >= KINDS.index("rx") else {}
        for qubits in (1, (2, 0)):
            try:
                gates.append(Gate(kind, qubits, party="bob \u2b50\n", **angle))
                break
            except ValueError:
                continue
    gates += [
        Gate("pauli", (0, 2), word="XY", parameter=1, scale=-0.7),
        Gate("diagonal", (2, 0, 1), phases=phases, feature=0),
        Gate("diagonal", (0, 1, 2), phases=phases, parameter=0),
        Gate("unitary", (1, 2), matrix=dense, party="carol"),
        Gate("unitary", (0, 1), matrix=dense),
    ]
    gates += [gate.dagger() for gate in gates]
    assert {gate.kind for gate in gates} == set(KINDS)
    return Circuit(3, gates, split="qubits")


def assert_equal(first, second, batch=3):
    """Everything that a model shows, the values to the last bit."""
    assert second.circuit == first.circuit
    assert second.observables == first.observables
    assert (second.dtype, second.memory) == (first.dtype, first.memory)
    assert str(second) == str(first)
    assert second.theta.detach().numpy().tobytes() == first.theta.detach().numpy().tobytes()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, first.circuit.features, generator=generator, dtype=first.dtype)
    assert first(x).shape == second(x).shape
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alone", [True, False])
def test_round_trip_of_every_kind(tmp_path, dtype, alone):
    listed = [0.1 * Z(0) - X(2), pauli("XYZ"), pauli({}) + 1e-30 * Y(1)]
    observables = listed[0] if alone else listed
    model = DistributedModel(every_kind(), observables, dtype=dtype, route="state", memory=10**9)
    save(model, tmp_path / "new" / "folder")
    loaded = load(str(tmp_path / "new" / "folder"))
    assert_equal(model, loaded)
    assert loaded.theta.requires_grad
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == {"model.json", "arrays.safetensors"}


@pytest.mark.parametrize(
    ("circuit", "route"),
    [
        (ansatz.brickwork(4, layers=2, split="qubits"), "pauli"),
        (ansatz.brickwork(3, layers=1), "auto"),
        (Circuit(3, [Gate("ry", 1, parameter=0)], amplitudes=5), "state"),
        (ansatz.mirrored(ansatz.haar(2, layers=1, seed=3)), "state"),
        (Circuit(1, [Gate("h", 0)]), "auto"),
    ],
)
def test_round_trip_of_families(tmp_path, circuit, route):
    model = DistributedModel(circuit, [Z(0), X(circuit.qubits - 1)], route=route, seed=4)
    save(model, tmp_path)
    assert_equal(model, load(tmp_path))
    assert_equal(model, load(tmp_path), batch=1)


def test_a_save_again_gives_the_same_bytes_and_arrays_once(tmp_path):
    model = DistributedModel(every_kind(), Z(0))
    save(model, tmp_path / "a")
    save(load(tmp_path / "a"), tmp_path / "b")
    for name in ("model.json", "arrays.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    arrays = read_arrays((tmp_path / "a" / "arrays.safetensors").read_bytes())
    distinct = {gate.form for gate in model.circuit.gates if gate.form.values}
    assert len(arrays) == 1 + len(distinct)
    assert sum(a.shape == (8,) for a in arrays.values()) == 1


def test_a_later_save_replaces_an_earlier_one(tmp_path):
    save(DistributedModel(every_kind(), Z(0)), tmp_path)
    model = DistributedModel(ansatz.brickwork(2, layers=1), Z(1), dtype=torch.float64)
    save(model, tmp_path)
    assert_equal(model, load(tmp_path))


@pytest.fixture
def saved(tmp_path):
    gates = [
        Gate("ry", 0, parameter=0, party="alice"),
        Gate("unitary", (0, 1), matrix=np.eye(4)),
        Gate("diagonal", 0, phases=[0.0, 1.0], feature=0),
    ]
    save(DistributedModel(Circuit(2, gates), [Z(0), X(1)], dtype=torch.float64), tmp_path)
    return tmp_path


def edit(folder, change):
    path = folder / "model.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def gate(position, **changes):
    return lambda d: d["circuit"]["gates"][position].update(changes)


CHANGES = {
    "other format": (lambda d: d.update(format="x"), "was not written by tnqml"),
    "other version": (
        lambda d: d.update(version=2),
        "format version 2; this tnqml reads version 1",
    ),
    "no circuit": (lambda d: d.pop("circuit"), "the entry 'circuit' is missing"),
    "circuit a list": (lambda d: d.update(circuit=[]), "circuit is .*; expected dict, got list"),
    "no checksum": (lambda d: d.pop("arrays_sha256"), "SHA-256"),
    "unknown gate": (gate(0, kind="foo"), "gate 0: unknown gate 'foo'"),
    "gate a number": (lambda d: d["circuit"].update(gates=[3]), "gate 0: .*expected dict"),
    "gate off": (gate(0, qubits=[2]), "acts on qubit 2"),
    "qubit text": (gate(0, qubits=["0"]), "a qubit is '0'; expected int"),
    "qubit true": (gate(0, qubits=[True]), "a qubit is True; expected int"),
    "no angle": (
        lambda d: [d["circuit"]["gates"][0].pop(k) for k in ("parameter", "scale")],
        "gate 0: .*exactly one",
    ),
    "unknown entry": (gate(0, colour="red"), "unknown entries .*colour"),
    "useless array": (gate(0, array="array0"), "unknown entries .*array"),
    "missing array": (gate(1, array="array7"), "gate 1: the array 'array7' is missing"),
    "array of another": (gate(1, array="array1"), r"gate 1: array1 is float64 of shape \(2,\)"),
    "party a number": (gate(0, party=3), "party is 3; expected str"),
    "too many parameters": (gate(0, parameter=5), r"theta is float64 of shape \(1,\); expected"),
    "other dtype": (lambda d: d.update(dtype="float32"), "theta is float64 .* expected float32"),
    "no dtype": (lambda d: d.update(dtype="int8"), "dtype is 'int8'; expected float32 or"),
    "no route": (lambda d: d.update(route="magic"), "unknown route 'magic'"),
    "memory text": (lambda d: d.update(memory="much"), "memory is 'much'; expected int"),
    "split": (lambda d: d["circuit"].update(split="x"), "split is 'x'"),
    "amplitudes": (lambda d: d["circuit"].update(amplitudes=9), "9 amplitudes do not fit"),
    "no observable": (lambda d: d.update(observables=[]), "at least one observable"),
    "two alone": (lambda d: d.update(single_output=True), "single_output is true with 2"),
    "empty observable": (lambda d: d.update(observables=[[]]), "at least one term"),
    "letter": (lambda d: d.update(observables=[[[1.0, [[0, "Q"]]]]]), "letter 'Q'"),
    "identity": (lambda d: d.update(observables=[[[1.0, [[0, "I"]]]]]), "has an identity"),
    "twice": (lambda d: d.update(observables=[[[1, [[0, "X"], [0, "Z"]]]]]), "repeats a qubit"),
    "short term": (
        lambda d: d.update(observables=[[[1.0]]]),
        "a term of an observable is .*expected two",
    ),
    "short letter": (
        lambda d: d.update(observables=[[[1.0, [[0]]]]]),
        "an entry of a Pauli string is",
    ),
    "observable off": (lambda d: d.update(observables=[[[1.0, [[5, "Z"]]]]]), "acts on qubit 5"),
    "huge weight": (lambda d: d.update(observables=[[[10**400, []]]]), "too large"),
    "many qubits": (gate(1, qubits=list(range(20000))), "integer string conversion"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_document_is_refused(saved, name):
    change, message = CHANGES[name]
    edit(saved, change)
    with pytest.raises(StorageError, match=message):
        load(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b"[" * 100000, "is not JSON"),
        (b"[1]", "was not written by tnqml"),
        (b"{}", "was not written by tnqml"),
    ],
)
def test_a_foreign_document_is_refused(saved, content, message):
    (saved / "model.json").write_bytes(content)
    with pytest.raises(StorageError, match=message):
        load(saved)


@pytest.mark.parametrize("name", ["model.json", "arrays.safetensors"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(StorageError, match=rf"cannot read .*{name}"):
        load(saved)


def test_changed_arrays_are_refused(saved):
    path = saved / "arrays.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is not the file that model"):
        load(saved)


def replace_arrays(folder, content):
    """With a checksum that fits."""
    (folder / "arrays.safetensors").write_bytes(content)
    edit(folder, lambda d: d.update(arrays_sha256=hashlib.sha256(content).hexdigest()))


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.array([np.nan]), "theta has entries that are not finite"),
        (np.array([1.0, 2.0]), r"theta is float64 of shape \(2,\); expected float64 \(1,\)"),
        (np.array([[1.0]]), r"theta is float64 of shape \(1, 1\)"),
        (np.array([1], dtype=np.int64), "theta is int64"),
        (None, "the array 'theta' is missing"),
    ],
)
def test_a_wrong_theta_is_refused(saved, theta, message):
    arrays = dict(read_arrays((saved / "arrays.safetensors").read_bytes()))
    del arrays["theta"]
    if theta is not None:
        arrays["theta"] = theta
    replace_arrays(saved, write_arrays(arrays))
    with pytest.raises(StorageError, match=message):
        load(saved)


def test_a_matrix_that_is_not_unitary_is_refused(saved):
    arrays = dict(read_arrays((saved / "arrays.safetensors").read_bytes()))
    arrays["array0"] = 2 * arrays["array0"]
    replace_arrays(saved, write_arrays(arrays))
    with pytest.raises(StorageError, match="gate 1: matrix is not unitary"):
        load(saved)


def test_arrays_that_are_no_safetensors_are_refused(saved):
    replace_arrays(saved, b"no safetensors")
    with pytest.raises(StorageError, match="holds no valid model"):
        load(saved)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    model = DistributedModel(Circuit(1, [Gate("h", 0)]), Z(0))
    for folder in (tmp_path / "file", tmp_path / "file" / "below", "\0"):
        with pytest.raises(StorageError, match="cannot save a model in"):
            save(model, folder)
        with pytest.raises(StorageError, match="cannot read a saved model"):
            load(folder)


def test_what_is_no_model_or_path_is_refused(tmp_path):
    model = DistributedModel(Circuit(1, [Gate("h", 0)]), Z(0))
    with pytest.raises(StorageError, match="got a Circuit to save; expected a DistributedModel"):
        save(model.circuit, tmp_path)
    for folder in (None, 5):
        with pytest.raises(StorageError, match=f"the folder is {folder}; expected a path"):
            save(model, folder)
        with pytest.raises(StorageError, match=f"the folder is {folder}; expected a path"):
            load(folder)


def test_parameters_that_are_not_finite_are_not_saved(tmp_path):
    model = DistributedModel(ansatz.brickwork(2, layers=1), Z(0))
    with torch.no_grad():
        model.theta[1] = torch.inf
    with pytest.raises(StorageError, match=r"theta\[1\] is inf"):
        save(model, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("done", [0, 1])
def test_a_save_cut_short_leaves_no_debris(saved, monkeypatch, step, done):
    """The older model is whole until one of its files is replaced; then the checksum tells."""
    older = load(saved)
    owner = storage_module.os if step == "fsync" else storage_module.Path
    original, left = getattr(owner, step), [done]

    def failing(*arguments):
        if not left[0]:
            raise OSError("no space left on device")
        left[0] -= 1
        return original(*arguments)

    monkeypatch.setattr(owner, step, failing)
    with pytest.raises(StorageError, match="no space left on device"):
        save(DistributedModel(ansatz.brickwork(2, layers=1), Z(0)), saved)
    monkeypatch.undo()
    assert {path.name for path in saved.iterdir()} == {"model.json", "arrays.safetensors"}
    if step == "replace" and done:
        with pytest.raises(StorageError, match="a save was cut short"):
            load(saved)
    else:
        assert_equal(older, load(saved))


def test_errors_are_of_the_package():
    assert issubclass(StorageError, TnqmlError)
