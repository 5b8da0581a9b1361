"""What a tracer, a meter and a log see of a run, if there are any."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from dagster_dfsession.telemetry.measures import MEASURES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, HERE / "traced_run.py", tmp_path_factory.mktemp("lake")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    seen: dict[str, Any] = json.loads(ran.stdout)
    return seen


def named(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [span for span in told["spans"] if span["name"] == f"dfsession.{name}"]


@pytest.mark.demand("D75")
def test_each_kind_of_work_is_a_span(told: dict[str, Any]) -> None:
    kinds = {span["name"] for span in told["spans"]}

    assert kinds >= {
        f"dfsession.{kind}"
        for kind in (
            "run",
            "step",
            "open",
            "phase.context",
            "compile",
            "execute",
            "scan",
            "write",
            "commit",
            "teardown",
        )
    }


def test_a_run_is_one_trace_with_its_id_and_everything_is_below_it(
    told: dict[str, Any],
) -> None:
    traces = {uuid.UUID(run).hex for run in told["runs"]}
    by_id = {span["id"]: span for span in told["spans"]}

    def top(span: dict[str, Any]) -> str:
        above = by_id.get(span["parent"])
        return str(span["name"]) if above is None else top(above)

    assert {span["trace"] for span in told["spans"]} == traces
    assert {top(span) for span in told["spans"]} == {"dfsession.run"}


def test_spans_say_database_run_asset_and_partition(told: dict[str, Any]) -> None:
    systems = {span["attributes"]["db.system"] for span in told["spans"]}
    first, second = named(told, "write")

    assert systems == {"datafusion"}
    assert first["attributes"]["dagster.run_id"] == told["runs"][0]
    assert first["attributes"]["dagster.step_key"] == "orders"
    assert first["attributes"]["dagster.asset_key"] == "orders"
    assert first["attributes"]["dagster.partition"] == "a"
    assert first["attributes"]["db.response.returned_rows"] == 3
    assert second["attributes"]["dagster.asset_key"] == "totals"
    assert "dagster.partition" not in second["attributes"]
    (scan, *_) = named(told, "scan")
    assert scan["attributes"]["db.response.returned_rows"] == 3
    assert scan["attributes"]["dfsession.bytes"] > 0


def test_the_text_of_a_query_is_in_its_span_where_the_profile_allows_it(
    told: dict[str, Any],
) -> None:
    texts = {span["attributes"].get("db.statement") for span in named(told, "compile")}

    assert "SELECT price FROM orders" in texts
    assert texts == {
        span["attributes"].get("db.query.text") for span in named(told, "compile")
    }


def test_metrics_count_what_was_done(told: dict[str, Any]) -> None:
    metrics = told["metrics"]

    assert set(metrics) <= {measure.name for measure in MEASURES}
    assert metrics["dfsession.sessions.open"] == 0
    assert metrics["dfsession.rows.written"] == 4
    assert metrics["dfsession.rows.read"] == 6
    assert metrics["dfsession.bytes.written"] > 0
    assert metrics["dfsession.cache.misses"] > 0


def test_events_carry_spec_run_and_trace(told: dict[str, Any]) -> None:
    second = [
        event
        for event in told["events"]
        if event["attributes"]["dfsession.run_id"] == told["runs"][1]
    ]

    assert [event["name"] for event in second] == [
        "dfsession.session",
        "dfsession.query",
        "dfsession.materialization",
        "dfsession.lease",
        "dfsession.teardown",
    ]
    assert {event["trace"] for event in second} == {uuid.UUID(told["runs"][1]).hex}
    assert second[1]["body"]["statement"] == "SELECT price FROM orders"
    assert second[2]["body"]["asset"] == "totals"


def test_a_log_record_names_the_trace_it_belongs_to(told: dict[str, Any]) -> None:
    assert told["logged"] == [uuid.UUID(told["runs"][1]).hex]
