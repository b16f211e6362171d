"""Which simulators there are, and how one in a process of its own marks what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

OURS = "tnqml"
MARK = "peer: "
"""What a line of a simulator's process begins with; simulators print lines of their own."""


@dataclass(frozen=True)
class Peer:
    """A simulator.

    Attributes:
        package: its name on PyPI, whose version is recorded.
        modules: what it imports.
        where: "module:function" of its `prepare`.
    """

    package: str
    modules: tuple[str, ...]
    where: str

    @property
    def missing(self) -> str | None:
        """A module of it that is not installed, or None."""
        return next((name for name in self.modules if find_spec(name) is None), None)


PEERS: Mapping[str, Peer] = {
    OURS: Peer("tnqml", ("torch",), "studies.peers.run_tnqml:prepare"),
    "tensorcircuit-ng": Peer(
        "tensorcircuit-ng", ("jax", "tensorcircuit"), "studies.peers.run_tensorcircuit:prepare"
    ),
    "quimb": Peer("quimb", ("quimb", "cotengra", "torch"), "studies.peers.run_quimb:prepare"),
    "lightning.qubit": Peer(
        "pennylane-lightning",
        ("pennylane", "pennylane_lightning"),
        "studies.peers.run_pennylane:prepare_lightning",
    ),
    "default.tensor": Peer(
        "pennylane", ("pennylane", "quimb"), "studies.peers.run_pennylane:prepare_tensor"
    ),
}
