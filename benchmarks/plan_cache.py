"""When it pays to keep what planning a query found out.

    python -m benchmarks.plan_cache --rounds 5

* `bytes`: to plan and optimize the queries of TPC-H and TPC-DS, against reading their
  optimized plans back. Over files alone: no other table can be written down.
* `names`: the tables that 1,000 statements name, as a location of SQL assets asks for
  them whenever it is loaded; those of TPC-H, over and over.
* `check`: a zero-row bootstrap of the queries of TPC-DS.

`fills` is the first time with a cache, `kept` are all later ones.
"""

import argparse
import functools
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
from datafusion import SessionContext
from datafusion.plan import LogicalPlan

from benchmarks.harness import Times, interleaved, keep
from dagster_dfsession.bootstrap.check import bootstrap_session
from dagster_dfsession.bootstrap.request import BootstrapAsset, BootstrapRequest, Query
from dagster_dfsession.profile.cache import CacheProfile, PlansOnDisk
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.named_tables import named_tables
from tests.tpc.benchmark import EXTENSIONS, Suite, queries, tables

STATEMENTS = 1_000
OFF = SessionProfile(name="bench")

Arms = Mapping[str, Callable[[], object]]


def kept_in(directory: Path) -> SessionProfile:
    """Return a profile that keeps plans in a directory."""
    cache = CacheProfile(plans=PlansOnDisk(directory=str(directory)))
    return SessionProfile(name="bench", cache=cache)


def arms(use: Callable[[SessionProfile], object], root: Path) -> Arms:
    """Return a use of queries without a cache, with an empty one, with a full one."""
    places = (root / str(number) for number in itertools.count())
    full = kept_in(root / "full")
    return {
        "planned": lambda: use(OFF),
        "fills": lambda: use(kept_in(next(places))),
        "kept": lambda: use(full),
    }


def statements() -> Iterator[str]:
    """Yield queries of TPC-H, no two of them equal."""
    every = itertools.cycle(queries("tpch").values())
    for number, query in zip(range(STATEMENTS), every, strict=False):
        yield f"{query}\n-- {number}"


def names(profile: SessionProfile) -> None:
    """Ask for the tables of many statements."""
    for query in statements():
        named_tables(query, profile)


def check(request: BootstrapRequest, profile: SessionProfile) -> None:
    """Check a graph."""
    bootstrap_session(profile, request)


def graph() -> BootstrapRequest:
    """Return the tables of TPC-DS, and assets that are made of them."""
    given = (
        BootstrapAsset(key=name, columns=rows.schema)
        for name, rows in tables("tpcds").items()
    )
    made = (
        BootstrapAsset(key=f"q{number}", made=Query(query))
        for number, query in queries("tpcds").items()
    )
    return BootstrapRequest((*given, *made))


def over_files(schemas: Mapping[str, pa.Schema]) -> SessionContext:
    """Return a context with tables of Parquet files; there need be none."""
    ctx = SessionContext()
    for name, schema in schemas.items():
        place = f"file:///nothing/{name}.parquet"
        ctx.register_listing_table(name, place, schema=schema)
    return ctx


def bytes_arms(suite: Suite) -> tuple[Arms, int]:
    """Return both ways to an optimized plan, and how many plans come back as others."""
    ctx = over_files({name: rows.schema for name, rows in tables(suite).items()})
    every = tuple(queries(suite).values())
    plans = [ctx.sql(query).optimized_logical_plan() for query in every]
    written = [plan.to_bytes(ctx) for plan in plans]
    others = sum(
        LogicalPlan.from_bytes(ctx, data).display_indent_schema()
        != plan.display_indent_schema()
        for data, plan in zip(written, plans, strict=True)
    )

    def planned() -> None:
        for query in every:
            ctx.sql(query).optimized_logical_plan()

    def read_back() -> None:
        for data in written:
            LogicalPlan.from_bytes(ctx, data)

    return {"planned": planned, "kept": read_back}, others


def told(name: str, taken: dict[str, Times]) -> dict[str, object]:
    """Print the arms of one use; return their figures."""
    plain = taken["planned"].median
    ratios = {arm: round(plain / each.median, 2) for arm, each in taken.items()}
    print(name)
    for arm, times in taken.items():
        print(f"  {arm:8} {times}  {ratios[arm]:.2f} times as fast")
    spread = {arm: [round(ms, 1) for ms in each.rounds] for arm, each in taken.items()}
    return {"times as fast": ratios, "rounds_ms": spread}


def main() -> None:
    """Run the arms of each use in turn, print and keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    figures: dict[str, object] = {}
    for suite in EXTENSIONS:
        both, others = bytes_arms(suite)
        found = told(f"bytes of {suite}", interleaved(both, rounds=rounds))
        print(f"  {others} of {len(queries(suite))} come back as other plans")
        figures[f"bytes of {suite}"] = found | {"other plans": others}
    root = Path(tempfile.mkdtemp(prefix="dfsession_plans_"))
    try:
        uses: dict[str, Callable[[SessionProfile], object]] = {
            "names": names,
            "check": functools.partial(check, graph()),
        }
        for name, use in uses.items():
            taken = interleaved(arms(use, root / name), rounds=rounds)
            figures[name] = told(name, taken)
    finally:
        shutil.rmtree(root)
    keep("plan cache", figures)


if __name__ == "__main__":
    main()
