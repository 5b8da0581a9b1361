"""One session for one run: shared while it lasts, gone when it is over."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource
from dagster_dfsession.errors import (
    FunctionFailedError,
    SchemaMismatchError,
    SessionError,
)
from dagster_dfsession.pool.cache import PROCESS_SESSIONS
from dagster_dfsession.session.session import Session

Run = Callable[..., dg.ExecuteInProcessResult]


class Seen:
    """What assets saw while they ran."""

    def __init__(self, spill: Path) -> None:
        self.sessions: list[Session] = []
        self.names: list[list[str]] = []
        self.directories: list[list[str]] = []
        self.holders: list[Mapping[Any, int]] = []
        self._spill = spill

    def look(self, dfsession: DataFusionSessionResource) -> None:
        session = dfsession.session()
        self.sessions.append(session)
        self.names.append(sorted(dfsession.lease.names))
        self.directories.append(sorted(path.name for path in self._spill.iterdir()))
        self.holders.append(PROCESS_SESSIONS.cache.holders())


@pytest.fixture
def seen(spill: Path) -> Seen:
    return Seen(spill)


@pytest.fixture
def graph(seen: Seen) -> tuple[dg.AssetsDefinition, dg.AssetsDefinition]:
    @dg.asset
    def first(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.register("part", pa.table({"x": [1, 2]}))
        seen.look(dfsession)
        return dfsession.sql("SELECT x FROM part")

    @dg.asset(deps=[first])
    def second(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.register("part", pa.table({"x": [3]}))
        seen.look(dfsession)
        return dfsession.sql("SELECT x FROM first UNION ALL SELECT x FROM part")

    return first, second


def test_all_steps_of_a_run_and_its_io_manager_have_one_session(
    run: Run, graph: Any, seen: Seen, spilling: dict[str, Any]
) -> None:
    result = run(*graph, session=spilling)

    (key,) = seen.holders[0]
    assert seen.sessions[0] is seen.sessions[1]
    assert key[0] == result.run_id
    assert seen.holders == [{key: 2}, {key: 2}]  # the resource and the IO manager's
    assert [len(each) for each in seen.directories] == [1, 1]
    assert seen.directories[0][0].startswith(f"dfsession_{result.run_id}_")


def test_a_step_finds_none_of_the_names_of_the_step_before(
    run: Run, graph: Any, seen: Seen, spilling: dict[str, Any]
) -> None:
    result = run(*graph, session=spilling)

    prefix = f"run_{result.run_id[:8]}"
    assert seen.names == [[f"{prefix}_first_0__part"], [f"{prefix}_second_0__part"]]


def test_after_the_run_the_session_is_closed(
    run: Run, graph: Any, seen: Seen, spilling: dict[str, Any]
) -> None:
    run(*graph, session=spilling)

    assert seen.sessions[0].closed


def test_each_run_has_a_session_of_its_own(
    run: Run, graph: Any, seen: Seen, spilling: dict[str, Any]
) -> None:
    run(*graph, session=spilling)
    run(*graph, session=spilling)

    assert len({id(session) for session in seen.sessions}) == 2


def test_a_step_that_fails_leaves_nothing(
    run: Run, seen: Seen, spilling: dict[str, Any]
) -> None:
    @dg.asset
    def fails(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.register("part", pa.table({"x": [1]}))
        seen.look(dfsession)
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        run(fails, session=spilling)

    assert seen.names[0]
    assert seen.directories[0]
    assert seen.sessions[0].closed


def test_an_io_manager_that_fails_leaves_nothing(
    run: Run, seen: Seen, lake: Path, spilling: dict[str, Any]
) -> None:
    @dg.asset
    def twice_a(dfsession: DataFusionSessionResource) -> DataFrame:
        seen.look(dfsession)
        return dfsession.sql('SELECT 1 AS a, 2 AS "A"')

    with pytest.raises(SchemaMismatchError, match="share a name"):
        run(twice_a, session=spilling)

    assert seen.sessions[0].closed
    assert not (lake / "twice_a").exists()


def test_a_function_that_raises_leaves_nothing(
    run: Run,
    seen: Seen,
    lake: Path,
    spilling: dict[str, Any],
    raising_functions: str,
) -> None:
    @dg.asset
    def broken(dfsession: DataFusionSessionResource) -> DataFrame:
        seen.look(dfsession)
        return dfsession.sql("SELECT always_raises(1) AS x")

    with pytest.raises(FunctionFailedError, match="'always_raises' raised"):
        run(broken, session={**spilling, "udfs": [raising_functions]})

    assert seen.sessions[0].closed
    assert not (lake / "broken").exists()


@pytest.fixture
def raising_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "functions_that_raise"
    (tmp_path / f"{name}.py").write_text(
        "import pyarrow as pa\n"
        "from dagster_dfsession import scalar_udf\n\n"
        '@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="volatile")\n'
        "def always_raises(x):\n"
        '    raise ValueError("no")\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_retry_succeeds_after_failing_half_way_through_registration(
    run: Run, seen: Seen, lake: Path, spilling: dict[str, Any]
) -> None:
    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def unlucky(
        context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
    ) -> DataFrame:
        dfsession.register("left_part", pa.table({"x": [1]}))
        seen.look(dfsession)
        if context.retry_number == 0:
            raise ConnectionError("gone half-way")
        dfsession.register("right_part", pa.table({"x": [2]}))
        return dfsession.sql("SELECT l.x + r.x AS x FROM left_part l, right_part r")

    result = run(unlucky, session=spilling)

    assert result.success
    assert DeltaTable(str(lake / "unlucky")).version() == 0
    prefix = f"run_{result.run_id[:8]}_unlucky"
    assert seen.names == [[f"{prefix}_0__left_part"], [f"{prefix}_1__left_part"]]


def test_threads_that_an_asset_starts_share_its_names(
    run: Run, seen: Seen, spilling: dict[str, Any]
) -> None:
    @dg.asset
    def threaded(dfsession: DataFusionSessionResource) -> pa.Table:
        dfsession.register("part", pa.table({"x": [1, 2, 3]}))
        found: list[pa.Table] = []
        thread = threading.Thread(
            target=lambda: found.append(
                dfsession.sql("SELECT sum(x) AS x FROM part").to_arrow_table()
            )
        )
        thread.start()
        thread.join()
        seen.look(dfsession)
        return found[0]

    result = run(threaded, session=spilling)

    assert seen.names == [[f"run_{result.run_id[:8]}_threaded_0__part"]]


def test_two_resources_of_one_profile_have_one_session_and_write_to_their_own_lakes(
    tmp_path: Path, seen: Seen, spilling: dict[str, Any]
) -> None:
    @dg.asset
    def here(one: DataFusionSessionResource) -> dg.MaterializeResult[None]:
        seen.look(one)
        return one.materialize(one.sql("SELECT 1 AS x"))

    @dg.asset
    def there(other: DataFusionSessionResource) -> dg.MaterializeResult[None]:
        seen.look(other)
        return other.materialize(other.sql("SELECT 2 AS x"))

    dg.materialize(
        [here, there],
        resources={
            name: DataFusionSessionResource(
                preset="dev", root_uri=str(tmp_path / name), **spilling
            )
            for name in ("one", "other")
        },
    )

    assert seen.sessions[0] is seen.sessions[1]
    assert [p.name for p in (tmp_path / "one").iterdir() if p.name[0] != "_"] == [
        "here"
    ]
    assert [p.name for p in (tmp_path / "other").iterdir() if p.name[0] != "_"] == [
        "there"
    ]


def test_a_manager_that_is_not_set_up_says_so() -> None:
    manager = DataFusionDeltaIOManager(
        session=DataFusionSessionResource(), root_uri="x"
    )

    with pytest.raises(SessionError) as refused:
        _ = manager.lake

    assert (
        str(refused.value) == "the IO manager is not set up: Dagster does it in a run"
    )
