"""What a step reads: which version, which rows, which columns, under which name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource
from dagster_dfsession.errors import (
    ColumnNotFoundError,
    DeltaError,
    QueryError,
    TableNotFoundError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]


@dg.asset
def up() -> pa.Table:
    return pa.table({"x": [1, 2, 3], "Big": ["a", "b", "c"]})


def reading(seen: list[Any], metadata: dict[str, Any]) -> dg.AssetsDefinition:
    """An asset that keeps its input and what SQL says of the same name."""

    @dg.asset(ins={"up": dg.AssetIn(metadata=metadata)})
    def down(dfsession: DataFusionSessionResource, up: pa.Table) -> None:
        seen.append(up.to_pydict())
        seen.append(dfsession.sql("SELECT * FROM up").to_pydict())
        seen.append(dfsession.table("up").to_pydict())

    return down


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, {"x": [1, 2, 3], "Big": ["a", "b", "c"]}),
        ({"columns": ["Big"]}, {"Big": ["a", "b", "c"]}),
        ({"columns": "x"}, {"x": [1, 2, 3]}),
        ({"predicate": "x > 1 AND \"Big\" <> 'c'"}, {"x": [2], "Big": ["b"]}),
        ({"predicate": "x = 3", "columns": ["Big"]}, {"Big": ["c"]}),
        ({"version": 0}, {"x": [7], "Big": ["old"]}),
        ({"version": 0, "columns": ["x"], "predicate": "x > 7"}, {"x": []}),
        ({"columns": dg.MetadataValue.json(["x"])}, {"x": [1, 2, 3]}),
    ],
    ids=str,
)
def test_an_input_is_cut_down_under_each_of_its_names(
    run: Run, lake: Path, metadata: dict[str, Any], expected: dict[str, Any]
) -> None:
    old = pa.table({"x": [7], "Big": ["old"]})
    write_deltalake(str(lake / "up"), old)
    seen: list[Any] = []
    run(up, reading(seen, metadata))
    assert seen == [expected] * 3


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"version": 5}, DeltaError, "The table has no such version"),
        ({"columns": ["y"]}, ColumnNotFoundError, "reading input up: .*y"),
        ({"predicate": "y > 1"}, ColumnNotFoundError, "reading input up: .*y"),
        ({"predicate": "x >"}, QueryError, "reading input up: .*Expected"),
    ],
    ids=str,
)
def test_what_cannot_be_cut_down_so_is_refused(
    run: Run, metadata: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(up, reading([], metadata))


def test_an_input_without_a_table_names_those_there_are(run: Run) -> None:
    run(up)

    @dg.asset(deps=[dg.AssetSpec("up")], ins={"other": dg.AssetIn("upp")})
    def down(other: DataFrame) -> DataFrame:
        return other

    with pytest.raises(TableNotFoundError, match="table 'upp' was not found"):
        run(dg.AssetSpec("upp"), down, selection=["down"])


@pytest.mark.parametrize(
    "key", [["raw", "flights"], ["a", "b", "c"], ["Mixed"], ["a.b"], ["raw", "v1.2"]]
)
def test_a_key_of_any_form_is_written_and_read(
    run: Run, rows: Rows, key: list[str]
) -> None:
    @dg.asset(key=key)
    def first() -> pa.Table:
        return pa.table({"x": [1]})

    @dg.asset(ins={"first": dg.AssetIn(key=dg.AssetKey(key))})
    def second(first: DataFrame) -> DataFrame:
        return first

    result = run(first, second)

    assert rows("second") == [{"x": 1}]
    [event] = result.asset_materializations_for_node("second")
    inputs: Any = event.metadata["dfsession/inputs"].value
    assert [record.data["table"] for record in inputs.records] == [".".join(key)]


def test_a_run_reads_one_version_of_a_table(run: Run, lake: Path, rows: Rows) -> None:
    """Someone commits between two steps; the second one reads what the first read."""
    run(up)

    @dg.asset(deps=[up])
    def early(dfsession: DataFusionSessionResource) -> DataFrame:
        frame = dfsession.sql("SELECT count(*) AS n FROM up")
        frame.collect()
        foreign = pa.table({"x": [9], "Big": ["foreign"]})
        write_deltalake(str(lake / "up"), foreign, mode="append")
        return frame

    @dg.asset(deps=[early])
    def by_name(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT count(*) AS n FROM up")

    @dg.asset(deps=[early])
    def by_parameter(up: pa.Table) -> pa.Table:
        return pa.table({"n": [up.num_rows]})

    @dg.asset(deps=[early])
    def by_delta_table(up: DeltaTable) -> pa.Table:
        return pa.table({"n": [up.count()]})

    later = [by_name, by_parameter, by_delta_table]
    run(up, early, *later, selection=dg.AssetSelection.assets(early, *later))
    names = ["early", "by_name", "by_parameter", "by_delta_table"]
    assert [rows(name) for name in names] == [[{"n": 3}]] * 4

    run(up, early, *later, selection=dg.AssetSelection.assets(*later))
    assert [rows(asset.key.path[0]) for asset in later] == [[{"n": 4}]] * 3


def test_what_the_run_itself_wrote_is_read_as_written(run: Run, rows: Rows) -> None:
    run(up)

    @dg.asset
    def before(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT count(*) AS n FROM up")

    @dg.asset(name="up", deps=[before], metadata={"schema_mode": "overwrite"})
    def up_again(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT x FROM up LIMIT 1")

    @dg.asset
    def after(dfsession: DataFusionSessionResource, up: DataFrame) -> DataFrame:
        assert up.count() == 1
        return dfsession.sql("SELECT * FROM up")

    run(before, up_again, after)

    assert rows("before") == [{"n": 3}]
    assert len(rows("up")) == 1
    assert rows("after") == rows("up")


def test_a_delta_table_of_a_step_is_its_own(run: Run, lake: Path, rows: Rows) -> None:
    """Moving it to another version moves nobody else's."""
    write_deltalake(str(lake / "up"), pa.table({"x": [7], "Big": ["old"]}))
    run(up)

    @dg.asset
    def mover(up: DeltaTable) -> None:
        up.load_as_version(0)

    @dg.asset(deps=[mover])
    def down(dfsession: DataFusionSessionResource, up: DataFrame) -> DataFrame:
        assert up.count() == 3
        return dfsession.sql("SELECT x FROM up")

    run(dg.AssetSpec("up"), mover, down, selection=["mover", "down"])

    assert rows("down") == [{"x": 1}, {"x": 2}, {"x": 3}]


