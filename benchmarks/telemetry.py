"""What telemetry costs a materialization while nobody has set up an SDK.

Two ways to ask. *Inside*: whatever exists for telemetry alone is timed while it runs;
that is exact to a few microseconds, and a little too much, for the clock is in it.
*Paired*: the same work with all of that left out, in turn; it would show what comes
later, such as memory to be collected, as far as the machine is quiet.
"""

import contextlib
import functools
import itertools
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame
from opentelemetry.trace import INVALID_SPAN

from benchmarks.harness import keep
from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    SessionProfile,
    plan_session,
)
from dagster_dfsession.delta import committed
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.materialization import recorded
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.pool import holders
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.query import counted, traced
from dagster_dfsession.session import telemetry
from dagster_dfsession.telemetry import measures, recorder, run_trace, spans

PACKAGE = "dagster_dfsession"
PLAN = plan_session(SessionProfile(name="bench"))
ROWS = pa.table({"a": range(100_000), "b": [i % 97 for i in range(100_000)]})
QUERY = "SELECT b, sum(a) AS s FROM t GROUP BY b"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Work = Callable[[], object]


class Door(NamedTuple):
    """A function that exists for telemetry alone, and what would be without it.

    Attributes:
        of: `registry` is the file that tells `dfsession sessions` of a step.
    """

    owner: Any
    name: str
    instead: Callable[..., Any]
    of: str = "telemetry"


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _no_span(*_: Any, **__: Any) -> Any:
    return INVALID_SPAN


def _no_block(*_: Any, **__: Any) -> Any:
    return spans.UNSEEN


def _methods(owner: type, *names: str, of: str = "telemetry") -> Iterator[Door]:
    return (Door(owner, name, _nothing, of) for name in names)


DOORS = (
    Door(spans, "span", _no_block),
    Door(spans, "start_span", _no_span),
    Door(spans, "describe", _nothing),
    Door(measures, "count", _nothing),
    Door(traced, "begin_execution", _no_span),
    Door(traced, "end_execution", _nothing),
    Door(committed, "told_of", lambda written, *_: written),
    Door(counted, "count_reading", _nothing),
    Door(recorded, "_payload", _nothing),
    Door(telemetry, "session_telemetry", _nothing),
    Door(holders, "this_process", _nothing, "registry"),
    Door(holders, "holders_directory", _nothing, "registry"),
    Door(run_trace.RunTrace, "current", _no_block),
    *_methods(run_trace.RunTrace, "__init__", "begin_step", "end_step", "end"),
    *_methods(recorder.Recorder, "record", "close"),
    *_methods(measures.Totals, "add", "now"),
    *_methods(holders.HolderFile, "__init__", "replace", "remove", of="registry"),
)


@contextlib.contextmanager
def replaced(by: Callable[[Door], Callable[..., Any]]) -> Iterator[None]:
    """Put another function in the place of each door, wherever it was imported."""
    before: list[tuple[Any, str, Any]] = []
    ours = [module for name, module in sys.modules.items() if name.startswith(PACKAGE)]
    for door in DOORS:
        original, new = getattr(door.owner, door.name), by(door)
        homes = [door.owner] if isinstance(door.owner, type) else ours
        for home in homes:
            if getattr(home, door.name, None) is original:
                before.append((home, door.name, original))
                setattr(home, door.name, new)
    try:
        yield
    finally:
        for home, name, original in before:
            setattr(home, name, original)


class Used(NamedTuple):
    """Milliseconds: of the processor, and on the wall."""

    cpu: float
    wall: float


class Inside:
    """The time spent behind the doors; what a door calls behind another is in it."""

    def __init__(self) -> None:
        """Start at zero."""
        self.calls = 0
        self._spent = {door.of: Used(0.0, 0.0) for door in DOORS}
        self._depth = 0

    def take(self) -> dict[str, Used]:
        """Return the time since it was last asked for."""
        spent, self._spent = self._spent, dict.fromkeys(self._spent, Used(0.0, 0.0))
        return spent

    def timed(self, door: Door) -> Callable[..., Any]:
        """Return the door's function with a clock around it."""
        original = getattr(door.owner, door.name)

        @functools.wraps(original)
        def run(*given: Any, **named: Any) -> Any:
            self._depth += 1
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return original(*given, **named)
            finally:
                spent, passed = time.thread_time() - cpu, time.perf_counter() - wall
                self._depth -= 1
                if not self._depth:
                    before = self._spent[door.of]
                    self._spent[door.of] = Used(
                        before.cpu + spent * 1000, before.wall + passed * 1000
                    )
                    self.calls += 1

        return run


