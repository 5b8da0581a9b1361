"""Runs that read the same changes at the same time: one of them commits."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import Changes, DataFusionSessionResource
from dagster_dfsession.errors import CommitError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

MERGING = {"mode": "merge", "merge": {"kind": "upsert", "on": ["x"]}}
DAYS = dg.StaticPartitionsDefinition(["a", "b"])
BY_DAY = {"partition_expr": "day", "partition_by": "day"}


def append(lake: Path, *xs: int) -> None:
    rows = pa.table({"x": [x for x in xs for _ in "ab"], "day": ["a", "b"] * len(xs)})
    write_deltalake(str(lake / "up"), rows, mode="append")


def reading(
    metadata: dict[str, Any], together: threading.Barrier | None = None, **options: Any
) -> dg.AssetsDefinition:
    """An asset that goes on once all others have read the changes as well."""

    def down(up: Changes) -> DataFrame:
        step = dg.AssetExecutionContext.get()
        frame = up.frame.select("x", "day")
        day = step.partition_key if step.has_partition_key else "a"
        if together is not None:
            together.wait(30)
        return frame.filter(f"day = '{day}'")

    return dg.asset(down, metadata=metadata, **options)


def at_once(
    run: Run, asset: dg.AssetsDefinition, *keys: str | None
) -> list[BaseException]:
    failures: list[BaseException] = []

    def read(key: str | None) -> None:
        options = {"selection": ["down"], "key": key}
        # The log of the fixture's instance takes one writer at a time.
        with dg.DagsterInstance.ephemeral() as instance:
            try:
                run(dg.AssetSpec("up"), asset, instance=instance, **options)
            except CommitError as error:
                failures.append(error)

    threads = [threading.Thread(target=read, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("mode", ["append", "overwrite", "merge"])
@pytest.mark.parametrize("table", ["new", "old"])
def test_of_two_runs_that_have_read_the_same_changes_one_commits(
    run: Run, lake: Path, rows: Rows, mode: str, table: str
) -> None:
    metadata = MERGING if mode == "merge" else {"mode": mode}
    append(lake, 1)
    if table == "old":
        run(dg.AssetSpec("up"), reading(metadata), selection=["down"])
        append(lake, 2)
    together = threading.Barrier(2)
    [failure] = at_once(run, reading(metadata, together), None, None)

    assert "another run has committed the same changes" in str(failure)
    assert "Run again" in str(failure)
    kept = [{"day": "a", "x": x} for x in ([1] if table == "new" else [1, 2])]
    assert rows("down") == (kept[-1:] if mode == "overwrite" else kept)


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_of_two_runs_of_one_partition_one_commits(
    run: Run, lake: Path, rows: Rows, mode: str
) -> None:
    append(lake, 1)
    asset = reading({**BY_DAY, "mode": mode}, threading.Barrier(2), partitions_def=DAYS)
    [failure] = at_once(run, asset, "a", "a")

    assert "another run has committed the same changes" in str(failure)
    assert rows("down") == [{"day": "a", "x": 1}]


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_runs_of_two_partitions_both_commit(
    run: Run, lake: Path, rows: Rows, mode: str
) -> None:
    append(lake, 1)
    asset = reading({**BY_DAY, "mode": mode}, threading.Barrier(2), partitions_def=DAYS)

    assert at_once(run, asset, "a", "b") == []
    assert rows("down") == [{"day": "a", "x": 1}, {"day": "b", "x": 1}]


def test_a_run_after_one_that_was_refused_reads_what_came_after(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1)
    asset = reading({"mode": "append"}, threading.Barrier(2))
    assert len(at_once(run, asset, None, None)) == 1
    append(lake, 2)
    again = reading({"mode": "append"})
    run(dg.AssetSpec("up"), again, selection=["down"])
    run(dg.AssetSpec("up"), again, selection=["down"])

    assert rows("down") == [{"day": "a", "x": 1}, {"day": "a", "x": 2}]


def test_a_range_that_a_restored_table_reads_again_is_taken_once(
    run: Run, lake: Path, rows: Rows
) -> None:
    """The log still has the turns that a restored version knows nothing of."""
    once = reading({"mode": "append"})
    for x in (1, 2):
        append(lake, x)
        run(dg.AssetSpec("up"), once, selection=["down"])
    table = DeltaTable(str(lake / "down"))
    table.restore(table.version() - 1)
    both = reading({"mode": "append"}, threading.Barrier(2))

    assert len(at_once(run, both, None, None)) == 1
    assert rows("down") == [{"day": "a", "x": 1}, {"day": "a", "x": 2}]


def test_all_writes_of_one_step_are_made_of_the_changes_it_has_read(
    run: Run, lake: Path, rows: Rows
) -> None:
    @dg.asset(name="down", metadata={"mode": "append"})
    def twice(
        dfsession: DataFusionSessionResource, up: Changes
    ) -> dg.MaterializeResult[None]:
        dfsession.materialize(up.frame.select("x", "day").filter("day = 'a'"))
        return dfsession.materialize(up.frame.select("x", "day").filter("day = 'b'"))

    append(lake, 1)
    run(
        dg.AssetSpec("up"),
        twice,
        selection=["down"],
        session={"root_uri": str(lake)},
    )

    assert rows("down") == [{"day": "a", "x": 1}, {"day": "b", "x": 1}]
