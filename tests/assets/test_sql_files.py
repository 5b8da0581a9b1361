"""A folder of SQL files becomes assets, views and queries within queries."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from dagster_dfsession import load_sql_assets

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]
Sql = Callable[..., Path]


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"carrier": ["AA", "AA", "UA"], "delay": [1, 50, 40]})


def load(folder: Path, **more: Any) -> list[Any]:
    return load_sql_assets(folder, **{"external": [flights], **more})


def spec(made: list[Any], name: str) -> dg.AssetSpec:
    specs = {
        found.key.to_user_string(): found
        for each in made
        if not isinstance(each, dg.AssetChecksDefinition)
        for found in ([each] if isinstance(each, dg.AssetSpec) else each.specs)
    }
    return specs[name]


def deps(made: list[Any], name: str) -> list[str]:
    return sorted(each.asset_key.to_user_string() for each in spec(made, name).deps)


def test_a_file_is_an_asset_called_by_its_path(sql: Sql, run: Run, rows: Rows) -> None:
    folder = sql(mart__late="SELECT carrier FROM raw.flights WHERE delay > 45;")

    (late,) = load(folder)
    run(flights, late)

    assert late.key == dg.AssetKey(["mart", "late"])
    assert rows("mart", "late") == [{"carrier": "AA"}]


def test_front_matter_says_the_rest(sql: Sql) -> None:
    text = """/* ---
name: tardy
key_prefix: [eu, mart]
description: One row a flight.
owners: ["team:data"]
tags: {domain: flights}
group: reports
deps: [raw/airports]
params: {minutes: 45}
mode: append
metadata: {partition_by: carrier}
--- */

