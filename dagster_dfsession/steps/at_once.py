"""How many steps of the run may be at work on this machine at once."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from dagster_dfsession.errors import SessionError
from dagster_dfsession.steps.current import ONE_PROCESS, current_step

_OWN_MACHINE = frozenset({"k8s"})
"""Executors that give each step memory of its own: a pod."""
_MULTIPROCESS = frozenset({"multiprocess", "multi_or_in_process_executor"})
_DEFAULT = "DAGSTER_MULTIPROCESS_EXECUTOR_MAX_CONCURRENT"
_POOL_TAG = "dagster/concurrency_key"
_KNOWN_BEFORE = "COMPUTE"
"""The kind of a step that is no copy for a dynamic output."""


def steps_at_once(*, in_run: bool) -> int:
    """Return how many steps Dagster may have at work at once, this one included.

    No more than the executor takes, than the run has, and than the limits of Dagster's
    pools allow. Limits by tags are left out, so that there may be fewer.

    Args:
        in_run: Whether there is a run; outside, whoever asks is alone.

    Raises:
        SessionError: Nobody can tell: the executor is none of Dagster's own, or a
            thread asks before its step did.
    """
    step = current_step()
    if step is None:
        if not in_run:
            return 1
        raise SessionError(
            "a thread was first to ask for the session, and Dagster does not tell it "
            "how many steps share runtime.memory_pool: ask for session() before the "
            "thread starts, or say how many in runtime.memory_pool.steps"
        )
    context = step.get_step_execution_context()
    config = context.resolved_run_config.execution.execution_engine_config
    most = executor_limit(context.job_def.executor_def.name, config)
    if most == 1:
        return 1
    keys = context.dagster_run.step_keys_to_execute
    steps = [
        each
        for each in context.execution_plan.step_dict.values()
        if keys is None or each.key in keys
    ]
    if any(each.kind.value != _KNOWN_BEFORE or "[" in each.key for each in steps):
        return most
    pools = [each.pool or (each.tags or {}).get(_POOL_TAG) for each in steps]
    return most_at_once(pools, pool_limits(step.instance, pools), most)


def executor_limit(name: str, config: Mapping[str, Any]) -> int:
    """Return how many steps an executor starts at once on one machine.

    Raises:
        SessionError: It is none of Dagster's own.

    Examples:
        >>> executor_limit("multiprocess", {"max_concurrent": 4})
        4
        >>> executor_limit("multi_or_in_process_executor", {"in_process": {}})
        1
    """
    if name in ONE_PROCESS | _OWN_MACHINE or "in_process" in config:
        return 1
    limits: Mapping[str, Any] = config.get("multiprocess", config)
    if "max_concurrent" not in limits or name not in _MULTIPROCESS:
        raise SessionError(
            f"the executor {name!r} does not tell how many steps it runs at once on a "
            "machine, and they share runtime.memory_pool: say how many in "
            "runtime.memory_pool.steps"
        )
    default = os.environ.get(_DEFAULT) or multiprocessing.cpu_count()
    return int(limits["max_concurrent"] or default)


def most_at_once(
    pools: Iterable[str | None], limits: Mapping[str, int], most: int
) -> int:
    """Return how many steps may be at work at once.

    Args:
        pools: Of each step of the run, the Dagster pool it is in.
        limits: Of pools; one that is not there has none.
        most: What the executor takes.

    Examples:
        >>> most_at_once(["heavy", "heavy", "heavy", None], {"heavy": 2}, 8)
        3
    """
    counted = Counter(pools)
    allowed = sum(
        steps if pool is None else min(steps, limits.get(pool, steps))
        for pool, steps in counted.items()
    )
    return max(1, min(most, allowed))


def pool_limits(
    instance: dg.DagsterInstance, pools: Iterable[str | None]
) -> Mapping[str, int]:
    """Return the limits of Dagster pools, where they count steps."""
    asked, storage = set(pools) - {None}, instance.event_log_storage
    if not asked or not storage.supports_global_concurrency_limits:
        return {}
    config = instance.get_concurrency_config().pool_config
    if config.pool_granularity is not None and config.pool_granularity.value == "run":
        return {}
    default = config.default_pool_limit
    limits = {} if default is None else dict.fromkeys(filter(None, asked), default)
    return limits | {each.name: each.limit for each in storage.get_pool_limits()}
