"""From front matter to the metadata and partitions of a definition."""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from dagster_dfsession.assets.model import (
    Daily,
    Hourly,
    Monthly,
    Partitions,
    SqlModel,
    StaticKeys,
    Weekly,
)
from dagster_dfsession.assets.sql_file import SqlFile
from dagster_dfsession.assets.table_check import (
    AcceptedValues,
    Check,
    Expression,
    NotNull,
    Relationships,
    Unique,
)
from dagster_dfsession.delta.merges import parse_merge
from dagster_dfsession.errors import CodeLocationError, did_you_mean, listing
from dagster_dfsession.metadata.keys import COLUMN_SCHEMA
from dagster_dfsession.steps.contracts import CONTRACT, asset_contract
from dagster_dfsession.steps.layouts import asset_layout
from dagster_dfsession.steps.partitions import MERGE, MODE, PARTITION_EXPR, SCHEMA_MODE

_WINDOWS: Mapping[type, type[dg.TimeWindowPartitionsDefinition]] = {
    Hourly: dg.HourlyPartitionsDefinition,
    Daily: dg.DailyPartitionsDefinition,
    Weekly: dg.WeeklyPartitionsDefinition,
    Monthly: dg.MonthlyPartitionsDefinition,
}


def file_metadata(file: SqlFile, key: dg.AssetKey) -> dict[str, Any]:
    """Return what the definition says of how its table is written, and of its columns.

    Raises:
        CodeLocationError: It has partitions and no column of their keys, or the other
            way round.
        DeltaError: The merge, the layout or the contract has no meaning.
    """
    model, name = file.model, key.to_user_string()
    said = {
        MODE: model.mode,
        SCHEMA_MODE: model.schema_mode,
        MERGE: _merge(model),
        CONTRACT: model.contract,
        PARTITION_EXPR: model.partition_expr,
    }
    stated = {**model.metadata, **{k: v for k, v in said.items() if v is not None}}
    _check_partition_column(model, stated)
    if MERGE in stated:
        parse_merge(stated[MERGE], name)
    asset_layout(stated, name)
    contract = asset_contract(stated, name)
    schema = None if contract is None else contract.schema
    columns = _columns(file, schema)
    return stated if columns is None else {**stated, COLUMN_SCHEMA: columns}


def _check_partition_column(model: SqlModel, stated: Mapping[str, Any]) -> None:
    if model.kept != "table" or bool(model.partitions) == (PARTITION_EXPR in stated):
        return
    if model.partitions:
        raise CodeLocationError(
            "it has partitions, and nothing says which column has their keys; add "
            f"{PARTITION_EXPR}: column"
        )
    raise CodeLocationError(
        f"it has a {PARTITION_EXPR}, and no partitions; add partitions: {{kind: daily, "
        "start: 2024-01-01}"
    )


def file_partitions(
    said: str | Partitions | None, known: Mapping[str, dg.PartitionsDefinition]
) -> dg.PartitionsDefinition | None:
    """Return the partitions that a file says.

    Raises:
        CodeLocationError: It names some that were not given, or no time zone.

    Examples:
        >>> file_partitions(StaticKeys(keys=("a", "b")), {}).get_partition_keys()
        ['a', 'b']
    """
    if said is None:
        return None
    if isinstance(said, StaticKeys):
        return dg.StaticPartitionsDefinition([*said.keys])
    if isinstance(said, str):
        if said not in known:
            raise CodeLocationError(
                f"partitions {said!r} are unknown; load_sql_assets was given those of "
                f"{listing(known)}.{did_you_mean(said, known)}"
            )
        return known[said]
    try:
        zoneinfo.ZoneInfo(said.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise CodeLocationError(
            f"the timezone {said.timezone!r} of the partitions is unknown; give one "
            "such as 'Europe/Vienna'."
            f"{did_you_mean(said.timezone, zoneinfo.available_timezones())}"
        ) from error
    kind: Any = _WINDOWS[type(said)]
    return kind(  # type: ignore[no-any-return]  # each of them is one
        start_date=_midnight(said.start),
        end_date=None if said.end is None else _midnight(said.end),
        timezone=said.timezone,
    )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day)  # noqa: DTZ001  # Dagster adds the zone


def _merge(model: SqlModel) -> dict[str, Any] | None:
    if model.snapshot is None:
        return model.merge
    said = model.snapshot
    return {
        "kind": "scd2",
        "on": _listed(said.key),
        **({} if said.tracked is None else {"tracked": _listed(said.tracked)}),
        **({} if said.effective is None else {"effective": said.effective}),
        "close_missing": said.close_missing,
    }


def _listed(columns: str | tuple[str, ...]) -> list[str]:
    return [columns] if isinstance(columns, str) else [*columns]


def _columns(file: SqlFile, schema: pa.Schema | None) -> dg.TableSchema | None:
    """Return the columns of which something is known; None: of none."""
    types = {} if schema is None else {each.name: str(each.type) for each in schema}
    said = file.model.columns
    if not said and not types:
        return None
    held: dict[str, list[Check]] = {name: [] for name in (*types, *said)}
    for check in file.checks:
        key = check.key if isinstance(check, Unique) else ()
        column = key[0] if len(key) == 1 else getattr(check, "column", None)
        if column in held:
            held[column].append(check)
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                types.get(name, "?"),
                description=said[name].description if name in said else None,
                constraints=dg.TableColumnConstraints(
                    nullable=not any(isinstance(each, NotNull) for each in checks),
                    unique=any(isinstance(each, Unique) for each in checks),
                    other=[word for each in checks for word in _other(each)],
                ),
            )
            for name, checks in held.items()
        ]
    )


def _other(check: Check) -> list[str]:
    match check:
        case AcceptedValues():
            return [f"one of {', '.join(map(str, check.values))}"]
        case Relationships():
            return [f"in {check.to}.{check.field}"]
        case Expression():
            return [check.sql]
    return []
