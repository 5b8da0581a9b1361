"""A query that Sail runs over tables in an object store."""

import json
import os
import uuid
from collections.abc import Callable
from typing import Any

import dagster as dg
import psutil
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import dagster_dfsession as dfs
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.engine import SailEngine
from dagster_dfsession.errors import QueryError
from dagster_dfsession.metadata import keys
from dagster_dfsession.profile.sail import SailProfile
from tests.s3.seaweed import BUCKET, SECRET_KEY, S3Server

Run = Callable[..., dg.ExecuteInProcessResult]


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"origin": ["a", "b", "a"], "delay": [1, 20, 30]})


@pytest.fixture
def lake_at() -> str:
    """A root that Sail finds."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


def test_sail_reads_a_lake_in_an_object_store_and_we_commit(
    lake_at: str, s3: S3Server, run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(lake_at, s3.options)
    read, made_at = lake.table(["raw", "flights"]), lake.table(["late"])
    seen: list[dict[str, str]] = []

    @dg.asset(deps=[flights])
    def late(dfsession: dfs.DataFusionSessionResource) -> Any:
        query = dfs.remote_query(
            dfsession, "SELECT origin, sum(delay) AS delay FROM raw.flights GROUP BY 1"
        )
        more = pa.table({"origin": ["c"], "delay": [9]})
        write_deltalake(read.uri, more, mode="append", storage_options=read.options)
        pa.table(query)
        assert isinstance(query.engine, SailEngine)
        servers = query.engine.servers
        seen.extend(psutil.Process(each.pid).environ() for each in servers)
        return query

    before = dict(os.environ)
    io = {"root_uri": lake_at, "storage_options": s3.options}
    result = run(flights, late, io=io)

    written = DeltaTable(made_at.uri, storage_options=made_at.options)
    rows = written.to_pyarrow_table().sort_by("origin").to_pylist()
    assert rows == [{"origin": "a", "delay": 31}, {"origin": "b", "delay": 20}]
    (made,) = result.asset_materializations_for_node("late")
    assert made.metadata[keys.RAN_ON].value == "sail 0.7.2"
    assert [each["AWS_SECRET_ACCESS_KEY"] for each in seen] == [SECRET_KEY]
    assert dict(os.environ) == before
    told = [
        *map(repr, result.all_events),
        *map(repr, made.metadata.items()),
        json.dumps(written.history()),
        *capfd.readouterr(),
    ]
    assert SECRET_KEY not in "".join(told)


def test_a_refused_key_is_told_without_the_secret(lake_at: str, s3: S3Server) -> None:
    wrong = "wrong/with+signs="
    sound = Lake(lake_at, s3.options).table(["t"])
    write_deltalake(sound.uri, pa.table({"n": [1]}), storage_options=sound.options)
    options = {**s3.options, "aws_secret_access_key": wrong}
    table = TableAt(Lake(lake_at, options).table(["t"]), 0)

    with SailEngine(SailProfile()) as sail, pytest.raises(QueryError) as refused:
        sail.execute("SELECT n FROM t", {"t": table}, {})

    assert "403 Forbidden" in str(refused.value)
    assert wrong not in str(refused.value)


def test_a_lake_that_sail_would_not_find_is_refused_before_anything_runs(
    root: str, s3: S3Server, run: Run
) -> None:
    late = dfs.sql_asset(name="late", sql="SELECT n FROM t", engine="sail")
    table = Lake(root, s3.options).table(["t"])
    write_deltalake(table.uri, pa.table({"n": [1]}), storage_options=table.options)

    with pytest.raises(QueryError, match=r"finds no version of a table at .*mein See"):
        run(late, io={"root_uri": root, "storage_options": s3.options})
