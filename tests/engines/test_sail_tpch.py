"""The 22 queries of TPC-H are the same in both engines."""

from pathlib import Path

import pytest
from deltalake import write_deltalake

import dagster_dfsession as dfs
from dagster_dfsession.delta.location import Location
from dagster_dfsession.engines.columns import Columns
from dagster_dfsession.engines.local import LocalEngine
from dagster_dfsession.engines.parity import check_equal
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.dialect import check_dialect
from dagster_dfsession.engines.sail.engine import SailEngine
from dagster_dfsession.profile.sail import SailProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.planned import Planned
from tests.tpc.benchmark import queries, tables

SPARK = SqlProfile(float_as_decimal=True, null_ordering="nulls_min")
CLUSTER = SailProfile(mode="local-cluster", workers=2, parallelism=2)


@pytest.mark.slow
def test_tpch_is_the_same_in_a_cluster_as_here(tmp_path: Path) -> None:
    versions = {}
    for name, rows in tables("tpch", 0.1).items():
        write_deltalake(str(tmp_path / name), rows)
        versions[name] = TableAt(Location(str(tmp_path / name)), 0)
    profile = dfs.SessionProfile(name="spark", sql=SPARK)
    with (
        dfs.open_session(dfs.plan_session(profile)) as session,
        SailEngine(CLUSTER) as sail,
    ):
        for name, rows in tables("tpch").items():
            session.ctx.from_arrow(rows, name)
        settings = session.snapshot().settings
        local, equal = LocalEngine(session), []
        for number, query in queries("tpch").items():
            check_dialect(query, Planned(session.planned(query)), settings)
            ours = local.execute(query, versions, {}).read_all()
            found = sail.execute(query, versions, {})
            columns = Columns(ours.schema, sail.name)
            columns.check(found.schema)
            theirs = [columns.of(batch) for batch in found]
            check_equal(ours, type(ours).from_batches(theirs, ours.schema), "a", "b")
            equal.append(number)

    assert equal == list(range(1, 23))
