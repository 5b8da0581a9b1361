"""What a session, its fingerprint and its record cost for each materialization.

    python -m benchmarks.overhead [--rounds N] [--copies N]
    python -m benchmarks.overhead telemetry [--rounds N]

The bare arm does the same work without this package: a SessionContext, the input
registered, the query streamed into `write_deltalake`. What telemetry has in the cost
without an SDK is asked in `benchmarks/telemetry.py`.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from datafusion import SessionContext
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake

from benchmarks import telemetry
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
from dagster_dfsession.metadata.entries import materialization_metadata
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.codec import dump_profile
from dagster_dfsession.session.session import Session

QUERY = """
SELECT origin, dest, carrier, count(*) AS flights, avg(arr_delay) AS late,
       approx_percentile_cont(distance, 0.5) AS middle, stddev(air_time) AS spread
FROM flights GROUP BY origin, dest, carrier
"""
ROWS = 336_776
PROFILE = SessionProfile(name="bench")
PLAN = plan_session(PROFILE)


def flights(copies: int) -> pa.Table:
    """Return rows shaped like flights: `copies` times 336,776 of them."""
    rows = ROWS
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
            writer_properties=WriterProperties(compression="SNAPPY"),
            commit_properties=CommitProperties(custom_metadata={"by": "bare"}),
        )

    return run


class Ours:
    """The work of one step: session, query, table, record, metadata."""

    def __init__(self, root: Path) -> None:
        self._lake = Lake(str(root))
        self._plan = PLAN

    def with_new_session(self) -> None:
        """As in a step of its own process: the session is opened for it."""
        tables = self._tables()
        with open_session(self._plan, source=tables) as session:
            self._write(session, tables, "new")

    def with_open_session(self, session: Session) -> Callable[[], None]:
        """As in a run in one process: the session has been opened before."""

        def run() -> None:
            tables = self._tables()
            session.catalog.source = tables
            self._write(session, tables, "open")

        return run

    def _tables(self) -> RunTables:
        tables = RunTables(self._plan.catalog.default_schema)
        tables.add_lake(self._lake)
        return tables

    def _write(self, session: Session, tables: RunTables, name: str) -> None:
        target = Target(key=(name,), location=self._lake.table([name]))
        with Lease(session, Scope(run_id="bench")) as lease:
            described(materialize(lease.sql(QUERY), target, tables, lease), self._lake)


def described(made: Materialization, lake: Lake) -> None:
    """Write the record and compose the metadata, as a step does."""
    record = SessionRecord(
        session=made.session,
        profile=dump_profile(PROFILE),
        query=None,
        inputs=made.inputs,
    )
    path = RecordStore(LakeFiles(lake.root)).put(record)
    materialization_metadata(
        made, record=path, changes="none", reporting=PLAN.reporting
    )


def main() -> None:
    """Run the arms, print the ratio, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("of", nargs="?", choices=["all", "telemetry"], default="all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--copies", type=int, default=10)
    given = parser.parse_args()
    if given.of == "telemetry":
        telemetry.main(given.rounds)
        return
    root = Path(tempfile.mkdtemp(prefix="dfsession_bench_"))
    try:
        write_deltalake(root / "flights", flights(given.copies))
        ours = Ours(root)
        with open_session(PLAN) as session:
            arms = {
                "bare": bare(root),
                "open session": ours.with_open_session(session),
                "new session": ours.with_new_session,
            }
            taken = interleaved(arms, rounds=given.rounds)
    finally:
        shutil.rmtree(root)
    report(taken, given.copies)


def report(taken: dict[str, Times], copies: int) -> None:
    """Print the figures and keep them."""
    plain = taken["bare"].median
    more = {name: each.median - plain for name, each in taken.items()}
    for name, times in taken.items():
        print(f"{name:13} {times}  {more[name]:+7.2f} ms  {more[name] / plain:+.1%}")
    rounds = {name: [round(t, 2) for t in each.rounds] for name, each in taken.items()}
    shares = {name: round(each / plain, 4) for name, each in more.items()}
    rows = copies * ROWS
    keep(f"overhead of {rows} rows", {"rounds_ms": rounds, "share": shares})


if __name__ == "__main__":
    main()
