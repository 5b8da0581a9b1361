"""Files of an asset's table that are clustered by several columns once written."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.log import Z_ORDER_BY, Z_ORDER_WITHIN
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.errors import CommitError, DeltaError
from dagster_dfsession.materialization import clustering

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

GRID = [((i * 7919) % 10_007) % 10_000 for i in range(10_000)]
# Text, because deltalake 1.6 takes the bits of each byte from the least significant on:
# numbers of one byte are scattered more than they are clustered.
ROWS = pa.table(
    {
        "x": [f"{i % 100:02}" for i in GRID],
        "y": [f"{i // 100:02}" for i in GRID],
        "day": ["ab"[i % 2] for i in range(10_000)],
    }
)
PLAIN = {"row_group_rows": 1000}
CLUSTERED = {**PLAIN, "z_order_by": ["x", "y"]}
DAYS = dg.StaticPartitionsDefinition(["a", "b"])
BY_DAY = {"partition_expr": "day", "partition_by": "day"}


def laid_out(layout: Any, **options: Any) -> dg.AssetsDefinition:
    metadata = {"layout": layout, **options.pop("metadata", {})}

    def asset(dfsession: DataFusionSessionResource) -> Any:
        step = dg.AssetExecutionContext.get()
        keys = step.partition_keys if step.has_partition_key else ["a", "b"]
        rows = dfsession.sql("SELECT * FROM t ORDER BY day", t=ROWS)
        return rows.filter(f"day IN ({', '.join(map(repr, keys))})")

    return dg.asset(asset, name="up", metadata=metadata, **options)


def made(run: Run, asset: Any, **options: Any) -> Any:
    [event] = run(asset, **options).asset_materializations_for_node("up")
    return event


def widths(lake: Path) -> tuple[float, float]:
    """How much of the range of each column a row group has, on average."""
    spans = []
    for file in map(pq.ParquetFile, DeltaTable(str(lake / "up")).file_uris()):
        for at in range(file.num_row_groups):
            group = file.read_row_group(at, ["x", "y"])
            each = [[int(str(v)) for v in group[name].to_pylist()] for name in "xy"]
            spans.append([max(values) - min(values) for values in each])
    first, second = zip(*spans, strict=True)
    return sum(first) / len(spans), sum(second) / len(spans)


def test_rows_that_are_alike_in_both_columns_lie_together(
    run: Run, lake: Path, rows: Rows
) -> None:
    before = made(run, laid_out(PLAIN))
    plain, unclustered = rows("up"), widths(lake)
    after = made(run, laid_out(CLUSTERED))

    assert min(unclustered) > 90
    assert max(widths(lake)) < 70
    assert rows("up") == plain
    versions = [event.tags["dagster/data_version"] for event in (before, after)]
    assert versions[0] == versions[1]


def test_the_event_describes_the_table_as_it_is_then(run: Run, lake: Path) -> None:
    event = made(run, laid_out(CLUSTERED))
    table = DeltaTable(str(lake / "up"))

    assert event.metadata["dfsession/table_version"].value == table.version() == 1
    size = sum(Path(file).stat().st_size for file in table.file_uris())
    assert event.metadata["dagster/size_bytes"].value == size
    assert event.metadata["dagster/row_count"].value == 10_000
    newest = table.history(1)[0]
    assert newest["operation"] == "OPTIMIZE"
    assert newest[Z_ORDER_BY] == '["x","y"]'


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_partition_is_clustered_and_the_others_are_left_alone(
    run: Run, lake: Path, mode: str
) -> None:
    asset = laid_out(CLUSTERED, metadata={**BY_DAY, "mode": mode}, partitions_def=DAYS)
    made(run, asset, key="a")
    [first] = DeltaTable(str(lake / "up")).file_uris()
    event = made(run, asset, key="b")
    table = DeltaTable(str(lake / "up"))

    assert first in table.file_uris()
    assert table.history(1)[0][Z_ORDER_WITHIN] == '[["day","in",["b"]]]'
    assert event.metadata["dagster/row_count"].value == 5_000
    [other] = set(table.file_uris()) - {first}
    assert event.metadata["dagster/size_bytes"].value == Path(other).stat().st_size


def test_files_are_written_as_the_layout_says(run: Run, lake: Path) -> None:
    made(run, laid_out({**CLUSTERED, "compression": "zstd(1)"}))

    [file] = DeltaTable(str(lake / "up")).file_uris()
    footer = pq.read_metadata(file)
    assert footer.row_group(0).column(0).compression == "ZSTD"
    assert footer.row_group(0).num_rows == 1000


def test_a_conflict_leaves_the_rows_as_they_were_written_and_warns(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise CommitError("another run was first")

    monkeypatch.setattr(clustering, "optimize", refused)
    with caplog.at_level(logging.WARNING, "dagster_dfsession"):
        event = made(run, laid_out(CLUSTERED))

    assert "its files are not clustered: another run was first" in caplog.text
    assert event.metadata["dfsession/table_version"].value == 0


def test_what_another_run_commits_in_between_is_no_part_of_the_materialization(
    run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*given: Any, **named: Any) -> Any:
        write_deltalake(str(lake / "up"), ROWS.slice(0, 1), mode="append")
        return optimize(*given, **named)

    monkeypatch.setattr(clustering, "optimize", late)
    event = made(run, laid_out(CLUSTERED))

    assert DeltaTable(str(lake / "up")).version() == 2
    assert event.metadata["dfsession/table_version"].value == 0
    assert event.metadata["dagster/row_count"].value == 10_000


REFUSED = {
    "unknown": ({"z_order_by": ["xx"]}, "Did you mean 'x'?"),
    "partition": ({"z_order_by": ["x", "day"]}, "z_order_by names day, by which"),
    "two orders": (
        {"z_order_by": ["x"], "sort_by": "y"},
        "has sort_by ['y'] and z_order_by ['x'], and rows have one order",
    ),
    "no names": ({"z_order_by": [1]}, "has z_order_by [1]; give names of columns"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("table", ["new", "old"])
def test_columns_that_nothing_can_be_clustered_by_are_refused_before_the_write(
    run: Run, lake: Path, case: tuple[Any, str], table: str
) -> None:
    layout, message = case
    if table == "old":
        run(laid_out({}, metadata={"partition_by": "day"}))
    with pytest.raises(DeltaError) as refused:
        run(laid_out(layout, metadata={"partition_by": "day"}))

    assert message in str(refused.value)
    assert (lake / "up").exists() is (table == "old")
    assert table == "new" or DeltaTable(str(lake / "up")).version() == 0
