"""Sessions lent to a step, and tables on disk for them to read."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session

Lent = Callable[..., Lease]


@pytest.fixture
def lent() -> Iterator[Lent]:
    """Lend a new session, built from parts of a profile."""
    with contextlib.ExitStack() as stack:

        def lend(scope: Scope | None = None, **parts: Any) -> Lease:
            plan = plan_session(SessionProfile(name="test", **parts))
            session = stack.enter_context(open_session(plan))
            return Lease(session, scope or Scope(run_id="1a2b3c4d", step="load"))

        yield lend


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three Parquet files of 10,000 rows: `id` counts on, `k` has 1,000 values."""
    root = tmp_path / "rows"
    root.mkdir()
    for part in range(3):
        ids = range(part * 10_000, (part + 1) * 10_000)
        rows = pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "k": [i * 7919 % 1000 for i in ids],
                "s": [f"text {i * 7919 % 30_000} " * 4 for i in ids],
            }
        )
        pq.write_table(rows, root / f"{part}.parquet", row_group_size=2_000)
    return root