def test_a_parameter_is_read_from_the_lake_of_its_own_io_manager(
    tmp_path: Path, rows: Rows
) -> None:
    """Also where a table of the same key was left behind in another lake."""
    write_deltalake(str(tmp_path / "old" / "up"), pa.table({"x": [0]}))
    session = DataFusionSessionResource(preset="dev")
    seen: list[Any] = []

    @dg.asset(name="up", io_manager_key="new")
    def moved() -> pa.Table:
        return pa.table({"x": [1]})

    @dg.asset(io_manager_key="old")
    def other() -> pa.Table:
        return pa.table({"x": [5]})

    @dg.asset(io_manager_key="old")
    def down(other: pa.Table, up: pa.Table) -> None:
        seen.append((other.to_pydict(), up.to_pydict()))

    managers = {
        name: DataFusionDeltaIOManager(session=session, root_uri=str(tmp_path / name))
        for name in ("old", "new")
    }
    result = dg.materialize([moved, other, down], resources=dict(managers))

    assert result.success
    assert seen == [({"x": [5]}, {"x": [1]})]


def test_a_check_reads_the_table_of_its_asset(run: Run) -> None:
    @dg.asset_check(asset=up)
    def has_rows(up: pa.Table) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=up.num_rows == 3)

    [evaluation] = run(up, has_rows).get_asset_check_evaluations()
    assert evaluation.passed


def test_a_table_can_be_loaded_outside_a_run(lake: Path, run: Run) -> None:
    run(up)
    session = DataFusionSessionResource(preset="dev")
    manager = DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    defs = dg.Definitions([up], resources={"io_manager": manager})

    loaded = defs.load_asset_value("up", python_type=pa.Table)

    assert loaded.num_rows == 3
