"""Settings and file layouts in pairs: the queries of TPC-H over Delta tables.

    python -m benchmarks.layouts DIR/graph-1 --scratch DIR --rounds 5 --arms default lz4

The graph is one that `benchmarks.tpch.source` writes. An arm of `WAYS` is a profile
over the preset `default`; the tables of each layout are written once, and stay in the
scratch directory. Of the other arms, `files` reads those of the first one with a plain
`SessionContext`, `memory` has them as Arrow, which is what would be left if reading
them took nothing, and `duckdb` has tables of its own.

All arms run in one process, in turn, query by query. What counts is the CPU time of the
process: on a machine that others use, wall time is theirs as well.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import duckdb
import pyarrow as pa
from datafusion import DataFrame, SessionContext

from benchmarks.conformance import table
from benchmarks.harness import keep, machine, write_part
from benchmarks.tpch.answers import difference, rows_in
from benchmarks.tpch.graph import Graph, read_graph
from benchmarks.tpch.run import cpu_s
from benchmarks.ways import WAYS, Way
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import bound
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session

Asked: TypeAlias = Callable[[str], pa.Table]
"""Runs a query."""

OTHERS = ("files", "memory", "duckdb")


class Taken(NamedTuple):
    """Seconds of one run."""

    cpu_s: float
    wall_s: float


Figures: TypeAlias = Mapping[str, Mapping[str, Sequence[Taken]]]
"""Arm -> query, or raw table -> its runs, round by round."""


def timed(work: Callable[[], object]) -> Taken:
    """Return what a piece of work took of the processors and of the clock."""
    cpu, wall = cpu_s(), time.perf_counter()
    work()
    return Taken(cpu_s() - cpu, time.perf_counter() - wall)


def written(graph: Graph, home: Path, way: Way) -> Iterator[tuple[str, Taken]]:
    """Write the raw tables, if they are not there; yield what each took."""
    profile = parse_profile(way.profile, base="default")
    lake = Lake(str(home))
    with open_session(plan_session(profile)) as session:
        for name, file in graph.raw.items():
            request = WriteRequest(location=lake.table([name]), options=profile.delta)
            if (home / name / "_delta_log").exists():
                continue
            frame = session.ctx.read_parquet(file)
            if name in way.sort_by:
                frame = frame.sort(way.sort_by[name])
            yield name, timed(functools.partial(_write, request, frame))


def _write(request: WriteRequest, frame: DataFrame) -> None:
    batches = (batch.to_pyarrow() for batch in frame.execute_stream())
    write_table(request, pa.RecordBatchReader.from_batches(frame.schema(), batches))


def by_us(profile: SessionProfile, lake: Path) -> Asked:
    """Return what runs a query as an asset would, up to its rows."""
    tables = RunTables("public")
    tables.add_lake(Lake(str(lake)))
    session = open_session(plan_session(profile), source=tables)
    lease = Lease(session, Scope(run_id="layouts"))
    return lambda query: pa.table(bound(lease.sql(query), lease, tables).frame)


def by_files(graph: Graph, lake: Path, *, memory: bool) -> Asked:
    """Return what runs a query over the same files, or over what was in them."""
    ctx = SessionContext()
    for name in graph.raw:
        if memory:
            frame = ctx.read_parquet(f"{lake / name}/")
            ctx.register_record_batches(name, frame.collect_partitioned())
        else:
            ctx.register_parquet(name, f"{lake / name}/")
    return lambda query: pa.table(ctx.sql(query))


def by_duckdb(graph: Graph, file: Path) -> tuple[Asked, dict[str, Taken]]:
    """Return what runs a query over DuckDB's tables, and what writing them took."""
    connection = duckdb.connect(str(file))
    there = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    taken = {
        name: timed(
            functools.partial(
                connection.execute,
                f"CREATE TABLE {name} AS FROM read_parquet('{source}')",
            )
        )
        for name, source in graph.raw.items()
        if name not in there
    }
    return lambda query: connection.sql(query).to_arrow_table(), taken


