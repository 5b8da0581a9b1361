"""What the package adds to the start of a process.

    python -m benchmarks.startup --rounds 15

Each arm is a process of its own; what counts is CPU time since it began, so that the
start of Python itself is in all of them.

* `dagster`, `package`: `import dagster`, alone and with `import dagster_dfsession`, as
  a code server or a sensor starts.
* `engines`: Dagster, both engines, and a query of the bare one as a resource.
* `query`: the first query of the resource's session, as in a step of its own process.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

from benchmarks.harness import in_turn, keep

_ENGINES = """
import dagster
import datafusion, deltalake, pyarrow
with dagster.build_resources({"s": datafusion.SessionContext()}) as made:
    made.s.sql("SELECT 1 AS one").collect()
"""
_QUERY = """
import dagster
from dagster_dfsession import DataFusionSessionResource
with dagster.build_resources({"s": DataFusionSessionResource(preset="dev")}) as made:
    made.s.sql("SELECT 1 AS one").collect()
"""
ARMS: Mapping[str, str] = MappingProxyType(
    {
        "dagster": "import dagster",
        "package": "import dagster, dagster_dfsession",
        "engines": _ENGINES,
        "query": _QUERY,
    }
)
_CLOCK = "import time; print(time.process_time() * 1000)"


def ms(arm: str) -> float:
    """Return the CPU time that an arm took from the start of its process."""
    command = [sys.executable, "-c", f"{ARMS[arm]}\n{_CLOCK}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run the arms in turn, print and keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    taken = in_turn({arm: lambda a=arm: ms(a) for arm in ARMS}, rounds=rounds)  # type: ignore[misc]  # mypy takes no default of a lambda for one
    more = {
        "package": taken["package"].median - taken["dagster"].median,
        "query": taken["query"].median - taken["engines"].median,
    }
    for arm, times in taken.items():
        added = f"  {more[arm]:+.0f} ms" if arm in more else ""
        print(f"{arm:8} {times}{added}")
    spread = {arm: [round(each) for each in t.rounds] for arm, t in taken.items()}
    keep(
        "startup",
        {"added_ms": {a: round(each) for a, each in more.items()}, "cpu_ms": spread},
    )


if __name__ == "__main__":
    main()