SELECT carrier FROM raw.flights
WHERE delay > $minutes
"""
    folder = sql(late=text)
    (made,) = load(folder, key_prefix="all")
    found = spec([made], "all/eu/mart/tardy")

    assert (found.group_name, found.owners) == ("reports", ["team:data"])
    assert (found.description, found.tags["domain"]) == ("One row a flight.", "flights")
    assert found.metadata["mode"] == "append"
    assert found.metadata["partition_by"] == "carrier"
    assert deps([made], "all/eu/mart/tardy") == ["raw/airports", "raw/flights"]
    (place,) = found.metadata["dagster/code_references"].code_references
    assert (place.file_path, place.line_number) == (str(folder / "late.sql"), 14)
    assert found.metadata["dfsession/sql"].md_str.startswith("```sql\nSELECT carrier")


def test_a_sidecar_says_it_too(sql: Sql) -> None:
    folder = sql(late="SELECT 1 AS one")
    (folder / "late.yaml").write_text("description: Beside it.\n")

    assert spec(load(folder), "late").description == "Beside it."


def test_the_code_version_is_that_of_the_words(sql: Sql) -> None:
    def version(text: str) -> str | None:
        return spec(load(sql(a=text)), "a").code_version

    first = version("SELECT delay FROM raw.flights")

    assert (
        version("/* ---\ngroup: g\n--- */\nselect Delay\nFROM raw.flights -- x")
        == first
    )
    assert version("SELECT carrier FROM raw.flights") != first


def test_partitions_are_written_in_the_file_or_named(
    sql: Sql, run: Run, rows: Rows
) -> None:
    said = "partitions: {kind: daily, start: 2024-01-01, end: 2024-02-01}"
    query = "SELECT $partition_key AS day, 1 AS n"
    folder = sql(
        a=f"/* ---\n{said}\npartition_expr: day\n--- */\n{query}",
        b=f"/* ---\npartitions: regions\npartition_expr: day\n--- */\n{query}",
    )
    regions = dg.StaticPartitionsDefinition(["eu", "us"])
    a, b = load(folder, partitions={"regions": regions})

    run(a, key="2024-01-02")

    assert rows("a") == [{"day": "2024-01-02", "n": 1}]
    assert b.partitions_def == regions


VIEW = "/* ---\nkept: view\n--- */\n"
INLINE = "/* ---\nkept: inline\n--- */\n"


def test_a_view_is_part_of_the_queries_that_name_it(
    sql: Sql, run: Run, rows: Rows, lake: Path
) -> None:
    folder = sql(
        mart__late=VIEW
        + "WITH x AS (SELECT * FROM raw.flights) SELECT * FROM x -- all",
        a="WITH y AS (SELECT delay FROM mart.late) SELECT max(delay) AS n FROM y",
    )
    made = load(folder)

    run(flights, *made)

    assert rows("a") == [{"n": 50}]
    assert spec(made, "mart/late").is_virtual
    assert deps(made, "a") == ["mart/late"]
    assert deps(made, "mart/late") == ["raw/flights"]
    assert not (lake / "mart").exists()


def test_a_view_is_read_after_what_it_names_was_made(
    sql: Sql, run: Run, rows: Rows
) -> None:
    folder = sql(a="SELECT * FROM m", m=VIEW + "SELECT * FROM z", z="SELECT 1 AS one")

    run(*load(folder))

    assert rows("a") == [{"one": 1}]


def test_an_inline_query_is_no_asset(sql: Sql, run: Run, rows: Rows) -> None:
    folder = sql(
        late=INLINE + "SELECT * FROM raw.flights WHERE delay > 10;",
        late_aa=INLINE + "SELECT * FROM late WHERE carrier = 'AA'",
        a="SELECT late.delay FROM late_aa JOIN late USING (delay)",
    )
    made = load(folder)

    run(flights, *made)

    assert [each.key.to_user_string() for each in made] == ["a"]
    assert deps(made, "a") == ["raw/flights"]
    assert rows("a") == [{"delay": 50}]


def test_a_change_of_an_inline_query_changes_what_names_it(sql: Sql) -> None:
    def version(text: str) -> str | None:
        made = load(sql(i=INLINE + text, a="SELECT * FROM i"))
        return spec(made, "a").code_version

    assert version("SELECT 1") != version("SELECT 2")
    assert version("SELECT 1") == version("select 1 -- one")


def test_values_of_an_inline_query_are_bound(sql: Sql, run: Run, rows: Rows) -> None:
    front = "/* ---\nkept: inline\nparams: {least: 45}\n--- */\n"
    folder = sql(
        i=front + "SELECT delay FROM raw.flights WHERE delay > $least",
        a="WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 2) "
        "SELECT delay, max(x) AS x FROM i CROSS JOIN n GROUP BY delay",
    )

    run(flights, *load(folder))

    assert rows("a") == [{"delay": 50, "x": 2}]


def test_a_snapshot_keeps_the_history(sql: Sql, run: Run, rows: Rows) -> None:
    folder = sql(
        past="/* ---\nsnapshot: {key: id, effective: at}\n--- */\nSELECT * FROM now"
    )

    def now(city: str, day: int) -> dg.AssetsDefinition:
        @dg.asset(name="now")
        def made() -> pa.Table:
            at = dt.datetime(2024, 1, day, tzinfo=dt.timezone.utc)
            return pa.table({"id": [1], "city": [city], "at": [at]})

        return made

    (past,) = load(folder, external=["now"])
    run(now("Graz", 1), past)
    run(now("Linz", 2), past)

    found = {each["city"]: each["is_current"] for each in rows("past")}
    assert found == {"Graz": False, "Linz": True}


def test_columns_are_described_on_the_definition(sql: Sql) -> None:
    text = """/* ---
contract: {schema: {id: int64, city: string}}
columns:
  id: {description: Who., checks: [not_null, unique]}
  city:
    description: Where.
    checks: [{check: accepted_values, values: [Graz, Linz]}]
--- */
SELECT 1 AS id, 'Graz' AS city"""
    made = load(sql(a=text))
    schema = spec(made, "a").metadata["dagster/column_schema"]
    who, where = schema.columns

    assert (who.name, who.type, who.description) == ("id", "int64", "Who.")
    assert (who.constraints.nullable, who.constraints.unique) == (False, True)
    assert (where.type, where.constraints.other) == ("string", ["one of Graz, Linz"])


def test_a_file_says_how_columns_may_change(sql: Sql, run: Run, rows: Rows) -> None:
    for text in (
        "SELECT 1 AS a",
        "/* ---\nschema_mode: overwrite\n--- */\nSELECT 2 AS b",
    ):
        run(*load_sql_assets(sql(t=text)))

    assert rows("t") == [{"b": 2}]
