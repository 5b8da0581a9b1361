"""Sinks fail, and sinks are slow: the run does not notice, and says what was lost."""

import logging
import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.telemetry.payloads import WorkFailed
from dagster_dfsession.telemetry.recorder import KEPT, Recorder
from dagster_dfsession.telemetry.sink import DiagnosticsSink, Entry, MemorySink


def failed(number: int) -> WorkFailed:
    return WorkFailed(doing=str(number), error="DeltaError", message="no")


def numbers(entries: Sequence[Entry]) -> list[int]:
    return [
        int(each.payload.doing)
        for each in entries
        if isinstance(each.payload, WorkFailed)
    ]


class Stuck(MemorySink):
    """Takes nothing before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def record(self, entries: Sequence[Entry]) -> None:
        assert self.let.wait(10)
        super().record(entries)


class Failing(MemorySink):
    def record(self, entries: Sequence[Entry]) -> None:
        raise OSError(f"no space for {len(entries)}")


class FailingClose(MemorySink):
    def close(self) -> None:
        raise OSError("no space at the end")


class Leaving(MemorySink):
    def record(self, entries: Sequence[Entry]) -> None:
        raise SystemExit(len(entries))


class StuckClose(Stuck):
    """Takes entries at once, and ends when it is let."""

    def record(self, entries: Sequence[Entry]) -> None:
        MemorySink.record(self, entries)

    def close(self) -> None:
        assert self.let.wait(10)


@pytest.mark.demand("D50")
@given(counts=st.lists(st.integers(0, 30), max_size=4))
def test_a_sink_gets_everything_once_and_in_order(counts: list[int]) -> None:
    sink = MemorySink()
    recorder = Recorder("run", {"memory": sink})
    for count in counts:
        for number in range(count):
            recorder.record(failed(number), step="s", attempt=1)
    recorder.close()

    assert numbers(sink.entries) == [n for count in counts for n in range(count)]
    assert {(e.run_id, e.step, e.attempt) for e in sink.entries} <= {("run", "s", 1)}
    assert sink.closed == bool(sink.entries)


def test_a_slow_sink_slows_nobody_and_its_losses_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow, quick = Stuck(), MemorySink()
    recorder = Recorder("run", {"slow": slow, "quick": quick}, capacity=5, wait_s=0.05)
    started = time.perf_counter()
    for number in range(3):
        recorder.record(failed(number))
    recorder.close()

    assert time.perf_counter() - started < 1
    assert numbers(quick.entries) == [0, 1, 2]
    slow.let.set()
    (warned,) = caplog.records
    assert warned.getMessage() == (
        "run run: the diagnostics sink 'slow' did not take 3 of 3 entries: it did not "
        "finish within 0.05 s"
    )
    assert recorder.totals.now()["dfsession.diagnostics.dropped"] == 3


def test_a_full_queue_drops_the_newest_and_says_how_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = Stuck()
    recorder = Recorder("run", {"slow": slow}, capacity=2)
    recorder.record(failed(0))
    while recorder.waiting("slow"):  # until the sink has the first one
        time.sleep(0.001)
    for number in range(1, 6):
        recorder.record(failed(number))
    slow.let.set()
    recorder.close()

    assert numbers(slow.entries) == [0, 1, 2]
    (warned,) = caplog.records
    assert warned.getMessage() == (
        "run run: the diagnostics sink 'slow' did not take 3 of 6 entries: more than 2 "
        "waited"
    )


@pytest.mark.parametrize(
    ("sink", "lost", "said"),
    [
        (Failing(), 1, "did not take 1 of 1 entries: OSError: no space for 1"),
        (
            FailingClose(),
            0,
            "took 1 entries, but may have lost them: OSError: no space at the end",
        ),
    ],
    ids=["fails", "fails at the end"],
)
def test_a_failing_sink_fails_nobody(
    sink: MemorySink, lost: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = MemorySink()
    recorder = Recorder("run", {"broken": sink, "other": other})
    recorder.record(failed(0))
    recorder.close()

    assert numbers(other.entries) == [0]
    warned = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.getMessage() for each in warned] == [
        f"run run: the diagnostics sink 'broken' {said}"
    ]
    assert recorder.totals.now()["dfsession.diagnostics.dropped"] == lost


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sink_that_ends_its_thread_has_lost_all_that_comes_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder("run", {"leaving": Leaving()})
    for number in range(3):
        recorder.record(failed(number))
    recorder.close()

    (warned,) = caplog.records
    assert warned.getMessage() == (
        "run run: the diagnostics sink 'leaving' did not take 3 of 3 entries: it ended "
        "its thread, as SystemExit does"
    )
    assert recorder.totals.now()["dfsession.diagnostics.dropped"] == 3


def test_a_sink_that_is_slow_at_its_end_is_told_of_with_all_that_it_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = StuckClose()
    recorder = Recorder("run", {"slow": slow}, wait_s=0.05)
    recorder.record(failed(0))
    recorder.close()
    slow.let.set()

    (warned,) = caplog.records
    assert warned.getMessage() == (
        "run run: the diagnostics sink 'slow' took 1 entries, but may have lost them: "
        "it did not finish within 0.05 s"
    )


@pytest.mark.demand("D78")
def test_two_runs_share_nothing() -> None:
    sinks = MemorySink(), MemorySink()
    first, second = (Recorder(str(n), {"m": s}) for n, s in enumerate(sinks))
    first.record(failed(1))
    second.record(failed(2))
    first.close()
    second.close()

    assert [numbers(sink.entries) for sink in sinks] == [[1], [2]]
    assert [numbers(each.entries) for each in (first, second)] == [[1], [2]]


def test_a_run_without_sinks_starts_no_thread_and_keeps_the_last() -> None:
    before = threading.active_count()
    recorder = Recorder()
    for number in range(KEPT + 3):
        recorder.record(failed(number))

    assert threading.active_count() == before
    assert numbers(recorder.entries) == list(range(3, KEPT + 3))
    recorder.close()


def test_a_sink_is_known_by_what_it_can_do() -> None:
    assert isinstance(MemorySink(), DiagnosticsSink)
    assert not isinstance(object(), DiagnosticsSink)
