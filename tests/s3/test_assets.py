"""Assets whose tables are on an object store, in runs of Dagster."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster_deltalake import S3Config
from datafusion import DataFrame
from deltalake import DeltaTable

import dagster_dfsession as dfs
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.materialization.records import RecordStore
from tests.s3.seaweed import ACCESS_KEY, SECRET_KEY, S3Server

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

DAYS = dg.StaticPartitionsDefinition(["d 1", "d%2"])


# Of a plain asset, Dagster takes no such key.
@dg.multi_asset(outs={"table": dg.AssetOut(key=["raw", "my flights"])})
def flights() -> pa.Table:
    return pa.table({"day": ["d 1", "d 1", "d%2"], "delay": [1, 2, 30]})


@dg.asset(ins={"flights": dg.AssetIn(["raw", "my flights"])})
def by_day(flights: DataFrame, dfsession: dfs.DataFusionSessionResource) -> DataFrame:
    return dfsession.sql(
        "SELECT day, sum(delay) AS delay FROM f GROUP BY day", f=flights
    )


@dg.asset(ins={"f": dg.AssetIn(["raw", "my flights"], dagster_type=dg.Nothing)})
def worst(dfsession: dfs.DataFusionSessionResource) -> DataFrame:
    return dfsession.sql('SELECT max(delay) AS delay FROM raw."my flights"')


@dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
def daily(context: dg.AssetExecutionContext) -> pa.Table:
    return pa.table({"day": [context.partition_key], "n": [len(context.run.run_id)]})


@pytest.fixture
def io(s3: S3Server, root: str) -> dict[str, Any]:
    """The fields of an IO manager with its tables on S3."""
    return {"root_uri": root, "storage_options": s3.options}


@pytest.fixture
def rows(s3_lake: Lake) -> Rows:
    """Read the table of an asset key: its rows, sorted."""

    def read(*key: str) -> list[dict[str, Any]]:
        table = open_table(s3_lake.table(key))
        assert table is not None
        found = pa.RecordBatchReader.from_stream(table.scan()).read_all()
        return sorted(found.to_pylist(), key=str)

    return read


def metadata(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(node)
    return {key: value.value for key, value in event.metadata.items()}


def data_version(result: dg.ExecuteInProcessResult, node: str) -> str:
    (event,) = result.asset_materializations_for_node(node)
    return (event.tags or {})["dagster/data_version"]


def test_assets_read_each_other_by_parameter_and_by_sql(
    run: Run, io: dict[str, Any], rows: Rows
) -> None:
    result = run(flights, by_day, worst, io=io)

    assert rows("raw", "my flights")[0] == {"day": "d 1", "delay": 1}
    assert rows("by_day") == [{"day": "d 1", "delay": 3}, {"day": "d%2", "delay": 30}]
    assert rows("worst") == [{"delay": 30}]
    of_worst = metadata(result, "worst")
    assert of_worst["uri"] == f"{io['root_uri']}/worst"
    assert "my flights" in str(of_worst["dfsession/inputs"])


def test_a_second_run_changes_no_data_version(
    run: Run, io: dict[str, Any], rows: Rows
) -> None:
    first, second = (run(flights, by_day, worst, io=io) for _ in range(2))

    for node in ("flights", "by_day", "worst"):
        assert data_version(first, node) == data_version(second, node)
        assert metadata(second, node)["dfsession/changes"] == "none"
    assert len(rows("by_day")) == 2


def test_the_record_of_a_session_is_beside_the_tables(
    run: Run, io: dict[str, Any], s3_lake: Lake
) -> None:
    made = metadata(run(flights, worst, io=io), "worst")

    record = RecordStore(LakeFiles(s3_lake.root)).get(made["dfsession/record"])
    assert record.session.session_hash == made["dfsession/session_hash"]
    assert [place.uri for place in record.inputs] == [
        f"{io['root_uri']}/raw/my flights"
    ]


def test_a_partition_is_written_alone(run: Run, io: dict[str, Any], rows: Rows) -> None:
    for key in ("d 1", "d%2", "d 1"):
        assert metadata(run(daily, io=io, key=key), "daily")["dagster/row_count"] == 1

    assert [row["day"] for row in rows("daily")] == ["d 1", "d%2"]


def test_a_range_of_partitions_is_written_at_once(
    run: Run, io: dict[str, Any], rows: Rows
) -> None:
    @dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
    def together(context: dg.AssetExecutionContext) -> pa.Table:
        keys = context.partition_keys
        return pa.table({"day": keys, "n": [1] * len(keys)})

    run(together, io=io, keys=("d 1", "d%2"))
    assert [row["day"] for row in rows("together")] == ["d 1", "d%2"]


def test_a_table_is_loaded_as_a_delta_table(run: Run, io: dict[str, Any]) -> None:
    versions = []

    @dg.asset(ins={"table": dg.AssetIn(["raw", "my flights"])})
    def versioned(table: DeltaTable) -> None:
        versions.append((table.version(), table.count()))

    run(flights, versioned, io=io)
    assert versions == [(0, 3)]


def test_a_config_class_of_dagster_deltalake_opens_the_store(
    run: Run, s3: S3Server, root: str, rows: Rows
) -> None:
    config = S3Config(
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        endpoint=s3.endpoint,
        region="us-east-1",
    )
    run(flights, io={"root_uri": root, "storage_options": config})
    assert len(rows("raw", "my flights")) == 3


@pytest.mark.parametrize("as_class", [False, True], ids=["mapping", "S3Config"])
def test_the_secret_may_be_an_environment_variable(
    run: Run,
    s3: S3Server,
    root: str,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
    *,
    as_class: bool,
) -> None:
    monkeypatch.setenv("LAKE_SECRET", SECRET_KEY)
    options = {
        "access_key_id": ACCESS_KEY,
        "secret_access_key": dg.EnvVar("LAKE_SECRET"),
        "endpoint": s3.endpoint,
        "region": "us-east-1",
    }
    given = S3Config(**options) if as_class else options  # type: ignore[arg-type]  # fields by name
    run(flights, io={"root_uri": root, "storage_options": given})
    assert len(rows("raw", "my flights")) == 3


def test_a_resource_writes_and_reads_without_an_io_manager(
    run: Run, s3: S3Server, root: str, rows: Rows
) -> None:
    @dg.asset
    def own(dfsession: dfs.DataFusionSessionResource) -> dg.MaterializeResult[None]:
        return dfsession.materialize(dfsession.sql("SELECT 1 AS one"))

    run(own, session={"root_uri": root, "storage_options": s3.options})
    assert rows("own") == [{"one": 1}]


def test_no_secret_leaves_the_run(
    run: Run, io: dict[str, Any], s3: S3Server, root: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(flights, by_day, worst, io=io, instance=instance)
        said = [str(e) for e in instance.all_logs(result.run_id)]
        said += [dg.serialize_value(event) for event in result.all_events]
        (record,) = instance.get_run_records()
        said.append(dg.serialize_value(record.dagster_run))
    said.append(repr(dfs.DataFusionSessionResource(storage_options=s3.options)))
    files = s3.files
    directory = root.removeprefix("s3://")
    for name in ("raw/my flights", "by_day", "worst"):
        log = f"{directory}/{name}/_delta_log/{0:020}.json"
        said.append(files.open_input_stream(log).read().decode())

    for text in said:
        assert SECRET_KEY not in text
        assert ACCESS_KEY not in text
