"""The trace of a run: one for all its processes."""

import functools
import hashlib
import multiprocessing
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from dagster_dfsession.telemetry.spans import UNSEEN, quietly, start_span

FLUSH_MS = 2000


def trace_tags() -> dict[str, str]:
    """Return tags that make a run part of the current trace: `dg.RunRequest(tags=...)`.

    They are what the propagator of the process says, by default W3C's `traceparent`.
    Without a current span there are none.

    Examples:
        >>> trace_tags()
        {}
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def run_context(run_id: str, tags: Mapping[str, str]) -> Context:
    """Return where the spans of a run belong, the same in each of its processes.

    That is what the tags of the run say, from `trace_tags`. Without them it is the
    trace that has the run id for its trace id: no process has to ask another one.

    Examples:
        >>> context = run_context("1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d", {})
        >>> hex(get_current_span(context).get_span_context().trace_id)
        '0x1a2b3c4d5e6f4a1b8c2d3e4f5a6b7c8d'
    """
    told = propagate.extract(dict(tags), Context())
    if get_current_span(told).get_span_context().is_valid:
        return told
    digest = hashlib.sha256(run_id.encode()).digest()
    try:
        trace_id = uuid.UUID(run_id).int
    except ValueError:  # made up, outside a run
        trace_id = int.from_bytes(digest[8:24], "big")
    made = SpanContext(
        trace_id,
        int.from_bytes(digest[:8], "big"),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(made), Context())


class RunTrace:
    """The spans of a run in this process: its session, and the step it is lent to."""

    def __init__(self, run_id: str, tags: Mapping[str, str], profile: str) -> None:
        """Begin the span of the run's session.

        Args:
            run_id: Dagster's run id, or a made-up one.
            tags: The tags of the run.
            profile: Name of the profile.
        """
        self._run_id = run_id
        self._run = start_span(
            "dfsession.run",
            functools.partial(run_context, run_id, tags),
            run_id=run_id,
            profile=profile,
        )
        self._step: Span | None = None

    def begin_step(self, step: str, attempt: int) -> None:
        """Begin the span of a step; the one before has ended."""
        self.end_step()
        self._step = start_span(
            "dfsession.step",
            lambda: set_span_in_context(self._run, Context()),
            run_id=self._run_id,
            step=step,
            attempt=attempt,
        )

    def end_step(self) -> None:
        """End the span of the step, if there is one."""
        step, self._step = self._step, None
        if step is not None:
            step.end()

    def current(self) -> AbstractContextManager[object]:
        """Let the spans of a block be those of the step, or of the run.

        A span that the user's own code has begun stays their parent.
        """
        own = self._step or self._run
        if own is INVALID_SPAN or get_current_span().get_span_context().is_valid:
            return UNSEEN
        return quietly(own)

    def end(self) -> None:
        """End all spans; a process that will not run its exit handlers sends them.

        A second call does nothing.
        """
        self.end_step()
        if not self._run.is_recording():
            return
        self._run.end()
        # Python's multiprocessing, which starts Dagster's steps, leaves with os._exit.
        if multiprocessing.parent_process() is not None:
            for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
                if isinstance(provider, _Flushes):
                    provider.force_flush(FLUSH_MS)


@runtime_checkable
class _Flushes(Protocol):
    def force_flush(self, timeout_millis: int) -> bool: ...
