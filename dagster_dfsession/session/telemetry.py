"""The one payload that a session tells of itself."""

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager

from dagster_dfsession.errors import SessionError
from dagster_dfsession.plan.build import Reporting
from dagster_dfsession.session.report import InstallReport
from dagster_dfsession.session.site import Site
from dagster_dfsession.session.system import Row
from dagster_dfsession.session.versions import installed
from dagster_dfsession.telemetry.measures import OF_SESSION
from dagster_dfsession.telemetry.payloads import PhaseTelemetry, SessionTelemetry
from dagster_dfsession.telemetry.recorder import Recorder
from dagster_dfsession.telemetry.spans import span


def session_telemetry(
    site: Site, report: InstallReport, recorder: Recorder, version: int
) -> SessionTelemetry:
    """Return what is told of a session; the engine is not asked.

    Raises:
        SessionError: There is no such version of the payload.
    """
    if version != 1:
        raise SessionError(
            f"telemetry of version {version} is not known; there is version 1"
        )
    plan = site.plan
    return SessionTelemetry(
        profile=plan.name,
        profile_hash=plan.profile_hash,
        plan_fingerprint=plan.fingerprint,
        datafusion=installed("datafusion"),
        deltalake=installed("deltalake"),
        python=platform.python_version(),
        open_ms=report.elapsed_ms,
        phases=tuple(
            PhaseTelemetry(phase=each.phase.value, installed=len(each.installed))
            for each in report.phases
        ),
        memory_pool=site.runtime_env.memory_pool,
        memory_bytes=site.runtime_env.memory_bytes,
        spills=site.spill_dir is not None,
        functions=len(site.functions),
        registered=len(site.catalog.registered),
        leases=len(site.borrowers),
        totals=recorder.totals.now(),
    )


def compile_span(query: str, reporting: Reporting) -> AbstractContextManager[object]:
    """Return the span of planning a query; errors quote it, so they are as secret."""
    return span(
        "dfsession.compile",
        tells_why=reporting.query_text,
        statement=reporting.shown(query),
    )


def metric_rows(recorder: Recorder) -> Iterator[Row]:
    """Yield the rows of `dfsession.metrics`."""
    totals = recorder.totals.now()
    for each in OF_SESSION:
        yield {
            "name": each.name,
            "value": totals[each.name],
            "kind": each.kind,
            "unit": each.unit,
            "description": each.description,
        }


def artifact_rows(recorder: Recorder) -> Iterator[Row]:
    """Yield the rows of `dfsession.artifacts`: the last entries of the run."""
    return (entry.flat for entry in recorder.entries)
