"""What a session tells of itself in SQL."""

import pyarrow as pa
import pyarrow.dataset as ds
from datafusion.catalog import Table

from dagster_dfsession.plan.build import SYSTEM_TABLES
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.site import Site


def install_observability(site: Site) -> tuple[str, ...]:
    """Add the tables `dfsession.session` and `dfsession.settings`."""
    wanted = SYSTEM_TABLES if site.plan.reporting.system_tables else ()
    names = site.missing(Phase.OBSERVABILITY, wanted)
    if not names:
        return ()
    session = pa.table(
        {
            "name": [site.plan.name],
            "profile_hash": [site.plan.profile_hash],
            "plan_fingerprint": [site.plan.fingerprint],
            "memory_pool": [site.runtime_env.memory_pool],
            "memory_bytes": pa.array([site.runtime_env.memory_bytes], pa.int64()),
        }
    )
    settings = pa.table(
        {
            "key": [setting.key for setting in site.plan.settings],
            "value": [setting.value for setting in site.plan.settings],
            "source": [setting.source for setting in site.plan.settings],
        }
    )
    for name, rows in zip(SYSTEM_TABLES, (session, settings), strict=True):
        schema, _, table = name.partition(".")
        site.catalog.add((schema, table), Table(ds.dataset(rows)))
    return site.installed(Phase.OBSERVABILITY, *names)
