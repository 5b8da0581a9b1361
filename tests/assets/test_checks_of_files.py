"""Checks of a SQL file: one scan a table, and examples of what fails."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import SessionContext

from dagster_dfsession import QueryError, load_sql_assets
from dagster_dfsession.assets.table_check import (
    AcceptedValues,
    Check,
    Expression,
    NotNull,
    Relationships,
    Unique,
    checks_query,
    probe,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Sql = Callable[..., Path]
NOW = dt.datetime.now(dt.timezone.utc)

ORDERS = """/* ---
columns:
  id: {checks: [not_null, unique]}
  status: {checks: [{check: accepted_values, values: [open, "it's"], severity: warn}]}
  customer: {checks: [{check: relationships, to: raw.customers, field: id}]}
checks:
- {check: expression, name: positive, sql: price > 0 -- euro}
- {check: unique, columns: [id, status]}
- {check: row_count, min: 1, max: 3}
- {check: freshness, column: at, hours: 24}
--- */
SELECT * FROM raw.orders"""


def orders(**columns: list[Any]) -> dg.AssetsDefinition:
    @dg.asset(key_prefix="raw", name="orders")
    def made() -> pa.Table:
        told: dict[str, list[Any]] = {
            "id": [1, 2],
            "status": ["open", "it's"],
            "customer": [7, None],
            "price": [1.0, None],
            "at": [NOW, None],
            **columns,
        }
        types: dict[str, pa.DataType] = {
            "id": pa.int64(),
            "status": pa.string(),
            "customer": pa.int64(),
            "price": pa.float64(),
            "at": pa.timestamp("us", "UTC"),
        }
        return pa.table({name: pa.array(told[name], types[name]) for name in types})

    return made


@dg.asset(key_prefix="raw")
def customers() -> pa.Table:
    return pa.table({"id": [7, 8, 8]})


def checked(run: Run, folder: Path, *assets: Any) -> dict[str, dg.AssetCheckEvaluation]:
    made = load_sql_assets(folder, external=assets)
    result = run(*assets, *made, raise_on_error=False)
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def examples(found: dg.AssetCheckEvaluation) -> list[dict[str, Any]]:
    table = found.metadata["dfsession/examples"]
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(each.data) for each in table.records]


def test_what_is_kept_passes(sql: Sql, run: Run) -> None:
    found = checked(run, sql(orders=ORDERS), orders(), customers)

    assert {name for name, each in found.items() if not each.passed} == set()
    assert set(found) == {
        "not_null_id",
        "unique_id",
        "accepted_values_status",
        "relationships_customer",
        "positive",
        "unique_id_status",
        "row_count",
        "freshness_at",
    }


def test_what_is_broken_fails_with_rows_of_it(sql: Sql, run: Run) -> None:
    bad = orders(
        id=[1, 1, None, None],
        status=["open", "open", "shut", None],
        customer=[7, 9, 9, None],
        price=[1.0, -1.0, None, 2.0],
        at=[NOW - dt.timedelta(days=2)] * 4,
    )
    found = checked(run, sql(orders=ORDERS), bad, customers)
    failing = {
        name: each.metadata["dfsession/rows_failing"].value
        for name, each in found.items()
        if not each.passed and "dfsession/rows_failing" in each.metadata
    }

    assert not any(each.passed for each in found.values())
    assert failing == {
        "not_null_id": 2,
        "unique_id": 1,
        "accepted_values_status": 1,
        "relationships_customer": 2,
        "positive": 1,
        "unique_id_status": 1,
    }
    assert examples(found["unique_id"]) == [{"id": 1, "rows_alike": 2}]
    (row,) = examples(found["positive"])
    assert (row["id"], row["price"]) == (1, -1.0)
    assert found["row_count"].description == (
        "the table should have 1 to 3 rows, and has 4"
    )
    assert (found["freshness_at"].description or "").startswith(
        "the newest at should be at most 24 hours ago, and is 20"
    )
    warned = found["accepted_values_status"]
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.description == "1 of 4 rows: status is none of 'open', 'it''s'"
    assert found["not_null_id"].severity == dg.AssetCheckSeverity.ERROR


def test_an_empty_table_is_not_fresh(sql: Sql, run: Run) -> None:
    empty = orders(id=[], status=[], customer=[], price=[], at=[])
    found = checked(run, sql(orders=ORDERS), empty, customers)

    assert {name for name, each in found.items() if not each.passed} == {
        "freshness_at",
        "row_count",
    }
    assert (found["freshness_at"].description or "").endswith("is none at all")


def test_a_check_that_blocks_keeps_what_is_downstream_from_running(
    sql: Sql, run: Run, lake: Path
) -> None:
    blocking = "/* ---\nchecks: [{check: row_count, min: 1, blocking: true}]\n--- */\n"
    folder = sql(a=blocking + "SELECT 1 AS n WHERE false", b="SELECT * FROM a")

    checked(run, folder)

    assert (lake / "a").exists()
    assert not (lake / "b").exists()


def test_a_view_is_checked_by_its_query(sql: Sql, run: Run) -> None:
    view = """/* ---
kept: view
params: {least: 1}
checks: [{check: not_null, column: id}, {check: row_count, max: 0}]
--- */
SELECT id FROM raw.customers WHERE id > $least"""
    made = load_sql_assets(sql(mart__v=view), external=[customers])
    run(customers)
    result = run(customers, *made, selection=dg.AssetSelection.all_asset_checks())
    found = {each.check_name: each for each in result.get_asset_check_evaluations()}

    assert found["not_null_id"].passed
    assert not found["row_count"].passed


def test_all_checks_read_the_table_once() -> None:
    ctx = SessionContext()
    ctx.from_pydict({"id": [1], "s": ["a"]}, name="t0")
    ctx.from_pydict({"id": [1]}, name="other")
    checks: list[Check] = [
        NotNull(column="id"),
        Unique(column="id"),
        Unique(columns=("id", "s")),
        AcceptedValues(column="s", values=("a",)),
        Relationships(column="id", to="other", field="id"),
        Expression(sql="id > 0"),
    ]
    query = checks_query("t0", [probe(each, "t0") for each in checks])
    plan = ctx.sql(query).optimized_logical_plan().display_indent()

    assert plan.count("TableScan: t0") + plan.count("TableScan: t ") <= 1
    assert plan.count("TableScan") == 2


@pytest.mark.parametrize("value", ["x'); --", "", "ü"])
def test_an_accepted_value_is_a_value(value: str) -> None:
    ctx = SessionContext()
    ctx.from_pydict({"s": [value, "b", None]}, name="t0")
    check = AcceptedValues(column="s", values=(value,))
    query = checks_query("t0", [probe(check, "t0")])

    assert ctx.sql(query).to_pydict() == {"rows_checked": [3], "failing_0": [1]}


def test_a_check_of_a_column_leaves_the_names_of_others_alone(sql: Sql) -> None:
    front = (
        "/* ---\n{}checks: [{{check: expression, sql: a > 1}}]\n--- */\nSELECT 1 AS a"
    )
    for columns in ("", "columns: {a: {checks: [not_null]}}\n"):
        _, checks = load_sql_assets(sql(t=front.format(columns)))
        assert isinstance(checks, dg.AssetChecksDefinition)
        assert "expression_1" in {each.name for each in checks.check_specs}


def test_values_of_other_types_than_the_column_are_an_error_of_the_query(
    sql: Sql, run: Run
) -> None:
    asked = "[{check: accepted_values, values: [1, true]}]"
    folder = sql(
        t=f"/* ---\ncolumns: {{a: {{checks: {asked}}}}}\n--- */\nSELECT 1 AS a"
    )

    with pytest.raises(QueryError, match="planning, 'SELECT count"):
        run(*load_sql_assets(folder))


def test_too_few_rows_are_told_without_a_maximum(sql: Sql, run: Run) -> None:
    front = "/* ---\nchecks: [{check: row_count, min: 1}]\n--- */\n"
    found = checked(run, sql(t=f"{front}SELECT 1 AS a WHERE false"))

    told = found["row_count"].description
    assert told == "the table should have at least 1 rows, and has 0"
