"""What a tracer sees of a session, if there is one."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dagster_dfsession.errors import SettingError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session

seen = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(seen))
trace.set_tracer_provider(provider)
for settings in ({}, {"datafusion.nothing": "1"}):
    plan = plan_session(SessionProfile(name="traced", settings=settings))
    try:
        open_session(plan).close()
    except SettingError:
        pass
for span in seen.get_finished_spans():
    if span.name != "dfsession.open":
        continue
    profile = span.attributes["dfsession.profile"]
    print(span.name, profile, span.status.status_code.name, len(span.events))
"""


HIDDEN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dagster_dfsession.errors import QueryError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session

seen = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(seen))
trace.set_tracer_provider(provider)
for shown in (False, True):
    profile = SessionProfile(name="x", diagnostics=DiagnosticsProfile(query_text=shown))
    with open_session(plan_session(profile)) as session:
        try:
            session.sql("SELECT hunter2")
        except QueryError:
            pass
for span in seen.get_finished_spans():
    if span.name == "dfsession.compile":
        print(span.status.status_code.name, "hunter2" in span.to_json())
"""


def printed(code: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_no_span_shows_the_text_of_a_query_unless_the_profile_allows_it() -> None:
    assert printed(HIDDEN) == ["ERROR False", "ERROR True"]


def test_a_session_opens_within_a_span_that_holds_its_failure() -> None:
    assert printed(CODE) == [
        "dfsession.open traced UNSET 0",
        "dfsession.open traced ERROR 1",
    ]
