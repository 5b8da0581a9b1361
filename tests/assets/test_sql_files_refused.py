"""A folder of SQL files with a mistake in it is refused, with the place of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dfsession import (
    CodeLocationError,
    DeltaError,
    QueryError,
    TableNotFoundError,
    load_sql_assets,
)

Sql = Callable[..., Path]


def load(folder: Path, **more: Any) -> list[Any]:
    return load_sql_assets(folder, external=["raw/flights"], **more)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("---\nname: x\n---\nSELECT 1", CodeLocationError, "a.sql:1: '---' begins the file. Front matter is a comment"),
        ("/* ---\nname: x\nSELECT 1", CodeLocationError, "a.sql:1: the front matter has no end"),
        ("/* ---\ngroup: g\ndescripton: x\n--- */\nSELECT 1", CodeLocationError, "a.sql:3: unknown key 'descripton'; known: .*Did you mean 'description'"),
        ("/* ---\ncolumns:\n  a:\n    chekcs: []\n--- */\nSELECT 1", CodeLocationError, "a.sql:4: unknown key 'chekcs'; known: checks, description. Did you mean 'checks'"),
        ("/* ---\nkept: veiw\n--- */\nSELECT 1", CodeLocationError, "a.sql:2: unknown kept 'veiw'; known: inline, table, view. Did you mean 'view'"),
        ("/* ---\nchecks:\n- {check: nul}\n--- */\nSELECT 1", CodeLocationError, "a.sql:3: unknown check 'nul'; known: accepted_values"),
        ("/* ---\npartitions: {kind: dayly}\n--- */\nSELECT 1", CodeLocationError, "a.sql:2: unknown kind 'dayly'; known: daily"),
        ("/* ---\npartitions: dayly\n--- */\nSELECT 1", CodeLocationError, "a.sql: partitions 'dayly' are unknown; .*Did you mean 'daily'"),
        ("/* ---\nname: [\n--- */\nSELECT 1", CodeLocationError, "a.sql:\\d: this is no YAML"),
        ("/* ---\nname: a\nname: b\n--- */\nSELECT 1", CodeLocationError, "a.sql:3: 'name' is said twice"),
        ("/* ---\njust words\n--- */\nSELECT 1", CodeLocationError, "a.sql:2: expected keys and values"),
        ("/* ---\nname: a\n--- */\n-- nothing", CodeLocationError, "a.sql has no query"),
        ("/* ---\nkept: view\nmode: append\n--- */\nSELECT 1", CodeLocationError, "a.sql:\\d: .*kept as 'view', for which mode would mean nothing"),
        ("/* ---\nsnapshot: {key: id}\nmode: append\n--- */\nSELECT 1", CodeLocationError, "a snapshot has no mode"),
        ("/* ---\nincremental: {watermark: id}\n--- */\nSELECT $watermark", CodeLocationError, "its mode is None, which would not keep"),
        ("/* ---\nchecks: [{check: unique}]\n--- */\nSELECT 1", CodeLocationError, "takes a `column`, or `columns`"),
        ("/* ---\ncolumns: {a: {checks: [{check: row_cuont}]}}\n--- */\nSELECT 1", CodeLocationError, "Did you mean 'row_count'"),
        ("/* ---\nchecks: [{check: not_null, column: a}, {check: not_null, column: a}]\n--- */\nSELECT 1", CodeLocationError, "two checks are called 'not_null_a'"),
        ("/* ---\nmerge: {on: id, kind: upsrt}\n--- */\nSELECT 1", DeltaError, "a.sql: asset 'a', metadata merge.kind: .*Did you mean 'upsert'"),
        ("\n\nSELECT a FRO t", QueryError, "a.sql: .*line 3, column 14"),
        ("SELECT $minuts", QueryError, "a.sql: .*names \\$minuts, which has no value"),
        ("/* ---\nname: x\n--- */\n\nSELECT *\nFROM raw.flihgts", TableNotFoundError, "a.sql:6: 'raw.flihgts' is no table. Did you mean 'raw.flights'"),
        ("/* ---\nchecks: [{check: relationships, column: a, to: raw.flihgts, field: b}]\n--- */\nSELECT 1", TableNotFoundError, "a.sql: 'raw.flihgts' is no table"),
        ("/* ---\nkept: view\n--- */\nSELECT $partition_key", DeltaError, "the asset has no partitions"),
        ("/* ---\nkept: view\n--- */\nSELECT * FROM a", CodeLocationError, "in a circle: a -> a; keep one of them as 'table'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_file(
    sql: Sql, text: str, error: type[Exception], message: str
) -> None:
    daily = dg.DailyPartitionsDefinition("2024-01-01")

    with pytest.raises(error, match=message):
        load(sql(a=text), partitions={"daily": daily})


def test_all_unknown_tables_of_a_folder_are_told_at_once(sql: Sql) -> None:
    with pytest.raises(TableNotFoundError) as refused:
        load(sql(a="SELECT * FROM x", b="SELECT * FROM y", c="SELECT * FROM a, b"))

    told = str(refused.value)
    assert "a.sql:1: 'x' is no table" in told
    assert "b.sql:1: 'y' is no table" in told
    assert "There is a, b, c, raw.flights." in told


def test_one_key_belongs_to_one_file(sql: Sql) -> None:
    folder = sql(
        mart__a="SELECT 1", b="/* ---\nname: a\nkey_prefix: mart\n--- */\nSELECT 2"
    )

    with pytest.raises(
        CodeLocationError, match=r"b\.sql and mart/a\.sql both are the asset 'mart/a'"
    ):
        load(folder)


def test_a_query_is_described_in_one_place(sql: Sql) -> None:
    folder = sql(a="/* ---\nname: a\n--- */\nSELECT 1")
    (folder / "a.yml").write_text("name: b")

    with pytest.raises(
        CodeLocationError, match=r"a\.sql is described by a\.yml and by itself"
    ):
        load(folder)


def test_what_stands_beside_a_query_has_its_lines(sql: Sql) -> None:
    folder = sql(a="SELECT 1")
    (folder / "a.yml").write_text("name: b\nmoed: append\n")

    with pytest.raises(
        CodeLocationError, match=r"a\.yml:2: unknown key 'moed'.*'mode'"
    ):
        load(folder)


def test_a_description_without_a_query_is_refused(sql: Sql) -> None:
    folder = sql(orders="SELECT 1")
    (folder / "order.yaml").write_text("name: b")

    with pytest.raises(
        CodeLocationError, match=r"order\.yaml describes no query.*'orders'"
    ):
        load(folder)


def test_a_folder_has_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(CodeLocationError, match="is no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(CodeLocationError, match=r"has no \.sql file"):
        load(tmp_path)


def test_one_parameter_has_one_value(sql: Sql) -> None:
    front = "/* ---\nkept: inline\nparams: {n: 1}\n--- */\nSELECT $n AS n"
    folder = sql(i=front, a="/* ---\nparams: {n: 2}\n--- */\nSELECT $n FROM i")

    with pytest.raises(QueryError, match=r"a\.sql: \$n is 2 and in i\.sql.* 1"):
        load(folder)
