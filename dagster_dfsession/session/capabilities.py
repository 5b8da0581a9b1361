"""What this build of the engine can do, found out by doing it once a process."""

import functools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext
from datafusion.plan import ExecutionPlan, LogicalPlan
from datafusion.substrait import Consumer, Producer
from datafusion.unparser import Dialect, Unparser
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.gate import PROCESS_GATE
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.rules import read_rules
from dagster_dfsession.session.versions import check_pair, installed

POOL_BYTES = 1_000_000
ROWS = 200_000
"""Sorting so many integers takes more than `POOL_BYTES`."""


class Capability(Frozen, frozen=True):
    """Something an engine may be able to do.

    Attributes:
        missing: What it said when it was asked to; None: it did it.
    """

    name: str
    missing: str | None

    @property
    def there(self) -> bool:
        """Whether the engine can do it."""
        return self.missing is None


@functools.cache
def engine_capabilities() -> Mapping[str, Capability]:
    """Return what the engine can do, by name; the first call takes a tenth of a second.

    Nothing is concluded from a version: each is tried on contexts of no further use.

    Examples:
        >>> found = engine_capabilities()
        >>> found["spill"].there, found["function_factory"].missing
        (True, '...Function factory has not been configured')
    """
    with tempfile.TemporaryDirectory(prefix="dfcapabilities_") as directory:
        at = Path(directory)
        pq.write_table(pa.table({"a": [1, 2, 3]}), at / "t.parquet")
        return MappingProxyType({n: _tried(n, do, at) for n, do in _TRIALS.items()})


def _tried(name: str, do: Callable[[Path], bool], at: Path) -> Capability:
    try:
        missing = None if do(at) else "it was accepted and had no effect"
    except Exception as error:  # noqa: BLE001  # what it says is the finding
        missing = str(error).replace(str(at), "").splitlines()[0]
    return Capability(name=name, missing=missing)


