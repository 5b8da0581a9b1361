"""The query of a SQL asset with the values of one partition."""

import datetime as dt

import dagster as dg
import pytest

from dagster_dfsession.assets.asked import Asked, asked_query
from dagster_dfsession.assets.sql_asset import sql_asset
from dagster_dfsession.errors import PartitionError

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")
BOTH = dg.MultiPartitionsDefinition(
    {"place": dg.StaticPartitionsDefinition(["ewr", "jfk"]), "day": DAYS}
)
KEYED = "SELECT $partition_key AS key"
WINDOW = "SELECT $partition_start AS since, $partition_end AS before"
KEY = dg.AssetKey("asked")


def day(number: int) -> dt.datetime:
    return dt.datetime(2024, 1, number, tzinfo=dt.timezone.utc)


def asked(
    sql: str, partitions: dg.PartitionsDefinition | None, partition: str | None
) -> Asked | None:
    made = sql_asset(name="asked", sql=sql, partitions_def=partitions)
    return asked_query(made, KEY, partition)


def test_a_partition_binds_its_key_and_its_window() -> None:
    assert asked(KEYED, DAYS, "2024-01-02") == (KEYED, {"partition_key": "2024-01-02"})
    assert asked(WINDOW, DAYS, "2024-01-02") == (
        WINDOW,
        {"partition_start": day(2), "partition_end": day(3)},
    )


def test_the_first_partition_stands_for_the_others() -> None:
    assert asked(KEYED, DAYS, None) == (KEYED, {"partition_key": "2024-01-01"})


def test_of_several_dimensions_time_is_the_window() -> None:
    assert asked(WINDOW, BOTH, "2024-01-04|jfk") == (
        WINDOW,
        {"partition_start": day(4), "partition_end": day(5)},
    )


def test_a_query_that_names_no_partition_is_as_it_is() -> None:
    assert asked("SELECT 1 AS one", DAYS, None) == ("SELECT 1 AS one", {})


def test_another_kind_of_asset_has_no_query() -> None:
    @dg.asset(name="asked")
    def plain() -> None:
        return None

    assert asked_query(plain, KEY, None) is None


@pytest.mark.parametrize(
    ("sql", "partitions", "partition", "said"),
    [
        (KEYED, dg.DynamicPartitionsDefinition(name="d"), None, "--partition"),
        (KEYED, DAYS, "2030-01-01", "it has 2024-01-01, 2024-01-02, 2024"),
        (KEYED, DAYS, "x", "it has 2024-01-01, 2024-01-02, 2024"),
        ("SELECT 1 AS one", None, "x", "leave --partition out"),
        (KEYED, dg.StaticPartitionsDefinition(["a", "b"]), "c", "it has a, b"),
        (KEYED, BOTH, "2024-01-01", "partitions by day, place; join a key of each"),
        (KEYED, BOTH, "2024-01-01|lga", "it has ewr, jfk"),
    ],
)
def test_a_partition_that_is_not_there_is_refused(
    sql: str,
    partitions: dg.PartitionsDefinition | None,
    partition: str | None,
    said: str,
) -> None:
    with pytest.raises(PartitionError, match=said):
        asked(sql, partitions, partition)
