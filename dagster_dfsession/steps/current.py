"""Which step is running, asked of Dagster at the moment it matters."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_shared.check import CheckError

from dagster_dfsession.history.runs import run_start
from dagster_dfsession.pool.scope import Scope

ONE_PROCESS = frozenset({"in_process", "execute_in_process_executor"})
"""Dagster's executors that run all steps where the run itself is."""


def current_step() -> dg.OpExecutionContext | None:
    """Return the context of the running step; None outside one (a sensor, a script)."""
    try:
        return dg.OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return None


def current_scope(run_id: str) -> Scope:
    """Return run, step and attempt; the step is `adhoc` outside one.

    A thread that an asset starts is outside, for all that Dagster tells.
    """
    step = current_step()
    if step is None:
        return Scope(run_id=run_id)
    return Scope(
        run_id=run_id,
        step=step.get_step_execution_context().step.key,
        attempt=step.retry_number,
    )


def is_spread(step: dg.OpExecutionContext) -> bool:
    """Whether other steps of the run may run in other processes."""
    return step.job_def.executor_def.name not in ONE_PROCESS


def start_of_run() -> dt.datetime | None:
    """Return when the run of this step started, the same in all its steps and attempts.

    None outside a step.
    """
    step = current_step()
    return None if step is None else run_start(step.instance, step.run_id)


def defined_assets(
    step: dg.OpExecutionContext,
) -> list[tuple[dg.AssetKey, Mapping[str, Any]]]:
    """Return the assets of the code location that a step belongs to: key, metadata.

    A run that a script started belongs to none: then those of its job, inputs included.
    """
    try:
        graph = step.repository_def.asset_graph
    except CheckError:
        graph = step.job_def.asset_layer.asset_graph
    return [(key, graph.get(key).metadata) for key in graph.get_all_asset_keys()]
