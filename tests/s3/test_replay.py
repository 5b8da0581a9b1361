"""Replays of tables on an object store, which is only read."""

from collections.abc import Callable

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.history.materializations import find_materialized
from dagster_dfsession.replay.again import replay
from tests.s3.seaweed import S3Server


@dg.asset(metadata={"mode": "append"})
def log() -> pa.Table:
    return pa.table({"id": [1, 2], "x": [0.5, float("nan")]})


@dg.asset(deps=[log], metadata={"mode": "append"})
def appended(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT id, sum(x) AS x FROM log GROUP BY id")


@dg.asset(metadata={"merge": {"on": "id", "kind": "full_sync"}})
def merged(log: DataFrame) -> DataFrame:
    return log.distinct()


def test_what_is_on_an_object_store_is_compared_with_its_replay(
    run: Callable[..., dg.ExecuteInProcessResult],
    s3: S3Server,
    s3_lake: Lake,
    root: str,
) -> None:
    io = {"root_uri": root, "storage_options": s3.options}
    with dg.DagsterInstance.ephemeral() as instance:
        run(log, appended, merged, io=io, instance=instance)
        run(log, appended, merged, io=io, instance=instance)
        made = {
            name: find_materialized(instance, dg.AssetKey(name))
            for name in ("appended", "merged")
        }
    before = LakeFiles(s3_lake.root).every()

    for each in made.values():
        found = replay(each, [s3_lake])
        assert found.rows.outcome == "equal"
        assert found.rows.then.total == 2
        assert found.plan_is_same

    assert LakeFiles(s3_lake.root).every() == before
    with pytest.raises(RecordError, match="lies in none of the lakes"):
        replay(made["merged"], [])
