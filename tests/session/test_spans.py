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
    profile = span.attributes["dfsession.profile"]
    print(span.name, profile, span.status.status_code.name, len(span.events))
"""


def test_a_session_opens_within_a_span_that_holds_its_failure() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.splitlines() == [
        "dfsession.open traced UNSET 0",
        "dfsession.open traced ERROR 1",
    ]
