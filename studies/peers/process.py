"""One simulator on one problem in a process of its own: ``python -P -m studies.peers.process``.

It is told what to do line by line, and answers each line with one of JSON: first what the first
call gave and took; then the seconds of more calls, as often as it is asked; at the end of its input
what the simulator alone can say. So two simulators can be asked in turn, and one that compiles but
does not come round a second time still has a row.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

from studies.peers.problem import PeerRefusal, Prepared, Problem, problem
from studies.peers.registry import MARK, OURS, PEERS

_BURST, _LONG = 3, 0.5  # calls whose median is told, or seconds after which there are no more


def run(
    name: str,
    asked: Problem,
    *,
    orders: Iterable[str],
    tell: Callable[[Mapping[str, object]], None],
) -> None:
    """Measure a simulator in this process.

    Args:
        name: one of `PEERS`.
        asked: the problem.
        orders: for each the seconds of more calls are told.
        tell: called with the status, if the simulator refuses the problem; or else with values,
            gradient and seconds of the first call, then for each order, then with the facts.
    """
    peer = PEERS[name]
    for module in peer.modules:
        import_module(module)
    module, _, function = peer.where.partition(":")
    prepare: Callable[[Problem], Prepared] = getattr(import_module(module), function)
    start = time.perf_counter()
    try:
        prepared = prepare(asked)
    except PeerRefusal as refusal:
        tell({"status": f"refused: {refusal}"})
        return
    answer = prepared.call()
    tell(
        {
            "seconds": time.perf_counter() - start,
            "values": answer.values.tolist(),
            "gradient": None if answer.gradient is None else answer.gradient.tolist(),
        }
    )
    for _ in orders:
        tell({"seconds": _median_seconds(prepared.call)})
    tell({"facts": dict(prepared.facts())})


def _median_seconds(call: Callable[[], object]) -> float:
    """Of a few calls: what ran before has emptied the processor's caches."""
    times: list[float] = []
    while len(times) < _BURST and sum(times) < _LONG:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Read what is wanted from the first line of the input, an order from each other."""
    asked = json.loads(sys.stdin.readline())
    if asked["name"] == OURS:
        from contractions import this_machine

        this_machine()
    run(
        asked["name"],
        problem(**asked["wanted"]),
        orders=sys.stdin,
        tell=lambda news: print(MARK + json.dumps(news), flush=True),  # noqa: T201 - for the parent
    )


if __name__ == "__main__":
    main()
