"""A code location of two assets that sends its spans away, and whoever launches it.

Run as a script, it launches the job below a span `nightly`, each step in a process of
its own. OTEL_EXPORTER_OTLP_ENDPOINT says where the spans go.
"""

import os
import sys
from pathlib import Path

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import dagster_dfsession as dfs

LAKE = Path(os.environ.get("NIGHTLY_LAKE", "lake"))

provider = TracerProvider(resource=Resource({"process.pid": os.getpid()}))
if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ:  # a process has one, for good
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@dg.asset
def flights() -> pa.Table:
    """Flights: one row a flight."""
    return pa.table({"carrier": ["AA", "UA", "AA"], "delay": [3, 0, 12]})


@dg.asset(deps=[flights])
def delays(dfsession: dfs.DataFusionSessionResource) -> DataFrame:
    """Mean delay: one row a carrier."""
    return dfsession.sql("SELECT carrier, avg(delay) AS delay FROM flights GROUP BY 1")


session = dfs.DataFusionSessionResource(preset="dev")
defs = dg.Definitions(
    assets=[flights, delays],
    jobs=[dg.define_asset_job("nightly", [flights, delays])],
    executor=dg.multiprocess_executor,
    resources={
        "dfsession": session,
        "io_manager": dfs.DataFusionDeltaIOManager(session=session, root_uri=str(LAKE)),
    },
)


def job() -> dg.JobDefinition:
    """Return the job, for the executor's processes."""
    return defs.resolve_job_def("nightly")


def main() -> None:
    """Run the job once in the instance of DAGSTER_HOME, as part of a trace."""
    reconstructable = dg.build_reconstructable_job("tests.telemetry.nightly", "job")
    instance = dg.DagsterInstance.get()
    with trace.get_tracer("launcher").start_as_current_span("nightly"):
        tags = dfs.trace_tags()
        result = dg.execute_job(reconstructable, instance, tags=tags)
    provider.shutdown()
    sys.stdout.write(f"RUN {result.run_id} {result.success}\n")


if __name__ == "__main__":
    main()