def read(
    graph: Graph, arms: Mapping[str, Asked], names: Iterable[str], rounds: int
) -> Iterator[tuple[str, dict[str, list[Taken]]]]:
    """Run the queries in turn, after a round in which their answers are compared."""
    for name in names:
        query = graph.queries[name]
        first, *others = (rows_in(ask(query)) for ask in arms.values())
        for arm, other in zip(list(arms)[1:], others, strict=True):
            if what := difference(first, other):
                raise SystemExit(f"{arm} answers {name} otherwise: {what}")
        taken: dict[str, list[Taken]] = {arm: [] for arm in arms}
        for number in range(rounds):
            turn = list(arms)[number % len(arms) :] + list(arms)[: number % len(arms)]
            for arm in turn:
                taken[arm].append(timed(functools.partial(arms[arm], query)))
        yield name, taken


def ratios(figures: Figures, arm: str, base: str, kind: int) -> list[float]:
    """Return the sum over all queries to that of another arm, round by round."""
    sums = {
        each: [
            sum(t[kind] for t in of) for of in zip(*figures[each].values(), strict=True)
        ]
        for each in (arm, base)
    }
    return [a / b for a, b in zip(sums[arm], sums[base], strict=True)]


def moved(figures: Figures, arm: str, base: str) -> list[tuple[float, str]]:
    """Return the ratio of each query's CPU time, the least first."""
    return sorted(
        (
            statistics.median(
                a.cpu_s / b.cpu_s for a, b in zip(of, figures[base][query], strict=True)
            ),
            query,
        )
        for query, of in figures[arm].items()
    )


def page(figures: Figures) -> Iterator[str]:
    """Yield the lines of two tables: of the arms, and of the queries of each."""
    base, *others = figures
    shown = []
    for arm in others:
        cpu, wall = (ratios(figures, arm, base, kind) for kind in (0, 1))
        by_query = [
            f"{query} {ratio:.2f}" for ratio, query in moved(figures, arm, base)
        ]
        spread = (
            f"{statistics.median(of):.2f} ({min(of):.2f} to {max(of):.2f})"
            for of in (cpu, wall)
        )
        shown.append([arm, *spread, ", ".join(by_query[:3]), ", ".join(by_query[-3:])])
    yield from table(["", "CPU time", "wall time", "least", "most"], shown)
    yield ""
    yield from table(
        ["CPU ms", *figures],
        (
            [
                query,
                *(
                    f"{statistics.median(t.cpu_s for t in of[query]) * 1000:.0f}"
                    for of in figures.values()
                ),
            ]
            for query in figures[base]
        ),
    )


def main() -> None:
    """Write, measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path)
    parser.add_argument("--scratch", type=Path, required=True, help="keeps the tables")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--arms", nargs="+", default=[*WAYS, *OTHERS])
    parser.add_argument("--queries", nargs="+")
    parser.add_argument("--write", help="a heading of the page, and a name in results")
    given = parser.parse_args()
    graph, scratch = read_graph(given.graph), given.scratch.resolve()
    arms: dict[str, Asked] = {}
    writes: dict[str, dict[str, Taken]] = {}
    for name in given.arms:
        way = WAYS.get(name, Way())
        lake = scratch / (name if way.is_layout else "default").replace(" ", "_")
        taken = dict(written(graph, lake, way))
        if name == "duckdb":
            arms[name], taken = by_duckdb(graph, scratch / "tables.duckdb")
        elif name in OTHERS:
            arms[name] = by_files(graph, lake, memory=name == "memory")
        else:
            arms[name] = by_us(parse_profile(way.profile, base="default"), lake)
        if taken:
            writes[name] = taken
            cpu, wall = (sum(each) for each in zip(*taken.values(), strict=True))
            print(f"{name}: written in {cpu:.2f} s of CPU, {wall:.2f} s", flush=True)
    figures: dict[str, dict[str, list[Taken]]] = {name: {} for name in arms}
    names = given.queries or graph.queries
    for query, by_arm in read(graph, arms, names, given.rounds):
        for name, of in by_arm.items():
            figures[name][query] = of
        print(query, {n: [round(t.cpu_s, 3) for t in v] for n, v in by_arm.items()})
    part = "\n".join([*page(figures), ""])
    print(part)
    if given.write:
        on = ", ".join(f"{name} {what}" for name, what in machine().items())
        head = f"`python -m benchmarks.layouts`, {given.rounds} rounds, on {on}:\n\n"
        write_part(given.write, head + part)
        keep(given.write, {"reads": figures, "writes": writes})


if __name__ == "__main__":
    main()
