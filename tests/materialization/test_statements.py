"""What a record keeps of a query is enough to plan it again."""

import datetime as dt
import decimal
import zoneinfo
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from dagster_dfsession.delta.partitions import MultiKeys, PartitionRequest, StaticKeys
from dagster_dfsession.delta.windows import TimeWindows
from dagster_dfsession.materialization.records import Parameter, WriteRecord
from dagster_dfsession.materialization.statements import parameter_of, value_of
from dagster_dfsession.query.rebinding import canonical

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        1.5,
        "it's",
        b"\x00",
        decimal.Decimal("1.20"),
        dt.date(2026, 3, 1),
        dt.time(1, 2),
        dt.datetime(2026, 3, 1),
        dt.datetime(2026, 3, 1, tzinfo=BERLIN),
        dt.timedelta(seconds=3),
        [1, 2],
        pa.scalar(3, pa.int8()),
    ],
    ids=repr,
)
def test_a_parameter_keeps_its_value_and_its_type(value: Any) -> None:
    kept = msgspec.json.decode(msgspec.json.encode(parameter_of(value)), type=Parameter)

    given = value if isinstance(value, pa.Scalar) else pa.array([value])[0]
    assert value_of(kept).equals(given)
    assert value_of(kept).type == given.type


def test_a_value_that_arrow_does_not_know_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        parameter_of(object())


DAY = dt.datetime(2026, 3, 29, tzinfo=BERLIN)


@pytest.mark.parametrize(
    "partitions",
    [
        StaticKeys("k", ("a", "b")),
        TimeWindows("d", ((DAY, DAY + dt.timedelta(days=1), "2026-03-29"),)),
        MultiKeys(((StaticKeys("k", ("a",)), StaticKeys("l", ("b",))),)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_record_keeps_the_partitions_of_a_write(
    partitions: PartitionRequest,
) -> None:
    written = WriteRecord(
        key=("days",), mode="overwrite", schema_mode="strict", partitions=partitions
    )

    kept = msgspec.json.decode(msgspec.json.encode(written), type=WriteRecord)

    assert kept == written


PLAN = "Filter: {} [a:Int64]\n  TableScan: t projection=[a] [a:Int64]"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            "t.a > Int64(1) AND t.b < Int64(2)",
            "t.b < Int64(2) AND t.a > Int64(1)",
            True,
        ),
        (
            "t.a > Int64(1) AND t.b < Int64(2)",
            "t.a > Int64(2) AND t.b < Int64(1)",
            False,
        ),
        ("t.a OR t.b AND t.c", "t.c AND t.a OR t.b", False),
        (
            't.s = Utf8("p AND t.a AND q")',
            't.a AND t.s = Utf8("p AND q")',
            False,
        ),
    ],
)
def test_the_order_of_conditions_makes_no_other_plan(
    one: str,
    other: str,
    same: bool,  # noqa: FBT001  # a column of the table above
) -> None:
    assert (canonical(PLAN.format(one)) == canonical(PLAN.format(other))) is same
