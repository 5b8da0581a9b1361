"""The query of a SQL asset as one run would ask it, without a run."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import dagster as dg

from dagster_dfsession.assets.partition_sample import sample_key
from dagster_dfsession.assets.query import (
    PARTITION_END,
    PARTITION_KEY,
    PARTITION_START,
    query_of,
)
from dagster_dfsession.errors import PartitionError, listing


class Asked(NamedTuple):
    """A query with the values that it is asked with."""

    sql: str
    params: Mapping[str, Any]


def asked_query(
    definition: dg.AssetsDefinition, key: dg.AssetKey, partition: str | None
) -> Asked | None:
    """Return the query of a SQL asset; None: it is another kind of asset.

    Args:
        definition: Of the asset.
        key: Of the asset.
        partition: What a run would be over. None: the first, if the query names any.

    Raises:
        PartitionError: There is no such partition, or none to begin with.
    """
    query = query_of(definition)
    if query is None:
        return None
    partitions = definition.get_asset_spec(key).partitions_def
    asked = partition
    if query.bound and asked is None:
        asked = sample_key(partitions)
        if asked is None:
            raise PartitionError(
                f"the query of asset {key.to_user_string()!r} names ${query.bound[0]}, "
                "and only a Dagster instance knows its partitions: name one with "
                "--partition"
            )
    if asked is None:
        return Asked(query.sql, query.params)
    if partitions is None:
        raise PartitionError(
            f"asset {key.to_user_string()!r} has no partitions, so there is no "
            f"{asked!r}: leave --partition out"
        )
    values = _values(partitions, asked, key)
    return Asked(query.sql, {**query.params, **{n: values[n] for n in query.bound}})


def _values(
    partitions: dg.PartitionsDefinition, asked: str, key: dg.AssetKey
) -> dict[str, Any]:
    found: dict[str, Any] = {PARTITION_KEY: str(asked)}
    for each, part in _dimensions(partitions, asked):
        # Which dynamic ones there are, only an instance knows.
        known = () if _is_dynamic(each) else each.get_partition_keys()
        if known and part not in known:
            raise PartitionError(
                f"asset {key.to_user_string()!r} has no partition {asked!r}; it has "
                f"{listing(known)}"
            )
        if isinstance(each, dg.TimeWindowPartitionsDefinition):
            window = each.time_window_for_partition_key(part)
            found[PARTITION_START] = window.start.astimezone(dt.timezone.utc)
            found[PARTITION_END] = window.end.astimezone(dt.timezone.utc)
    return found


def _is_dynamic(partitions: dg.PartitionsDefinition) -> bool:
    return isinstance(partitions, dg.DynamicPartitionsDefinition)


def _dimensions(
    partitions: dg.PartitionsDefinition, asked: str
) -> list[tuple[dg.PartitionsDefinition, str]]:
    if not isinstance(partitions, dg.MultiPartitionsDefinition):
        return [(partitions, asked)]
    # Dagster spells such a key with the dimensions sorted by name, as these are.
    parts, keys = partitions.partitions_defs, asked.split("|")
    if len(parts) != len(keys):
        raise PartitionError(
            f"{asked!r} is no key of partitions by "
            f"{listing(part.name for part in parts)}; join a key of each with '|'"
        )
    return [(part.partitions_def, k) for part, k in zip(parts, keys, strict=True)]