def bare(root: Path) -> Work:
    """Return a materialization with a session of its own, without Dagster."""
    lake, number = Lake(str(root)), itertools.count()

    def run() -> None:
        run_id = f"bench{next(number)}"  # the second attempt of one would do nothing
        session = RunSession(PLAN, run_id)
        session.tables.add_lake(lake)
        lease = session.lease(Scope(run_id=run_id, step="x"))
        with session.trace.current():
            lease.register("t", ROWS)
            target = Target(key=("x",), location=lake.table(["x"]))
            recorded.materialize_recorded(
                lease.sql(QUERY), target, session.tables, lease
            )
        session.close()

    return run


def whole(root: Path) -> Work:
    """Return a run of Dagster that materializes one asset, in this process."""
    session = DataFusionSessionResource(preset="dev")
    lake = DataFusionDeltaIOManager(session=session, root_uri=str(root / "lake"))
    instance = dg.DagsterInstance.local_temp(str(root))

    @dg.asset
    def t() -> pa.Table:
        return ROWS

    @dg.asset(deps=[t])
    def x(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(QUERY)

    def run(*assets: dg.AssetsDefinition) -> None:
        dg.materialize(
            [t, x],
            selection=list(assets),
            resources={"dfsession": session, "io_manager": lake},
            instance=instance,
            run_config=QUIET,
        )

    run(t)
    return functools.partial(run, x)


def used_by(work: Work) -> Used:
    """Return what one round takes, on all threads."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    spent, passed = time.process_time() - cpu, time.perf_counter() - wall
    return Used(spent * 1000, passed * 1000)


def measured(name: str, work: Work, rounds: int) -> dict[str, object]:
    """Ask both ways, print the answers and return them."""
    inside, within = Inside(), list[dict[str, Used]]()
    arms: dict[str, Callable[[Door], Callable[..., Any]]] = {
        "timed": inside.timed,
        "on": lambda door: getattr(door.owner, door.name),
        "off": lambda door: door.instead,
        "off again": lambda door: door.instead,
    }
    used: dict[str, list[Used]] = {arm: [] for arm in arms}
    turns = list(arms.items())
    work()
    for _ in range(rounds):
        for arm, by in turns:
            with replaced(by):
                used[arm].append(used_by(work))
        within.append(inside.take())
        turns.append(turns.pop(0))  # who follows whom would make a difference
    figures: dict[str, object] = {"rounds": rounds, "calls": inside.calls // rounds}
    for at, clock in enumerate(Used._fields):
        of = statistics.median(each[at] for each in used["off"])
        own = {
            part: statistics.median(each[part][at] for each in within)
            for part in within[0]
        }
        print(f"{name}, {clock}: of {of:.1f} ms")
        for part, ms in own.items():
            print(f"  inside, {part}: {ms:.2f} ms, {ms / of:.2%}")
        shares: dict[str, object] = {p: round(ms / of, 4) for p, ms in own.items()}
        for arm in ("on", "off again"):
            pairs = zip(used[arm], used["off"], strict=True)
            more = middle([one[at] / other[at] - 1 for one, other in pairs])
            print("  {} over off: {:+.2%}, {:+.2%} to {:+.2%}".format(arm, *more))
            shares[f"{arm} over off"] = [round(each, 4) for each in more]
        inside_ms = {part: round(ms, 3) for part, ms in own.items()}
        figures[clock] = {"of": round(of, 1), **inside_ms, "shares": shares}
    return figures


def middle(values: list[float]) -> tuple[float, float, float]:
    """Return the median, and the ends of what it may be at 95 %."""
    ordered = sorted(values)
    low = max(math.floor(len(ordered) / 2 - 0.98 * math.sqrt(len(ordered))), 0)
    return statistics.median(ordered), ordered[low], ordered[-1 - low]


def main(rounds: int) -> None:
    """Measure a materialization alone and within a run of Dagster."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="dfsession_bench_") as given:
        root = Path(given)
        figures = {
            "materialize": measured("materialize", bare(root / "bare"), rounds),
            "dg.materialize": measured("dg.materialize", whole(root), rounds // 5),
        }
    keep("telemetry without an SDK", figures)
