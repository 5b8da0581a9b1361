"""Inputs are read as the run read them: versions, partitions, changes."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import Changes, DataFusionSessionResource
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.replay.again import Replayed
from tests.replay.assets import DAILY, FIRST, SECOND, kept

Make = Callable[..., dg.ExecuteInProcessResult]
Again = Callable[..., Replayed]


def test_partitions_of_inputs_are_read_again(make: Make, again: Again) -> None:
    @dg.asset(partitions_def=DAILY, metadata={"partition_expr": "day"})
    def up(context: dg.AssetExecutionContext) -> pa.Table:
        days = list(map(dt.date.fromisoformat, context.partition_keys))
        return pa.table({"day": days, "n": [day.day for day in days]})

    @dg.asset(partitions_def=DAILY, metadata={"partition_expr": "day"})
    def text(up: DataFrame, dfsession: DataFusionSessionResource) -> DataFrame:
        del up  # its name means what the step was given
        return dfsession.sql("SELECT day, n * 2 AS n FROM up")

    @dg.asset(partitions_def=DAILY, metadata={"partition_expr": "day"})
    def calls(up: DataFrame) -> DataFrame:
        return up.filter("n > 0")

    make(up, keys=("2026-03-01", "2026-03-03"))
    make(up, text, calls, keys=("2026-03-02", "2026-03-03"), selection=[text, calls])

    for name in ("text", "calls"):
        found = again(name)
        assert found.rows.outcome == "equal"
        assert found.rows.then.total == 2


@pytest.mark.parametrize("how", ["text", "calls"])
def test_changes_are_read_again(make: Make, again: Again, how: str) -> None:
    @dg.asset(name="log", metadata={"mode": "append"})
    def log(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT 1 AS n")

    @dg.asset(metadata={"mode": "append"})
    def seen(log: Changes, dfsession: DataFusionSessionResource) -> DataFrame:
        if how == "text":
            return dfsession.sql("SELECT n, _commit_version AS v FROM log")
        return log.frame.select("n", "_commit_version")

    runs = [make(log, seen).run_id for _ in range(3)]

    for run in runs:
        found = again("seen", run_id=run)
        assert found.rows.outcome == "equal"
        assert found.rows.then.total == 1


def test_a_version_that_was_asked_for_is_read_again(make: Make, again: Again) -> None:
    @dg.asset(ins={"things": dg.AssetIn(metadata={"version": 0})})
    def old(things: DataFrame) -> DataFrame:
        return things

    @dg.asset(deps=["things"])
    def both(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.table("things", version=0)
        return dfsession.sql('SELECT id FROM things EXCEPT SELECT id FROM "things@0"')

    make(FIRST)
    make(SECOND, old, both)

    assert again("old").rows.outcome == "equal"
    assert again("both").rows.then.total == 1


def test_inputs_that_were_vacuumed_are_named(
    make: Make, again: Again, lake: Path
) -> None:
    make(FIRST, kept())
    made = make(SECOND, kept())
    make(FIRST)
    DeltaTable(str(lake / "things")).vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False
    )

    with pytest.raises(DeltaError) as refused:
        again("kept", run_id=made.run_id)

    text = str(refused.value)
    assert f"{lake}/things: of version 1, 1 data files are gone: " in text
    assert ".parquet. They were vacuumed since" in text


def test_an_input_that_was_made_anew_is_told(
    make: Make, again: Again, lake: Path
) -> None:
    make(FIRST, kept())
    shutil.rmtree(lake / "things")
    write_deltalake(
        str(lake / "things"), pa.table({"id": [9], "name": ["z"], "size": [9]})
    )

    found = again("kept")

    assert found.rows.outcome == "different"
    assert [each.what for each in found.changes] == ["content of input things"]
