"""Assets whose queries Sail runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import dagster_dfsession as dfs
from dagster_dfsession.assets.query import query_of
from dagster_dfsession.errors import CodeLocationError, QueryError
from dagster_dfsession.metadata import keys

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
