"""The SQL of a merge's clauses, planned over no rows before anything is read."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from datafusion import SessionConfig, SessionContext

from dagster_dfsession.delta.arrow_types import delta_type
from dagster_dfsession.delta.merges import Clause
from dagster_dfsession.delta.sides import SOURCE, TARGET
from dagster_dfsession.errors import SchemaMismatchError

_NORMALIZE = "datafusion.sql_parser.enable_ident_normalization"


def check_expressions(
    clauses: Sequence[Clause], frame: pa.Schema, held: pa.Schema
) -> None:
    """Refuse SQL that does not plan, or whose value would be cut down to its column.

    Names mean what they mean to delta-rs: they are read as they are spelt, and built-in
    functions are all there are.

    Raises:
        SchemaMismatchError: An expression cannot be planned, a condition is none, or
            a value does not fit its column.
    """
    # As delta-rs reads names: as they are spelt.
    ctx = SessionContext(SessionConfig().set(_NORMALIZE, "false"))
    for name, schema in ((SOURCE, frame), (TARGET, held)):
        empty = pa.RecordBatch.from_pylist([], schema=schema)
        ctx.register_record_batches(name, [[empty]])
    for number, clause in enumerate(clauses):
        where = f"clause {number} ({clause.when}, {clause.do})"
        tables = " CROSS JOIN ".join(_sides(clause))
        if clause.condition is not None:
            found = _type(ctx, clause.condition, tables, where)
            if not pa.types.is_boolean(found):
                raise SchemaMismatchError(
                    f"{where}: the condition {clause.condition!r} is of type {found}; "
                    "write one that is true or false"
                )
        for name, sql in (clause.set or {}).items():
            found = _type(ctx, sql, tables, f"{where}, column {name!r}")
            schema = held if name in held.names else frame
            kept = delta_type(schema.field(name).type, name)
            if _loses(found, kept):
                raise SchemaMismatchError(
                    f"{where}: {sql!r} is of type {found}, and {name!r} of type {kept} "
                    "would keep a part of it alone. Round or cast it in the expression."
                )


def _sides(clause: Clause) -> Iterator[str]:
    if clause.when != "not_matched_by_source":
        yield SOURCE
    if clause.when != "not_matched":
        yield TARGET


def _type(ctx: SessionContext, sql: str, tables: str, where: str) -> pa.DataType:
    query = f"SELECT ({sql}) FROM {tables}"  # noqa: S608  # planned, never run
    try:
        planned = ctx.sql(query)
    except Exception as error:  # noqa: BLE001  # datafusion raises no narrower class
        sentence = " ".join(str(error).split())
        raise SchemaMismatchError(
            f"{where}: {sql!r} cannot be planned: {sentence}. Columns are "
            f"{SOURCE}.name and {TARGET}.name, as they are spelt, upper and lower case "
            "included; functions are those of the engine."
        ) from None
    found: pa.DataType = planned.schema().field(0).type
    return found


def _loses(found: pa.DataType, kept: pa.DataType) -> bool:
    """Whether a cast would drop a part of some values without an error."""
    if isinstance(found, pa.Decimal128Type) and isinstance(kept, pa.Decimal128Type):
        return bool(found.scale > kept.scale)
    whole = pa.types.is_integer(kept)
    if pa.types.is_decimal(found):
        return bool(whole)
    if pa.types.is_floating(found):
        return bool(whole or pa.types.is_decimal(kept))
    return bool(pa.types.is_timestamp(found) and pa.types.is_date(kept))
