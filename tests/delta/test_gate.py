import threading

import pytest

from dagster_dfsession.delta.gate import Gate

SHORT_S = 0.05
LONG_S = 5


def test_streams_pass_together() -> None:
    gate = Gate()
    with gate.streaming(), gate.streaming():
        pass
    with gate.alone():
        pass


def test_whoever_must_be_alone_waits_for_the_last_stream() -> None:
    gate, entered = Gate(), threading.Event()

    def alone() -> None:
        with gate.alone():
            entered.set()

    waiting = threading.Thread(target=alone)
    with gate.streaming():
        with gate.streaming():
            waiting.start()
            assert not entered.wait(SHORT_S)
        assert not entered.wait(SHORT_S)
    assert entered.wait(LONG_S)
    waiting.join(LONG_S)


def test_no_stream_begins_while_another_is_alone() -> None:
    gate, entered = Gate(), threading.Event()

    def stream() -> None:
        with gate.streaming():
            entered.set()

    waiting = threading.Thread(target=stream)
    with gate.alone():
        waiting.start()
        assert not entered.wait(SHORT_S)
    assert entered.wait(LONG_S)
    waiting.join(LONG_S)


def test_a_stream_that_fails_leaves() -> None:
    gate = Gate()
    with pytest.raises(KeyError), gate.streaming():
        raise KeyError
    with gate.alone():
        pass
