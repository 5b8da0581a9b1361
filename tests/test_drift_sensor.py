"""The drift sensor asks for runs of what a changed session would change, and once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

import dagster_dfsession as dfs

Run = Callable[..., dg.ExecuteInProcessResult]
Tick = Callable[..., dg.SensorResult]

VIENNA: dict[str, Any] = {"profile": {"hardening": {"time_zone": "Europe/Vienna"}}}
SMALL = {"profile": {"execution": {"batch_size": 77}}}
QUERY = dfs.sql_asset(name="query", sql="SELECT x FROM plain")
OTHER = dfs.sql_asset(name="other", sql="SELECT x + 1 AS x FROM plain")
KEYED = dfs.sql_asset(
    name="keyed",
    sql="SELECT $partition_key AS part, x FROM plain",
    partitions_def=dg.StaticPartitionsDefinition(["a", "b", "c"]),
    metadata={"partition_expr": "part"},
)


@dg.asset
def plain() -> pa.Table:
    return pa.table({"x": [1]})


ASSETS = [plain, QUERY, OTHER, KEYED]


@pytest.fixture
def tick(lake: Path, instance: dg.DagsterInstance) -> Tick:
    """Let a drift sensor have one tick, in a session as it is configured by then."""

    def evaluate(cursor: str | None = None, **session: Any) -> Any:
        made = dfs.DataFusionSessionResource(**{"preset": "dev", **session})
        io = dfs.DataFusionDeltaIOManager(session=made, root_uri=str(lake))
        sensor = dfs.build_session_drift_sensor(ASSETS)
        context = dg.build_sensor_context(
            instance,
            cursor=cursor,
            resources={"io_manager": io},
            definitions=dg.Definitions(
                ASSETS, resources={"dfsession": made, "io_manager": io}
            ),
        )
        with context:
            return sensor.evaluate_tick(context)

    return evaluate


@pytest.fixture
def made(run: Run, instance: dg.DagsterInstance) -> Callable[..., Any]:
    def materialize(*assets: Any, **options: Any) -> Any:
        return run(*assets, instance=instance, **options)

    return materialize


def asked(ticked: Any) -> set[tuple[tuple[str, ...], str | None]]:
    return {
        (
            tuple(sorted(key.to_user_string() for key in each.asset_selection or ())),
            each.partition_key,
        )
        for each in ticked.run_requests
    }


def test_a_changed_setting_asks_for_what_it_changes_and_once(
    made: Any, tick: Any
) -> None:
    made(plain, QUERY)
    made(OTHER, session=VIENNA)
    made(KEYED, key="a")
    made(KEYED, key="b", session=VIENNA)

    same = tick(**SMALL)
    first = tick(cursor=same.cursor, **VIENNA)
    again = tick(cursor=first.cursor, **VIENNA)

    # By now, that of Vienna alone is another one.
    assert asked(same) == {(("other",), None), (("keyed",), "b")}
    assert asked(first) == {(("query",), None), (("keyed",), "a")}
    [request] = [each for each in first.run_requests if each.partition_key is None]
    assert request.tags["dfsession/requested_for"] == "datafusion.execution.time_zone"
    assert again.run_requests == []
    assert "2 more were asked for before" in str(again.skip_message)


def test_what_was_made_anew_is_not_asked_for_and_may_drift_again(
    made: Any, tick: Any
) -> None:
    made(plain, QUERY)
    first = tick(**VIENNA)
    made(QUERY, session=VIENNA)

    settled = tick(cursor=first.cursor, **VIENNA)
    made(QUERY)
    back = tick(cursor=settled.cursor, **VIENNA)

    assert asked(first) == {(("query",), None)}
    assert settled.run_requests == []
    assert "would make the same rows" in str(settled.skip_message)
    assert asked(back) == {(("query",), None)}
    assert first.run_requests[0].run_key != back.run_requests[0].run_key


def test_a_batch_size_asks_for_nothing_and_says_what_is_unknown(
    made: Any, tick: Any
) -> None:
    made(plain, QUERY)

    found = tick(**SMALL)

    assert found.run_requests == []
    assert "other is unknown: there is no materialization of other" in str(
        found.skip_message
    )


def test_a_request_can_be_run(
    made: Any, tick: Any, instance: dg.DagsterInstance, lake: Path
) -> None:
    """The run that Dagster would make of it settles the matter."""
    made(plain, QUERY, OTHER)
    session = dfs.DataFusionSessionResource(preset="dev", **VIENNA)
    io = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    sensor = dfs.build_session_drift_sensor(ASSETS)
    defs = dg.Definitions(
        ASSETS,
        sensors=[sensor],
        resources={"dfsession": session, "io_manager": io},
    )

    [request] = tick(**VIENNA).run_requests
    job = defs.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        instance=instance,
        asset_selection=list(request.asset_selection or ()),
        tags=request.tags,
    )

    assert done.success
    assert tick(**VIENNA).run_requests == []


@pytest.mark.parametrize("given", ["query", dg.AssetSpec("query")])
def test_what_cannot_be_materialized_is_refused(given: Any) -> None:
    with pytest.raises(dfs.UnsupportedTypeError, match="give it assets that can be"):
        dfs.build_session_drift_sensor([given])


def test_a_cursor_that_it_did_not_write_is_refused(tick: Any) -> None:
    with pytest.raises(dfs.SessionError, match="Reset it on the sensor's page"):
        tick(cursor="7")


def test_another_resource_is_named(instance: dg.DagsterInstance) -> None:
    sensor = dfs.build_session_drift_sensor([plain], io_manager_key="other")
    context = dg.build_sensor_context(instance, resources={"other": 1})

    with context, pytest.raises(dfs.SessionError, match="'other' is a int; the drift"):
        sensor.evaluate_tick(context)


def test_a_folder_of_queries_may_be_given_as_it_is(tmp_path: Path) -> None:
    texts = {
        "a": "/* ---\nchecks: [{check: row_count, min: 1}]\n--- */\nSELECT 1 AS x",
        "v": "/* ---\nkept: view\n--- */\nSELECT * FROM a",
        "b": "SELECT * FROM v",
    }
    for name, text in texts.items():
        tmp_path.joinpath(f"{name}.sql").write_text(text)
    models = dfs.load_sql_assets(tmp_path)
    sensor = dfs.build_session_drift_sensor(models)
    resources = {"dfsession": dg.ResourceDefinition.none_resource()}
    graph = dg.Definitions(models, resources=resources).resolve_asset_graph()

    assert sensor.asset_selection is not None
    found = sensor.asset_selection.resolve(graph)
    assert found == {dg.AssetKey("a"), dg.AssetKey("b")}
