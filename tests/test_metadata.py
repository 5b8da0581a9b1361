"""What Dagster's page is told of a materialization."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import DataFusionSessionResource

Run = Callable[..., dg.ExecuteInProcessResult]

INT, TEXT, TABLE, MD, SCHEMA = (
    dg.IntMetadataValue,
    dg.TextMetadataValue,
    dg.TableMetadataValue,
    dg.MarkdownMetadataValue,
    dg.TableSchemaMetadataValue,
)
OF_A_TABLE: dict[str, type] = {
    "dagster/row_count": INT,
    "dagster/size_bytes": INT,
    "dagster/column_schema": SCHEMA,
    "dagster/table_name": TEXT,
    "dagster/uri": TEXT,
    "uri": TEXT,
    "dfsession/table_version": INT,
    "dfsession/session_hash": TEXT,
    "dfsession/settings_hash": TEXT,
    "dfsession/result_settings_hash": TEXT,
    "dfsession/udf_snapshot_hash": TEXT,
    "dfsession/profile_hash": TEXT,
    "dfsession/engine": TEXT,
    "dfsession/settings": TABLE,
    "dfsession/udfs": TABLE,
    "dfsession/inputs": TABLE,
    "dfsession/changes": MD,
    "dfsession/record": TEXT,
    "dfsession/elapsed_ms": INT,
}
OF_A_QUERY: dict[str, type] = {
    "dfsession/plan_hash": TEXT,
    "dfsession/plan": MD,
    "dfsession/lineage": TABLE,
    "dfsession/rows_read": INT,
    "dfsession/bytes_scanned": INT,
    "dfsession/files_read": INT,
    "dfsession/files_pruned": INT,
    "dfsession/spilled_bytes": INT,
    "dfsession/peak_memory_bytes": INT,
}


@dg.asset
def up() -> pa.Table:
    return pa.table({"k": ["a", "a", "b"], "x": [1, 2, 3]})


@dg.asset
def down(dfsession: DataFusionSessionResource, up: DataFrame) -> DataFrame:
    assert up.count() == 3
    return dfsession.sql("SELECT k, sum(x) AS total FROM up GROUP BY k")


@dg.asset
def alone(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
    return dfsession.materialize(dfsession.sql("SELECT 1 AS x"))


def entries(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node(asset)
    return {key: value.value for key, value in event.metadata.items()}


def kinds(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, type]:
    [event] = result.asset_materializations_for_node(asset)
    return {key: type(value) for key, value in event.metadata.items()}


def shown(value: Any) -> list[dict[str, Any]]:
    return [record.data for record in value.records]


def test_every_key_is_there_in_its_kind(run: Run) -> None:
    result = run(up, down)
    lineage = {"dagster/column_lineage": dg.TableColumnLineageMetadataValue}
    assert kinds(result, "down") == OF_A_TABLE | OF_A_QUERY | lineage
    assert kinds(result, "up") == OF_A_TABLE | {}


def test_each_says_what_it_promises(run: Run, lake: Path) -> None:
    result = run(up, down)
    said = entries(result, "down")

    assert said["dagster/row_count"] == 2
    actions = pa.table(DeltaTable(str(lake / "down")).get_add_actions())
    [size] = actions["size_bytes"].to_pylist()
    assert said["dagster/size_bytes"] == size
    columns = said["dagster/column_schema"].columns
    assert [(c.name, c.type) for c in columns] == [("k", "string"), ("total", "int64")]
    assert said["dagster/table_name"] == "down"
    assert said["uri"] == said["dagster/uri"] == str(lake / "down")
    assert said["dfsession/table_version"] == 0
    assert said["dfsession/rows_read"] == 3
    assert said["dfsession/files_read"] == 1
    assert said["dfsession/files_pruned"] == 0
    assert said["dfsession/bytes_scanned"] > 0
    assert said["dfsession/engine"].startswith("datafusion 55.")
    assert "TableScan: up" in said["dfsession/plan"]
    assert said["dfsession/plan"].startswith("```text\n")
    assert shown(said["dfsession/inputs"]) == [
        {
            "table": "up",
            "version": 0,
            "files read / total": "1 / 1",
            "scan": "native scan",
            "partitions": "",
            "uri": str(lake / "up"),
        }
    ]
    hashes = [said[key] for key in said if key.endswith("_hash")]
    assert len(hashes) == 6
    assert all(len(each) == 64 and int(each, 16) for each in hashes)
    assert lake.joinpath(said["dfsession/record"]).is_file()


def test_the_run_carries_the_beginning_of_the_session_hash(run: Run) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(up, instance=instance)
        [found] = instance.get_runs(
            filters=dg.RunsFilter(
                tags={
                    "dfsession/session": entries(result, "up")[
                        "dfsession/session_hash"
                    ][:16]
                }
            )
        )
    assert found.run_id == result.run_id


def test_settings_are_those_that_differ_from_the_engine(run: Run) -> None:
    profile = {"execution": {"batch_size": 777}, "hardening": {"time_zone": "+01:00"}}
    said = shown(
        entries(run(up, session={"profile": profile}), "up")["dfsession/settings"]
    )
    by_key = {row["key"]: row for row in said}

    assert by_key["execution.batch_size"] == {
        "key": "execution.batch_size",
        "value": "777",
        "default": "8192",
        "changes results": False,
    }
    assert by_key["execution.time_zone"]["changes results"] is True
    assert all(row["value"] != row["default"] for row in said)
    assert "execution.coalesce_batches" not in by_key


def test_functions_are_listed_with_the_beginning_of_their_digest(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("listed_udfs.py").write_text(
        "import pyarrow as pa\n"
        "import pyarrow.compute as pc\n"
        "from dagster_dfsession import scalar_udf\n"
        "INT = pa.int64()\n"
        "@scalar_udf(inputs=[INT], returns=INT, volatility='immutable')\n"
        "def doubled(x):\n"
        "    return pc.multiply(x, 2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    said = entries(run(up, session={"udfs": ["listed_udfs"]}), "up")
    [row] = shown(said["dfsession/udfs"])
    assert (row["name"], row["kind"], row["volatility"]) == (
        "doubled",
        "scalar",
        "immutable",
    )
    assert row["signature"] == "(Int64) -> Int64"
    assert row["origin"] == "listed_udfs:doubled"
    assert len(row["digest"]) == 12
    assert int(row["digest"], 16)


def test_files_are_counted_for_each_input(run: Run, lake: Path) -> None:
    for name, files in (("first", 4), ("second", 2)):
        for at in range(files):
            rows = pa.table({"p": [at], "x": [at]})
            write_deltalake(str(lake / name), rows, mode="append", partition_by=["p"])

    @dg.asset
    def both(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(
            "SELECT a.x, b.x AS y FROM first a JOIN second b ON a.x = b.x "
            "UNION ALL SELECT x, -x FROM first WHERE x < 0"
        )

    said = entries(run(both), "both")
    files_read = {
        row["table"]: row["files read / total"]
        for row in shown(said["dfsession/inputs"])
    }
    # The first table is scanned twice; a file is counted once.
    assert files_read == {"first": "4 / 4", "second": "2 / 2"}
    assert said["dfsession/files_pruned"] == 0


def test_too_many_files_to_name_are_counted_where_one_table_is_read(
    run: Run, lake: Path
) -> None:
    many = pa.table({"p": list(range(201)), "x": list(range(201))})
    write_deltalake(str(lake / "many"), many, partition_by=["p"])
    write_deltalake(str(lake / "few"), pa.table({"x": [1]}))

    @dg.asset
    def one(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT sum(x) AS x FROM many")

    @dg.asset
    def two(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT many.x FROM many JOIN few USING (x)")

    result = run(one, two)
    found = {
        name: {
            row["table"]: row["files read / total"]
            for row in shown(entries(result, name)["dfsession/inputs"])
        }
        for name in ("one", "two")
    }
    assert found == {
        "one": {"many": "201 / 201"},
        "two": {"many": "- / 201", "few": "- / 1"},
    }


def test_append_counts_the_rows_of_the_table(run: Run) -> None:
    @dg.asset(name="up", metadata={"mode": "append"})
    def more() -> pa.Table:
        return pa.table({"x": [1, 2]})

    counts = [entries(run(more), "up")["dagster/row_count"] for _ in range(3)]
    assert counts == [2, 4, 6]


def test_a_retried_append_says_what_the_first_attempt_wrote(run: Run) -> None:
    attempts: list[int] = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def twice(dfsession: DataFusionSessionResource) -> Any:
        attempts.append(1)
        yield dg.Output(
            dfsession.sql("SELECT 1 AS x UNION ALL SELECT 2"),
            metadata={"mode": "append"},
        )
        if len(attempts) == 1:
            raise RuntimeError("too late")

    events = run(twice).asset_materializations_for_node("twice")
    said = events[-1].metadata
    assert said["dagster/row_count"].value == 2
    assert "dfsession/rows_read" not in said


@pytest.mark.parametrize("asset", [up, alone], ids=["IO manager", "resource"])
def test_nothing_is_stored_twice(
    run: Run, lake: Path, asset: dg.AssetsDefinition
) -> None:
    """What an output's own metadata holds, Dagster stores in two events."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(asset, instance=instance, session={"root_uri": str(lake)})
        stored = [
            dg.serialize_value(entry) for entry in instance.all_logs(result.run_id)
        ]
    [event] = [json.loads(each) for each in stored if "dfsession/record" in each]
    assert event["dagster_event"]["event_type_value"] == "ASSET_MATERIALIZATION"


def test_a_resource_without_an_io_manager_says_the_same(run: Run, lake: Path) -> None:
    result = run(alone, session={"root_uri": str(lake)})

    assert kinds(result, "alone") == OF_A_TABLE | OF_A_QUERY
    [event] = result.asset_materializations_for_node("alone")
    digest = entries(result, "alone")["dfsession/session_hash"]
    assert (event.tags or {})["dfsession/session"] == digest[:16]
