"""Work that fails is told of, and its query with it only where the profile says so."""

import sys
from collections.abc import Callable
from types import ModuleType

import dagster as dg
import pytest
from datafusion import DataFrame, SessionContext
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import InstallError, QueryError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.traced import end_execution
from dagster_dfsession.telemetry.payloads import WorkFailed
from dagster_dfsession.telemetry.sink import MemorySink
from dagster_dfsession.telemetry.spans import quietly

Run = Callable[..., dg.ExecuteInProcessResult]
LETTERS = "(SELECT chr(value) AS t FROM generate_series(65, 66)) AS letters"


@dg.asset
def unplanned(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT nowhere AS salary")


@dg.asset
def folded(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT CAST('x' AS bigint) AS salary")


@dg.asset
def streamed(dfsession: DataFusionSessionResource) -> None:
    dfsession.stream(
        f"SELECT CAST(t AS bigint) AS salary FROM {LETTERS}"
    ).to_table()  # ours


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> MemorySink:
    """What `my_sinks:make` makes."""
    made, module = MemorySink(), ModuleType("my_sinks")
    vars(module)["make"] = lambda: made
    monkeypatch.setitem(sys.modules, "my_sinks", module)
    return made


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize(
    ("asset", "doing"),
    [
        (unplanned, "planning a query"),
        (folded, "materializing folded"),
        (streamed, "reading a query"),
    ],
    ids=["planning", "optimizing", "reading"],
)
def test_each_failure_of_a_step_is_told_once_with_its_query_where_that_is_allowed(
    asset: dg.AssetsDefinition, doing: str, *, allowed: bool, run: Run, sink: MemorySink
) -> None:
    diagnostics = {"sinks": ["my_sinks:make"], "query_text": allowed}

    result = run(
        asset, session={"profile": {"diagnostics": diagnostics}}, raise_on_error=False
    )

    told = [entry for entry in sink.entries if entry.spec.name in {"failure", "query"}]
    assert not result.success
    assert [(entry.spec.name, entry.step) for entry in told] == [
        ("failure", asset.key.path[-1])
    ]
    (failure,) = (entry.payload for entry in told)
    assert isinstance(failure, WorkFailed)
    assert failure.doing == doing
    assert ("AS salary" in failure.message) == allowed
    assert ("a query" in failure.message) != allowed


def test_a_session_that_cannot_be_opened_is_told_of() -> None:
    hooks = HooksProfile(after_session=("builtins:len",))
    plan = plan_session(SessionProfile(name="told", hooks=hooks))
    run = RunSession(plan, "run")

    with pytest.raises(InstallError):
        run.lease(Scope(run_id="run"))

    (failure,) = (entry.payload for entry in run.recorder.entries)
    assert isinstance(failure, WorkFailed)
    assert (failure.doing, failure.error) == ("opening a session", "InstallError")
    run.close()


@pytest.fixture
def ended() -> Callable[[Callable[[TracerProvider], None]], ReadableSpan]:
    """Run something that ends one span of a provider; return the span."""

    def only(work: Callable[[TracerProvider], None]) -> ReadableSpan:
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        work(provider)
        (span,) = exporter.get_finished_spans()
        return span

    return only


def failing_quietly(provider: TracerProvider) -> None:
    span = provider.get_tracer("test").start_span("dfsession.step")
    with pytest.raises(QueryError), quietly(span, ends=True):
        raise QueryError("planning 'SELECT salary': no")


def failing_reading(provider: TracerProvider) -> None:
    end_execution(
        provider.get_tracer("test").start_span("dfsession.execute"),
        rows=0,
        failure=QueryError("reading 'SELECT salary': no"),
        metrics=None,
        frame=SessionContext().sql("SELECT 1 AS one"),
    )


@pytest.mark.parametrize("work", [failing_quietly, failing_reading])
def test_a_span_tells_the_class_of_an_error_that_may_quote_a_query(
    work: Callable[[TracerProvider], None],
    ended: Callable[[Callable[[TracerProvider], None]], ReadableSpan],
) -> None:
    span = ended(work)

    assert not span.status.is_ok
    assert span.status.description == "QueryError"
    assert "salary" not in span.to_json()
