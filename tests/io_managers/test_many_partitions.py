"""What a step does and tells does not grow with the partitions of its table."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession import sql_asset
from dagster_dfsession.display import size_of
from dagster_dfsession.metadata.budget import BUDGET_BYTES
from dagster_dfsession.metadata.keys import (
    COLUMN_LINEAGE,
    FILES_READ,
    INPUTS,
    LINEAGE,
    PLAN,
    RECORD,
    ROW_COUNT,
    SESSION_HASH,
    SETTINGS,
    UDFS,
)

Run = Callable[..., dg.ExecuteInProcessResult]

FEW, MANY = 6, 60
FIRST = dt.date(2020, 1, 1)
WHERE = "WHERE day >= $partition_start AND day < $partition_end"

pytestmark = pytest.mark.filterwarnings(
    "ignore:Parameter `backfill_policy`:dagster.BetaWarning"
)


def day(at: int) -> str:
    return (FIRST + dt.timedelta(days=at)).isoformat()


def divided(name: str, sql: str) -> dg.AssetsDefinition:
    return sql_asset(
        name=name,
        sql=f"{sql} {WHERE}",
        partitions_def=dg.DailyPartitionsDefinition(day(0), end_date=day(MANY)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"partition_expr": "day", "partition_by": ["day"]},
    )


@pytest.fixture
def events(lake: Path) -> dg.AssetsDefinition:
    days = pa.array([day(at) for at in range(MANY)]).cast(pa.date32())
    rows = pa.table({"day": days, "amount": range(MANY)})
    write_deltalake(lake / "raw" / "events", rows)
    return divided("events", "SELECT day, amount FROM raw.events")


def told(done: dg.ExecuteInProcessResult) -> dict[str | None, Mapping[str, Any]]:
    """Return partition -> metadata, of the one asset that was run."""
    made = [
        each.step_materialization_data.materialization
        for each in done.get_asset_materialization_events()
    ]
    return {each.partition: each.metadata for each in made}


def test_each_partition_of_many_has_its_own_rows_within_the_budget(
    run: Run, events: dg.AssetsDefinition
) -> None:
    few = told(run(events, keys=(day(0), day(FEW - 1))))
    many = told(run(events, keys=(day(0), day(MANY - 1))))

    assert [*many] == [day(at) for at in range(MANY)]
    assert {each[ROW_COUNT].value for each in many.values()} == {1}
    largest = max(map(size_of, many.values()))
    assert largest <= BUDGET_BYTES
    assert largest <= max(map(size_of, few.values())) + 1024


def test_of_many_partitions_the_last_one_tells_what_they_have_in_common(
    run: Run, events: dg.AssetsDefinition
) -> None:
    few = told(run(events, keys=(day(0), day(FEW - 1))))
    many = told(run(events, keys=(day(0), day(MANY - 1))))
    *others, last = many.values()

    assert {*last} == {*few[day(0)]}
    assert {PLAN, RECORD, SESSION_HASH} <= {*others[0]}
    assert {*last} - {*others[0]} == {INPUTS, SETTINGS, UDFS, LINEAGE, COLUMN_LINEAGE}
    assert f"`{day(MANY - 1)}`" in others[0][PLAN].value
    assert {each[RECORD].value for each in others} == {last[RECORD].value}
    assert max(map(size_of, others)) < BUDGET_BYTES / 2


def test_a_partition_is_written_and_read_without_the_files_of_the_others(
    run: Run, events: dg.AssetsDefinition, rows: Callable[..., Any]
) -> None:
    totals = divided("totals", "SELECT day, amount FROM events")
    total = sql_asset(name="total", sql="SELECT sum(amount) AS amount FROM events")
    run(events, keys=(day(0), day(MANY - 1)))

    again = told(run(events, key=day(7)))
    one = told(run(totals, key=day(7)))
    some = told(run(totals, keys=(day(20), day(29))))
    everything = told(run(total))

    assert [*again] == [*one] == [day(7)]
    assert one[day(7)][FILES_READ].value == 1
    assert {each[FILES_READ].value for each in some.values()} == {10}
    assert everything[None][FILES_READ].value == MANY
    assert rows("total") == [{"amount": sum(range(MANY))}]
    assert len(rows("events")) == MANY
