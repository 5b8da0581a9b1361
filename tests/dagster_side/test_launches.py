"""A launch that overrides the definition: what it changes, keeps and refuses."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource

Launch = Callable[..., dg.ExecuteInProcessResult]


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"x": [1, 2]})


@dg.asset
def from_input(dfsession: DataFusionSessionResource, numbers: DataFrame) -> DataFrame:
    return dfsession.sql("SELECT n.x + p.x AS x FROM numbers n, part p", part=numbers)


@dg.asset(deps=[from_input])
def from_name(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT x FROM from_input")


@pytest.fixture
def launch(lake: Path) -> Launch:
    """Run the graph with the resources' config of a launch."""

    def run(
        config: Mapping[str, Any], *assets: Any, **fields: Any
    ) -> dg.ExecuteInProcessResult:
        session = DataFusionSessionResource(**{"preset": "dev", **fields})
        with warnings.catch_warnings():
            # Dagster asks itself so, whenever one resource is part of another.
            warnings.filterwarnings("ignore", "InitResourceContext.dagster_run")
            return dg.materialize(
                assets or (numbers, from_input, from_name),
                resources={
                    "dfsession": session,
                    "io_manager": DataFusionDeltaIOManager(
                        session=session, root_uri=str(lake)
                    ),
                },
                run_config={"resources": config},
            )

    return run


