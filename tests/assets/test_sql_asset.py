"""A SQL asset depends on what its query names, and binds what it is given."""

import datetime as dt
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from dagster_dfsession import (
    DataFusionSessionResource,
    DeltaError,
    PartitionError,
    QueryError,
    SessionProfile,
    sql_asset,
)
from dagster_dfsession.assets.query import query_of
from dagster_dfsession.errors import Place
from dagster_dfsession.profile.functions import FunctionsProfile

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")


def deps(asset: dg.AssetsDefinition) -> list[str]:
    return sorted(key.to_user_string() for key in asset.dependency_keys)


def version(sql: str, **more: Any) -> str | None:
    asset = sql_asset(name="a", sql=sql, **more)
    return asset.get_asset_spec().code_version


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    days = [dt.date(2024, 1, day) for day in (1, 1, 2, 3)]
    return pa.table({"day": days, "delay": [1, 5, 7, 9]})


def test_dependencies_are_what_the_query_names() -> None:
    asset = sql_asset(
        name="a",
        sql='WITH x AS (SELECT * FROM raw.flights) SELECT * FROM x, "raw/us".y, days',
    )

    assert deps(asset) == ["days", "raw/flights", "raw/us/y"]


def test_deps_that_are_given_stand_beside_those_of_the_query() -> None:
    mapped = dg.AssetDep("days", partition_mapping=dg.LastPartitionMapping())
    asset = sql_asset(
        name="a", sql="SELECT * FROM days, b", deps=[mapped, "c", flights]
    )

    assert deps(asset) == ["b", "c", "days", "raw/flights"]
    given = {each.asset_key.path[-1]: each for each in asset.get_asset_spec().deps}
    assert given["days"].partition_mapping == dg.LastPartitionMapping()


def test_a_query_of_its_own_table_depends_on_nothing() -> None:
    assert deps(sql_asset(name="a", key_prefix="raw", sql="SELECT * FROM raw.a")) == []


def test_it_is_written_and_read_like_any_other_asset(run: Run, rows: Rows) -> None:
    late = sql_asset(
        name="late",
        key_prefix=["mart", "us"],
        sql="SELECT day, delay FROM raw.flights WHERE delay > $minutes",
        params={"minutes": 6},
    )
    worst = sql_asset(name="worst", sql='SELECT max(delay) AS n FROM "mart/us".late')

    assert run(flights, late, worst).success
    assert rows("worst") == [{"n": 9}]
    assert len(rows("mart", "us", "late")) == 2


def test_values_are_bound_and_never_text(run: Run, rows: Rows) -> None:
    evil = "x' OR '1' = '1"
    asset = sql_asset(name="a", sql="SELECT $text AS text", params={"text": evil})

    run(asset)

    assert rows("a") == [{"text": evil}]


def test_the_partition_of_the_run_is_bound(run: Run, rows: Rows) -> None:
    asset = sql_asset(
        name="daily",
        sql="""
        SELECT day, sum(delay) AS delay, $partition_key AS key
        FROM raw.flights
        WHERE day >= $partition_start AND day < $partition_end
        GROUP BY day
        """,
        partitions_def=DAYS,
        metadata={"partition_expr": "day"},
    )
    run(flights)

    run(flights, asset, key="2024-01-01", selection=[asset])
    run(flights, asset, key="2024-01-02", selection=[asset])

    assert [(each["delay"], each["key"]) for each in rows("daily")] == [
        (6, "2024-01-01"),
        (7, "2024-01-02"),
    ]


def test_a_run_over_several_partitions_binds_the_span_of_all(
    run: Run, rows: Rows
) -> None:
    asset = sql_asset(
        name="daily",
        sql="SELECT day, delay FROM raw.flights "
        "WHERE day >= $partition_start AND day < $partition_end",
        partitions_def=DAYS,
        metadata={"partition_expr": "day"},
        backfill_policy=None,
    )
    run(flights)

    run(flights, asset, keys=("2024-01-01", "2024-01-02"), selection=[asset])

    assert len(rows("daily")) == 3


def test_one_key_cannot_be_had_of_several(run: Run) -> None:
    asset = sql_asset(
        name="daily",
        sql="SELECT $partition_key AS day",
        partitions_def=DAYS,
        metadata={"partition_expr": "day"},
    )

    with pytest.raises(PartitionError, match="this run has 2 of them"):
        run(asset, keys=("2024-01-01", "2024-01-02"))


def test_the_definition_tells_the_page_what_and_where() -> None:
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno + 1
    asset = sql_asset(name="a", key_prefix="mart", sql="SELECT 1 AS one")
    spec = asset.get_asset_spec()

    assert spec.metadata["dagster/table_name"] == "mart.a"
    assert spec.metadata["dfsession/sql"].md_str == "```sql\nSELECT 1 AS one\n```"
    (place,) = spec.metadata["dagster/code_references"].code_references
    assert (place.file_path, place.line_number) == (__file__, line)
    assert spec.kinds == {"datafusion", "sql", "deltalake"}
    assert spec.description == "A query of no asset."


