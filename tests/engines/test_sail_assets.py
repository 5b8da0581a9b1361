"""Assets whose queries Sail runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

import dagster_dfsession as dfs
from dagster_dfsession.assets.query import query_of
from dagster_dfsession.engines.port import Engine
from dagster_dfsession.errors import CodeLocationError, QueryError
from dagster_dfsession.metadata import keys
from tests.scans.foreign import deletion_vector, write_foreign

Run = Callable[..., dg.ExecuteInProcessResult]
SPARK = {"sql": {"float_as_decimal": True, "null_ordering": "nulls_min"}}
PARITY = {"profile": {**SPARK, "sail": {"parity": "sample", "parity_rows": 2}}}
QUERY = """
SELECT origin, count(*) AS flights, sum(delay) * 1.5 AS delay
FROM raw.flights WHERE delay > $least GROUP BY origin ORDER BY origin LIMIT 2
"""


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"origin": ["a", "b", "a", None], "delay": [1, 20, 30, 40]})


def test_an_asset_runs_in_sail_and_its_record_says_so(
    run: Run, rows: Callable[..., list[dict[str, Any]]], lake: Path
) -> None:
    late = dfs.sql_asset(name="late", sql=QUERY, params={"least": 5}, engine="sail")
    here = dfs.sql_asset(name="here", sql=QUERY, params={"least": 5})
    result = run(flights, late, here, session=PARITY)

    assert rows("late") == rows("here")
    assert [row["flights"] for row in rows("late")] == [1, 1]
    told = {
        event.asset_key: event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    found, local = told[dg.AssetKey("late")], told[dg.AssetKey("here")]
    assert found[keys.RAN_ON].value == "sail 0.7.2"
    assert keys.RAN_ON not in local
    assert found[keys.PLAN_HASH].value != local[keys.PLAN_HASH].value
    assert found[keys.SESSION_HASH].value == local[keys.SESSION_HASH].value
    assert found[keys.COLUMN_LINEAGE].value == local[keys.COLUMN_LINEAGE].value
    (read,) = found[keys.INPUTS].value.records  # type: ignore[union-attr]
    assert (read.data["table"], read.data["version"]) == ("raw.flights", 0)
    assert "sail 0.7.2" in json.dumps(read.data)
    assert late.specs_by_key[dg.AssetKey("late")].kinds == {"sail", "sql", "deltalake"}
    assert DeltaTable(str(lake / "late")).version() == 0


def test_the_tables_of_a_run_are_read_at_its_versions(
    run: Run, rows: Callable[..., list[dict[str, Any]]], lake: Path
) -> None:
    run(flights, session={"profile": SPARK})

    @dg.asset
    def late(dfsession: dfs.DataFusionSessionResource) -> Any:
        query = dfs.remote_query(dfsession, "SELECT count(*) AS n FROM raw.flights")
        more = pa.table({"origin": ["c"], "delay": [9]})
        write_deltalake(str(lake / "raw" / "flights"), more, mode="append")
        assert pa.table(query).to_pylist() == [{"n": 4}]
        return query

    run(late, session={"profile": SPARK})

    assert rows("late") == [{"n": 4}]


class Renamed:
    """The same engine, as if it were of another version."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self.execute = engine.execute


def test_another_version_of_the_engine_is_another_plan_and_another_content(
    run: Run,
) -> None:
    engine = {"name": "sail 0.7.2"}

    @dg.asset(deps=[flights])
    def late(dfsession: dfs.DataFusionSessionResource) -> Any:
        query = dfs.remote_query(dfsession, "SELECT origin FROM raw.flights")
        query.engine = Renamed(query.engine, engine["name"])
        return query

    def told() -> tuple[str, ...]:
        (made,) = run(late, session={"profile": SPARK}).asset_materializations_for_node(
            "late"
        )
        tags = made.tags or {}
        found = (made.metadata[key].value for key in (keys.RAN_ON, keys.PLAN_HASH))
        return (*map(str, found), tags["dagster/data_version"])

    run(flights, session={"profile": SPARK})
    first, again = told(), told()
    engine["name"] = "sail 0.7.3"
    other = told()

    assert first == again
    assert other[0] == "sail 0.7.3"
    assert not {*first} & {*other}


