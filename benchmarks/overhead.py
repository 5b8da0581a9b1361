"""What a session, its fingerprint and its record cost for each materialization.

    python benchmarks/overhead.py [--rounds N] [--copies N]

The bare arm does the same work without this package: a SessionContext, the input
registered, the query streamed into `write_deltalake`.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from datafusion import SessionContext
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake

from benchmarks.harness import Times, interleaved, keep
from dagster_dfsession import SessionProfile, open_session, plan_session
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.materialization.materialize import Materialization, materialize
from dagster_dfsession.materialization.records import (
    RecordStore,
    SessionRecord,
)
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.metadata import materialization_metadata
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.codec import dump_profile

QUERY = """
SELECT origin, dest, carrier, count(*) AS flights, avg(arr_delay) AS late,
       approx_percentile_cont(distance, 0.5) AS middle, stddev(air_time) AS spread
FROM flights GROUP BY origin, dest, carrier
"""
PROFILE = SessionProfile(name="bench")


def flights(copies: int) -> pa.Table:
    """Return rows shaped like flights: `copies` times 336,776 of them."""
    rows = 336_776
    number = pa.array(range(rows))
    columns = {
        "origin": pa.array([("EWR", "JFK", "LGA")[i % 3] for i in range(rows)]),
        "dest": pa.array([f"D{i * 7919 % 105:03}" for i in range(rows)]),
        "carrier": pa.array([f"C{i * 104729 % 16:02}" for i in range(rows)]),
        "arr_delay": pa.array([float(i * 31 % 400 - 60) for i in range(rows)]),
        "distance": pa.array([i * 17 % 4983 for i in range(rows)]),
        "air_time": pa.array([float(i * 13 % 695) for i in range(rows)]),
        "number": number,
    }
    return pa.concat_tables([pa.table(columns)] * copies)


def bare(root: Path) -> Callable[[], None]:
    """Return the same work without this package."""

    def run() -> None:
        ctx = SessionContext()
        ctx.register_table("flights", DeltaTable(root / "flights"))
        frame = ctx.sql(QUERY)
        batches = (batch.to_pyarrow() for batch in frame.execute_stream())
        write_deltalake(
            root / "bare",
            pa.RecordBatchReader.from_batches(frame.schema(), batches),
            mode="overwrite",
            writer_properties=WriterProperties(compression="ZSTD", compression_level=3),
            commit_properties=CommitProperties(custom_metadata={"by": "bare"}),
        )

    return run


def ours(root: Path) -> Callable[[], None]:
    """Return the work of one step: session, query, table, record, metadata."""
    lake = Lake(str(root))
    target = Target(key=("ours",), location=lake.table(["ours"]))
    plan = plan_session(PROFILE)

    def run() -> None:
        tables = RunTables(plan.catalog.default_schema)
        tables.add_lake(lake)
        with open_session(plan, source=tables) as session:
            with Lease(session, Scope(run_id="bench")) as lease:
                made = materialize(lease.sql(QUERY), target, tables, lease)
                described(made, lake)

    return run


def described(made: Materialization, lake: Lake) -> None:
    """Write the record and compose the metadata, as a step does."""
    record = SessionRecord(
        session=made.session,
        profile=dump_profile(PROFILE),
        query=None,
        inputs=made.inputs,
    )
    path = RecordStore(LakeFiles(lake.root)).put(record)
    materialization_metadata(made, record=path, changes="none", plan_chars=3000)


def main() -> None:
    """Run both arms, print the ratio, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--copies", type=int, default=10)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="dfsession_bench_"))
    try:
        write_deltalake(root / "flights", flights(given.copies))
        arms = {"bare": bare(root), "ours": ours(root)}
        taken = interleaved(arms, rounds=given.rounds)
    finally:
        shutil.rmtree(root)
    report(taken, given.copies)


def report(taken: dict[str, Times], copies: int) -> None:
    """Print the figures and keep them."""
    more = taken["ours"].median - taken["bare"].median
    share = more / taken["bare"].median
    for name, times in taken.items():
        print(f"{name:6} {times}")
    print(f"ours over bare: {more:+.2f} ms, {share:+.1%}")
    keep(
        "overhead",
        {
            "rows": copies * 336_776,
            "bare_ms": taken["bare"].rounds,
            "ours_ms": taken["ours"].rounds,
            "more_ms": round(more, 2),
            "share": round(share, 4),
        },
    )


if __name__ == "__main__":
    main()