def test_a_long_query_is_cut_on_the_page_alone() -> None:
    sql = "SELECT 1 AS n\n" + "UNION ALL SELECT 2\n" * 2000
    asset = sql_asset(name="a", sql=sql)
    query = query_of(asset)

    assert len(asset.get_asset_spec().metadata["dfsession/sql"].md_str) < 5000
    assert query is not None
    assert query.sql == sql


def test_what_dagster_takes_is_handed_on() -> None:
    asset = sql_asset(
        name="a",
        sql="SELECT 1 AS one",
        mode="append",
        contract={"schema": {"one": "int64"}},
        group_name="g",
        owners=["team:x"],
        tags={"t": "v"},
        description="One.",
    )
    spec = asset.get_asset_spec()

    assert (spec.group_name, spec.owners, spec.tags["t"]) == ("g", ["team:x"], "v")
    assert spec.description == "One."
    assert spec.metadata["mode"] == "append"
    assert spec.metadata["contract"] == {"schema": {"one": "int64"}}


def test_the_query_survives_what_dagster_does_to_definitions() -> None:
    asset = sql_asset(name="a", sql="SELECT 1 AS one")
    (mapped,) = dg.map_asset_specs(
        lambda s: s.replace_attributes(group_name="g"), [asset]
    )
    session = DataFusionSessionResource(preset="dev")
    definitions = dg.Definitions(
        assets=[mapped],
        resources={"dfsession": session, "io_manager": dg.mem_io_manager},
    )
    (resolved,) = definitions.resolve_asset_graph().assets_defs

    assert query_of(resolved) == query_of(asset) != None  # noqa: E711  # and there is one
    assert query_of(flights) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SELECT a FROM t", "select  A\nfrom t -- note", True),
        ("SELECT a FROM t", "SELECT /* x */ a FROM t", True),
        ("SELECT 'a' FROM t", "SELECT 'A' FROM t", False),
        ('SELECT "a" FROM t', 'SELECT "A" FROM t', False),
        ("SELECT a FROM t", "SELECT b FROM t", False),
        ("SELECT 'a' FROM t", 'SELECT "a" FROM t', False),
    ],
)
def test_the_code_version_is_the_query_less_its_layout(
    one: str, other: str, *, same: bool
) -> None:
    assert (version(one) == version(other)) is same


def test_values_count_for_the_code_version() -> None:
    sql = "SELECT $n AS n"

    assert version(sql, params={"n": 1}) != version(sql, params={"n": 2})


FUNCTION = """
import pyarrow as pa
import pyarrow.compute as pc
from dagster_dfsession import scalar_udf

@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
def times(numbers):
    return pc.multiply(numbers, {factor})
"""


def test_the_body_of_a_function_counts_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    sessions = []
    for factor in (2, 3):
        (tmp_path / f"udfs_by_{factor}.py").write_text(FUNCTION.format(factor=factor))
        functions = FunctionsProfile(modules=(f"udfs_by_{factor}",))
        sessions.append(SessionProfile(name="u", functions=functions))
    twice, thrice = sessions

    named, other = "SELECT TIMES(1) AS n", "SELECT 1 AS n"

    assert version(named, session=twice) != version(named, session=thrice)
    assert version(other, session=twice) == version(other, session=thrice)


def test_its_session_may_have_another_name() -> None:
    asset = sql_asset(name="a", sql="SELECT 1 AS one", session_key="engine")

    assert asset.required_resource_keys == {"engine", "io_manager"}


@pytest.mark.parametrize(
    ("sql", "more", "error", "message"),
    [
        ("SELECT a FRO t", {}, QueryError, "line 1, column 14"),
        ("SELECT $a AS a", {}, QueryError, "names \\$a, which has no value"),
        ("SELECT $minuts", {"params": {"minutes": 1}}, QueryError, "Did you mean 'minutes'"),
        ("SELECT 1", {"params": {"a": 1}}, QueryError, "for a, which its query does not name"),
        ("SELECT $partition_key", {"params": {"partition_key": 1}}, QueryError, "every run binds"),
        ("SELECT $partition_key", {}, PartitionError, "the asset has no partitions"),
        ("SELECT $partition_end", {"partitions_def": dg.StaticPartitionsDefinition(["a"])}, PartitionError, "no windows of time"),
        ("SELECT 1", {"mode": "append", "metadata": {"merge": {"on": "a"}}}, DeltaError, "leave it out"),
        ("SELECT 1", {"mode": "apend"}, DeltaError, "Did you mean 'append'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_where_it_is_written(
    sql: str, more: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sql_asset(name="a", sql=sql, **more)


def test_a_parameter_without_a_value_is_told_with_its_place() -> None:
    with pytest.raises(QueryError) as refused:
        sql_asset(name="a", sql="SELECT 1,\n  $minuts", params={"minutes": 1})

    assert refused.value.places == (Place(2, 3),)
    assert refused.value.suggestion == "minutes"
