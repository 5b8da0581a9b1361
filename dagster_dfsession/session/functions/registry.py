"""The engine's own list of functions, read from `information_schema`."""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from datafusion import DataFrame, SessionConfig, SessionContext, col

from dagster_dfsession.errors import SnapshotError
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen

Kind = Literal["scalar", "aggregate", "window", "table"]


class Routine(NamedTuple):
    """One row of `information_schema.routines`; an overloaded function has several.

    Attributes:
        returns: The engine's name of a type; empty if it follows from the arguments.
        deterministic: The engine takes it for immutable.
        described: The engine has documentation for it, as for what it brings itself.
    """

    name: str
    kind: Kind
    returns: str
    deterministic: bool
    described: bool


class Signature(NamedTuple):
    """The engine's names of the types of one signature of a function."""

    inputs: tuple[str, ...]
    returns: str


class Builtins(Frozen, frozen=True):
    """What a new session of an engine holds.

    Attributes:
        routines: Every function, by rows.
        names: The names that a user function would shadow.
        digest: Over names, kinds, signatures, return types and the engine's version.
    """

    routines: frozenset[Routine]
    names: frozenset[str]
    digest: str


@functools.cache
def builtins_of(datafusion: str, *, spark: bool = False) -> Builtins:
    """Return the built-in functions of an engine; they are read once a process.

    Args:
        datafusion: The installed version, which stands for the implementations.
        spark: With the engine's Spark functions, which replace some of the others.
    """
    ctx = new_session(spark=spark)
    routines = read_routines(ctx)
    payload = (
        datafusion,
        spark,
        sorted(routines),
        sorted(read_signatures(ctx).items()),
    )
    return Builtins(
        routines=routines,
        names=frozenset(each.name for each in routines),
        digest=content_hash("builtins", 1, payload),
    )


def new_session(*, spark: bool = False) -> SessionContext:
    """Return a session to look at and throw away."""
    ctx = SessionContext(SessionConfig().with_information_schema(enabled=True))
    if spark:
        ctx.enable_spark_functions()
    return ctx


def read_routines(ctx: SessionContext) -> frozenset[Routine]:
    """Return every function of a session, user functions included.

    Raises:
        SnapshotError: The session has no `information_schema`.
    """
    frame = _information(ctx, "routines").select(
        col("routine_name"),
        col("function_type"),
        col("data_type"),
        col("is_deterministic"),
        col("description").is_not_null(),
    )
    return frozenset(
        Routine(name, kind.lower(), returns or "", bool(deterministic), described)
        for name, kind, returns, deterministic, described in _rows(frame)
    )


def user_signatures(
    ctx: SessionContext, routines: Iterable[Routine]
) -> dict[str, tuple[Signature, ...]]:
    """Return the signatures of some functions of a session.

    The engine lists all 2,100 parameters or none, in milliseconds. So the functions
    are handed to a session that holds nothing else, and are read there.
    """
    alone = new_session()
    for name in alone.udfs():
        alone.deregister_udf(name)
    for name in alone.udafs():
        alone.deregister_udaf(name)
    for name in alone.udwfs():
        alone.deregister_udwf(name)
    for routine in routines:
        match routine.kind:
            case "scalar":
                alone.register_udf(ctx.udf(routine.name))
            case "aggregate":
                alone.register_udaf(ctx.udaf(routine.name))
            case "window":
                alone.register_udwf(ctx.udwf(routine.name))
            case "table":
                # A table function states no types, neither here nor in its session.
                continue
    return read_signatures(alone)


def read_signatures(ctx: SessionContext) -> dict[str, tuple[Signature, ...]]:
    """Return the signatures of every function that states its types, by name.

    Raises:
        SnapshotError: The session has no `information_schema`.
    """
    columns = (
        "specific_name",
        "rid",
        "parameter_mode",
        "ordinal_position",
        "data_type",
    )
    inputs: dict[tuple[str, int], list[tuple[int, str]]] = {}
    returns: dict[tuple[str, int], str] = {}
    for name, rid, mode, position, data_type in _rows(
        _information(ctx, "parameters").select(*columns)
    ):
        if mode == "OUT":
            returns[name, rid] = data_type
        else:
            inputs.setdefault((name, rid), []).append((position, data_type))
    found: dict[str, list[Signature]] = {}
    for name, rid in inputs.keys() | returns.keys():
        types = tuple(each for _, each in sorted(inputs.get((name, rid), ())))
        signature = Signature(types, returns.get((name, rid), ""))
        found.setdefault(name, []).append(signature)
    return {name: tuple(sorted(each)) for name, each in found.items()}


def _information(ctx: SessionContext, table: str) -> DataFrame:
    try:
        return ctx.table(f"information_schema.{table}")
    except (KeyError, RuntimeError) as error:
        raise SnapshotError(
            f"the session does not list its functions: {error}; set "
            "datafusion.catalog.information_schema = 'true'"
        ) from error


def _rows(frame: DataFrame) -> Iterator[tuple[Any, ...]]:
    table = frame.to_arrow_table()
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
