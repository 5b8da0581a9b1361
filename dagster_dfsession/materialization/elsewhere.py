"""What another engine computes, as a stream whose origin is known."""

from collections.abc import Sequence

import msgspec

from dagster_dfsession.engines.remote import RemoteQuery
from dagster_dfsession.errors import QueryError
from dagster_dfsession.materialization.determinism import sort_keys
from dagster_dfsession.materialization.outputs import (
    DATA_HASH_VERSION,
    Output,
    output_of,
)
from dagster_dfsession.materialization.sorting import sorted_reader
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.materialization import Determinism
from dagster_dfsession.query.identity import PLAN_HASH_VERSION
from dagster_dfsession.session.runtime import SessionRuntime


def output_elsewhere(
    value: RemoteQuery,
    asset: str,
    *,
    session: SessionRuntime,
    tables: RunTables,
    lease: Lease,
    sort_by: Sequence[str] = (),
    determinism: Determinism = "best_effort",
) -> Output:
    """Return a query that runs elsewhere as a stream.

    All that is known of it is known from the same query planned here; engine and
    version are part of its identity, and of what its rows are called.

    Args:
        value: The query.
        asset: As in `output_of`.
        session: Likewise.
        tables: Likewise.
        lease: Likewise.
        sort_by: Likewise.
        determinism: Likewise.

    Raises:
        QueryError: As `output_of`; or its files are to have the same bytes each time.
    """
    engine = value.engine.name
    if determinism == "canonical":
        raise QueryError(
            f"{asset}: its determinism is 'canonical', which only this session's own "
            f"engine can promise, and it runs on {engine}; say 'stable' or "
            "'best_effort'"
        )
    planned = output_of(
        value.frame,
        asset,
        session=session,
        tables=tables,
        lease=lease,
        determinism=determinism,
    )
    reader = value.reader()
    keys = sort_keys(reader.schema.names, sort_by, determinism)
    return msgspec.structs.replace(
        planned,
        reader=sorted_reader(reader, keys, lease.session, f"sorting {asset}"),
        execution=None,
        identity=None
        if planned.identity is None
        else msgspec.structs.replace(
            planned.identity,
            plan_hash=content_hash(
                "plan elsewhere",
                PLAN_HASH_VERSION,
                {"plan": planned.identity.plan_hash, "engine": engine},
            ),
        ),
        why_composed=f"it ran on {engine}",
        statement=f"it ran on {engine}, and replays run on datafusion",
        inputs=tuple(
            msgspec.structs.replace(each, scan=engine) for each in planned.inputs
        ),
        content=None
        if planned.content is None
        else content_hash(
            "query elsewhere",
            DATA_HASH_VERSION,
            {"query": planned.content, "engine": engine},
        ),
        ran_on=engine,
    )
