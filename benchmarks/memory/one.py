"""Run one query under one limit: `python -m benchmarks.memory.one LAKE PROFILE < SQL`.

A process of its own, so that its memory is nobody else's. Rows are thrown away as they
come. What is printed last is one line of JSON; of a query that failed, how and why.
"""

import json
import sys
import time
from typing import Any

from benchmarks.tpch.run import cpu_s, peak_bytes
from dagster_dfsession.errors import QueryError
from dagster_dfsession.lake_session import LakeSession
from dagster_dfsession.profile.codec import parse_profile


def run(lake: str, profile: dict[str, Any], query: str) -> dict[str, Any]:
    """Run a query and tell what it took."""
    base = profile.pop("preset", "default")
    with LakeSession(parse_profile(profile, base=base), root_uri=lake) as session:
        artifact = session.compile(query)
        started, before = time.perf_counter(), cpu_s()
        failed = None
        with session.execute(artifact) as result:
            try:
                for _ in result:
                    pass
            except QueryError as error:
                failed = str(error)
            told = result.metrics
        return {
            "wall_s": time.perf_counter() - started,
            "cpu_s": cpu_s() - before,
            "peak_bytes": peak_bytes(),
            "rows": result.rows,
            "spilled_bytes": told.spilled_bytes,
            "spill_files": told.spill_files,
            "failed": failed,
        }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], json.loads(sys.argv[2]), sys.stdin.read())))
