"""Each kind of partitions, each type of column: what a run owns, and nothing else."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

UTC = pa.timestamp("us", "UTC")
WALL = pa.timestamp("us")


class Case(NamedTuple):
    """Three neighbouring keys, and a row of each: what its columns hold."""

    definition: dg.PartitionsDefinition
    expression: Any
    columns: dict[str, pa.DataType]
    keys: tuple[str, str, str]
    values: tuple[tuple[Any, ...], ...]
    divided_by: tuple[str, ...]
    has_ranges: bool = True


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.timezone.utc)  # type: ignore[arg-type, misc]


DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-00:00", end_date="2026-03-03-00:00")
WEEKLY = dg.WeeklyPartitionsDefinition("2026-03-01", end_date="2026-05-01")
MONTHLY = dg.MonthlyPartitionsDefinition("2025-12-01", end_date="2026-06-01")
NEW_YORK = dg.DailyPartitionsDefinition(
    "2026-03-01", end_date="2026-03-20", timezone="America/New_York"
)
HOURS = ("2026-03-01-22:00", "2026-03-01-23:00", "2026-03-02-00:00")
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")

CASES = {
    "static": Case(
        dg.StaticPartitionsDefinition(["b", "a", "c'; --"]),
        "k",
        {"k": pa.string()},
        ("b", "a", "c'; --"),
        (("b",), ("a",), ("c'; --",)),
        ("k",),
    ),
    "int": Case(
        dg.StaticPartitionsDefinition(["9", "10", "-1"]),
        "k",
        {"k": pa.int64()},
        ("9", "10", "-1"),
        ((9,), (10,), (-1,)),
        ("k",),
    ),
    "dynamic": Case(
        dg.DynamicPartitionsDefinition(name="customers"),
        "k",
        {"k": pa.string()},
        ("k'1", 'k"2', "k/3 ä%"),
        (("k'1",), ('k"2',), ("k/3 ä%",)),
        ("k",),
    ),
    "daily date": Case(
        DAILY,
        "d",
        {"d": pa.date32()},
        DAYS,
        tuple((dt.date(2026, 3, day),) for day in (1, 2, 3)),
        ("d",),
    ),
    "daily text": Case(
        DAILY, "d", {"d": pa.string()}, DAYS, tuple((day,) for day in DAYS), ("d",)
    ),
    "daily in New York": Case(
        NEW_YORK,
        "t",
        {"t": UTC},
        ("2026-03-07", "2026-03-08", "2026-03-09"),  # the second one has 23 hours
        ((utc(2026, 3, 8, 4),), (utc(2026, 3, 9, 3, 59),), (utc(2026, 3, 9, 4),)),
        (),
    ),
    "hourly wall": Case(
        HOURLY,
        "t",
        {"t": WALL},
        HOURS,
        (
            (dt.datetime(2026, 3, 1, 22),),
            (dt.datetime(2026, 3, 1, 23, 59, 59, 999_999),),
            (dt.datetime(2026, 3, 2),),
        ),
        (),
    ),
    "hourly UTC": Case(
        HOURLY,
        "t",
        {"t": UTC},
        HOURS,
        (
            (utc(2026, 3, 1, 22),),
            (utc(2026, 3, 1, 23, 59, 59, 999_999),),
            (utc(2026, 3, 2),),
        ),
        (),
    ),
    "weekly": Case(
        WEEKLY,
        "d",
        {"d": pa.date32()},
        ("2026-03-01", "2026-03-08", "2026-03-15"),
        tuple((dt.date(2026, 3, day),) for day in (7, 8, 21)),
        ("d",),
    ),
    "monthly": Case(
        MONTHLY,
        "t",
        {"t": WALL},
        ("2025-12-01", "2026-01-01", "2026-02-01"),
        (
            (dt.datetime(2025, 12, 31, 23, 59),),
            (dt.datetime(2026, 1, 1),),
            (dt.datetime(2026, 2, 28),),
        ),
        (),
    ),
    "date x static": Case(
        dg.MultiPartitionsDefinition(
            {"day": DAILY, "kind": dg.StaticPartitionsDefinition(["x", "y"])}
        ),
        {"day": "d", "kind": "k"},
        {"d": pa.date32(), "k": pa.string()},
        ("2026-03-01|x", "2026-03-02|x", "2026-03-02|y"),
        tuple(
            (dt.date(2026, 3, day), kind)
            for day, kind in ((1, "x"), (2, "x"), (2, "y"))
        ),
        ("d", "k"),
        has_ranges=False,
    ),
    "hour x static": Case(
        dg.MultiPartitionsDefinition(
            {"hour": HOURLY, "kind": dg.StaticPartitionsDefinition(["x", "y"])}
        ),
        {"hour": "t", "kind": "k"},
        {"t": UTC, "k": pa.string()},
        (f"{HOURS[0]}|x", f"{HOURS[1]}|x", f"{HOURS[1]}|y"),
        (
            (utc(2026, 3, 1, 22, 30), "x"),
            (utc(2026, 3, 1, 23), "x"),
            (utc(2026, 3, 1, 23), "y"),
        ),
        ("k",),
        has_ranges=False,
    ),
    "static x static": Case(
        dg.MultiPartitionsDefinition(
            {
                "left": dg.StaticPartitionsDefinition(["1", "2"]),
                "right": dg.StaticPartitionsDefinition(["x", "y"]),
            }
        ),
        {"left": "n", "right": "k"},
        {"n": pa.int32(), "k": pa.string()},
        ("1|x", "1|y", "2|x"),
        ((1, "x"), (1, "y"), (2, "x")),
        ("n", "k"),
        has_ranges=False,
    ),
}
ALL = pytest.mark.parametrize("name", sorted(CASES))


class Asset:
    """A partitioned asset whose rows a test sets before each run."""

    def __init__(self, run: Run, case: Case, instance: dg.DagsterInstance) -> None:
        self.case = case
        self.value = self.rows_of()
        self._run = run
        self._instance = instance
        if isinstance(case.definition, dg.DynamicPartitionsDefinition):
            instance.add_dynamic_partitions("customers", [*case.keys])

        @dg.asset(
            partitions_def=case.definition,
            metadata={"partition_expr": case.expression},
        )
        def parts() -> Any:
            return self.value

        self.definition = parts

    def rows_of(self, *numbers: int, note: int = 0) -> pa.Table:
        """One row for each of the case's keys by number; `note` tells runs apart."""
        schema = pa.schema([*self.case.columns.items(), ("note", pa.int64())])
        rows = [
            dict(zip(self.case.columns, self.case.values[at], strict=True))
            | {"note": note}
            for at in numbers
        ]
        return pa.Table.from_pylist(rows, schema)

    def write(self, *numbers: int, note: int = 0, empty: bool = False) -> Any:
        keys = [self.case.keys[at] for at in numbers]
        self.value = self.rows_of(*(() if empty else numbers), note=note)
        span: dict[str, Any] = (
            {"key": keys[0]} if len(keys) == 1 else {"keys": (keys[0], keys[-1])}
        )
        return self._run(self.definition, instance=self._instance, **span)


