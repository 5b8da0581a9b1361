"""The plans of TPC-H and TPC-DS, as an asset's materialization would record them."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deltalake import write_deltalake

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.identity import PlanIdentity, plan_identity
from dagster_dfsession.session.factory import open_session
from tests.tpc.benchmark import EXTENSIONS, Suite, queries, tables


@contextlib.contextmanager
def leased(suite: Suite, lake: Path, **parts: Any) -> Iterator[Lease]:
    """Lend a session over the suite's tables, which have no rows."""
    for name, rows in tables(suite).items():
        write_deltalake(lake / name, rows)
    opened = RunTables("public")
    opened.add_lake(Lake(str(lake)))
    plan = plan_session(SessionProfile(name="tpc", **parts))
    with open_session(plan, source=opened) as session:
        yield Lease(session, Scope(run_id="1a2b3c4d", step=suite))


def identities(suite: Suite, lake: Path, **parts: Any) -> Mapping[int, PlanIdentity]:
    """Return number -> identity of each query."""
    with leased(suite, lake, **parts) as lease:
        session = lease.session.snapshot()
        return {
            number: plan_identity(lease.sql(query), session, scoped={})
            for number, query in sorted(queries(suite).items())
        }


def hashes(plans: Mapping[int, PlanIdentity]) -> dict[str, str]:
    """Return number -> plan hash, as JSON has them."""
    return {str(number): plan.plan_hash for number, plan in plans.items()}


def main() -> None:
    """Print the hashes of all plans, made with as many partitions as are asked for."""
    partitions = ExecutionProfile(target_partitions=int(sys.argv[1]))
    with tempfile.TemporaryDirectory() as directory:
        found = {
            suite: identities(suite, Path(directory) / suite, execution=partitions)
            for suite in EXTENSIONS
        }
    print(json.dumps({suite: hashes(plans) for suite, plans in found.items()}))  # noqa: T201  # run as a script


if __name__ == "__main__":
    main()
