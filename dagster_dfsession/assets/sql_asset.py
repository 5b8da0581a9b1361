"""An asset that is a query."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

import dagster as dg

from dagster_dfsession.assets.code_version import code_version
from dagster_dfsession.assets.definition import code_reference, query_asset
from dagster_dfsession.assets.incremental import parse_incremental, watermark_of
from dagster_dfsession.assets.query import sql_query
from dagster_dfsession.metadata.keys import CODE_REFERENCES
from dagster_dfsession.profile.sail import EngineName
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.named_tables import named_tables
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.session.catalog import asset_key, table_name
from dagster_dfsession.steps.contracts import CONTRACT
from dagster_dfsession.steps.partitions import MODE


def sql_asset(
    *,
    name: str,
    sql: str,
    key_prefix: str | Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    mode: str | None = None,
    contract: Mapping[str, Any] | None = None,
    incremental: Mapping[str, Any] | None = None,
    engine: EngineName = "datafusion",
    metadata: Mapping[str, Any] | None = None,
    deps: Iterable[Any] = (),
    partitions_def: dg.PartitionsDefinition | None = None,
    session: DataFusionSessionResource | SessionProfile | None = None,
    session_key: str = "dfsession",
    written_at: tuple[str, int] | None = None,
    **options: Any,
) -> dg.AssetsDefinition:
    """Return an asset that is the result of a query, downstream of what it names.

    `raw.flights` in the query is the asset with the key `raw/flights`. `$name` stands
    for a value of `params`; `$partition_key`, `$partition_start` and `$partition_end`
    for the partition of the run, the latter two as timestamps in UTC, the end not part
    of it. Values are bound by the engine, never formatted into the text.

    Args:
        name: The last part of the asset key.
        sql: The query, in the dialect of the session.
        key_prefix: The parts of the key before it.
        params: Values by name: texts, numbers, booleans, dates.
        mode: What a write does to old rows, as the asset metadata `mode`.
        contract: What columns and rows must be, as the asset metadata `contract`.
        incremental: `watermark`, a column of the asset's own table whose maximum the
            query calls `$watermark`, and `start`, what that is in the first run. The
            mode is `append` or `merge`. A run with the tag `dfsession/full_refresh` =
            `true` begins at the start again and replaces all rows.
        engine: What runs it: `datafusion`, the session's own, or `sail`, for a query
            that is too big for a machine. That reads Spark's SQL: what it would read
            otherwise, without saying so, is refused.
        metadata: Of the definition; see `DataFusionDeltaIOManager`.
        deps: As `dagster.asset` has them: what the query does not name, or names with
            a partition mapping.
        partitions_def: The asset's partitions; `partition_expr` in the metadata says
            which column has their keys.
        session: What reads the query: its functions are part of the code version, its
            profile says the dialect. None: a default session without functions.
        session_key: The resource that runs it.
        written_at: File and line of the query, for the page. None: of this call.
        **options: For `dagster.asset`: description, owners, tags, group_name, ...

    Raises:
        QueryError: The engine cannot read the query, or a parameter has no value.
        PartitionError: It names a partition value that the asset has not.
        DeltaError: There is no such mode.

    Examples:
        >>> slow = sql_asset(
        ...     name="slow",
        ...     sql="SELECT carrier FROM raw.flights WHERE delay > $minutes",
        ...     params={"minutes": 30},
        ... )
        >>> sorted(key.to_user_string() for key in slow.dependency_keys)
        ['raw/flights']
    """
    prefix = [key_prefix] if isinstance(key_prefix, str) else key_prefix
    key = dg.AssetKey([*prefix, name])
    profile = profile_of(session)
    home = profile.catalog.default_schema
    query = sql_query(
        sql,
        params or {},
        key.to_user_string(),
        partitions=partitions_def,
        session_key=session_key,
        watermark=None
        if incremental is None
        else watermark_of(
            parse_incremental(incremental, key.to_user_string(), mode),
            table_name(key.path, home),
            sql,
            key.to_user_string(),
            f"{mode}",
        ),
        engine=engine,
    )
    read = {dg.AssetKey(asset_key(each, home)) for each in named_tables(sql, profile)}
    stated = {
        **(metadata or {}),
        **({} if mode is None else {MODE: mode}),
        **({} if contract is None else {CONTRACT: contract}),
    }
    file, line = written_at or _caller(inspect.currentframe())
    return query_asset(
        key,
        query,
        read,
        version=code_version(sql, params or {}, profile, engine),
        deps=deps,
        partitions_def=partitions_def,
        metadata={**stated, CODE_REFERENCES: code_reference(file, line)},
        **options,
    )


def profile_of(
    session: DataFusionSessionResource | SessionProfile | None,
) -> SessionProfile:
    """Return the profile by which queries are read."""
    if session is None:
        return SessionProfile(name="sql")
    return session if isinstance(session, SessionProfile) else session.plan().profile


def _caller(frame: FrameType | None) -> tuple[str, int]:
    """Return where the function of a frame was called."""
    caller = None if frame is None else frame.f_back
    # An interpreter without frames knows no better than this file.
    return (
        (__file__, 1)
        if caller is None
        else (caller.f_code.co_filename, caller.f_lineno)
    )
