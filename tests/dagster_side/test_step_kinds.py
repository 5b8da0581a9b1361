"""Every way in which Dagster hands the resource to somebody."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource
from dagster_dfsession.errors import SessionError

Run = Callable[..., dg.ExecuteInProcessResult]

pytestmark = pytest.mark.filterwarnings(
    # Dagster asks itself so, whenever one resource is part of another.
    "ignore:InitResourceContext.dagster_run"
)


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"x": [1, 2, 3]})


@pytest.fixture
def resources(lake: Path, spilling: dict[str, Any]) -> dict[str, Any]:
    session = DataFusionSessionResource(preset="dev", **spilling)
    manager = DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    return {"dfsession": session, "io_manager": manager}


def test_an_asset_check_of_its_own_step_reads_the_table(
    run: Run, spilling: dict[str, Any]
) -> None:
    @dg.asset_check(asset=numbers)
    def positive(
        dfsession: DataFusionSessionResource, numbers: DataFrame
    ) -> dg.AssetCheckResult:
        least = dfsession.sql("SELECT min(x) AS x FROM numbers").to_pydict()["x"][0]
        return dg.AssetCheckResult(passed=least > 0, metadata={"rows": numbers.count()})

    result = run(numbers, positive, session=spilling)

    (checked,) = result.get_asset_check_evaluations()
    assert checked.passed
    assert checked.metadata["rows"].value == 3


def test_a_check_alone_reads_a_table_of_an_earlier_run(
    resources: dict[str, Any], lake: Path
) -> None:
    write_deltalake(lake / "numbers", pa.table({"x": [7]}))

    @dg.asset_check(asset="numbers")
    def seven(dfsession: DataFusionSessionResource) -> dg.AssetCheckResult:
        rows = dfsession.sql("SELECT x FROM numbers").to_pydict()
        return dg.AssetCheckResult(passed=rows == {"x": [7]})

    # The session of a check has no IO manager beside it: it needs the root itself.
    session = DataFusionSessionResource(preset="dev", root_uri=str(lake))
    defs = dg.Definitions(
        asset_checks=[seven],
        jobs=[
            dg.define_asset_job("checks", dg.AssetSelection.all_asset_checks()),
        ],
        resources={**resources, "dfsession": session},
    )

    result = defs.resolve_job_def("checks").execute_in_process()

    assert [each.passed for each in result.get_asset_check_evaluations()] == [True]


def test_each_output_of_a_multi_asset_is_a_table(
    run: Run, rows: Callable[..., Any], spilling: dict[str, Any]
) -> None:
    @dg.multi_asset(outs={"low": dg.AssetOut(), "high": dg.AssetOut()}, deps=[numbers])
    def split(dfsession: DataFusionSessionResource) -> tuple[DataFrame, DataFrame]:
        return (
            dfsession.sql("SELECT x FROM numbers WHERE x < 2"),
            dfsession.sql("SELECT x FROM numbers WHERE x >= 2"),
        )

    result = run(numbers, split, session=spilling)

    assert rows("low") == [{"x": 1}]
    assert rows("high") == [{"x": 2}, {"x": 3}]
    versions = {
        event.asset_key: event.materialization.tags["dagster/data_version"]  # type: ignore[index]
        for event in result.get_asset_materialization_events()
    }
    assert len(set(versions.values())) == 3


def test_an_op_uses_the_session(spilling: dict[str, Any]) -> None:
    @dg.op
    def answer(dfsession: DataFusionSessionResource) -> int:
        name = dfsession.register("part", pa.table({"x": [42]}))
        assert "_answer_0__" in name
        return int(dfsession.sql("SELECT x FROM part").to_pydict()["x"][0])

    @dg.job(
        resource_defs={"dfsession": DataFusionSessionResource(preset="dev", **spilling)}
    )
    def asking() -> None:
        answer()

    assert asking.execute_in_process().output_for_node("answer") == 42


def test_mapped_steps_have_names_of_their_own(spilling: dict[str, Any]) -> None:
    names: list[str] = []

    @dg.op(out=dg.DynamicOut())
    def parts() -> Iterator[dg.DynamicOutput[int]]:
        for each in (1, 2):
            yield dg.DynamicOutput(each, mapping_key=f"part{each}")

    @dg.op
    def work(dfsession: DataFusionSessionResource, part: int) -> None:
        names.append(dfsession.register("part", pa.table({"x": [part]})))

    session = DataFusionSessionResource(preset="dev", **spilling)

    @dg.job(resource_defs={"dfsession": session})
    def mapped() -> None:
        parts().map(work)

    run_id = mapped.execute_in_process().run_id
    prefix = f"run_{run_id[:8]}_work"
    assert names == [f"{prefix}_part1__0__part", f"{prefix}_part2__0__part"]


def test_an_asset_can_be_called_with_the_resource(spilling: dict[str, Any]) -> None:
    @dg.asset
    def one(dfsession: DataFusionSessionResource) -> dict[str, list[int]]:
        name = dfsession.register("part", pa.table({"x": [1]}))
        assert name.startswith("run_adhoc")
        return dfsession.sql("SELECT x FROM part").to_pydict()

    assert one(dfsession=DataFusionSessionResource(preset="dev", **spilling)) == {
        "x": [1]
    }


def test_an_asset_can_be_called_with_a_context(spilling: dict[str, Any]) -> None:
    @dg.asset
    def one(
        context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
    ) -> Any:
        context.log.debug("asked")
        return dfsession.sql("SELECT 1 AS x").to_pydict()

    session = DataFusionSessionResource(preset="dev", **spilling)
    with dg.build_asset_context(resources={"dfsession": session}) as context:
        assert one(context) == {"x": [1]}


def test_a_sensor_uses_the_session(lake: Path, spilling: dict[str, Any]) -> None:
    write_deltalake(lake / "numbers", pa.table({"x": [1, 2]}))

    @dg.sensor(target=[numbers])
    def counting(dfsession: DataFusionSessionResource) -> dg.SkipReason:
        rows = dfsession.sql("SELECT count(*) AS n FROM numbers").to_pydict()["n"][0]
        return dg.SkipReason(f"{rows} rows")

    session = DataFusionSessionResource(preset="dev", root_uri=str(lake), **spilling)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance, resources={"dfsession": session}
        ) as context,
    ):
        told = counting.evaluate_tick(context)

    assert told.skip_message == "2 rows"


def test_a_value_is_loaded_outside_a_run(resources: dict[str, Any], lake: Path) -> None:
    write_deltalake(lake / "numbers", pa.table({"x": [1, 2]}))
    defs = dg.Definitions(assets=[numbers], resources=resources)

    rows: Any = defs.load_asset_value("numbers", python_type=pa.Table)
    assert rows.to_pydict() == {"x": [1, 2]}
    frame: Any = defs.get_repository_def().load_asset_value(
        dg.AssetKey("numbers"), python_type=DataFrame
    )
    assert frame.count() == 2
    with dg.DagsterInstance.ephemeral() as instance:
        loader = defs.get_asset_value_loader(instance)
        with loader:
            delta: Any = loader.load_asset_value("numbers", python_type=DeltaTable)
    assert delta.version() == 0


def test_a_frame_that_outlives_its_session_still_has_its_rows(
    resources: dict[str, Any], lake: Path
) -> None:
    write_deltalake(lake / "numbers", pa.table({"x": [1, 2]}))
    defs = dg.Definitions(assets=[numbers], resources=resources)

    frame: Any = defs.load_asset_value("numbers", python_type=DataFrame)

    assert frame.to_pydict() == {"x": [1, 2]}


def test_a_resource_that_is_not_set_up_says_how_it_is_used() -> None:
    with pytest.raises(SessionError) as refused:
        DataFusionSessionResource(preset="dev").sql("SELECT 1")

    assert str(refused.value) == (
        "the session resource is not set up: use it as a parameter of an asset, an op, a "
        "check or a sensor; outside Dagster use open_session(resource.plan())"
    )
