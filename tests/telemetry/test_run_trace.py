"""One trace for all processes of a run."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    use_span,
)

from dagster_dfsession.telemetry.run_trace import RunTrace, run_context, trace_tags
from dagster_dfsession.telemetry.spans import UNSEEN, start_span

OUTSIDE = NonRecordingSpan(
    SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1))
)


def context_of(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


@given(run_id=st.uuids().filter(lambda each: each.int).map(str))
def test_every_process_finds_the_trace_of_a_run_by_its_id(run_id: str) -> None:
    one, other = (context_of(run_context(run_id, {})) for _ in range(2))

    assert one == other
    assert one.trace_id == uuid.UUID(run_id).int
    assert one.trace_flags.sampled


def test_two_made_up_runs_have_two_traces() -> None:
    first, second = (context_of(run_context(name, {})) for name in ("adhoc1", "adhoc2"))

    assert first.is_valid
    assert second.is_valid
    assert first.trace_id != second.trace_id


def test_the_tags_of_a_run_say_which_trace_it_continues() -> None:
    with use_span(OUTSIDE):
        tags = trace_tags()
    found = context_of(run_context(str(uuid.uuid4()), {"other": "tag", **tags}))

    assert tags == {"traceparent": f"00-{0xA1:032x}-{0xB2:016x}-01"}
    assert (found.trace_id, found.span_id) == (0xA1, 0xB2)


@pytest.mark.parametrize("broken", ["", "00-x-y-01", "00-0-0-00"])
def test_a_tag_that_is_no_trace_is_as_none(broken: str) -> None:
    run_id = str(uuid.uuid4())

    found = run_context(run_id, {"traceparent": broken})

    assert context_of(found) == context_of(run_context(run_id, {}))


def test_a_span_of_the_user_stays_the_parent() -> None:
    trace = RunTrace("adhoc", {}, "dev")
    with use_span(OUTSIDE), trace.current():
        assert get_current_span() is OUTSIDE
    with trace.current():
        assert get_current_span() is not OUTSIDE
    trace.end()


def test_where_nobody_looks_no_span_is_begun_and_no_place_is_asked_for() -> None:
    def place() -> Context:
        raise AssertionError

    assert start_span("dfsession.run", place) is INVALID_SPAN
    trace = RunTrace("adhoc", {}, "dev")
    trace.begin_step("load", 0)

    assert trace.current() is UNSEEN
