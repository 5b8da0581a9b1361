"""Two assets in one process, and all that the SDK saw of their run, as JSON.

The argument is the directory of the lake. It runs in a process of its own: a process
has one tracer provider, for good.
"""

import json
import logging
import sys
from typing import Any

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dagster_dfsession as dfs

SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(["a", "b"]),
    metadata={"partition_expr": "key"},
)
def orders(context: dg.AssetExecutionContext) -> pa.Table:
    return pa.table({"key": [context.partition_key] * 3, "price": [1.0, 2.0, 3.0]})


@dg.asset(deps=["orders"])
def totals(dfsession: dfs.DataFusionSessionResource) -> DataFrame:
    dfsession.stream("SELECT price FROM orders").to_table()
    with dfsession.run.trace.current():
        logging.getLogger("dagster_dfsession").warning("correlated")
    return dfsession.sql("SELECT sum(price) AS total FROM orders")


class Seen(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "correlated":
            self.ids.append(getattr(record, "otelTraceID", ""))


def flat(span: ReadableSpan) -> dict[str, Any]:
    assert span.context is not None
    return {
        "name": span.name,
        "trace": f"{span.context.trace_id:032x}",
        "id": f"{span.context.span_id:016x}",
        "parent": None if span.parent is None else f"{span.parent.span_id:016x}",
        "attributes": dict(span.attributes or {}),
        "status": span.status.status_code.name,
    }


def amount(point: Any) -> float:
    value: float = point.value if hasattr(point, "value") else point.count
    return value


def main(lake: str) -> None:
    spans, reader, events = (
        InMemorySpanExporter(),
        InMemoryMetricReader(),
        InMemoryLogRecordExporter(),  # type: ignore[no-untyped-call]  # theirs
    )
    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(events))
    trace.set_tracer_provider(tracers)
    _logs.set_logger_provider(loggers)
    metrics.set_meter_provider(MeterProvider([reader]))
    log = Seen()
    logging.getLogger("dagster_dfsession").addHandler(log)

    session = dfs.DataFusionSessionResource(
        preset="dev",
        profile={"diagnostics": {"sinks": ["opentelemetry"], "query_text": True}},
    )
    resources = {
        "dfsession": session,
        "io_manager": dfs.DataFusionDeltaIOManager(session=session, root_uri=lake),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        runs = [
            dg.materialize(
                assets,
                resources=resources,
                instance=instance,
                partition_key=key,
                run_config=SILENT,
            ).run_id
            for assets, key in (([orders], "a"), ([totals], None))
        ]
    data = reader.get_metrics_data()
    assert data is not None
    told = {
        "runs": runs,
        "spans": [flat(each) for each in spans.get_finished_spans()],
        "metrics": {
            metric.name: sum(map(amount, metric.data.data_points))
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        },
        "events": [
            {
                "name": each.log_record.event_name,
                "trace": f"{each.log_record.trace_id or 0:032x}",
                "attributes": dict(each.log_record.attributes or {}),
                "body": each.log_record.body,
            }
            for each in events.get_finished_logs()
        ],
        "logged": log.ids,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
