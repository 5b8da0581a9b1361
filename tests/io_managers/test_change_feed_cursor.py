"""Where an asset that reads changes goes on: after what it has committed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import Changes
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.io_managers import storing
from dagster_dfsession.steps.publish import publish

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

APPENDING = {"mode": "append"}
FEED = {"delta.enableChangeDataFeed": "true"}
FULL = {"dfsession/full_refresh": "true"}

up = dg.AssetSpec("up")


@dg.asset(metadata=APPENDING)
def down(up: Changes) -> DataFrame:
    return up.frame.select("x")


def append(lake: Path, *xs: int, **options: Any) -> None:
    write_deltalake(
        str(lake / "up"), pa.table({"x": list(xs)}), mode="append", **options
    )


def read(run: Run, *assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
    made = assets or (down,)
    return run(up, *made, selection=[each.key for each in made], **options)


def cursor(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    [event] = result.asset_materializations_for_node("down")
    stated = msgspec.json.decode(str(event.metadata["dfsession/cursor"].value))
    return {table: position["version"] for table, position in stated.items()}


class Killed(BaseException):
    """What ends a process between its commit and its event."""


def test_a_run_that_was_killed_after_its_commit_is_not_repeated_by_the_next(
    run: Run, lake: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lake, 1)
    read(run)
    append(lake, 2)
    with monkeypatch.context() as killing:

        def then_die(*given: Any, **named: Any) -> Any:
            publish(*given, **named)
            raise Killed

        killing.setattr(storing, "publish", then_die)
        with pytest.raises(Killed):
            read(run)
    committed = rows("down")
    append(lake, 3)
    result = read(run)

    assert committed == [{"x": 1}, {"x": 2}]
    assert rows("down") == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert cursor(result) == {"up": 2}


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_an_attempt_after_one_that_had_committed_reads_the_same_and_writes_nothing(
    run: Run, lake: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    seen: list[Any] = []

    @dg.asset(
        name="down",
        metadata={"mode": mode},
        retry_policy=dg.RetryPolicy(max_retries=1),
    )
    def retried(up: Changes) -> DataFrame:
        seen.append((up.since, up.until))
        return up.frame.select("x")

    append(lake, 1)
    read(run, retried)
    append(lake, 2)
    died: list[int] = []

    def die_once(*given: Any, **named: Any) -> Any:
        published = publish(*given, **named)
        if not died:
            died.append(1)
            append(lake, 3)
            raise RuntimeError("the acknowledgement was lost")
        return published

    monkeypatch.setattr(storing, "publish", die_once)
    result = read(run, retried)

    assert seen == [(None, 0), (0, 1), (0, 1)]
    assert cursor(result) == {"up": 1}
    before = [{"x": 1}] if mode == "append" else []
    assert rows("down") == [*before, {"x": 2}]


def test_where_the_log_has_no_cursor_any_more_the_materialization_tells(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1)
    read(run)
    append(lake, 2)
    write_deltalake(str(lake / "down"), pa.table({"x": [0]}), mode="append")
    DeltaTable(str(lake / "down")).create_checkpoint()
    (lake / "down" / "_delta_log" / f"{0:020}.json").unlink()
    for path in (lake / "down" / "_delta_log").glob("*0.json"):
        path.unlink()
    read(run)

    assert rows("down") == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_an_asset_whose_table_was_removed_has_read_nothing(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1)
    read(run)
    (lake / "down").rename(lake / "gone")
    append(lake, 2)
    read(run)

    assert rows("down") == [{"x": 1}, {"x": 2}]


def test_a_restored_table_has_read_as_far_as_the_version_it_was_restored_to(
    run: Run, lake: Path, rows: Rows
) -> None:
    for x in (1, 2):
        append(lake, x)
        read(run)
    table = DeltaTable(str(lake / "down"))
    table.restore(table.version() - 1)
    assert rows("down") == [{"x": 1}]
    read(run)

    assert rows("down") == [{"x": 1}, {"x": 2}]


def test_a_table_that_was_made_anew_is_refused_until_all_of_it_is_read(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1)
    read(run)
    (lake / "up").rename(lake / "gone")
    append(lake, 2)

    with pytest.raises(DeltaError) as refused:
        read(run)
    assert "was made anew since then" in str(refused.value)
    assert "A run with the tag dfsession/full_refresh=true" in str(refused.value)

    assert cursor(read(run, tags=FULL)) == {"up": 0}
    assert rows("down") == [{"x": 1}, {"x": 2}]


def test_changes_that_are_not_known_write_nothing_and_say_how_to_know_them(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1, 2)
    read(run)
    DeltaTable(str(lake / "up")).delete("x = 1")

    with pytest.raises(DeltaError) as refused:
        read(run)

    assert "delta.enableChangeDataFeed to 'true'" in str(refused.value)
    assert "dfsession/full_refresh=true reads it as a whole" in str(refused.value)
    assert rows("down") == [{"x": 1}, {"x": 2}]
