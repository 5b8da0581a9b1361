"""What telemetry costs a materialization while nobody has set up an SDK.

Two ways to ask. *Inside*: whatever exists for telemetry alone is timed while it runs;
that is exact to a few microseconds, and a little too much, for the clock is in it.
*Paired*: the same work with all of that left out, in turn; it would show what comes
later, such as memory to be collected, as far as the machine is quiet.
"""

import contextlib
import functools
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

from benchmarks.harness import Times, interleaved, keep
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
    """A function that exists for telemetry alone, and what would be without it."""

    owner: Any
    name: str
    instead: Callable[..., Any]


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _no_span(*_: Any, **__: Any) -> Any:
    return INVALID_SPAN


def _no_block(*_: Any, **__: Any) -> Any:
    return spans.UNSEEN


def _methods(owner: type, *names: str) -> Iterator[Door]:
    return (Door(owner, name, _nothing) for name in names)


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
    Door(holders, "this_process", _nothing),
    Door(holders, "holders_directory", _nothing),
    Door(run_trace.RunTrace, "current", _no_block),
    *_methods(run_trace.RunTrace, "__init__", "begin_step", "end_step", "end"),
    *_methods(recorder.Recorder, "record", "close"),
    *_methods(measures.Totals, "add", "now"),
    *_methods(holders.HolderFile, "__init__", "write", "remove"),
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


class Inside:
    """Time spent behind the doors, in milliseconds; a door behind another is part."""

    def __init__(self) -> None:
        """Start at zero."""
        self.cpu = self.wall = 0.0
        self.calls = 0
        self._depth = 0

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
                taken, spent = time.thread_time() - cpu, time.perf_counter() - wall
                self._depth -= 1
                if not self._depth:
                    self.calls += 1
                    self.cpu += taken * 1000
                    self.wall += spent * 1000

        return run


def bare(root: Path) -> Work:
    """Return a materialization with a session of its own, without Dagster."""
    lake = Lake(str(root))

    def run() -> None:
        session = RunSession(PLAN, "bench")
        session.tables.add_lake(lake)
        lease = session.lease(Scope(run_id="bench", step="x"))
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


def measured(name: str, work: Work, rounds: int) -> dict[str, object]:
    """Ask both ways, print the answers and return them."""
    work()
    inside, cpu, wall = Inside(), [], []
    with replaced(inside.timed):
        for _ in range(rounds):
            began, at = time.process_time(), time.perf_counter()
            work()
            cpu.append((time.process_time() - began) * 1000)
            wall.append((time.perf_counter() - at) * 1000)
    own = {"cpu": inside.cpu / rounds, "wall": inside.wall / rounds}
    of = {"cpu": statistics.median(cpu), "wall": statistics.median(wall)}
    for clock, ms in own.items():
        share = ms / of[clock]
        print(f"{name}: inside {ms:.2f} of {of[clock]:.1f} ms {clock}, {share:.2%}")

    def off() -> None:
        with replaced(lambda door: door.instead):
            work()

    arms = {"on": work, "off": off, "off again": off}
    taken = interleaved(arms, rounds=rounds, clock=time.process_time)
    middle = taken["off"].median
    paired = {
        arm: [round(each / middle, 4) for each in middle_of(taken[arm], taken["off"])]
        for arm in ("on", "off again")
    }
    for arm, (low, mid, high) in paired.items():
        print(f"{name}: {arm} over off, cpu: {mid:+.2%} ({low:+.2%} to {high:+.2%})")
    return {
        "calls": round(inside.calls / rounds),
        "inside_ms": {clock: round(ms, 3) for clock, ms in own.items()},
        "of_ms": {clock: round(ms, 1) for clock, ms in of.items()},
        "share": {clock: round(own[clock] / of[clock], 4) for clock in own},
        "paired_cpu_share": paired,
    }


def middle_of(one: Times, other: Times) -> tuple[float, float, float]:
    """Return the median of paired differences, between the ends of its 95 %."""
    more = sorted(a - b for a, b in zip(one.rounds, other.rounds, strict=True))
    reach = 0.98 * math.sqrt(len(more))
    low = max(math.floor(len(more) / 2 - reach), 0)
    return more[low], statistics.median(more), more[-1 - low]


def main(rounds: int) -> None:
    """Measure a materialization alone and within a run of Dagster."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="dfsession_bench_") as given:
        root = Path(given)
        figures = {
            "materialize": measured("materialize", bare(root / "bare"), rounds),
            "dg.materialize": measured("dg.materialize", whole(root), rounds // 4),
        }
    keep("telemetry without an SDK", figures)
