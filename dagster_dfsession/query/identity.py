"""Which query this is: the same in another run, another process, another attempt."""

import functools
import re
from collections.abc import Collection, Mapping

from datafusion import DataFrame, SessionConfig, SessionContext

from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.functions.snapshot import (
    FunctionEntry,
    functions_in_plan,
)
from dagster_dfsession.session.runtime import SessionRuntime

PLAN_HASH_VERSION = 1
SCAN = re.compile(
    r"TableScan: (.+?)(?: projection=\[| partial_filters=\[| full_filters=\[| unsupported_filters=\[|, fetch=|$)",
    re.MULTILINE,
)
NOT_DETERMINISTIC = (
    "SELECT DISTINCT routine_name FROM information_schema.routines "
    "WHERE NOT is_deterministic"
)


class PlanIdentity(Frozen, frozen=True):
    """A query's identity, and what it depends on.

    Attributes:
        plan_hash: The optimized plan over named tables, the settings that change
            results, and the digests of the functions in it.
        text: The optimized plan, with the names of this run made neutral.
        tables: The tables it reads, as the plan spells them, sorted.
        functions: The user functions it calls, sorted.
        variable: Why running it again could give something else, over the same
            tables: volatile functions, functions without a digest; empty if nothing.
    """

    plan_hash: str
    text: str
    tables: tuple[str, ...]
    functions: tuple[str, ...]
    variable: tuple[str, ...]


def plan_identity(
    frame: DataFrame, runtime: SessionRuntime, *, scoped: Mapping[str, str]
) -> PlanIdentity:
    """Identify the query that a frame stands for.

    Args:
        frame: Composed over named tables; it is planned, not executed.
        runtime: The session it was composed in.
        scoped: Name in this run -> neutral name, for what was registered.

    Raises:
        QueryError: Under `engine_errors` of the caller, if the plan does not optimize.
    """
    composed = frame.logical_plan().display_indent()
    text = neutral(frame.optimized_logical_plan().display_indent(), scoped)
    entries = {entry.name: entry for entry in runtime.functions.entries}
    # Both plans are searched: the optimizer evaluates calls on constants away.
    called = functions_in_plan(f"{composed}\n{text}", _callable_names(entries))
    used = {_owner(name, entries).name: _owner(name, entries) for name in called}
    built_in = functions_in_plan(composed, variable_builtins() - set(entries))
    return PlanIdentity(
        plan_hash=content_hash(
            "plan_text",
            PLAN_HASH_VERSION,
            {
                "text": text,
                "result_settings": runtime.result_settings_hash,
                "functions": {name: used[name].digest for name in sorted(used)},
            },
        ),
        text=text,
        tables=tuple(sorted(set(SCAN.findall(text)))),
        functions=tuple(sorted(used)),
        variable=tuple(sorted({*built_in, *_not_repeatable(used.values())})),
    )


def neutral(text: str, scoped: Mapping[str, str]) -> str:
    """Return the text with this run's names replaced, longest name first."""
    for name in sorted(scoped, key=len, reverse=True):
        text = text.replace(name, scoped[name])
    return text


@functools.cache
def variable_builtins() -> frozenset[str]:
    """Return the engine's functions whose value depends on more than arguments."""
    config = SessionConfig().with_information_schema(enabled=True)
    rows = SessionContext(config).sql(NOT_DETERMINISTIC).to_pydict()
    return frozenset(rows["routine_name"])


def _callable_names(entries: Mapping[str, FunctionEntry]) -> set[str]:
    return {
        alias for entry in entries.values() for alias in (entry.name, *entry.aliases)
    }


def _owner(name: str, entries: Mapping[str, FunctionEntry]) -> FunctionEntry:
    if name in entries:
        return entries[name]
    return next(entry for entry in entries.values() if name in entry.aliases)


def _not_repeatable(entries: Collection[FunctionEntry]) -> set[str]:
    return {
        entry.name
        for entry in entries
        if entry.volatility != "immutable" or entry.digest is None
    }
