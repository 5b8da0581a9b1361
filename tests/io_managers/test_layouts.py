"""How the files of an asset's table are laid out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import DeltaError, SchemaMismatchError

Run = Callable[..., dg.ExecuteInProcessResult]

SHUFFLED = [(i * 7919) % 20_011 for i in range(20_011)]
ROWS = pa.table({"id": SHUFFLED, "k": ["ab"[i % 2] for i in SHUFFLED]})
STATIC = dg.StaticPartitionsDefinition(["a", "b"])


def laid_out(layout: Any, value: str = "rows", **options: Any) -> dg.AssetsDefinition:
    metadata = {"layout": layout, **options.pop("metadata", {})}

    def asset(dfsession: DataFusionSessionResource) -> Any:
        if value == "frame":
            return dfsession.sql("SELECT * FROM t", t=ROWS)
        return ROWS.to_reader() if value == "reader" else ROWS

    return dg.asset(asset, name="up", metadata=metadata, **options)


SMALL = {"profile": {"execution": {"batch_size": 50}}}


def ids(lake: Path) -> list[list[int]]:
    """The rows of each row group, as they lie."""
    files = map(pq.ParquetFile, DeltaTable(str(lake / "up")).file_uris())
    groups: Any = [
        file.read_row_group(at, ["id"])["id"].to_pylist()
        for file in files
        for at in range(file.num_row_groups)
    ]
    return list(groups)


@pytest.mark.parametrize("value", ["rows", "frame", "reader"])
@pytest.mark.parametrize("by", [None, "k"])
def test_rows_of_like_values_lie_together(
    run: Run, lake: Path, value: str, by: str | None
) -> None:
    """Nearly sorted: several threads of deltalake take the batches."""
    metadata = {} if by is None else {"partition_by": by}
    layout = {"sort_by": ["id"], "row_group_rows": 2500}
    run(laid_out(layout, value, metadata=metadata), session=SMALL)

    groups = ids(lake)
    assert len(groups) > 7
    assert sum(max(each) - min(each) for each in groups) < len(groups) * 12_000
    assert sorted(each for group in groups for each in group) == sorted(SHUFFLED)


def test_rows_that_no_layout_sorts_lie_as_they_came(run: Run, lake: Path) -> None:
    run(laid_out({"row_group_rows": 2500}))
    assert all(max(each) - min(each) > 19_000 for each in ids(lake)[:-1])


def test_the_order_of_rows_is_no_other_data(run: Run) -> None:
    events = [
        event
        for layout in ({}, {"sort_by": ["id"]})
        for event in run(laid_out(layout, "frame")).asset_materializations_for_node(
            "up"
        )
    ]
    versions = [(event.tags or {})["dagster/data_version"] for event in events]
    assert len(versions) == 2
    assert versions[0] == versions[1]


def test_an_asset_says_otherwise_than_its_profile(run: Run, lake: Path) -> None:
    profile = {"delta": {"compression": "snappy", "row_group_rows": 5000}}
    run(laid_out({"compression": "zstd(1)"}), session={"profile": profile})

    [file] = DeltaTable(str(lake / "up")).file_uris()
    footer = pq.read_metadata(file)
    assert footer.row_group(0).column(0).compression == "ZSTD"
    assert footer.row_group(0).num_rows == 5000


def test_a_file_size_may_be_text(run: Run, lake: Path) -> None:
    run(laid_out({"target_file_size": "16K", "row_group_rows": 1000}))
    assert len(ids(lake)) > 1


@pytest.mark.parametrize(
    ("layout", "error", "message"),
    [
        ({"sortby": "id"}, DeltaError, "Did you mean 'sort_by'?"),
        ({"sort_by": ["idd"]}, SchemaMismatchError, "Did you mean 'id'?"),
        ({"sort_by": [1]}, DeltaError, "give names of columns"),
        ({"target_file_size": "64X"}, DeltaError, "as '64M'"),
        ({"row_group_rows": 0}, DeltaError, "Expected `int` >= 1"),
        ({"compression": "zip"}, DeltaError, "matching regex"),
        (["id"], DeltaError, "give a mapping such as"),
    ],
)
def test_what_is_no_layout_is_refused_before_anything_is_written(
    run: Run, lake: Path, layout: Any, error: type[DeltaError], message: str
) -> None:
    with pytest.raises(error) as refused:
        run(laid_out(layout))
    assert message in str(refused.value)
    assert not lake.joinpath("up").exists()