@pytest.fixture
def asset(run: Run, name: str) -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Asset(run, CASES[name], instance)


def notes(asset: Asset, found: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return the notes in the table by key."""
    of: dict[str, list[int]] = {}
    for row in found:
        value = tuple(row[column] for column in asset.case.columns)
        of.setdefault(asset.case.keys[asset.case.values.index(value)], []).append(
            row["note"]
        )
    return of


@ALL
def test_a_key_is_written_and_rewritten_and_its_neighbours_stay(
    asset: Asset, rows: Rows, lake: Path
) -> None:
    first, second, third = asset.case.keys
    divided_by = list(asset.case.divided_by)
    write_deltalake(
        str(lake / "parts"), asset.rows_of(0, 1, 2), partition_by=divided_by
    )
    asset.write(1, note=1)
    assert notes(asset, rows("parts")) == {first: [0], second: [1], third: [0]}

    asset.write(0, note=2, empty=True)
    assert notes(asset, rows("parts")) == {second: [1], third: [0]}


@pytest.mark.parametrize("name", ["static", "hourly UTC", "hour x static"])
def test_the_first_write_may_be_without_rows(
    asset: Asset, rows: Rows, lake: Path
) -> None:
    asset.write(0, empty=True)
    assert rows("parts") == []
    columns = DeltaTable(str(lake / "parts")).metadata().partition_columns
    assert tuple(columns) == asset.case.divided_by

    asset.write(1)
    assert notes(asset, rows("parts")) == {asset.case.keys[1]: [0]}


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.has_ranges])
def test_a_range_is_one_commit_and_what_lies_outside_stays(
    asset: Asset, rows: Rows, lake: Path
) -> None:
    first, second, third = asset.case.keys
    asset.write(0, 1, 2)
    assert DeltaTable(str(lake / "parts")).version() == 1  # created, then written
    asset.write(1, 2, note=1)
    assert DeltaTable(str(lake / "parts")).version() == 2
    assert notes(asset, rows("parts")) == {first: [0], second: [1], third: [1]}


@pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`:dagster.BetaWarning")
def test_a_range_of_several_dimensions_is_their_product(run: Run, rows: Rows) -> None:
    """Two days of one kind: the other kind of these days stays."""

    @dg.asset(
        partitions_def=CASES["date x static"].definition,
        metadata={"partition_expr": {"day": "d", "kind": "k"}},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def grid(context: dg.AssetExecutionContext) -> pa.Table:
        keys = [key.split("|") for key in context.partition_keys]
        days = [dt.date.fromisoformat(day) for day, _ in keys]
        return pa.table(
            {"d": days, "k": [k for _, k in keys], "n": [len(keys)] * len(keys)}
        )

    run(grid, keys=("2026-03-01|x", "2026-03-03|y"))
    run(grid, keys=("2026-03-01|x", "2026-03-02|x"))

    found = {(row["d"].day, row["k"]): row["n"] for row in rows("grid")}
    assert found == {(1, "x"): 2, (2, "x"): 2} | dict.fromkeys(
        [(1, "y"), (2, "y"), (3, "x"), (3, "y")], 6
    )
