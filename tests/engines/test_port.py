"""One port, several engines: plans as bytes, and samples that tell engines apart."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

import dagster_dfsession as dfs
from dagster_dfsession.delta.location import Location
from dagster_dfsession.engines.local import LocalEngine
from dagster_dfsession.engines.parity import check_equal
from dagster_dfsession.engines.port import Engine, TableAt
from dagster_dfsession.errors import DeltaError, QueryError
from dagster_dfsession.materialization.artifact import Encoded
from dagster_dfsession.session.session import Session

QUERY = "SELECT s, sum(n) AS n FROM t WHERE n > 1 GROUP BY s ORDER BY s"
ROWS = pa.table({"n": [1, 2, 3, 4], "s": ["a", "b", "a", None]})


@pytest.fixture
def session() -> Iterator[Session]:
    plan = dfs.plan_session(dfs.SessionProfile(name="any"))
    with dfs.open_session(plan) as opened:
        yield opened


def run_elsewhere(plan: bytes, answer: Any) -> None:
    """Run a plan in a process that knows nothing else."""
    profile = dfs.SessionProfile(name="elsewhere")
    with dfs.open_session(dfs.plan_session(profile)) as session:
        engine: Engine = LocalEngine(session)
        answer.put(engine.execute(plan, {}, {}).read_all().to_pylist())


def test_a_plan_over_a_delta_table_runs_as_bytes_in_another_process(
    tmp_path: Path,
) -> None:
    write_deltalake(str(tmp_path / "t"), ROWS)
    with dfs.LakeSession("dev", root_uri=str(tmp_path)) as lake:
        artifact = lake.compile(QUERY)
        here = lake.sql(QUERY).to_pylist()
    assert isinstance(artifact.optimized_protobuf, Encoded), artifact
    spawn = multiprocessing.get_context("spawn")
    answer: Any = spawn.Queue()
    process = spawn.Process(
        target=run_elsewhere, args=(artifact.optimized_protobuf.data, answer)
    )
    process.start()
    there = answer.get(timeout=60)
    process.join()

    assert there == here
    assert there == [{"s": "a", "n": 3}, {"s": "b", "n": 2}, {"s": None, "n": 4}]


def test_a_table_is_read_at_its_version(session: Session, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    write_deltalake(path, ROWS)
    write_deltalake(path, ROWS, mode="append")
    engine = LocalEngine(session)
    counts = [
        engine.execute(
            "SELECT count(*) AS n FROM raw.t",
            {"raw.t": TableAt(Location(path), at)},
            {},
        ).read_all()["n"][0]
        for at in (0, 1)
    ]

    assert [each.as_py() for each in counts] == [4, 8]


def test_a_table_that_is_not_there_is_named(session: Session, tmp_path: Path) -> None:
    absent = TableAt(Location(str(tmp_path / "absent")), 3)

    with pytest.raises(DeltaError, match="absent: there is no table, and version 3"):
        LocalEngine(session).execute(QUERY, {"t": absent}, {})


def test_bytes_that_are_no_plan_are_refused(session: Session) -> None:
    with pytest.raises(QueryError, match="reading a plan"):
        LocalEngine(session).execute(b"no plan", {}, {})


@pytest.mark.parametrize(
    "other",
    [
        {"n": [1, 2, 3], "s": ["a", "b", "a"]},
        {"n": [1, 2, 3, 5], "s": ["a", "b", "a", None]},
        {"n": [1, 2, 3, 4], "s": ["a", "b", "a", "None"]},
        {"n": [1, 2, 3, 3], "s": ["a", "b", "a", None]},
    ],
)
def test_other_rows_are_told_apart(other: Mapping[str, Any]) -> None:
    with pytest.raises(QueryError, match=r"over a sample .* other rows") as differ:
        check_equal(ROWS, pa.table(dict(other)), "here", "there")

    assert differ.value.kind == "parity"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([1.0, 2.0], [2.0, 1.0 + 1e-12]),
        ([float("nan")], [float("nan")]),
        ([None, 1.0], [1.0, None]),
    ],
)
def test_the_order_of_rows_and_the_last_digits_of_floats_do_not_count(
    ours: list[float], theirs: list[float]
) -> None:
    check_equal(pa.table({"x": ours}), pa.table({"x": theirs}), "here", "there")


def test_what_the_two_read_otherwise_is_found_in_a_sample(
    run: Callable[..., Any], lake: Path
) -> None:
    # DataFusion writes a time with a T, Spark with a blank.
    query = "SELECT CAST(at AS STRING) AS at FROM raw.t"
    asset = dfs.sql_asset(name="times", sql=query, engine="sail")
    rows = pa.table({"at": pa.array([0], pa.timestamp("us"))})
    write_deltalake(str(lake / "raw" / "t"), rows)

    with pytest.raises(QueryError, match=r"'1970-01-01T00.* \('1970-01-01 00"):
        run(asset, session={"profile": {"sail": {"parity": "sample"}}})

    assert not (lake / "times").exists()
