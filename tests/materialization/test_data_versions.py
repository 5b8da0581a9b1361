"""Data versions: equal only where the rows are equal, and wherever they should be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import DataFusionSessionResource

Run = Callable[..., dg.ExecuteInProcessResult]

STATIC = dg.StaticPartitionsDefinition(["a", "b"])
BY_K = {"partition_expr": "k"}


def returning(value: Any, **options: Any) -> dg.AssetsDefinition:
    def asset() -> Any:
        return value() if callable(value) else value

    return dg.asset(asset, name="up", **options)


def query(sql: str, **registered: Any) -> dg.AssetsDefinition:
    @dg.asset(deps=["up"], metadata={"schema_mode": "overwrite"})
    def down(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(sql, **registered)

    return down


def version(result: dg.ExecuteInProcessResult, asset: str) -> str:
    event = result.asset_materializations_for_node(asset)[-1]
    return (event.tags or {})["dagster/data_version"]


def entry(result: dg.ExecuteInProcessResult, asset: str, key: str) -> Any:
    event = result.asset_materializations_for_node(asset)[-1]
    return event.metadata[key].value if key in event.metadata else None


@pytest.fixture
def up(run: Run) -> Callable[..., str]:
    """Materialize the asset `up`; return its data version."""

    def materialize(value: Any, **options: Any) -> str:
        return version(run(returning(value, **options)), "up")

    return materialize


@pytest.fixture
def down(run: Run) -> Callable[..., str]:
    """Materialize a query over `up`, after `up` itself if rows are given for it."""

    def materialize(
        sql: str = "SELECT * FROM up", *, up: Any = None, **registered: Any
    ) -> str:
        assets = [query(sql, **registered)]
        if up is not None:
            assets.insert(0, returning(up))
        return version(run(*assets), "down")

    return materialize


ROWS: dict[str, Any] = {"x": [1, 2, None], "s": ["a", None, "c"]}
OTHER: dict[str, Any] = {"x": [1, 2, None], "s": ["a", None, "d"]}


@pytest.mark.parametrize(
    "library", [pa.table, pl.DataFrame, pd.DataFrame], ids=["arrow", "polars", "pandas"]
)
def test_rows_in_memory_are_what_they_hold(
    up: Callable[..., str], library: Callable[..., Any]
) -> None:
    first = up(lambda: library(ROWS))
    assert len(first) == 64
    assert up(lambda: library(ROWS)) == first
    assert up(lambda: library(OTHER)) != first
    assert up(lambda: library(ROWS)) == first


def test_the_order_of_rows_and_the_type_of_a_column_count(
    up: Callable[..., str],
) -> None:
    found = {
        up(
            pa.table({"x": pa.array(values, kind)}),
            metadata={"schema_mode": "overwrite"},
        )
        for values, kind in (
            ([1, 2], pa.int64()),
            ([2, 1], pa.int64()),
            ([1, 2], pa.int32()),
        )
    }
    assert len(found) == 3


def test_chunks_and_notes_of_a_library_do_not_count(up: Callable[..., str]) -> None:
    whole = pa.table(ROWS)
    chunks = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    noted = whole.replace_schema_metadata({"made by": "someone"})
    longer = pa.table({"x": [0, *ROWS["x"], 9], "s": ["first", *ROWS["s"], "last"]})
    part = longer.slice(1, 3)
    assert up(whole) == up(chunks) == up(noted) == up(part)


@pytest.mark.parametrize("kind", ["reader", "lazy", "stream"])
def test_a_stream_has_the_version_of_its_table(run: Run, kind: str) -> None:
    make: dict[str, Callable[[], Any]] = {
        "reader": lambda: pa.table(ROWS).to_reader(),
        "lazy": lambda: pl.LazyFrame(ROWS),
        "stream": lambda: Stream(pa.table(ROWS)),
    }
    results = [run(returning(make[kind])) for _ in range(2)]
    versions = [version(each, "up") for each in results]
    assert [v.rpartition(":")[0][:6] for v in versions] == ["delta:", "delta:"]
    assert [v.rpartition(":")[2] for v in versions] == ["0", "1"]
    assert entry(results[0], "up", "dfsession/variable") == "a stream"


class Stream:
    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.rows.to_reader().__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]


def test_a_query_over_equal_inputs_has_an_equal_version(
    run: Run, down: Callable[..., str]
) -> None:
    first = down(up=pa.table(ROWS))
    assert len(first) == 64
    # Another version of the table, the same rows.
    assert down("SELECT x, s FROM up", up=pa.table(ROWS)) == first
    assert down(up=pa.table(OTHER)) != first
    assert down("SELECT x FROM up", up=pa.table(ROWS)) != first

    faster = {"profile": {"execution": {"batch_size": 9}}}
    assert version(run(query("SELECT * FROM up"), session=faster), "down") == first
    zone = {"profile": {"hardening": {"time_zone": "+01:00"}}}
    assert version(run(query("SELECT * FROM up"), session=zone), "down") != first


def test_append_is_a_new_version_that_names_all_of_it(
    up: Callable[..., str], down: Callable[..., str]
) -> None:
    more = {"mode": "append"}
    versions = [up(pa.table(ROWS), metadata=more) for _ in range(2)]
    assert len({*versions}) == 2
    assert all(len(each) == 64 for each in versions)
    assert down() != down(up=pa.table(ROWS))


def test_maintenance_and_properties_leave_the_version_alone(
    up: Callable[..., str], down: Callable[..., str], lake: Path
) -> None:
    up(pa.table(ROWS))
    up(pa.table(OTHER), metadata={"mode": "append"})
    before = down()
    table = DeltaTable(str(lake / "up"))
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table.alter.set_table_properties({"delta.appendOnly": "false"})
    assert table.version() == 5
    assert down() == before


def test_a_foreign_writer_changes_the_version(
    down: Callable[..., str], lake: Path
) -> None:
    before = down(up=pa.table(ROWS))
    write_deltalake(str(lake / "up"), pa.table(ROWS), mode="overwrite")
    after = down()
    write_deltalake(str(lake / "up"), pa.table(ROWS), mode="overwrite")
    assert len({before, after, down()}) == 3


def test_what_is_registered_counts_by_its_rows(
    down: Callable[..., str],
) -> None:
    sql = "SELECT up.x FROM up JOIN limits ON up.x <= limits.high"
    first = down(sql, up=pa.table(ROWS), limits=pa.table({"high": [1]}))
    assert len(first) == 64
    assert down(sql, limits=pa.table({"high": [1]})) == first
    assert down(sql, limits=pl.DataFrame({"high": [2]})) != first


def test_a_table_within_a_subquery_counts(
    down: Callable[..., str],
) -> None:
    sql = "SELECT 1 AS one WHERE 1 <= (SELECT max(x) FROM up)"
    first = down(sql, up=pa.table({"x": [1]}))
    assert down(sql, up=pa.table({"x": [9]})) != first


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT random() AS x", "random"),
        ("SELECT uuid() AS x", "uuid"),
        ("SELECT CAST(now() AS date) AS x", "now"),
        ("SELECT x FROM up WHERE random() >= 0", "random"),
    ],
)
def test_a_query_that_varies_has_the_version_of_its_table_and_says_why(
    run: Run, up: Callable[..., str], sql: str, reason: str
) -> None:
    up(pa.table(ROWS))
    results = [run(query(sql)) for _ in range(2)]
    found = [version(each, "down") for each in results]
    assert [each[:6] for each in found] == ["delta:", "delta:"]
    assert found[0] != found[1]
    assert entry(results[0], "down", "dfsession/variable") == reason


def test_a_query_that_does_not_vary_says_no_reason(run: Run) -> None:
    result = run(query("SELECT 1 AS x"))
    assert entry(result, "down", "dfsession/variable") is None


def parts(value: pa.Table) -> dg.AssetsDefinition:
    return returning(value, partitions_def=STATIC, metadata=BY_K)


def rows_of(*keys: str, x: int) -> pa.Table:
    return pa.table({"k": keys, "x": [x] * len(keys)})


def test_one_partition_written_again_counts_by_its_rows(
    run: Run, down: Callable[..., str]
) -> None:
    for key in ("a", "b"):
        run(parts(rows_of(key, x=1)), key=key)
    before = down()
    run(parts(rows_of("a", x=1)), key="a")
    assert down() == before
    run(parts(rows_of("a", x=2)), key="a")
    changed = down()
    assert changed != before
    run(parts(rows_of("a", x=1)), key="a")
    assert down() == before


def test_a_partition_depends_on_its_own_partitions_alone(run: Run) -> None:
    @dg.asset(partitions_def=STATIC, metadata=BY_K)
    def copy(up: DataFrame) -> DataFrame:
        return up

    both = parts(rows_of("a", x=1))

    def of_a() -> str:
        return version(run(both, copy, key="a", selection=["copy"]), "copy")

    run(parts(rows_of("a", x=1)), key="a")
    run(parts(rows_of("b", x=1)), key="b")
    before = of_a()
    run(parts(rows_of("b", x=2)), key="b")
    assert of_a() == before
    run(parts(rows_of("a", x=2)), key="a")
    assert of_a() != before


def test_a_partition_of_another_key_is_another_version(run: Run) -> None:
    empty = rows_of(x=1)
    kinds = rows_of("a", x=1).schema
    found = {
        version(run(parts(empty.cast(kinds)), key=key), "up") for key in ("a", "b")
    }
    assert len(found) == 2


def test_what_is_cut_off_an_input_counts(run: Run, up: Callable[..., str]) -> None:
    up(pa.table(ROWS))

    def reading(**metadata: Any) -> str:
        @dg.asset(
            ins={"up": dg.AssetIn(metadata=metadata)},
            metadata={"schema_mode": "overwrite"},
        )
        def down(up: DataFrame) -> DataFrame:
            return up

        result = run(dg.AssetSpec("up"), down, selection=["down"])
        return version(result, "down")

    assert len({reading(), reading(columns=["x"]), reading(predicate="x > 1")}) == 3
    assert reading(version=0) == reading()
