"""Run one arm in this process: `python -m benchmarks.daily.run ARM DAYS OUT`.

What is printed is one line of JSON: of each part, the seconds that it took, or why it
came to nothing. A part that leaves other rows than it should has failed, too.
"""

import importlib
import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.daily.days import DAYS, ROWS

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE = "dagster/asset_partition_range"
LATE, LOOKUPS = 7, 20


class Daily:
    """Two assets with a partition a day, below a directory."""

    def __init__(self, module: Any, out: Path) -> None:
        """Make the directory and the job; nothing runs yet."""
        out.mkdir(parents=True, exist_ok=True)
        self._module, self._out = module, out
        self._job = module.definitions(out).resolve_implicit_global_asset_job_def()
        self._instance = dg.DagsterInstance.local_temp()

    def one_by_one(self, days: Sequence[str]) -> None:
        """Materialize days in a run each."""
        for day in days:
            self._job.execute_in_process(
                instance=self._instance, run_config=QUIET, partition_key=day
            )

    def at_once(self, days: Sequence[str]) -> None:
        """Materialize days in one run."""
        span = {f"{RANGE}_start": days[0], f"{RANGE}_end": days[-1]}
        self._job.execute_in_process(
            instance=self._instance, run_config=QUIET, tags=span
        )

    def check(self, days: int) -> None:
        """Refuse a table that has not the rows of so many days.

        Raises:
            ValueError: It has others.
        """
        expected = [days * ROWS, days]
        counts = [
            "SELECT count(*) AS n FROM events",
            "SELECT count(*) AS n FROM totals",
        ]
        found = self._module.answers(self._out, counts)
        if found != expected:
            raise ValueError(f"there are {found} rows, and not {expected}")

    def look_up(self, days: Sequence[str]) -> None:
        """Ask for single rows, as a dashboard does."""
        queries = [
            f"SELECT value FROM events WHERE key = {n} AND day = DATE '{day}'"  # noqa: S608
            for n, day in zip(range(LOOKUPS), itertools.cycle(days), strict=False)
        ]
        self._module.answers(self._out, queries)


def took(work: Callable[[], None], check: Callable[[], None]) -> dict[str, Any]:
    """Return the seconds that work took, or why it came to nothing."""
    wall, cpu = time.perf_counter(), _cpu_s()
    try:
        work()
        seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": _cpu_s() - cpu}
        check()
    except Exception as error:  # noqa: BLE001 - what an arm cannot do is a result
        text = str(error.__cause__ or error).strip()
        return {"failed": f"{type(error).__name__}: {text.splitlines()[0][:200]}"}
    return seconds


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run all parts, and tell what they took."""
    arm, days, out = sys.argv[1], DAYS[: int(sys.argv[2])], Path(sys.argv[3])
    module = importlib.import_module(f"benchmarks.daily.arms.{arm}")
    daily, year = Daily(module, out / "days"), Daily(module, out / "year")
    late = days[:: max(len(days) // LATE, 1)]
    count = len(days)
    told = {
        "a run a day": took(lambda: daily.one_by_one(days), lambda: daily.check(count)),
        "late days again": took(
            lambda: daily.one_by_one(late), lambda: daily.check(count)
        ),
        "all days in a run": took(
            lambda: year.at_once(days), lambda: year.check(count)
        ),
        "point lookups": took(lambda: daily.look_up(days), lambda: None),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
