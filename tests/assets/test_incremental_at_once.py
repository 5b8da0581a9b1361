"""Runs of one incremental query at the same time: no row is lost, none comes twice."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import sql_asset
from dagster_dfsession.assets.query import query_of
from dagster_dfsession.errors import CommitError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

EVENTS = dg.AssetSpec("events")
QUERY = "SELECT id FROM events WHERE id > $watermark"
REFRESH = {"dfsession/full_refresh": "true"}
MODES: dict[str, dict[str, Any]] = {
    "append": {"mode": "append"},
    "merge": {"mode": "merge", "metadata": {"merge": {"on": "id"}}},
}


def append(lake: Path, *ids: int) -> None:
    write_deltalake(str(lake / "events"), pa.table({"id": [*ids]}), mode="append")


def new(**more: Any) -> dg.AssetsDefinition:
    told = {"mode": "append", "incremental": {"watermark": "id", "start": 0}, **more}
    return sql_asset(name="new", sql=QUERY, **told)


def waiting(asset: dg.AssetsDefinition, together: threading.Barrier) -> Any:
    """The same asset, which is written once every run has read its watermark."""
    return after(asset, lambda: together.wait(30))


def after(asset: dg.AssetsDefinition, happens: Callable[[], object]) -> Any:
    """The same asset; something happens between reading its watermark and its write."""
    query = query_of(asset)
    assert query is not None

    def body(context: dg.AssetExecutionContext) -> Any:
        frame = query(context)
        happens()
        return frame

    return dg.asset(
        name="new",
        deps=["events"],
        metadata=asset.metadata_by_key[asset.key],
        required_resource_keys={"dfsession"},
    )(body)


def at_once(run: Run, asset: Any, *tags: dict[str, str]) -> list[CommitError]:
    failures: list[CommitError] = []

    def start(tagged: dict[str, str]) -> None:
        # The log of the fixture's instance takes one writer at a time.
        with dg.DagsterInstance.ephemeral() as instance:
            try:
                run(EVENTS, asset, selection=["new"], instance=instance, tags=tagged)
            except CommitError as error:
                failures.append(error)

    threads = [threading.Thread(target=start, args=(each,)) for each in tags]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("mode", [*MODES])
@pytest.mark.parametrize("table", ["new", "old"])
def test_of_two_runs_after_the_same_watermark_one_commits(
    run: Run, lake: Path, rows: Rows, mode: str, table: str
) -> None:
    asset = new(**MODES[mode])
    append(lake, 1)
    if table == "old":
        run(EVENTS, asset, selection=["new"])
        append(lake, 2)
    [failure] = at_once(run, waiting(asset, threading.Barrier(2)), {}, {})

    assert "another run has committed the same changes" in str(failure)
    assert "Run again" in str(failure)
    kept = [{"id": 1}] if table == "new" else [{"id": 1}, {"id": 2}]
    assert rows("new") == kept
    run(EVENTS, asset, selection=["new"])
    assert rows("new") == kept


def test_an_increment_that_a_full_refresh_overtook_doubles_no_row(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1)
    run(EVENTS, new(), selection=["new"])
    append(lake, 2)

    def overtake() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            run(EVENTS, new(), selection=["new"], tags=REFRESH, instance=instance)

    [failure] = at_once(run, after(new(), overtake), {})

    assert "another run has committed the same changes" in str(failure)
    assert rows("new") == [{"id": 1}, {"id": 2}]


def test_each_commit_takes_a_turn(run: Run, lake: Path) -> None:
    for at in (1, 2, 3):
        append(lake, at)
        run(EVENTS, new(), selection=["new"])

    table = DeltaTable(str(lake / "new"))
    assert table.transaction_version("dfsession/watermark/new") == 3