def _rows(ctx: SessionContext, query: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = ctx.sql(query).to_pydict()
    return found


def _over_file(at: Path, **settings: str) -> SessionContext:
    ctx = SessionContext(
        SessionConfig({f"datafusion.{k}": v for k, v in settings.items()})
    )
    ctx.register_parquet("t", at / "t.parquet")
    return ctx


def _input_file_name(at: Path) -> bool:
    (name,) = {*_rows(_over_file(at), "SELECT input_file_name() AS f FROM t")["f"]}
    return bool(name.endswith("t.parquet"))


def _url_tables(at: Path) -> bool:
    ctx = SessionContext().enable_url_table()
    return _rows(ctx, f"SELECT a FROM '{at / 't.parquet'}'") == {"a": [1, 2, 3]}  # noqa: S608  # a path of ours


def _function_factory(at: Path) -> bool:
    del at
    ctx = SessionContext()
    ctx.sql("CREATE FUNCTION one() RETURNS BIGINT RETURN 1")
    return _rows(ctx, "SELECT one() AS n") == {"n": [1]}


def _substrait(at: Path) -> bool:
    ctx = _over_file(at)
    plan = Producer.to_substrait_plan(ctx.sql("SELECT a FROM t").logical_plan(), ctx)
    again = Consumer.from_substrait_plan(ctx, plan)
    frame = ctx.create_dataframe_from_logical_plan(again)
    return bool(frame.to_pydict() == {"a": [1, 2, 3]})


def _logical_plan_bytes(at: Path) -> bool:
    ctx = _over_file(at)
    plan = ctx.sql("SELECT a FROM t").logical_plan()
    again = LogicalPlan.from_bytes(ctx, plan.to_bytes())
    return bool(again.display_indent() == plan.display_indent())


def _physical_plan_bytes(at: Path) -> bool:
    ctx = _over_file(at)
    plan = ctx.sql("SELECT a FROM t").execution_plan()
    again = ExecutionPlan.from_bytes(ctx, plan.to_bytes())
    return bool(again.display_indent() == plan.display_indent())


def _unparser(at: Path) -> bool:
    plan = _over_file(at).sql("SELECT a FROM t").logical_plan()
    return "FROM t" in str(Unparser(Dialect.default()).plan_to_sql(plan))


def _spill(at: Path) -> bool:
    config = SessionConfig(
        {
            "datafusion.execution.sort_spill_reservation_bytes": "0",
            "datafusion.execution.target_partitions": "1",
        }
    )
    builder = RuntimeEnvBuilder().with_fair_spill_pool(POOL_BYTES)
    ctx = SessionContext(config, builder.with_disk_manager_specified(str(at)))
    frame = ctx.sql(f"SELECT value FROM generate_series(1, {ROWS}) ORDER BY 1 DESC")  # noqa: S608  # a number of ours
    rows = sum(batch.to_pyarrow().num_rows for batch in frame.execute_stream())
    metrics = [each for _, each in frame.execution_plan().collect_metrics()]
    return rows == ROWS and sum(each.spilled_bytes or 0 for each in metrics) > 0


def _dynamic_filters(at: Path) -> bool:
    plan = _over_file(at).sql("SELECT a FROM t ORDER BY a LIMIT 1").execution_plan()
    return "DynamicFilter" in plan.display_indent()


def _delta_tables(at: Path) -> bool:
    # Of another pair, the first table may end the process.
    check_pair(installed("datafusion"), installed("deltalake"))
    with delta_errors(str(at)), PROCESS_GATE.streaming():
        write_deltalake(at / "delta", pa.table({"a": [1, 2]}))
        table = DeltaTable(at / "delta")
    ctx = SessionContext()
    ctx.register_table("t", table)
    return _rows(ctx, "SELECT sum(a) AS s FROM t") == {"s": [3]}


def _spark_functions(at: Path) -> bool:
    del at
    ctx = SessionContext()
    ctx.enable_spark_functions()
    # Its own `concat` leaves NULL out.
    return _rows(ctx, "SELECT concat('a', NULL) AS c") == {"c": [None]}


def _foreign_planner(at: Path) -> bool:
    ctx = _over_file(at)
    ctx.set_query_planner(SessionContext())
    return _rows(ctx, "SELECT sum(a) AS s FROM t") == {"s": [6]}


def _removable_rules(at: Path) -> bool:
    ctx = _over_file(at)
    first, *_ = read_rules(ctx).logical
    return ctx.remove_optimizer_rule(first) and first not in read_rules(ctx).logical


def _prepared_statements(at: Path) -> bool:
    ctx = _over_file(at)
    ctx.sql("PREPARE above(BIGINT) AS SELECT a FROM t WHERE a > $1")
    return _rows(ctx, "EXECUTE above(2)") == {"a": [3]}


def _analyze_level(at: Path) -> bool:
    told = [
        _rows(
            _over_file(at, **{"explain.analyze_level": level}),
            "EXPLAIN ANALYZE SELECT a FROM t",
        )
        for level in ("summary", "dev")
    ]
    return len(str(told[0])) < len(str(told[1]))


def _cache_tables(at: Path) -> bool:
    return bool(_rows(_over_file(at), "SELECT * FROM metadata_cache()"))


_TRIALS: Mapping[str, Callable[[Path], bool]] = MappingProxyType(
    {
        "analyze_level": _analyze_level,
        "cache_tables": _cache_tables,
        "delta_tables": _delta_tables,
        "dynamic_filters": _dynamic_filters,
        "foreign_planner": _foreign_planner,
        "function_factory": _function_factory,
        "input_file_name": _input_file_name,
        "logical_plan_bytes": _logical_plan_bytes,
        "physical_plan_bytes": _physical_plan_bytes,
        "prepared_statements": _prepared_statements,
        "removable_rules": _removable_rules,
        "spark_functions": _spark_functions,
        "spill": _spill,
        "substrait": _substrait,
        "unparser": _unparser,
        "url_tables": _url_tables,
    }
)
