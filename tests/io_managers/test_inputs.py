"""What a step reads: which version, which rows, which columns, under which name."""

import itertools
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


def reading(
    metadata: dict[str, Any], seen: dict[str, Any], name: str = "down"
) -> dg.AssetsDefinition:
    """An asset that keeps its input and what SQL says of the same name."""

    def down(dfsession: DataFusionSessionResource, up: pa.Table) -> None:
        by_sql = dfsession.sql("SELECT * FROM up").to_pydict()
        seen[name] = [up.to_pydict(), by_sql, dfsession.table("up").to_pydict()]

    return dg.asset(down, name=name, ins={"up": dg.AssetIn(metadata=metadata)})


CUT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "whole": ({}, {"x": [1, 2, 3], "Big": ["a", "b", "c"]}),
    "columns": ({"columns": ["Big"]}, {"Big": ["a", "b", "c"]}),
    "column": ({"columns": "x"}, {"x": [1, 2, 3]}),
    "rows": ({"predicate": "x > 1 AND \"Big\" <> 'c'"}, {"x": [2], "Big": ["b"]}),
    "both": ({"predicate": "x = 3", "columns": ["Big"]}, {"Big": ["c"]}),
    "version": ({"version": 0}, {"x": [7], "Big": ["old"]}),
    "all": ({"version": 0, "columns": ["x"], "predicate": "x > 7"}, {"x": []}),
    "wrapped": ({"columns": dg.MetadataValue.json(["x"])}, {"x": [1, 2, 3]}),
}


def test_an_input_is_cut_down_under_each_of_its_names(run: Run, lake: Path) -> None:
    write_deltalake(str(lake / "up"), pa.table({"x": [7], "Big": ["old"]}))
    seen: dict[str, Any] = {}
    run(up, *(reading(metadata, seen, name) for name, (metadata, _) in CUT.items()))
    assert seen == {name: [expected] * 3 for name, (_, expected) in CUT.items()}


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"version": 5}, DeltaError, "The table has no such version"),
        ({"columns": ["y"]}, ColumnNotFoundError, "reading input up: .*y"),
        ({"predicate": "y > 1"}, ColumnNotFoundError, "reading input up: .*y"),
        ({"predicate": "x >"}, QueryError, "reading input up: .*expected"),
    ],
    ids=str,
)
def test_what_cannot_be_cut_down_so_is_refused(
    run: Run, metadata: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(up, reading(metadata, {}))


def test_an_input_without_a_table_names_those_there_are(run: Run) -> None:
    run(up)

    @dg.asset(deps=[dg.AssetSpec("up")], ins={"other": dg.AssetIn("upp")})
    def down(other: DataFrame) -> DataFrame:
        return other

    with pytest.raises(TableNotFoundError, match="table 'upp' was not found"):
        run(dg.AssetSpec("upp"), down, selection=["down"])


def copying(key: list[str], name: str) -> list[dg.AssetsDefinition]:
    @dg.asset(key=key)
    def first() -> pa.Table:
        return pa.table({"x": [1]})

    def second(first: DataFrame) -> DataFrame:
        return first

    given = dg.AssetIn(key=dg.AssetKey(key))
    return [first, dg.asset(second, name=name, ins={"first": given})]


def test_a_key_of_any_form_is_written_and_read(run: Run, rows: Rows) -> None:
    keys = [["raw", "t"], ["a", "b", "c"], ["Mixed"], ["a.b"], ["raw", "v1.2"]]
    assets = [copying(key, f"copy_{at}") for at, key in enumerate(keys)]
    result = run(*itertools.chain.from_iterable(assets))

    for at, key in enumerate(keys):
        assert rows(f"copy_{at}") == [{"x": 1}]
        [event] = result.asset_materializations_for_node(f"copy_{at}")
        inputs: Any = event.metadata["dfsession/inputs"].value
        assert [row.data["table"] for row in inputs.records] == [".".join(key)]


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


def test_a_delta_table_of_a_step_is_its_own(run: Run, lake: Path) -> None:
    """Moving it to another version moves nobody else's."""
    write_deltalake(str(lake / "up"), pa.table({"x": [7], "Big": ["old"]}))
    run(up)
    seen: list[int] = []

    @dg.asset
    def mover(up: DeltaTable) -> None:
        up.load_as_version(0)

    @dg.asset(deps=[mover])
    def down(up: DeltaTable) -> None:
        seen.append(up.version())

    run(dg.AssetSpec("up"), mover, down, selection=["mover", "down"])

    assert seen == [1]


@pytest.mark.parametrize("own", ["left", "right"])
def test_a_parameter_is_read_from_the_lake_of_its_own_io_manager(
    tmp_path: Path, own: str
) -> None:
    """Also where a table of the same key was left behind in another lake."""
    stale = {"left": "right", "right": "left"}[own]
    write_deltalake(str(tmp_path / stale / "up"), pa.table({"x": [0]}))
    session = DataFusionSessionResource(preset="dev")
    seen: list[Any] = []

    @dg.asset(name="up", io_manager_key=own)
    def moved() -> pa.Table:
        return pa.table({"x": [1]})

    @dg.asset(io_manager_key=stale)
    def other() -> pa.Table:
        return pa.table({"x": [5]})

    @dg.asset(io_manager_key=stale)
    def down(other: pa.Table, up: pa.Table) -> None:
        seen.append((other.to_pydict(), up.to_pydict()))

    managers = {
        name: DataFusionDeltaIOManager(session=session, root_uri=str(tmp_path / name))
        for name in ("left", "right")
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

    loaded: Any = defs.load_asset_value("up", python_type=pa.Table)

    assert loaded.num_rows == 3
