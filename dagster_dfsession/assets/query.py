"""The query of a SQL asset: what it binds, and how a step runs it."""

import datetime as dt
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa

from dagster_dfsession.assets.incremental import WATERMARK, Watermark, reads_all
from dagster_dfsession.assets.remote import remote_query
from dagster_dfsession.engines.remote import RemoteQuery
from dagster_dfsession.engines.sail.dialect import check_text
from dagster_dfsession.errors import (
    PartitionError,
    QueryError,
    did_you_mean,
    listing,
    nearest,
)
from dagster_dfsession.profile.sail import EngineName
from dagster_dfsession.session.sql_text import places_of, tokens
from dagster_dfsession.steps.partitions import MODE

PARTITION_KEY = "partition_key"
PARTITION_START = "partition_start"
PARTITION_END = "partition_end"
PARTITION_TYPES: Mapping[str, pa.DataType] = MappingProxyType(
    {
        PARTITION_KEY: pa.string(),
        PARTITION_START: pa.timestamp("us", tz="UTC"),
        PARTITION_END: pa.timestamp("us", tz="UTC"),
    }
)
"""What a run binds by itself, where a query names it."""


class SqlQuery(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a SQL asset computes; Dagster calls it as the asset's function.

    Attributes:
        sql: The query.
        params: Values by name, for `$name` in it.
        bound: The partition values that it names.
        session_key: The resource that is its session.
        watermark: What `$watermark` stands for; None: it names none.
        engine: What runs it.
    """

    sql: str
    params: Mapping[str, Any] = {}
    bound: tuple[str, ...] = ()
    session_key: str = "dfsession"
    watermark: Watermark | None = None
    engine: EngineName = "datafusion"

    def __call__(self, context: dg.AssetExecutionContext) -> Any:
        """Return the frame of the query; nothing runs before it is written."""
        session = getattr(context.resources, self.session_key)
        values = _partition_values(context, self.bound)
        if self.watermark is None:
            return self._asked(session, values)
        everything = reads_all(context)
        since = self.watermark.value(session, everything=everything)
        asked = self._asked(session, {WATERMARK: since})
        frame = asked.frame if isinstance(asked, RemoteQuery) else asked
        self.watermark.check_made(frame.schema().names)
        if everything:  # these rows replace those that are there
            context.add_output_metadata({MODE: "overwrite"})
        return asked

    def _asked(self, session: Any, values: Mapping[str, Any]) -> Any:
        params = {**self.params, **values}
        if self.engine == "datafusion":
            return session.sql(self.sql, params=params)
        return remote_query(session, self.sql, params=params)

    def outputs(
        self, context: dg.AssetExecutionContext, inputs: Mapping[str, Any]
    ) -> Iterator[dg.Output[Any]]:
        """Yield the frame as the one output of an op; nothing of it is an input."""
        del inputs
        yield dg.Output(self(context))

    @property
    def typed_params(self) -> Mapping[str, Any]:
        """The values, and a typed NULL for each that only a run has."""
        types = {name: PARTITION_TYPES[name] for name in self.bound}
        nulls = {name: pa.scalar(None, kind) for name, kind in types.items()}
        first = {} if self.watermark is None else {WATERMARK: self.watermark.start}
        return {**self.params, **nulls, **first}


def sql_query(
    sql: str,
    params: Mapping[str, Any],
    asset: str,
    *,
    partitions: dg.PartitionsDefinition | None,
    session_key: str,
    watermark: Watermark | None = None,
    engine: EngineName = "datafusion",
) -> SqlQuery:
    """Return the query of an asset, with what a run has to bind.

    Args:
        sql: The query.
        params: Values by name.
        asset: Its name, for messages.
        partitions: The asset's partitions.
        session_key: The resource that is its session.
        watermark: What `$watermark` stands for, if the asset is incremental.
        engine: What runs it.

    Raises:
        QueryError: A parameter has no value, or a value no parameter.
        PartitionError: The query names a partition value that the asset has not.
    """
    # Most queries have none, and to take one apart takes a while.
    pieces = tokens(sql) if "$" in sql else ()
    named = {each.value[1:] for each in pieces if each.value.startswith("$")}
    by_run = {*PARTITION_TYPES, *([] if watermark is None else [WATERMARK])}
    if taken := sorted(set(params) & by_run):
        raise QueryError(
            f"asset {asset!r} has params for {listing(taken)}, which every run binds "
            "by itself; give them other names"
        )
    for name in sorted(named - set(params) - by_run):
        raise _unbound(name, sql, asset, known=[*params, *by_run])
    if unused := sorted(set(params) - named):
        raise QueryError(
            f"asset {asset!r} has params for {listing(unused)}, which its query does "
            f"not name; it names {listing(named)}.{did_you_mean(unused[0], named)}"
        )
    bound = tuple(sorted(named & set(PARTITION_TYPES)))
    if bound and partitions is None:
        raise PartitionError(
            f"the query of asset {asset!r} names ${bound[0]}, but the asset has no "
            "partitions; give it a partitions_def"
        )
    if {PARTITION_START, PARTITION_END} & set(bound) and not _has_windows(partitions):
        raise PartitionError(
            f"the query of asset {asset!r} names ${bound[-1]}, but its partitions are "
            f"no windows of time; use ${PARTITION_KEY}"
        )
    if engine == "sail":
        check_text(sql)
    return SqlQuery(
        sql=sql,
        params=params,
        bound=bound,
        session_key=session_key,
        watermark=watermark,
        engine=engine,
    )


def query_of(definition: dg.AssetsDefinition) -> SqlQuery | None:
    """Return the query of a SQL asset; None: it is another kind of asset."""
    if not definition.is_executable or not isinstance(
        definition.node_def, dg.OpDefinition
    ):
        return None
    compute = definition.node_def.compute_fn
    # Of `dagster.asset` the function, of an op its bound method `outputs`.
    for name in ("decorated_fn", "__self__"):
        if isinstance(found := getattr(compute, name, None), SqlQuery):
            return found
    return None


def _unbound(name: str, sql: str, asset: str, known: list[str]) -> QueryError:
    error = QueryError(
        f"the query of asset {asset!r} names ${name}, which has no value; there is "
        f"{listing(known)}.{did_you_mean(name, known)} Pass it in params."
    )
    error.kind, error.name = "parameter", f"${name}"
    error.places, error.suggestion = places_of(f"${name}", sql), nearest(name, known)
    return error


def _has_windows(partitions: dg.PartitionsDefinition | None) -> bool:
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return any(
            _has_windows(each.partitions_def) for each in partitions.partitions_defs
        )
    return isinstance(partitions, dg.TimeWindowPartitionsDefinition)


def _partition_values(
    context: dg.AssetExecutionContext, bound: tuple[str, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if PARTITION_KEY in bound:
        keys = context.partition_keys
        if len(keys) != 1:
            raise PartitionError(
                f"asset {context.asset_key.to_user_string()!r} names ${PARTITION_KEY}, "
                f"and this run has {len(keys)} of them. Launch one key a run, or use "
                f"${PARTITION_START} and ${PARTITION_END}, which span all of them."
            )
        values[PARTITION_KEY] = str(keys[0])
    if PARTITION_START in bound or PARTITION_END in bound:
        window = context.partition_time_window
        for name, at in ((PARTITION_START, window.start), (PARTITION_END, window.end)):
            if name in bound:
                values[name] = at.astimezone(dt.timezone.utc)
    return values
