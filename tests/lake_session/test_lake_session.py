"""A session outside Dagster: nothing before it is used, nothing left after it."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.tables_below import MOST_LISTINGS, tables_below
from dagster_dfsession.errors import (
    TableNotFoundError,
)
from dagster_dfsession.lake_session import LakeSession
from dagster_dfsession.materialization.materialize import materialize
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.presets import DEV
from tests.lake_session.conftest import FLIGHTS, Opened

QUERY = "SELECT origin, late FROM flights WHERE late > 0"


@pytest.mark.demand("D60")
def test_construction_opens_nothing_and_touches_no_file(tmp_path: Path) -> None:
    code = (
        "import gc, os\n"
        "from dagster_dfsession.lake_session import LakeSession\n"
        "from dagster_dfsession.session.session import Session\n"
        "lake = LakeSession('prod', root_uri='lake', udfs=['no.such.module'])\n"
        "assert not any(isinstance(each, Session) for each in gc.get_objects())\n"
        "lake.close()\n"
        "print(os.listdir('.'), os.listdir(os.environ['TMPDIR']))"
    )
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TMPDIR": str(tmp_path / "tmp"),
        },
    )

    assert done.stdout == "['tmp'] []\n"


@pytest.mark.demand("D58")
def test_there_is_no_session_without_a_profile(root: Path) -> None:
    with pytest.raises(TypeError, match="profile"):
        LakeSession(root_uri=str(root))  # type: ignore[call-arg]


def test_a_session_closed_and_used_again_reads_the_newest_version(
    opened: Opened, root: Path
) -> None:
    lake = opened(DEV)
    count = "SELECT count(*) AS n FROM flights"
    before = lake.sql(count).to_pydict()
    write_deltalake(str(root / "flights"), FLIGHTS, mode="append")

    assert lake.sql(count).to_pydict() == before == {"n": [4]}
    lake.close()
    assert lake.sql(count).to_pydict() == {"n": [8]}


def test_a_stream_reads_the_files_that_its_query_needs(
    opened: Opened, root: Path
) -> None:
    for day in range(3):
        rows = pa.table({"day": [day] * 2, "key": [0, 1], "value": [0.5, day + 0.5]})
        write_deltalake(str(root / "days"), rows, partition_by=["day"], mode="append")
    lake = opened()
    query = "SELECT value FROM days WHERE day = $day AND key = 1"
    results = [lake.stream(query, params={"day": day}) for day in range(3)]
    found = [each.to_table() for each in results]

    assert [rows.to_pylist() for rows in found] == [
        [{"value": day + 0.5}] for day in range(3)
    ]
    assert [each.metrics.files_read for each in results] == [1, 1, 1]
    assert [each.schema for each in results] == [
        lake.sql(query, params={"day": 0}).schema()
    ] * 3


def test_a_stream_takes_data_and_frames(lake: LakeSession) -> None:
    query = "SELECT id FROM flights JOIN limits ON late > least"
    given = lake.stream(query, limits=pa.table({"least": [10]}))
    frame = lake.stream(lake.sql("SELECT id FROM flights WHERE late > 10"))

    assert given.to_table().to_pydict() == frame.to_table().to_pydict() == {"id": [2]}


def test_streams_read_the_version_of_first_use_until_the_session_is_closed(
    opened: Opened, root: Path
) -> None:
    def counted(lake: LakeSession) -> int:
        found = lake.stream("SELECT count(*) AS n FROM flights WHERE late > 0")
        return int(found.to_table()["n"][0].as_py())

    first = opened()
    before = counted(first)
    write_deltalake(str(root / "flights"), FLIGHTS, mode="append")

    assert (before, counted(first), counted(opened())) == (2, 2, 4)
    first.close()
    assert counted(first) == 4


def test_streams_of_a_session_wait_on_one_thread_that_ends_with_it(
    opened: Opened,
) -> None:
    lake, before = opened(), {*threading.enumerate()}
    for _ in range(3):
        lake.stream("SELECT * FROM flights").to_table()

    [thread] = {*threading.enumerate()} - before
    lake.close()
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_a_stream_is_read_to_its_end_after_its_session_was_closed(
    lake: LakeSession,
) -> None:
    batches = iter(lake.stream("SELECT * FROM flights"))
    rows = next(batches).num_rows
    lake.close()

    assert rows + sum(batch.num_rows for batch in batches) == 4


def test_threads_share_a_session(lake: LakeSession) -> None:
    def late(minutes: int) -> list[dict[str, Any]]:
        artifact = lake.compile(
            "SELECT id FROM flights JOIN limits ON late > least",
            limits=pa.table({"least": [minutes]}),
        )
        given = pa.table({"least": [minutes]})
        return lake.execute(artifact, limits=given).to_table().to_pylist()

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(late, [0, 10] * 4))

    assert [len(rows) for rows in found] == [2, 1] * 4


def test_nothing_is_left_after_the_session(root: Path, tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    profile = msgspec.convert(
        {
            **msgspec.to_builtins(DEV),
            "runtime": {"spill": {"kind": "disk", "directory": str(spill)}},
        },
        type(DEV),
    )
    with LakeSession(profile, root_uri=str(root)) as lake:
        artifact = lake.compile(QUERY)
        lake.execute(artifact).to_table()
        lake.write(artifact, "late")
        assert len(list(spill.iterdir())) == 2

    assert list(spill.iterdir()) == []


def test_a_written_artifact_is_what_materialize_writes(
    lake: LakeSession, root: Path
) -> None:
    made = lake.write(lake.compile(QUERY), "marts.late", partition_by=["origin"])
    run = RunSession(lake.plan, "another")
    run.tables.add_lake(Lake(str(root)))
    with Lease(run.lease(Scope(run_id="another")).session, Scope(run_id="x")) as lease:
        target = Target(
            key=("late",),
            location=Lake(str(root)).table(["late"]),
            partition_by=("origin",),
        )
        other = materialize(lease.sql(QUERY), target, run.tables, lease)
    run.close()

    assert made.target.key == ("marts", "late")
    assert made.identity == other.identity
    assert made.data_version == other.data_version
    assert made.written.table_schema == other.written.table_schema
    tables = [DeltaTable(str(root / name)) for name in ("marts/late", "late")]
    rows = [pa.table(t.to_pyarrow_table()).sort_by("late") for t in tables]
    assert rows[0] == rows[1]
    assert [t.metadata().partition_columns for t in tables] == [["origin"]] * 2


def test_a_session_reads_what_it_wrote_and_writes_again(lake: LakeSession) -> None:
    artifact = lake.compile(QUERY)
    for version, mode in enumerate(["overwrite", "append", "overwrite"]):
        made = lake.write(artifact, "late", mode=mode)  # type: ignore[arg-type]
        assert made.written.version == version
        rows = lake.sql("SELECT count(*) AS n FROM late").to_pydict()
        assert rows == {"n": [4 if mode == "append" else 2]}


def test_a_query_may_replace_the_table_that_it_reads(lake: LakeSession) -> None:
    lake.write(lake.compile("SELECT * FROM flights WHERE id > 1"), "flights")

    assert lake.table("flights").count() == 2


def test_unread_tables_of_a_lake_are_named_where_one_is_missing(
    lake: LakeSession,
) -> None:
    with pytest.raises(TableNotFoundError) as refused:
        lake.sql("SELECT * FROM raw.airport")

    assert "there is flights, raw.airports" in str(refused.value)
    assert "Did you mean 'raw.airports'?" in str(refused.value)


def test_a_lake_is_listed_only_so_far(tmp_path: Path) -> None:
    for number in range(MOST_LISTINGS):
        (tmp_path / f"a{number:03}").mkdir()
    write_deltalake(str(tmp_path / "a000"), FLIGHTS, partition_by=["origin"])
    write_deltalake(str(tmp_path / f"a{MOST_LISTINGS - 1}"), FLIGHTS)
    (tmp_path / "_dfsession").mkdir()

    assert tables_below(Lake(str(tmp_path))) == (("a000",),)
    assert tables_below(Lake(str(tmp_path / "none"))) == ()
