"""From Dagster's partitions and an asset's metadata to columns and values."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

import dagster as dg

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.merges import Scd2, parse_merge
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.delta.partitions import (
    Dimension,
    MultiKeys,
    PartitionRequest,
    StaticKeys,
)
from dagster_dfsession.delta.windows import TimeWindows
from dagster_dfsession.errors import (
    DeltaError,
    PartitionError,
    did_you_mean,
    listing,
)
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.steps.contracts import CONTRACT, asset_contract
from dagster_dfsession.steps.current import start_of_run
from dagster_dfsession.steps.declarations import (
    CONSTRAINTS,
    TABLE_PROPERTIES,
    asset_declared,
)
from dagster_dfsession.steps.layouts import LAYOUT, asset_layout
from dagster_dfsession.steps.policies import DETERMINISM, STREAMING, asset_policy

T = TypeVar("T")

PARTITION_EXPR = "partition_expr"
PARTITION_BY = "partition_by"
MODE = "mode"
SCHEMA_MODE = "schema_mode"
MERGE = "merge"
KNOWN = frozenset(
    {
        CONSTRAINTS,
        CONTRACT,
        DETERMINISM,
        LAYOUT,
        MERGE,
        MODE,
        PARTITION_BY,
        PARTITION_EXPR,
        SCHEMA_MODE,
        STREAMING,
        TABLE_PROPERTIES,
    }
)
"""Metadata of an asset that says how its table is written."""


def plain_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metadata as it was written down: Dagster wraps that of outputs.

    Examples:
        >>> plain_metadata({"mode": dg.MetadataValue.text("append")})
        {'mode': 'append'}
    """
    return {
        key: value.value if isinstance(value, dg.MetadataValue) else value
        for key, value in (metadata or {}).items()
    }


def asset_target(
    lake: Lake,
    key: Sequence[str],
    metadata: Mapping[str, Any],
    *,
    mode: WriteMode,
    schema_mode: SchemaMode,
    partitions: dg.PartitionsDefinition | None,
    partition_keys: Sequence[str] | None,
) -> Target:
    """Return where an asset goes.

    Args:
        lake: The lake below which its table is.
        key: The asset key.
        metadata: The asset's definition metadata, overlaid with the output's.
        mode: Where the metadata has neither a `mode` nor a `merge`.
        schema_mode: Where the metadata has no `schema_mode`.
        partitions: The asset's partitions, if it has any.
        partition_keys: Those of this run, in any order; None: it has none.

    Raises:
        PartitionError: The metadata does not say which column holds the partitions,
            or the run has none.
        DeltaError: A mode is none of those there are, the merge is none, or the
            contract is none.
    """
    name, stated = "/".join(key), plain_metadata(metadata)
    by = stated.get(PARTITION_BY)
    # Keys of several dimensions are a class of Dagster's own, which nothing encodes.
    keys = tuple(sorted(map(str, partition_keys or ())))
    request = None
    if partitions is not None:
        if not keys:
            # Dagster starts such runs, and takes their outputs for unpartitioned.
            raise PartitionError(
                f"asset {name!r} has partitions, but this run has none, so nothing "
                "says which rows are its own. Launch it for a partition key or a range "
                "of them."
            )
        expression = stated.get(PARTITION_EXPR)
        request = partition_request(partitions, keys, expression, name)
    # Who says how to merge, and no mode, does not mean to lose rows.
    mode = stated.get(MODE, MERGE if MERGE in stated else mode)
    mode = _choice(MODE, mode, get_args(WriteMode), name)
    merge = parse_merge(stated.get(MERGE), name) if mode == MERGE else None
    by_run = isinstance(merge, Scd2) and merge.needs_run_start
    return Target(
        key=tuple(key),
        location=lake.table(key),
        partitions=request,
        partition_keys=keys if request is not None else (),
        partition_by=None
        if by is None
        else (by,)
        if isinstance(by, str)
        else tuple(by),
        mode=mode,
        schema_mode=_choice(
            SCHEMA_MODE,
            stated.get(SCHEMA_MODE, schema_mode),
            get_args(SchemaMode),
            name,
        ),
        merge=merge,
        run_start=start_of_run() if by_run else None,
        contract=asset_contract(stated, name),
        layout=asset_layout(stated, name),
        declared=asset_declared(stated, name),
        **asset_policy(stated, name),
    )