def profiles(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return {
        event.asset_key.to_user_string(): event.materialization.metadata[
            "dfsession/profile_hash"
        ].value
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def expected(preset: str) -> str:
    return DataFusionSessionResource(preset=preset).plan().profile_hash


def test_an_overridden_preset_is_that_of_the_assets_and_of_their_records(
    launch: Launch,
) -> None:
    result = launch({"dfsession": {"config": {"preset": "reproducible"}}})

    assert profiles(result) == {
        "numbers": expected("dev"),  # made without the resource
        "from_input": expected("reproducible"),
        "from_name": expected("reproducible"),
    }


def test_one_session_configured_at_launch_is_everybody_s(lake: Path) -> None:
    session = DataFusionSessionResource.configure_at_launch()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "InitResourceContext.dagster_run")
        result = dg.materialize(
            [numbers, from_input, from_name],
            resources={
                "dfsession": session,
                "io_manager": DataFusionDeltaIOManager(
                    session=session, root_uri=str(lake)
                ),
            },
            run_config={"resources": {"dfsession": {"config": {"preset": "prod"}}}},
        )

    assert set(profiles(result).values()) == {expected("prod")}


def test_an_overridden_preset_keeps_options_functions_and_root(
    launch: Launch, lake: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    @dg.asset
    def looks(dfsession: DataFusionSessionResource) -> None:
        rows = dfsession.sql("SELECT one_more(1) AS x").to_pydict()
        options = dfsession.run.tables.first_lake.root.options  # type: ignore[union-attr]
        seen.append((dfsession.preset, rows, options))

    (tmp_path / "functions_of_a_launch.py").write_text(
        "import pyarrow as pa\n"
        "import pyarrow.compute as pc\n"
        "from dagster_dfsession import scalar_udf\n\n"
        '@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")\n'
        "def one_more(x):\n"
        "    return pc.add(x, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TEST_OPTION", "of the environment")
    result = launch(
        {"dfsession": {"config": {"preset": "low_memory"}}},
        looks,
        udfs=["functions_of_a_launch"],
        root_uri=str(lake),
        storage_options={"a": dg.EnvVar("TEST_OPTION"), "b": "plain"},
    )

    assert result.success
    assert seen == [
        ("low_memory", {"x": [2]}, {"a": "of the environment", "b": "plain"})
    ]


def test_an_overridden_address_keeps_how_the_manager_writes(tmp_path: Path) -> None:
    session = DataFusionSessionResource(preset="dev")
    stated = DataFusionDeltaIOManager(
        session=session, root_uri="elsewhere", mode="append", schema_mode="merge"
    )
    config = {"io_manager": {"config": {"root_uri": str(tmp_path / "lake")}}}
    wider = pa.table({"x": [3], "y": [4]})

    @dg.asset(name="numbers")
    def more() -> pa.Table:
        return wider

    with warnings.catch_warnings():
        # Dagster asks itself so, whenever one resource is part of another.
        warnings.filterwarnings("ignore", "InitResourceContext.dagster_run")
        for asset in (numbers, more):
            resources = {"dfsession": session, "io_manager": stated}
            run_config = {"resources": config}
            dg.materialize([asset], resources=resources, run_config=run_config)

    rows = DeltaTable(tmp_path / "lake" / "numbers").to_pyarrow_table()
    assert sorted(rows.to_pydict()["x"]) == [1, 2, 3]
    assert rows.column_names == ["x", "y"]


@pytest.mark.parametrize("config", [{}, {"dfsession": {"config": {"preset": "prod"}}}])
def test_a_variable_that_is_not_set_is_named(
    launch: Launch, lake: Path, config: dict[str, Any]
) -> None:
    with pytest.raises(dg.DagsterError) as refused:
        launch(config, storage_options={"secret": dg.EnvVar("NOT_SET_ANYWHERE")})

    assert "NOT_SET_ANYWHERE" in reason(refused.value)

    assert not lake.exists()


def test_variables_in_the_profile_are_read_where_it_runs(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_BATCH_SIZE", "77")
    monkeypatch.setenv("TEST_PRESET", "prod")
    monkeypatch.setenv("TEST_MEMORY", "64M")
    seen: list[Any] = []

    @dg.asset
    def looks(dfsession: DataFusionSessionResource) -> None:
        settings = dfsession.snapshot().settings
        seen.append(settings["datafusion.execution.batch_size"])
        seen.append(dfsession.snapshot().runtime_env.memory_bytes)
        seen.append(dfsession.preset)

    launch(
        {},
        looks,
        preset=dg.EnvVar("TEST_PRESET"),
        profile={
            "execution": {"batch_size": dg.EnvVar.int("TEST_BATCH_SIZE")},
            "runtime": {
                "memory_pool": {"kind": "fair", "size": dg.EnvVar("TEST_MEMORY")}
            },
        },
    )

    assert seen == ["77", 64 * 1024 * 1024, "prod"]


@pytest.mark.parametrize(
    ("profile", "path"),
    [
        ({"execution": {"batch_size": 0}}, "profile.execution.batch_size"),
        ({"execution": {"batchsize": 1}}, "batchsize"),
        ({"runtime": {"memory_pool": {"kind": "fair", "size": "2 gigs"}}}, "pool.size"),
        ({"cache": {"preset": "isolatd"}}, "Did you mean 'isolated'"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_its_path(
    launch: Launch, lake: Path, profile: dict[str, Any], path: str
) -> None:
    with pytest.raises(dg.DagsterError) as refused:
        launch({"dfsession": {"config": {"profile": profile}}})

    assert path in reason(refused.value)
    assert not lake.exists()


def test_an_unknown_preset_is_refused_with_those_there_are(
    launch: Launch, lake: Path
) -> None:
    with pytest.raises(dg.DagsterError) as refused:
        launch({"dfsession": {"config": {"preset": "prd"}}})

    assert reason(refused.value) == (
        "unknown preset 'prd'; known: default, dev, low_memory, prod, reproducible. "
        "Did you mean 'prod'?"
    )
    assert not lake.exists()


def reason(error: BaseException) -> str:
    """Return the message of what Dagster wrapped; it stands in the run's log."""
    return str(error.__cause__ or error)


def test_an_input_is_read_from_the_lake_of_its_own_manager(tmp_path: Path) -> None:
    @dg.asset(io_manager_key="old")
    def left_behind() -> pa.Table:
        return pa.table({"x": ["old"]})

    @dg.asset(name="left_behind", io_manager_key="new")
    def moved() -> pa.Table:
        return pa.table({"x": ["new"]})

    @dg.asset(io_manager_key="old")
    def child(left_behind: DataFrame) -> DataFrame:
        return left_behind

    session = DataFusionSessionResource(preset="dev")
    resources = {
        name: DataFusionDeltaIOManager(session=session, root_uri=str(tmp_path / name))
        for name in ("old", "new")
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "InitResourceContext.dagster_run")
        dg.materialize([left_behind], resources=resources)
        dg.materialize([moved, child], resources=resources)

    rows = DeltaTable(tmp_path / "old" / "child").to_pyarrow_table()
    assert rows.to_pydict() == {"x": ["new"]}
