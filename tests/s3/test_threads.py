"""Many threads of one process, one table. A hang there stops all of Python: no
time limit of pytest would end it, so each test is a process that can be killed."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dagster_dfsession.delta.location import Lake, open_table
from tests.s3.seaweed import S3Server

THREADS = 8
TIMES = 4

WRITERS = """
    import json, sys, threading, time
    import pyarrow as pa
    from dagster_dfsession.delta.files import LakeFiles
    from dagster_dfsession.delta.location import Lake
    from dagster_dfsession.delta.predicate import In
    from dagster_dfsession.delta.request import WriteRequest
    from dagster_dfsession.delta.write import write_table

    options, root, threads, times, files = json.load(sys.stdin)
    lake = Lake(root, options)

    def write(key, table, gate, done):
        gate.wait()
        request = WriteRequest(
            location=lake.table([table]), partitioned=True, partition_by=("k",),
            predicate=In("k", (key,)),
        )
        rows = pa.table({"k": [key] * 300, "x": range(300)})
        own = LakeFiles(lake.root)
        for n in range(files):
            own.write_if_absent(f"_dfsession/{table}/{key}/{n}", b"x" * 4000)
            own.list(f"_dfsession/{table}/{key}")
        done.append(write_table(request, rows.to_reader(max_chunksize=1)).version)

    started = time.monotonic()
    for time_ in range(times):
        gate, done = threading.Barrier(threads), []
        started_threads = [
            threading.Thread(target=write, args=(f"p {n}", f"t{time_}", gate, done))
            for n in range(threads)
        ]
        for each in started_threads: each.start()
        for each in started_threads: each.join()
        print(json.dumps(sorted(done)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("files", [0, 5], ids=["tables", "tables and files"])
def test_threads_that_create_one_table_at_once_all_succeed(
    s3: S3Server, root: str, s3_lake: Lake, files: int
) -> None:
    given = json.dumps([s3.options, root, THREADS, TIMES, files])
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WRITERS)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    versions = [json.loads(line) for line in ended.stdout.splitlines()]
    # Version 0 is the empty table, which one of them created.
    assert versions == [list(range(1, THREADS + 1))] * TIMES
    for time in range(TIMES):
        table = open_table(s3_lake.table([f"t{time}"]))
        assert table is not None
        assert table.count() == 300 * THREADS
