"""Which step is running, asked of Dagster at the moment it matters."""

import dagster as dg

from dagster_dfsession.pool.scope import Scope


def current_step() -> dg.OpExecutionContext | None:
    """Return the context of the running step; None outside one (a sensor, a script)."""
    try:
        return dg.OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return None


def current_scope(run_id: str) -> Scope:
    """Return run, step and attempt; the step is `adhoc` outside one."""
    step = current_step()
    if step is None:
        return Scope(run_id=run_id)
    return Scope(
        run_id=run_id,
        step=step.get_step_execution_context().step.key,
        attempt=step.retry_number,
    )
