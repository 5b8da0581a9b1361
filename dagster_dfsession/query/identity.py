"""Which query this is: the same in another run, another process, another attempt."""

import functools
import re
from collections.abc import Collection, Mapping

import datafusion
from datafusion import DataFrame

from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.query.certainty import rows_of_values, undecided
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.scans import SCAN
from dagster_dfsession.session.functions.registry import Routine, builtins_of
from dagster_dfsession.session.functions.snapshot import (
    CALL,
    FunctionEntry,
    functions_in_plan,
)
from dagster_dfsession.session.runtime import SessionRuntime

PLAN_HASH_VERSION = 2
LITERAL = re.compile(r'Utf8(?:View)?\(".*?"\)', re.DOTALL)
TABLE_FUNCTION = "()"
SYNTAX = frozenset(
    re.findall(
        r"\w+",
        """
    Binary BinaryView Boolean CAST Date32 Date64 Decimal128 Decimal256 Decimal32
    Decimal64 Dictionary Duration DurationMicrosecond DurationMillisecond
    DurationNanosecond DurationSecond Field FixedSizeBinary FixedSizeList Float16
    Float32 Float64 Int16 Int32 Int64 Int8 Interval IntervalDayTime
    IntervalMonthDayNano IntervalYearMonth LargeBinary LargeList LargeListView
    LargeUtf8 List ListView Map RunEndEncoded Some Struct TRY_CAST Time32
    Time32Millisecond Time32Second Time64 Time64Microsecond Time64Nanosecond Timestamp
    TimestampMicrosecond TimestampMillisecond TimestampNanosecond TimestampSecond
    UInt16 UInt32 UInt64 UInt8 UNNEST Union Utf8 Utf8View __unnest_placeholder
    outer_ref
    """,
    )
)
"""What stands before a parenthesis in a plan and is no function."""


class PlanIdentity(Frozen, frozen=True):
    """A query's identity, and what it depends on.

    Attributes:
        plan_hash: The plan over named tables as composed, as optimized and as SQL, with
            the types of its columns, its rows of VALUES, the settings that change
            results, and the digests of the functions in it.
        text: The optimized plan, with the names of this run made neutral.
        tables: The tables it reads, as the plan spells them, sorted.
        functions: The user functions it calls, sorted.
        variable: Why running it again could give something else, over the same
            tables: volatile functions, functions that cannot be compared, table
            functions, whose arguments no plan shows, rows taken without an order;
            empty if nothing. The order in which floats are added up is not among
            them, nor which of two equal rows `ORDER BY ... LIMIT` takes.
    """

    plan_hash: str
    text: str
    tables: tuple[str, ...]
    functions: tuple[str, ...]
    variable: tuple[str, ...]


def plan_identity(
    frame: DataFrame | Planned, runtime: SessionRuntime, *, scoped: Mapping[str, str]
) -> PlanIdentity:
    """Identify the query that a frame stands for.

    Args:
        frame: Composed over named tables; it is planned, not executed.
        runtime: The session it was composed in.
        scoped: Name in this run -> neutral name, for what was registered.

    Raises:
        QueryError: Under `engine_errors` of the caller, if the plan does not optimize.
    """
    query = Planned.of(frame)
    optimized, sql = query.optimized, query.sql
    text = neutral(query.text, scoped)
    values = rows_of_values(optimized, text)
    # Both plans are searched: the optimizer evaluates calls on constants away.
    composed = query.composed
    # A text literal that looks like a call costs a data version, never a wrong one.
    calls = f"{composed}\n{text}"
    owners = {
        name: entry
        for entry in runtime.functions.entries
        for name in (entry.name, *entry.aliases)
    }
    used = {
        owners[name].name: owners[name] for name in functions_in_plan(calls, owners)
    }
    scans = set(SCAN.findall(text))
    from_functions = {name for name in scans if name.endswith(TABLE_FUNCTION)}
    return PlanIdentity(
        plan_hash=content_hash(
            "plan_text",
            PLAN_HASH_VERSION,
            {
                "plan": neutral(optimized.display_indent_schema(), scoped),
                "composed": neutral(composed, scoped),
                "sql": None if sql is None else neutral(sql, scoped),
                "values": values,
                "result_settings": runtime.result_settings_hash,
                "functions": {name: used[name].digest for name in sorted(used)},
            },
        ),
        text=text,
        tables=tuple(sorted(scans - from_functions)),
        functions=tuple(sorted(used)),
        variable=tuple(
            sorted(
                {
                    *from_functions,
                    *functions_in_plan(calls, variable_builtins() - owners.keys()),
                    *_not_repeatable(used.values()),
                    *_not_installed(LITERAL.sub("", calls), owners),
                    *undecided(text, sql, values),
                }
            )
        ),
    )


def neutral(text: str, scoped: Mapping[str, str]) -> str:
    """Return the text with this run's names replaced, longest name first."""
    for name in sorted(scoped, key=len, reverse=True):
        text = text.replace(name, scoped[name])
    return text


def neutral_name(name: str) -> str:
    """Return what a registered name is called in the text of a plan.

    Examples:
        >>> neutral_name("limits")
        '<limits>'
    """
    return f"<{name}>"


def variable_builtins() -> frozenset[str]:
    """Return the engine's functions whose value depends on more than arguments."""
    return frozenset(
        each.name
        for each in _builtins()
        if not each.deterministic and each.kind != "table"
    )


@functools.cache
def _builtins() -> frozenset[Routine]:
    """Return the engine's own functions, those for Spark among them."""
    both = (builtins_of(datafusion.__version__, spark=spark) for spark in (True, False))
    return frozenset(routine for each in both for routine in each.routines)


def _not_repeatable(entries: Collection[FunctionEntry]) -> set[str]:
    return {
        entry.name
        for entry in entries
        if entry.volatility != "immutable" or entry.digest is None
    }


def _not_installed(calls: str, owners: Collection[str]) -> set[str]:
    """Return functions that a frame brought along: nobody can say what they do."""
    known = {each.name for each in _builtins()} | SYNTAX | set(owners)
    return {f"{name} (not installed)" for name in set(CALL.findall(calls)) - known}
