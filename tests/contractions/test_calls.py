"""Calls: small products on one thread, whatever else happens."""

import threading
from functools import partial

import pytest
import torch

from contractions.calls import Calls

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    monkeypatch.setattr("contractions.calls.active_count", lambda: 1)  # not so in pytest's workers
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def product(size):
    square = torch.ones(1, size, size)
    return partial(torch.bmm, square, square, out=torch.empty_like(square))


def copy(size):
    return partial(torch.empty(size).copy_, torch.ones(size))


@pytest.mark.parametrize(
    ("call", "threads"),
    [
        (product(8), 1),
        (product(200), 3),
        (partial(torch.mm, torch.ones(4, 4), torch.ones(4, 4)), 1),
        (copy(10), 1),  # as the product before it
        (copy(10**5), 3),
        (torch.empty(4).zero_, 3),
    ],
    ids=["small", "large", "small matrices", "small copy", "large copy", "unknown"],
)
def test_only_small_products_run_alone(call, threads):
    seen = []
    look = partial(lambda: seen.append(torch.get_num_threads()))
    Calls([product(8), call, look, product(200), look], CPU)()
    assert seen == [threads, 3]
    assert torch.get_num_threads() == 3


def test_in_a_program_of_several_threads_they_stay_as_they_are(monkeypatch):
    monkeypatch.setattr("contractions.calls.active_count", threading.active_count)
    seen, ended = [], threading.Event()
    look = partial(lambda: seen.append(torch.get_num_threads()))
    other = threading.Thread(target=ended.wait)
    other.start()
    try:
        Calls([product(8), look], CPU)()
    finally:
        ended.set()
        other.join()
    assert seen == [3]


def test_threads_are_as_before_when_a_call_fails():
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Calls([product(8), partial(fail)], CPU)()
    assert torch.get_num_threads() == 3


def test_every_call_is_made_once_in_order():
    made = []
    calls = [partial(made.append, 0), product(8), lambda: made.append(1), partial(made.append, 2)]
    Calls([*calls, product(200), partial(made.append, 3)], CPU)()
    assert made == [0, 1, 2, 3]