def check_definition(metadata: Mapping[str, Any] | None, key: Sequence[str]) -> None:
    """Refuse an asset whose definition says two things; an output may say another.

    Raises:
        DeltaError: It does, or names a mode that there is not.
    """
    stated, name = plain_metadata(metadata), "/".join(key)
    mode = _choice(MODE, stated.get(MODE, MERGE), get_args(WriteMode), name)
    _choice(SCHEMA_MODE, stated.get(SCHEMA_MODE, "strict"), get_args(SchemaMode), name)
    if MERGE in stated and mode != MERGE:
        raise DeltaError(
            f"asset {name!r} has a {MERGE!r} in its metadata, and the mode "
            f"{mode!r}, which would leave it out. Leave out one of the two; to write "
            "one output otherwise, set the mode in the metadata of the output."
        )


def misspelt(metadata: Mapping[str, Any] | None) -> Iterator[str]:
    """Tell the metadata that means nothing here, and nearly something.

    Only a hint: any other key may be somebody's own.

    Examples:
        >>> list(misspelt({"modee": "append", "owner": "me"}))
        ["the metadata 'modee' means nothing to the IO manager; is it 'mode'?"]
    """
    for key in sorted(set(metadata or {}) - KNOWN):
        near = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.85)
        if near:
            yield (
                f"the metadata {key!r} means nothing to the IO manager; is it "
                f"{near[0]!r}?"
            )


def partition_request(
    definition: dg.PartitionsDefinition,
    keys: Sequence[str],
    expression: Any,
    asset: str,
) -> PartitionRequest:
    """Return the partition keys in terms of columns.

    Args:
        definition: The asset's partitions.
        keys: At least one of its keys, in any order.
        expression: The column; with several dimensions, a column for each.
        asset: Name of the asset, for messages.

    Raises:
        PartitionError: The expression names no column, or not one for each dimension.
    """
    if isinstance(definition, dg.MultiPartitionsDefinition):
        columns = _columns(definition, expression, asset)
        split = definition.get_partition_key_from_str
        return MultiKeys(
            keys=tuple(
                tuple(
                    _dimension(
                        part.partitions_def, [by_name[part.name]], columns[part.name]
                    )
                    for part in definition.partitions_defs
                )
                for by_name in (split(key).keys_by_dimension for key in sorted(keys))
            )
        )
    if not isinstance(expression, str):
        raise PartitionError(
            f"asset {asset!r} has partitions, but its {PARTITION_EXPR!r} metadata is "
            f"{expression!r}. Set metadata={{{PARTITION_EXPR!r}: 'column'}} on the "
            "asset, naming the column that the partition keys are values of."
        )
    return _dimension(definition, keys, expression)


def _dimension(
    definition: dg.PartitionsDefinition, keys: Sequence[str], column: str
) -> Dimension:
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return StaticKeys(column, tuple(sorted(keys)))
    spans = (
        (definition.time_window_for_partition_key(key), key) for key in sorted(keys)
    )
    windows = tuple((span.start, span.end, key) for span, key in spans)
    return TimeWindows(column, windows, definition.fmt)


def _columns(
    definition: dg.MultiPartitionsDefinition, expression: Any, asset: str
) -> Mapping[str, str]:
    names = [part.name for part in definition.partitions_defs]
    if not isinstance(expression, Mapping) or set(expression) != set(names):
        raise PartitionError(
            f"asset {asset!r} has the dimensions {listing(names)}, but its "
            f"{PARTITION_EXPR!r} metadata is {expression!r}. Set it to a mapping that "
            f"names a column for each: {dict.fromkeys(names, 'column')!r}."
        )
    return expression


def _choice(what: str, value: Any, known: tuple[T, ...], asset: str) -> T:
    for each in known:
        if each == value:
            return each
    raise DeltaError(
        f"asset {asset!r} has the {what} {value!r} in its metadata; "
        f"it is one of {listing(map(str, known))}."
        f"{did_you_mean(str(value), [str(each) for each in known])}"
    )
