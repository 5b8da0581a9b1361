"""Incremental queries read what their table lacks, once."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from dagster_dfsession import DeltaError, QueryError, load_sql_assets, sql_asset
from dagster_dfsession.assets.query import query_of

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]
Sql = Callable[..., Path]
REFRESH = {"dfsession/full_refresh": "true"}


def events(*ids: int) -> dg.AssetsDefinition:
    @dg.asset(name="events")
    def made() -> pa.Table:
        days = [dt.date(2024, 1, each) for each in ids]
        return pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "day": pa.array(days, pa.date32()),
                "n": pa.array([len(ids)] * len(ids), pa.int64()),
            }
        )

    return made


def new(**more: Any) -> dg.AssetsDefinition:
    given = {"start": 0, **more.pop("incremental", {})}
    return sql_asset(
        name="new",
        **{
            "sql": "SELECT id, n FROM events WHERE id > $watermark",
            "mode": "append",
            "incremental": {"watermark": "id", **given},
            **more,
        },
    )


def test_only_rows_above_the_watermark_are_appended(run: Run, rows: Rows) -> None:
    run(events(1, 2), new())
    run(events(1, 2, 3), new())

    assert rows("new") == [{"id": 1, "n": 2}, {"id": 2, "n": 2}, {"id": 3, "n": 3}]


def test_nothing_new_adds_nothing(run: Run, rows: Rows) -> None:
    for _ in range(2):
        run(events(1), new())

    assert len(rows("new")) == 1


def test_the_watermark_has_the_type_of_its_column(run: Run, rows: Rows) -> None:
    asset = new(
        sql="SELECT id, day FROM events WHERE day > $watermark",
        incremental={"watermark": "day", "start": dt.date(2024, 1, 1)},
    )
    run(events(1, 2), asset)
    run(events(1, 2, 3), asset)

    assert [each["id"] for each in rows("new")] == [2, 3]


def test_a_merge_updates_what_it_finds(run: Run, rows: Rows) -> None:
    asset = new(
        sql="SELECT id, n FROM events WHERE id >= $watermark",
        mode="merge",
        metadata={"merge": {"on": "id"}},
    )
    run(events(1, 2), asset)
    run(events(1, 2, 3), asset)

    assert rows("new") == [{"id": 1, "n": 2}, {"id": 2, "n": 3}, {"id": 3, "n": 3}]


def test_without_a_start_the_first_watermark_is_null(run: Run, rows: Rows) -> None:
    asset = new(
        sql="SELECT id FROM events WHERE $watermark IS NULL OR id > $watermark",
        incremental={"start": None},
    )
    run(events(1), asset)
    run(events(1, 2), asset)

    assert rows("new") == [{"id": 1}, {"id": 2}]


def test_an_empty_table_begins_at_the_start(run: Run, rows: Rows) -> None:
    run(events(), new())
    run(events(1), new())

    assert rows("new") == [{"id": 1, "n": 1}]


def test_a_full_refresh_replaces_all_rows(run: Run, rows: Rows) -> None:
    run(events(1, 2), new())
    run(events(1, 2, 3), new(), tags=REFRESH)
    run(events(1, 2, 3, 4), new())

    assert [each["n"] for each in rows("new")] == [3, 3, 3, 4]


def test_a_retry_after_the_commit_adds_nothing(run: Run, rows: Rows) -> None:
    attempts: list[int] = []

    asset = new()
    query = query_of(asset)
    assert query is not None
    run(events(1), asset)

    @dg.asset(
        name="new",
        deps=["events"],
        metadata={"mode": "append"},
        required_resource_keys={"dfsession"},
        retry_policy=dg.RetryPolicy(max_retries=1),
    )
    def flaky(context: dg.AssetExecutionContext) -> Any:
        attempts.append(context.retry_number)
        yield dg.Output(query(context))
        if len(attempts) == 1:
            raise RuntimeError("after the commit")

    run(events(1, 2), flaky)

    assert attempts == [0, 1]
    assert [each["id"] for each in rows("new")] == [1, 2]


def test_a_file_says_it_in_its_front_matter(sql: Sql, run: Run, rows: Rows) -> None:
    folder = sql(
        mart__new="/* ---\nmode: append\nincremental: {watermark: day, start: 2024-01-01}\n"
        "--- */\nSELECT id, day FROM events WHERE day > $watermark"
    )
    (asset,) = load_sql_assets(folder, external=["events"])

    run(events(1, 2), asset)
    run(events(1, 2, 3), asset)

    assert [each["id"] for each in rows("mart", "new")] == [2, 3]


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"sql": "SELECT 1"}, QueryError, "does not name \\$watermark; write WHERE id > \\$watermark"),
        ({"incremental": {"start": None}}, QueryError, "Give it a `start`"),
        ({"mode": "overwrite"}, DeltaError, "its mode is 'overwrite', which would not keep"),
        ({"incremental": {"stat": 1}}, DeltaError, "incremental: Object contains unknown field `stat`"),
        ({"sql": "SELECT $watermark AS $watermrk"}, QueryError, "Did you mean 'watermark'"),
    ],
)  # fmt: skip
def test_what_cannot_be_incremental_is_refused(
    more: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        new(**more)


def test_a_watermark_that_the_query_does_not_return_is_told_at_once(
    run: Run, lake: Path
) -> None:
    with pytest.raises(QueryError, match=r"returns id, n\. Did you mean 'id'"):
        run(events(1), new(incremental={"watermark": "idd"}))

    assert not (lake / "new").exists()


def test_a_watermark_that_the_table_lacks_is_told(run: Run) -> None:
    run(events(1), new())

    with pytest.raises(QueryError, match="No field named"):
        run(events(1), new(incremental={"watermark": "idd"}))


def test_a_full_refresh_asks_nothing_of_the_rows_that_it_replaces(
    run: Run, rows: Rows
) -> None:
    run(events(1), new())
    by_day = new(
        sql="SELECT id, day FROM events WHERE day > $watermark",
        incremental={"watermark": "day", "start": dt.date(2023, 1, 1)},
        metadata={"schema_mode": "merge"},
    )
    run(events(1, 2), by_day, tags=REFRESH)
    run(events(1, 2, 3), by_day)

    assert [each["id"] for each in rows("new")] == [1, 2, 3]


UNKNOWN = "SELECT id, CAST(NULL AS DATE) AS day FROM events WHERE day > $watermark"


def test_rows_without_a_watermark_are_not_appended_twice(run: Run, rows: Rows) -> None:
    since = {"watermark": "day", "start": dt.date(2023, 1, 1)}
    asset = new(sql=UNKNOWN, incremental=since)
    run(events(1, 2), asset)

    with pytest.raises(QueryError, match="has 2 rows, and 'day' is NULL in each"):
        run(events(1, 2), asset)
    assert len(rows("new")) == 2

    run(events(1, 2), asset, tags=REFRESH)
    assert len(rows("new")) == 2


def test_rows_without_a_watermark_are_merged_again(run: Run, rows: Rows) -> None:
    since = {"watermark": "day", "start": dt.date(2023, 1, 1)}
    more = {"mode": "merge", "metadata": {"merge": {"on": "id"}}}
    for _ in range(2):
        run(events(1, 2), new(sql=UNKNOWN, incremental=since, **more))

    assert len(rows("new")) == 2


def test_a_window_before_the_watermark_finds_late_rows(run: Run, rows: Rows) -> None:
    asset = new(
        sql="SELECT id, day FROM events WHERE day > $watermark - INTERVAL '3 days'",
        mode="merge",
        metadata={"merge": {"on": "id"}},
        incremental={"watermark": "day", "start": dt.date(2023, 1, 1)},
    )
    run(events(1, 4), asset)
    run(events(1, 2, 4), asset)

    assert [each["id"] for each in rows("new")] == [1, 2, 4]
