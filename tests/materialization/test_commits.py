"""What the commit of a write says of who made it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

Run = Callable[..., dg.ExecuteInProcessResult]

GRID = dg.MultiPartitionsDefinition(
    {
        "left": dg.StaticPartitionsDefinition(["1", "2"]),
        "right": dg.StaticPartitionsDefinition(["x'", "y"]),
    }
)


def stated(table: Path) -> dict[str, Any]:
    """Return what the last commit says, under this package's names."""
    info = DeltaTable(str(table)).history(1)[0]
    return {key: info[key] for key in info if key.startswith("dfsession.")}


def said(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node(asset)
    return {
        "dfsession.asset": event.asset_key.to_user_string(),
        "dfsession.run_id": result.run_id,
        "dfsession.session_hash": event.metadata["dfsession/session_hash"].value,
        "dfsession.data_version": (event.tags or {})["dagster/data_version"],
    }


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_commit_names_asset_run_session_and_data(
    run: Run, lake: Path, mode: str
) -> None:
    @dg.asset(key=["raw", "up"], metadata={"mode": mode})
    def up() -> pa.Table:
        return pa.table({"x": [1]})

    for _ in range(2):
        result = run(up)
        expected = said(result, "raw__up")
        commit = stated(lake / "raw" / "up")
        if mode == "append":  # what is there now is more than this commit
            expected.pop("dfsession.data_version")
            assert len(commit.pop("dfsession.data_version")) == 64
        assert commit == expected


def test_a_stream_states_no_data_version(run: Run, lake: Path) -> None:
    @dg.asset
    def up() -> pl.LazyFrame:
        return pl.LazyFrame({"x": [1]})

    result = run(up)
    expected = said(result, "up")
    assert expected.pop("dfsession.data_version").endswith(":0")
    assert stated(lake / "up") == expected


@pytest.mark.parametrize(
    ("span", "keys"),
    [
        ({"key": "2|x'"}, ["2|x'"]),
        ({"keys": ("1|x'", "2|x'")}, ["1|x'", "2|x'"]),
    ],
    ids=["key", "range"],
)
def test_a_commit_names_its_partition_keys(
    run: Run, lake: Path, span: dict[str, Any], keys: list[str]
) -> None:
    @dg.asset(
        partitions_def=GRID,
        metadata={"partition_expr": {"left": "n", "right": "k"}},
    )
    def up(context: dg.AssetExecutionContext) -> pa.Table:
        parts = [key.split("|") for key in context.partition_keys]
        return pa.table(
            {
                "n": [int(n) for n, _ in parts],
                "k": [k for _, k in parts],
                "x": [1] * len(parts),
            }
        )

    run(up, **span)
    commit = stated(lake / "up")
    assert json.loads(commit["dfsession.partitions"]) == keys
    assert commit["dfsession.scope"] == "files"
    assert len(commit["dfsession.data_version"]) == 64


def test_no_secret_of_the_storage_is_written_anywhere(run: Run, lake: Path) -> None:
    @dg.asset
    def up() -> pa.Table:
        return pa.table({"x": [1]})

    secret = {"storage_options": {"aws_secret_access_key": "hunter2-hunter2"}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(up, io=secret, instance=instance)
        log = "".join(map(dg.serialize_value, instance.all_logs(result.run_id)))
    files = [path for path in lake.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert not any(b"hunter2" in path.read_bytes() for path in files)
    assert "hunter2" not in log