def test_the_part_of_a_table_that_a_step_is_given_is_refused(
    run: Run, lake: Path
) -> None:
    days = dg.StaticPartitionsDefinition(["a", "b"])
    parted = dg.AssetSpec(
        "parted", partitions_def=days, metadata={"partition_expr": "origin"}
    )
    write_deltalake(
        str(lake / "parted"),
        pa.table({"origin": ["a", "b"], "n": [1, 2]}),
        partition_by=["origin"],
    )

    @dg.asset(partitions_def=days, metadata={"partition_expr": "origin"})
    def part(dfsession: dfs.DataFusionSessionResource, parted: DataFrame) -> Any:
        del parted
        return dfs.remote_query(dfsession, "SELECT origin FROM parted")

    with pytest.raises(QueryError, match=r"is given a part of .*'parted'.* the WHERE"):
        run(parted, part, key="a", session={"profile": SPARK})


def test_a_table_with_a_feature_of_readers_is_refused(run: Run, lake: Path) -> None:
    write_foreign(
        lake / "t",
        pa.table({"n": [1, 2]}),
        features=["deletionVectors"],
        properties={"delta.enableDeletionVectors": "true"},
        add={"deletionVector": deletion_vector([0])},
    )
    late = dfs.sql_asset(name="late", sql="SELECT n FROM t", engine="sail")

    with pytest.raises(QueryError, match=r"'.*t' has the feature deletionVectors"):
        run(late)


def test_a_table_whose_path_sail_would_not_find_is_refused(
    run: Run, tmp_path: Path
) -> None:
    root = tmp_path / "mein See"
    write_deltalake(str(root / "t"), pa.table({"n": [1]}))
    late = dfs.sql_asset(name="late", sql="SELECT n FROM t", engine="sail")

    with pytest.raises(QueryError, match=r"no version of a table at '.*mein See/t'"):
        run(late, io={"root_uri": str(root)})


def test_a_function_of_python_is_refused(run: Run, lake: Path) -> None:
    write_deltalake(str(lake / "t"), pa.table({"n": [1]}))
    late = dfs.sql_asset(
        name="late", sql="SELECT without_null(n) AS n FROM t", engine="sail"
    )

    with pytest.raises(
        QueryError, match=r"calls without_null, which Sail does not have"
    ):
        run(late, session={"udfs": ["tests.assets.udfs"]})


def test_rows_of_another_engine_are_not_promised_byte_for_byte(
    run: Run, lake: Path
) -> None:
    write_deltalake(str(lake / "t"), pa.table({"n": [1]}))
    late = dfs.sql_asset(
        name="late",
        sql="SELECT n FROM t",
        engine="sail",
        metadata={"determinism": "canonical"},
    )

    with pytest.raises(QueryError, match=r"'canonical'.* runs on sail 0\.7\.2"):
        run(late)


def test_another_engine_is_another_code_version() -> None:
    here, there = (
        dfs.sql_asset(name="late", sql=QUERY, params={"least": 5}, engine=engine)
        for engine in ("datafusion", "sail")
    )

    assert here.code_versions_by_key != there.code_versions_by_key


def test_what_the_text_shows_is_refused_where_the_asset_is_defined() -> None:
    with pytest.raises(QueryError, match=r"refuses concat\(\.\.\.\)"):
        dfs.sql_asset(name="late", sql="SELECT concat('a', 'b') AS x", engine="sail")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT delay / 2 AS x FROM raw.flights", "a / b of integers"),
        ("SELECT key FROM dfsession.settings", "Delta tables alone"),
    ],
)
def test_what_needs_the_tables_is_refused_before_anything_runs(
    query: str, message: str, run: Run, lake: Path
) -> None:
    late = dfs.sql_asset(name="late", sql=query, engine="sail")

    with pytest.raises(QueryError, match=message):
        run(flights, late, session={"profile": SPARK})

    assert not (lake / "late").exists()


def test_columns_of_other_types_are_refused_and_nothing_is_written(
    run: Run, lake: Path
) -> None:
    late = dfs.sql_asset(name="late", sql="SELECT 1 AS one", engine="sail")

    with pytest.raises(dfs.DfSessionError, match=r"'one' int32 where this .* int64"):
        run(late)

    assert not (lake / "late").exists()


def test_a_file_says_the_engine_in_its_front_matter(tmp_path: Path) -> None:
    file = tmp_path / "late.sql"
    file.write_text("/* ---\nengine: sail\n--- */\nSELECT origin FROM raw.flights")
    (late,) = dfs.load_sql_assets(tmp_path, external=["raw/flights"])
    query = query_of(late) if isinstance(late, dg.AssetsDefinition) else None

    assert query is not None
    assert query.engine == "sail"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("engine: sial", "engine"),
        ("kept: view\nengine: sail", "for which engine would mean nothing"),
    ],
)
def test_an_engine_without_a_meaning_is_refused(
    said: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "late.sql").write_text(f"/* ---\n{said}\n--- */\nSELECT 1 AS one")

    with pytest.raises(CodeLocationError, match=message):
        dfs.load_sql_assets(tmp_path)
