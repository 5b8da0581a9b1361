"""The one way to build a session: shared, pooled or alone, the same phases run."""

import contextlib
import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.catalog import SessionCatalog, TableSource
from dagster_dfsession.session.functions.library import Library, load_library
from dagster_dfsession.session.machine import memory_limit
from dagster_dfsession.session.phases import run_phases
from dagster_dfsession.session.report import InstallReport, PhaseReport
from dagster_dfsession.session.runtime_env import describe_runtime_env
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.site import Site
from dagster_dfsession.session.spill import make_spill_dir, remove_directory
from dagster_dfsession.session.system import Rows
from dagster_dfsession.session.telemetry import artifact_rows, metric_rows
from dagster_dfsession.telemetry.measures import SESSIONS_OPEN
from dagster_dfsession.telemetry.recorder import Recorder
from dagster_dfsession.telemetry.spans import is_traced, span

LOG = logging.getLogger("dagster_dfsession")
LEVELS = MappingProxyType({"debug": logging.DEBUG, "info": logging.INFO})
NOTHING_TOLD: Mapping[str, Rows] = MappingProxyType({})


def open_session(
    plan: SessionPlan,
    library: Library | None = None,
    *,
    source: TableSource | None = None,
    label: str = "alone",
    recorder: Recorder | None = None,
    told: Mapping[str, Rows] = NOTHING_TOLD,
    steps: int = 1,
) -> Session:
    """Build the session that `plan` describes, running every phase in order.

    Args:
        plan: From `plan_session`. Sizes in it are in bytes, batches in rows.
        library: The functions that the plan may name. None: they are loaded from the
            modules that the plan names.
        source: Where tables come from that nobody registers. None: nowhere.
        label: Part of the name of the spill directory, so that a leftover tells
            whose it was.
        recorder: Told what is done. None: one of its own, without sinks.
        told: More rows of the tables of the schema `dfsession`.
        steps: How many steps share the memory of a shared pool, where the plan leaves
            that open.

    Returns:
        A session that nothing else shares; close it, or use it in a `with` block.

    Raises:
        EngineVersionError: datafusion and deltalake do not fit together.
        FunctionError: A module of functions cannot be loaded.
        SettingError: This DataFusion lacks a key, or cannot read its value.
        InstallError: A phase failed; the half-built session is dropped.

    Examples:
        >>> from dagster_dfsession import SessionProfile, plan_session
        >>> with open_session(plan_session(SessionProfile(name="dev"))) as session:
        ...     session.sql("SELECT 1 AS one").to_pydict()
        {'one': [1]}

    Source:
        Setting keys: https://datafusion.apache.org/user-guide/configs.html
    """
    started = time.perf_counter()
    if library is None:
        library = load_library(plan.functions.modules)
    recorder = recorder or Recorder()
    catalog = SessionCatalog(plan.catalog.default_schema)
    if source is not None:
        catalog.source = source
    site = Site(
        plan=plan,
        library=library,
        catalog=catalog,
        runtime_env=describe_runtime_env(
            plan.memory_pool, plan.spill, memory=memory_limit(), steps=steps
        ),
        spill_dir=make_spill_dir(plan.spill, label),
        told={
            "metrics": lambda: metric_rows(recorder),
            "artifacts": lambda: artifact_rows(recorder),
            **told,
        },
    )
    try:
        with (
            site.hooks.told_of_errors(),
            span("dfsession.open", profile=plan.name, plan=plan.fingerprint),
        ):
            if site.hooks.before_session is not None:
                site.hooks.before_session(plan)
            site, phases = _installed(site)
    except BaseException:
        if site.spill_dir is not None:
            remove_directory(site.spill_dir)
        raise
    elapsed_ms = (time.perf_counter() - started) * 1000
    report = InstallReport(phases=phases, elapsed_ms=elapsed_ms)
    if plan.reporting.install_log in LEVELS:
        LOG.log(LEVELS[plan.reporting.install_log], "%s: %s", plan.name, report)
    session = Session(site, report, recorder)
    recorder.record(session.telemetry())
    recorder.totals.add(SESSIONS_OPEN, 1)
    return session


def _installed(site: Site) -> tuple[Site, tuple[PhaseReport, ...]]:
    """Run the phases; again on another site, if an optional extension fails."""
    around = _phase_span if is_traced() else contextlib.nullcontext
    try:
        return site, run_phases(site, around=around)
    except InstallError as error:
        again = site.without(error)
        if again is None:
            raise
    return _installed(again)


def _phase_span(phase: Phase) -> AbstractContextManager[object]:
    return span(f"dfsession.phase.{phase.value}", phase=phase.value)
