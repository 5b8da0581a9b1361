"""The messages that docs/tables.md shows are those that wrong metadata is answered."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

import dagster_dfsession as dfs
from dagster_dfsession.delta.merges import Merge
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.io_managers import feeds, handlers, loading, versions
from dagster_dfsession.pool import reading
from dagster_dfsession.query import rebinding
from dagster_dfsession.steps import contracts, declarations, layouts, partitions

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
PRICES = pa.table({"id": [1, 2], "price": [3.0, 5.0]})
MARKED = PRICES.append_column("mark", pa.array(["sale", None]))


class Lake:
    """Runs assets over tables below one directory."""

    def __init__(self, root: Path) -> None:
        session = dfs.DataFusionSessionResource(preset="dev")
        lake = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(root))
        self._resources = {"dfsession": session, "io_manager": lake}

    def run(self, *assets: Any, key: str | None = None, **options: Any) -> None:
        dg.materialize(assets, resources=self._resources, partition_key=key, **options)


def prices(
    value: pa.Table = PRICES,
    *,
    name: str = "prices",
    partitions: dg.PartitionsDefinition | None = None,
    **metadata: Any,
) -> dg.AssetsDefinition:
    @dg.asset(name=name, metadata=metadata, partitions_def=partitions)
    def asset() -> pa.Table:
        return value

    return asset


def shown(error: Exception, root: Path) -> str:
    return f"{type(error).__name__}: {error}".replace(str(root), "data/lake")


def page() -> str:
    return " ".join(PAGE.read_text(encoding="utf-8").split())


def names_of_keys(*modules: ModuleType) -> set[str]:
    return {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    }


def test_every_key_has_a_heading() -> None:
    keys = names_of_keys(partitions, contracts, declarations, layouts, loading)
    keys |= names_of_keys(versions, feeds)
    of_dagster = {key for key in keys if "/" in key}
    of_types = {handlers.CHANGES_TYPE, handlers.DELTA_TABLE}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    headings = " ".join(line for line in lines if line.startswith("### "))

    missing = {key for key in keys if f"`{key}`" not in headings}

    assert missing <= of_dagster | of_types


def test_every_mode_and_kind_of_merge_is_in_a_table() -> None:
    kinds = {kind.__struct_config__.tag for kind in get_args(Merge)}
    words = kinds | {*get_args(WriteMode)}

    assert {
        word
        for word in words
        if f"\n| `{word}` |" not in PAGE.read_text(encoding="utf-8")
    } == set()
    assert {word for word in get_args(SchemaMode) if f"`{word}`" not in page()} == set()


@pytest.mark.parametrize(
    "reason",
    [reading.NO_FILE_NEEDED, reading.PROVIDER_IS_CHEAPER, rebinding.OTHER_TYPES],
)
def test_the_reasons_against_a_native_scan_are_explained(reason: str) -> None:
    assert reason in page()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"mode": "upsert"},
        {"merge": {"on": "id", "kind": "upsrt"}},
        {"contract": {"checks": {"dear": "price > 4"}}},
        {"layout": {"sort": ["id"]}},
        {"determinism": "canonical", "merge": {"on": "id"}},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_the_page_shows_what_wrong_metadata_of_an_asset_is_answered(
    lake: Lake, tmp_path: Path, metadata: Mapping[str, Any]
) -> None:
    with pytest.raises(dfs.DeltaError) as refused:
        lake.run(prices(**metadata))

    assert shown(refused.value, tmp_path) in page()


def test_the_page_shows_what_other_columns_are_answered(
    lake: Lake, tmp_path: Path
) -> None:
    lake.run(prices(MARKED))

    with pytest.raises(dfs.SchemaMismatchError) as refused:
        lake.run(prices())

    assert shown(refused.value, tmp_path) in page()


def test_the_page_shows_what_partitions_without_a_column_are_answered(
    lake: Lake, tmp_path: Path
) -> None:
    days = dg.DailyPartitionsDefinition("2026-01-01")

    with pytest.raises(dfs.PartitionError) as refused:
        lake.run(prices(name="takings", partitions=days), key="2026-01-02")

    assert shown(refused.value, tmp_path) in page()


def test_the_page_begins_what_an_unknown_property_is_answered(
    lake: Lake, tmp_path: Path
) -> None:
    unknown = {"delta.enableChangeDataFed": "true"}

    with pytest.raises(dfs.DeltaError) as refused:
        lake.run(prices(name="offers", table_properties=unknown))

    begun, _, listed = shown(refused.value, tmp_path).partition(" delta.appendOnly")
    assert begun in page()
    assert listed.endswith("Did you mean 'delta.enableChangeDataFeed'?")


@pytest.mark.parametrize(
    "metadata",
    [{"columns": ["idd"]}, {"timestamp": "2026-01-01"}],
    ids=["columns", "timestamp"],
)
def test_the_page_shows_what_wrong_metadata_of_an_input_is_answered(
    lake: Lake, tmp_path: Path, metadata: Mapping[str, Any]
) -> None:
    @dg.asset(ins={"prices": dg.AssetIn(metadata=metadata)})
    def reader(prices: DataFrame) -> DataFrame:
        return prices

    with pytest.raises(dfs.DfSessionError) as refused:
        lake.run(prices(), reader)

    assert shown(refused.value, tmp_path) in page()


def test_the_page_shows_what_changes_that_nobody_kept_are_answered(
    lake: Lake, tmp_path: Path
) -> None:
    @dg.asset(metadata={"mode": "append"})
    def reader(prices: dfs.Changes) -> DataFrame:
        return prices.frame.select("id")

    lake.run(prices(), reader)

    with pytest.raises(dfs.DeltaError) as refused:
        lake.run(prices(), reader)

    assert shown(refused.value, tmp_path) in page()


def test_the_page_shows_what_an_observation_of_nothing_is_answered(
    tmp_path: Path,
) -> None:
    theirs = dfs.observable_delta_source("theirs", str(tmp_path / "theirs"))

    job = dg.Definitions([theirs]).resolve_implicit_global_asset_job_def()

    with pytest.raises(dfs.DeltaError) as refused:
        job.execute_in_process()

    said = shown(refused.value, tmp_path).replace("data/lake", "data")
    assert said in page()
