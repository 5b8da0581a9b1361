"""A folder of SQL files with a mistake in it is refused, with the place of it."""

import itertools
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
        ("/* ---\ndescription: x\nmode: merge\n--- */\nSELECT 1", CodeLocationError, "a.sql:3: its mode is 'merge', and nothing says which columns"),
        ("/* ---\ndescription: x\nsnapshot: {key: id}\nmode: append\n--- */\nSELECT 1", CodeLocationError, "a.sql:3: a snapshot has no mode"),
        ("/* ---\npartitions: {kind: static, keys: [a]}\n--- */\nSELECT 1", CodeLocationError, "a.sql: it has partitions, and nothing says which column"),
        ("/* ---\nschema_mode: overwritten\n--- */\nSELECT 1", DeltaError, "a.sql: asset 'a' has the schema_mode 'overwritten'.*Did you mean 'overwrite'"),
        ("/* ---\nchecks: [{check: row_count, min: 5, max: 1}]\n--- */\nSELECT 1", CodeLocationError, "a.sql:2: .*has a `max` of 1, less than its `min` of 5"),
        ("/* ---\npartition_expr: day\n--- */\nSELECT 1", CodeLocationError, "a.sql: it has a partition_expr, and no partitions"),
        ("/* ---\npartitions: {kind: daily, start: 2024-01-01, timezone: Europe/Wien}\npartition_expr: d\n--- */\nSELECT 1", CodeLocationError, "a.sql: the timezone 'Europe/Wien' .*Did you mean 'Europe/"),
        ("/* ---\nmetadata: {layout: {sortby: a}}\n--- */\nSELECT 1", DeltaError, "a.sql: the layout of asset 'a' has 'sortby'.*Did you mean 'sort_by'"),
        ("/* ---\ncolumns: {a: {checks: [notnull]}}\n--- */\nSELECT 1", CodeLocationError, "a.sql:2: unknown check 'notnull'; known: not_null, unique. Did you mean 'not_null'"),
        ("/* ---\nchecks:\n- {check: row_count, mn: 1}\n--- */\nSELECT 1", CodeLocationError, "a.sql:3: unknown key 'mn'; known: blocking, max, min, name, severity. Did you mean 'min'"),
        ("/* ---\nchecks: [{check: expression, sql: 'a >'}]\n--- */\nSELECT 1", CodeLocationError, "a.sql: the check 'a >' is no condition: .*expected an expression"),
        ("/* ---\nowners: [ann]\n--- */\nSELECT 1", CodeLocationError, "a.sql: Invalid owner 'ann'"),
        ("/* ---\ngroup: my group\n--- */\nSELECT 1", CodeLocationError, "a.sql: .*not a valid asset group name"),
        ("/* ---\nname: größe\n--- */\nSELECT 1", CodeLocationError, "a.sql is the asset 'größe', and Dagster wants letters"),
        ("\nCREATE TABLE x AS SELECT 1", CodeLocationError, "a.sql:2: CREATE begins no query. Give the SELECT"),
        ("insert into raw.flights SELECT 1", CodeLocationError, "a.sql:1: insert begins no query"),
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


def test_tables_that_wait_for_one_another_are_told_with_a_file(sql: Sql) -> None:
    folder = sql(
        a="SELECT * FROM b",
        b="SELECT * FROM i",
        i="/* ---\nkept: inline\n--- */\nSELECT * FROM v",
        v="/* ---\nkept: view\n--- */\nSELECT * FROM a",
    )

    with pytest.raises(CodeLocationError) as refused:
        load(folder)

    told = str(refused.value)
    assert ".sql: queries name one another in a circle, " in told
    ring = told.partition("circle, ")[2].partition(":")[0].split(" -> ")
    assert set(ring) == {"a", "b", "v"}
    reads = {"a": "b", "b": "v", "v": "a"}
    assert all(reads[at] == to for at, to in itertools.pairwise(ring))


def test_a_query_may_name_its_own_table(sql: Sql) -> None:
    [asset] = load(sql(a="SELECT * FROM a"))

    assert not asset.dependency_keys


def test_a_name_with_capitals_is_suggested_as_sql_spells_it(sql: Sql) -> None:
    with pytest.raises(
        TableNotFoundError, match="Did you mean '\"Flights\"'"
    ) as refused:
        load(sql(Flights="SELECT 1", b="SELECT * FROM Flights"))

    assert refused.value.suggestion == '"Flights"'
    assert len(load(sql(Flights="SELECT 1", b='SELECT * FROM "Flights"'))) == 2


@pytest.mark.parametrize("external", ["raw/flights", [3]])
def test_what_is_external_has_to_be_keys(sql: Sql, external: Any) -> None:
    with pytest.raises(CodeLocationError, match="external"):
        load_sql_assets(sql(a="SELECT 1"), external=external)


def test_a_file_in_another_encoding_is_told_by_name(sql: Sql) -> None:
    folder = sql(a="SELECT 1")
    (folder / "a.yml").write_bytes("description: ä".encode("latin-1"))
    with pytest.raises(CodeLocationError, match=r"a\.yml is not in UTF-8"):
        load(folder)

    (folder / "a.sql").write_bytes("SELECT 1".encode("utf-16"))
    with pytest.raises(CodeLocationError, match=r"a\.sql is not in UTF-8"):
        load(folder)


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(sql: Sql) -> None:
    text = "/* ---\ndescription: x\n--- */\nSELECT * FROM raw.flights\n"
    folder = sql(a="")
    (folder / "a.sql").write_bytes(
        b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    )
    [asset] = load(folder)

    assert asset.dependency_keys == {dg.AssetKey(["raw", "flights"])}
    assert asset.descriptions_by_key[asset.key] == "x"


def test_hidden_files_are_no_queries(sql: Sql) -> None:
    folder = sql(a="SELECT 1")
    (folder / "._a.sql").write_bytes(b"\x00\x05")
    (folder / ".trash").mkdir()
    (folder / ".trash" / "b.sql").write_text("SELECT 2")

    assert len(load(folder)) == 1
