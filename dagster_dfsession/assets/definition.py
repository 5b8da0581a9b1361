"""From a query to Dagster's definition of an asset."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from dagster_dfsession.assets.query import SqlQuery
from dagster_dfsession.display import sql_text
from dagster_dfsession.metadata.keys import SQL, TABLE_NAME
from dagster_dfsession.steps.partitions import check_definition

KINDS = frozenset({"datafusion", "sql", "deltalake"})


def query_asset(
    key: dg.AssetKey,
    query: SqlQuery,
    read: Iterable[dg.AssetKey],
    *,
    version: str,
    deps: Iterable[Any],
    partitions_def: dg.PartitionsDefinition | None,
    metadata: Mapping[str, Any],
    **options: Any,
) -> dg.AssetsDefinition:
    """Return the asset of a query.

    Args:
        key: Its key.
        query: What runs.
        read: The assets that it names.
        version: Of its code.
        deps: What it does not name, or names with a partition mapping.
        partitions_def: Its partitions.
        metadata: Of the definition.
        **options: For `dagster.asset`.

    Raises:
        DeltaError: The metadata says two things.
    """
    check_definition(metadata, key.path)
    told = {"description": described(read), **options}
    *prefix, name = key.path
    asset: dg.AssetsDefinition = dg.asset(
        name=name,
        key_prefix=prefix or None,
        deps=upstream(key, read, deps),
        partitions_def=partitions_def,
        required_resource_keys={query.session_key},
        metadata={
            TABLE_NAME: ".".join(key.path),
            SQL: sql_text(query.sql),
            **metadata,
        },
        **{"kinds": KINDS, "code_version": version, **told},
    )(query)
    return asset


def view_spec(
    key: dg.AssetKey,
    sql: str,
    read: Iterable[dg.AssetKey],
    *,
    version: str,
    deps: Iterable[Any],
    metadata: Mapping[str, Any],
    **options: Any,
) -> dg.AssetSpec:
    """Return the asset of a query that is kept as no table; args as `query_asset`."""
    with warnings.catch_warnings():
        # That Dagster calls virtual assets a preview, no user of this can change.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetSpec(
            key,
            deps=upstream(key, read, deps),
            kinds={"datafusion", "sql"},
            metadata={TABLE_NAME: ".".join(key.path), SQL: sql_text(sql), **metadata},
            code_version=version,
            is_virtual=True,
            **options,
        )


def upstream(
    key: dg.AssetKey, read: Iterable[dg.AssetKey], deps: Iterable[Any]
) -> list[dg.AssetDep | dg.AssetKey]:
    """Return what an asset waits for: what it is told to, and what it names.

    What its own table has by now, a query may read: that makes no run wait for it.
    """
    given = [
        each if isinstance(each, dg.AssetDep) else dg.AssetDep(each) for each in deps
    ]
    return [*given, *sorted({*read} - {each.asset_key for each in given} - {key})]


def described(keys: Iterable[dg.AssetKey]) -> str:
    """Return what is said of an asset of which nobody says anything."""
    names = ", ".join(sorted(key.to_user_string() for key in keys))
    return f"A query of {names or 'no asset'}."


def code_reference(file: str, line: int) -> dg.CodeReferencesMetadataValue:
    """Return a file and a line for the page."""
    with warnings.catch_warnings():
        # That Dagster calls these beta, no user of this can change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        place = dg.LocalFileCodeReference(file_path=file, line_number=line)
        return dg.CodeReferencesMetadataValue(code_references=[place])
