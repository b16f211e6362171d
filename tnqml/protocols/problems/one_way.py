"""One-way protocols as two roles: Alice computes one message, Bob decides from it."""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from numpy.typing import NDArray

from tnqml.protocols.execution.parties import Receive, Role, Send, run_parties
from tnqml.protocols.ledger import Kind
from tnqml.protocols.problems.instances import ALICE, BOB
from tnqml.protocols.trials import Answer

Message = NDArray[Any]


def one_way(
    message: Callable[[], Message],
    decide: Callable[[Message], int],
    *,
    kind: Kind,
    size: int,
    purpose: str,
    copies: int = 1,
    processes: bool = False,
) -> Answer:
    """Bob's answer to Alice's one message, with its ledger.

    Args:
        message: what Alice computes from her data alone.
        decide: what Bob makes of it with his data alone.
        kind: of the message, as all that follows; see `Entry`.
        size: qubits or bits of one copy.
        purpose: what it is for.
        copies: how often it is sent.
        processes: run both in processes of their own; both callables must be picklable then.
    """
    roles: dict[str, Callable[[], Role]] = {
        ALICE: partial(_alice, message, kind=kind, size=size, purpose=purpose, copies=copies),
        BOB: partial(_bob, decide),
    }
    run = run_parties(roles, processes=processes)
    return Answer(run.results[BOB], run.ledger)  # type: ignore[arg-type]  # as `decide` gives


def _alice(
    message: Callable[[], Message], *, kind: Kind, size: int, purpose: str, copies: int
) -> Generator[Send, Any, None]:
    yield Send(BOB, message(), kind, size, copies=copies, purpose=purpose)


def _bob(decide: Callable[[Message], int]) -> Role:
    return decide((yield Receive(ALICE)))
