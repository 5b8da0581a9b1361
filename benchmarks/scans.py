"""Reading Delta tables: this package against the engine's own provider, and Parquet.

    python -m benchmarks.scans --rounds 7

Every arm plans and runs the query from its text, in sessions of the same settings:

* `provider` has the table registered as deltalake hands it over;
* `native` is a query of this package, bound to the files that it needs;
* `parquet` has the same files registered as plain Parquet, where they can be.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from datafusion import SessionContext
from deltalake import DeltaTable, write_deltalake

from benchmarks.harness import Times, interleaved, keep
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import Reading, bound
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session

Arm = Callable[[], object]

SHAPES: dict[str, tuple[str, dict[str, str]]] = {
    "by_year": (
        "7 partitions, a file each",
        {
            "partition filter": "SELECT count(*), sum(amount) FROM t WHERE year = 1998",
            "some partitions": "SELECT sum(amount) FROM t WHERE year >= 1996",
            "partition and column": (
                "SELECT count(*) FROM t WHERE year >= 1995 AND discount > 0.05"
            ),
            "group by partition": "SELECT year, sum(amount) FROM t GROUP BY year",
            "full scan": "SELECT flag, sum(amount), avg(discount) FROM t GROUP BY flag",
            "join on a key": (
                "SELECT sum(t.amount) FROM t JOIN (VALUES (7), (70000)) v(o) "
                "ON t.order_id = v.o"
            ),
        },
    ),
    "flat": (
        "sorted by its key, 2 files",
        {
            "point lookup": "SELECT * FROM t WHERE order_id = 1000001",
            "range": "SELECT sum(amount) FROM t WHERE order_id < 50000",
            "full scan": "SELECT flag, sum(amount), avg(discount) FROM t GROUP BY flag",
            "all of it": "SELECT sum(amount), max(note), min(discount) FROM t",
            "rare, unsorted": "SELECT order_id, note FROM t WHERE amount = 777.00",
            "count": "SELECT count(*) FROM t",
        },
    ),
    "days_100": (
        "100 partitions, a file each",
        {
            "partition filter": "SELECT sum(amount) FROM t WHERE day = 7",
            "half": "SELECT sum(amount) FROM t WHERE day >= 50",
            "point lookup": "SELECT * FROM t WHERE order_id = 777",
            "group by partition": "SELECT day, sum(amount) FROM t GROUP BY day",
            "full scan": "SELECT sum(amount) FROM t",
            "partitions alone": "SELECT day, count(*) FROM t GROUP BY day",
        },
    ),
    "days_1000": (
        "1,000 partitions, 10 files each",
        {
            "partition filter": "SELECT sum(amount) FROM t WHERE day = 7",
            "half": "SELECT sum(amount) FROM t WHERE day >= 500",
            "point lookup": "SELECT * FROM t WHERE order_id = 777",
            "group by partition": "SELECT day, sum(amount) FROM t GROUP BY day",
            "full scan": "SELECT sum(amount) FROM t",
            "count": "SELECT count(*) FROM t",
        },
    ),
}


def rows(count: int) -> str:
    """Return a query that makes rows of an order table, sorted by their key."""
    return f"""
        SELECT value AS order_id,
            CAST(1992 + value * 7 / {count + 1} AS INT) AS year,
            CAST((value * 7919) % 10000 AS DECIMAL(12, 2)) AS amount,
            CAST((value * 31) % 11 / 100.0 AS DECIMAL(4, 2)) AS discount,
            CASE value % 3 WHEN 0 THEN 'A' WHEN 1 THEN 'N' ELSE 'R' END AS flag,
            concat('note ', value % 9973, ' of an order') AS note
        FROM generate_series(1, {count})
    """  # noqa: S608  # a number


def write_tables(lake: Path, count: int) -> None:
    """Write the tables of `SHAPES`; the small files have 100 rows each."""
    ctx = SessionContext()
    ctx.register_view("orders", ctx.sql(rows(count)))
    flat = str(lake / "flat")
    for half in (f"<= {count // 2}", f"> {count // 2}"):
        part = ctx.sql(f"SELECT * FROM orders WHERE order_id {half}")  # noqa: S608
        write_deltalake(flat, part, mode="append")
    every = ctx.sql("SELECT * FROM orders")
    write_deltalake(str(lake / "by_year"), every, partition_by=["year"])
    for days, files in ((100, 1), (1000, 10)):
        for number in range(files):
            part = ctx.sql(
                f"SELECT *, CAST(order_id % {days} AS INT) AS day FROM orders "  # noqa: S608
                f"WHERE order_id <= {days * 100 * (number + 1)} "
                f"AND order_id > {days * 100 * number}"
            )
            place = str(lake / f"days_{days}")
            write_deltalake(place, part, mode="append", partition_by=["day"])


class Arms:
    """The arms over one table, each with a session of its own."""

    def __init__(self, lake: Path, name: str) -> None:
        plan = plan_session(SessionProfile(name="scans"))
        self.tables = RunTables("public")
        self.tables.add_lake(Lake(str(lake)))
        self.session = open_session(plan, source=self.tables)
        self.lease = Lease(self.session, Scope(run_id="scans"))
        self.name = name
        self.place = lake / name

    def _plain(self) -> SessionContext:
        config = self.session.ctx.copied_config()
        return SessionContext(config.with_create_default_catalog_and_schema(True))  # noqa: FBT003

    def reading(self, query: str) -> Reading:
        """Bind a query to the files that it needs."""
        text = query.replace("FROM t", f"FROM {self.name} t")
        return bound(self.lease.sql(text), self.lease, self.tables)

    def of(self, query: str) -> dict[str, Arm]:
        """Return what runs a query, by the name of its arm."""
        provider, parquet = self._plain(), self._plain()
        provider.register_table("t", DeltaTable(str(self.place)))
        arms: dict[str, Arm] = {
            "provider": lambda: list(provider.sql(query).execute_stream()),
            "native": lambda: list(self.reading(query).frame.execute_stream()),
        }
        if self.name in ("flat", "by_year"):
            columns = [("year", "int")] if self.name == "by_year" else []
            parquet.register_listing_table("t", str(self.place) + "/", columns)
            arms["parquet"] = lambda: list(parquet.sql(query).execute_stream())
        return arms


def planning(arms: Arms, rounds: int) -> dict[str, float]:
    """Return milliseconds to bind a selective query, warm; the median."""
    query = "SELECT sum(amount) FROM t WHERE day = 7"
    bind = interleaved({"bind": lambda: arms.reading(query)}, rounds=rounds)["bind"]
    return {"bind_ms": round(bind.median, 1)}


def told(shape: str, times: dict[str, Times], reading: Reading) -> dict[str, object]:
    """Return the ratios of one query, and how it was read."""
    (read,) = reading.tables.values()
    ratios = {
        f"{arm} / native": round(each.median / times["native"].median, 2)
        for arm, each in times.items()
        if arm != "native"
    }
    spread = {arm: [round(ms, 2) for ms in each.rounds] for arm, each in times.items()}
    how = f"{read}, {read.files} of {read.total} files"
    print(f"  {shape:22}", *(f"{k} {v:6.2f}" for k, v in ratios.items()), f"  {how}")
    return {**ratios, "read by": how, "ms": spread}


def main() -> None:
    """Write the tables, run the arms in turn, keep and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=6_000_000)
    given = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as directory:
        lake = Path(directory)
        started = time.perf_counter()
        write_tables(lake, given.rows)
        print(f"tables written in {time.perf_counter() - started:.0f} s")
        for name, (what, queries) in SHAPES.items():
            print(f"{name}: {what}")
            arms = Arms(lake, name)
            for shape, query in queries.items():
                times = interleaved(arms.of(query), rounds=given.rounds)
                found = told(shape, times, arms.reading(query))
                figures[f"{name}: {shape}"] = found
            if name == "days_1000":
                figures["planning"] = planning(arms, given.rounds)
                print("  to bind a selective query, warm:", figures["planning"])
    keep("scans", figures)


if __name__ == "__main__":
    main()
