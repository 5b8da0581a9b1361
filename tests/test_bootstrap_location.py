"""A whole code location is checked against contracts and tables, and left as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
import pytest
from datafusion import DataFrame

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    bootstrap_request,
    bootstrap_session,
    sql_asset,
)
from dagster_dfsession.bootstrap.report import BootstrapItem, BootstrapReport
from dagster_dfsession.errors import Place

ROW = {"id": "int64", "delay": "int64", "name": "string"}
ASSETS = 200
DAYS = dg.DailyPartitionsDefinition("2024-01-01")
SAFE = {"dfsession/zero_rows": True}
Run = Callable[..., dg.ExecuteInProcessResult]


def checked(
    *assets: Any, root: Path, udfs: tuple[str, ...] = (), io: Any = None, **profile: Any
) -> BootstrapReport:
    session = DataFusionSessionResource(preset="dev", udfs=list(udfs))
    manager = DataFusionDeltaIOManager(
        session=session, root_uri=str(root), **(io or {})
    )
    definitions = dg.Definitions(
        assets=assets, resources={"dfsession": session, "io_manager": manager}
    )
    asked = session.plan().profile
    bootstrap = msgspec.structs.replace(asked.bootstrap, **profile)
    asked = msgspec.structs.replace(asked, bootstrap=bootstrap)
    return bootstrap_session(asked, bootstrap_request(definitions, asked.delta))


def found(report: BootstrapReport) -> dict[str, BootstrapItem]:
    return {item.asset: item for item in report.items}


def statuses(report: BootstrapReport) -> dict[str, str]:
    return {item.asset: item.status for item in report.items}


def source(columns: dict[str, str]) -> dg.AssetsDefinition:
    @dg.asset(key_prefix="raw", metadata={"contract": {"schema": columns}})
    def events() -> pa.Table:
        raise AssertionError("it was run")

    return events


def chain_and_fan() -> list[dg.AssetsDefinition]:
    """Half of the assets read `delay` through a chain, the others only `id`."""
    chain = [sql_asset(name="chain_0", sql="SELECT id, delay FROM raw.events")]
    chain += [
        sql_asset(
            name=f"chain_{n}",
            # Every tenth reads the source itself, and is wrong by itself.
            sql=f"SELECT id, delay FROM chain_{n - 1}"
            if n % 10
            else f"SELECT e.id, e.delay\nFROM raw.events e JOIN chain_{n - 1} USING (id)",
        )
        for n in range(1, ASSETS // 2)
    ]
    fan = [
        sql_asset(name=f"fan_{n}", sql=f"SELECT id + {n} AS id FROM raw.events")
        for n in range(ASSETS // 2 - 1)
    ]
    return [*chain, *fan]


def test_a_renamed_source_column_is_found_in_200_assets_and_nothing_is_touched(
    tmp_path: Path,
) -> None:
    lake = tmp_path / "lake"
    assets = chain_and_fan()
    renamed = {"id": "int64", "delay_minutes": "int64", "name": "string"}

    sound = checked(source(ROW), *assets, root=lake)
    report = checked(source(renamed), *assets, root=lake)

    assert sound.counts == {"assumed": 1, "ok": ASSETS - 1}
    assert {each.asset for each in report.affected} == {
        f"chain_{n}" for n in range(ASSETS // 2)
    }
    assert {a for a, s in statuses(report).items() if s == "failed"} == {
        f"chain_{n}" for n in range(0, ASSETS // 2, 10)
    }
    assert found(report)["chain_9"].causes == ("chain_0",)
    assert found(report)["chain_0"].faults[0].places == (Place(1, 12),)
    assert list(tmp_path.iterdir()) == []


def test_the_columns_of_tables_stand_in_for_contracts(run: Run, lake: Path) -> None:
    @dg.asset
    def stored() -> pa.Table:
        return pa.table({"id": [1]})

    run(stored)
    before = sorted(map(str, lake.rglob("*")))

    report = checked(
        stored,
        sql_asset(name="right", sql="SELECT id FROM stored"),
        sql_asset(name="wrong", sql="SELECT ident FROM stored"),
        root=lake,
    )

    assert statuses(report) == {"stored": "assumed", "right": "ok", "wrong": "failed"}
    assert sorted(map(str, lake.rglob("*"))) == before


@pytest.mark.parametrize(
    ("schema_mode", "status", "reader"),
    [
        ("strict", "mismatch", "failed"),
        ("merge", "ok", "ok"),
        ("overwrite", "ok", "failed"),
    ],
)
def test_tables_are_held_against_what_would_be_written(
    run: Run, lake: Path, schema_mode: str, status: str, reader: str
) -> None:
    run(sql_asset(name="a", sql="SELECT 1 AS id, 2 AS old"))

    report = checked(
        sql_asset(
            name="a",
            sql="SELECT 1 AS id, 2 AS new",
            metadata={"schema_mode": schema_mode},
        ),
        # What is read is the table, with the columns that it has after the write.
        sql_asset(name="reader", sql="SELECT old FROM a"),
        root=lake,
    )

    assert statuses(report) == {"a": status, "reader": reader}
    if status == "mismatch":
        item = found(report)["a"]
        assert item.message.startswith("a: the frame's columns are not the table's.")
        assert [each.name for each in item.faults] == ["old", "new"]
        assert str(lake) not in str(msgspec.to_builtins(report))


def test_a_partition_column_that_the_run_adds_is_not_missed(lake: Path) -> None:
    daily = sql_asset(
        name="daily",
        sql="SELECT $partition_key AS key, $partition_start AS since",
        partitions_def=DAYS,
        metadata={"partition_expr": "day"},
    )

    report = checked(
        daily, sql_asset(name="reader", sql="SELECT day FROM daily"), root=lake
    )

    assert report.success


def test_a_misspelt_partition_column_is_a_mismatch(lake: Path) -> None:
    daily = sql_asset(
        name="daily",
        sql="SELECT $partition_key AS dayy",
        partitions_def=DAYS,
        metadata={"partition_expr": "day"},
    )

    (item,) = checked(daily, root=lake).affected

    assert "there is no partition column 'day'; is it 'dayy'?" in item.message


def test_an_asset_that_may_run_over_no_rows_tells_its_columns(tmp_path: Path) -> None:
    @dg.asset(metadata=SAFE, deps=["other"])
    def py(
        dfsession: DataFusionSessionResource, up: DataFrame, table: pa.Table
    ) -> DataFrame:
        assert table.num_rows == 0
        return up.join(dfsession.sql("SELECT id, n FROM other"), on="id")

    @dg.asset(metadata=SAFE, partitions_def=dg.DynamicPartitionsDefinition(name="d"))
    def reader(context: dg.AssetExecutionContext, py: pa.Table) -> pa.Table:
        keys = pa.array([context.partition_key] * py.num_rows, pa.string())
        return py.append_column("key", keys)

    report = checked(
        sql_asset(name="up", sql="SELECT 1 AS id, 'x' AS name"),
        sql_asset(name="table", sql="SELECT 1 AS id"),
        sql_asset(name="other", sql="SELECT 1 AS id, 2 AS n"),
        py,
        reader,
        sql_asset(name="right", sql="SELECT id, name, n, key FROM reader"),
        sql_asset(name="wrong", sql="SELECT nam FROM py"),
        root=tmp_path / "lake",
    )

    assert {a: s for a, s in statuses(report).items() if s != "ok"} == {
        "wrong": "failed"
    }
    assert list(tmp_path.iterdir()) == []


def test_an_asset_that_is_not_marked_is_not_run(tmp_path: Path) -> None:
    report = checked(
        source({"id": "int64"}),
        dg.asset(name="loose")(lambda: pytest.fail("it was run")),
        sql_asset(name="q", sql="SELECT * FROM loose"),
        root=tmp_path / "lake",
    )

    assert statuses(report) == {
        "loose": "unknown",
        "raw/events": "assumed",
        "q": "blocked",
    }


def test_what_a_marked_asset_raises_is_told(tmp_path: Path) -> None:
    @dg.asset(metadata=SAFE)
    def own() -> pa.Table:
        raise ValueError("no key")

    @dg.asset(metadata=SAFE)
    def engine(up: DataFrame) -> DataFrame:
        return up.select("idd")

    report = checked(
        own, engine, sql_asset(name="up", sql="SELECT 1 AS id"), root=tmp_path / "lake"
    )

    assert (
        found(report)["own"].message == "running own over no rows: ValueError: no key"
    )
    assert found(report)["engine"].faults[0].name == "idd"


def test_one_row_calls_the_functions(tmp_path: Path) -> None:
    assets = (
        source({"id": "int64"}),
        sql_asset(name="q", sql="SELECT without_null(id) AS id FROM raw.events"),
    )
    udfs = ("tests.assets.udfs",)

    planned = checked(*assets, root=tmp_path / "lake", udfs=udfs)
    seeded = checked(*assets, root=tmp_path / "lake", udfs=udfs, mode="one_row")

    assert planned.success
    assert "a NULL" in found(seeded)["q"].message


def test_a_name_that_is_no_asset_is_told_with_what_was_meant(tmp_path: Path) -> None:
    report = checked(
        source(ROW),
        sql_asset(name="q", sql="SELECT * FROM raw.event"),
        root=tmp_path / "lake",
    )

    assert found(report)["q"].faults[0].suggestion == "raw.events"
    assert "raw/event" not in found(report)
