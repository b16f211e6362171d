"""Runs a protocol while all that the acting party should not need is NaN."""

import numpy as np


def assert_isolated(monkeypatch, module, send, *, make, protocol, alice, bob):
    """Same message and result with Bob's field NaN until Alice has sent, and hers from then on.

    Reading the right answer fails. `send` names in `module` what computes Alice's message, `make`
    makes the instance, `alice` and `bob` name its fields.
    """
    function = getattr(module, send)

    def run(instance, *, corrupt):
        mine, theirs, sent = getattr(instance, alice), getattr(instance, bob), []

        def sending(vector, **options):
            message = function(vector, **options)
            sent.append(message)
            if corrupt:
                object.__setattr__(instance, alice, np.full_like(mine, np.nan))
                object.__setattr__(instance, bob, theirs)
            return message

        def forbidden(_):
            raise AssertionError("a party read the answer")

        with monkeypatch.context() as patch:
            patch.setattr(module, send, sending)
            if corrupt:
                object.__setattr__(instance, bob, np.full_like(theirs, np.nan))
                patch.setattr(type(instance), "answer", property(forbidden))
            result = protocol(instance)
        assert len(sent) == 1
        return sent[0], result

    message, result = run(make(), corrupt=False)
    apart, same = run(make(), corrupt=True)
    np.testing.assert_array_equal(apart, message)
    assert same == result
