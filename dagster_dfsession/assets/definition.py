"""From a query to Dagster's definition of an asset."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from dagster_dfsession.assets.query import SqlQuery
from dagster_dfsession.display import sql_text
from dagster_dfsession.metadata.keys import SQL, TABLE_NAME
from dagster_dfsession.profile.sail import EngineName
from dagster_dfsession.steps.partitions import check_definition


def kinds_of(engine: EngineName) -> set[str]:
    """Return what the page says the asset of a query is made with.

    Examples:
        >>> sorted(kinds_of("sail"))
        ['deltalake', 'sail', 'sql']
    """
    return {engine, "sql", "deltalake"}


_AFTER = dg.In(dg.Nothing)
"""An input that a step waits for, and gets nothing from."""


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
        ins={
            name: dg.AssetIn(
                key=dep.asset_key,
                partition_mapping=dep.partition_mapping,
                dagster_type=dg.Nothing,
            )
            for name, dep in _numbered(upstream(key, read, deps)).items()
        },
        partitions_def=partitions_def,
        required_resource_keys={query.session_key},
        metadata={
            TABLE_NAME: ".".join(key.path),
            SQL: sql_text(query.sql),
            **metadata,
        },
        **{"kinds": kinds_of(query.engine), "code_version": version, **told},
    )(query)
    return asset


def query_spec(
    key: dg.AssetKey,
    sql: str,
    read: Iterable[dg.AssetKey],
    *,
    version: str,
    deps: Iterable[Any],
    metadata: Mapping[str, Any],
    kept: bool,
    engine: EngineName,
    **options: Any,
) -> dg.AssetSpec:
    """Return what is said of the asset of a query.

    Args:
        key: Its key.
        sql: The query.
        read: The assets that it names.
        version: Of its code.
        deps: What it does not name, or names with a partition mapping.
        metadata: Of the definition.
        kept: Whether it has a table, for which see `stored`.
        engine: What runs it.
        **options: For `dagster.AssetSpec`.

    Raises:
        DeltaError: The metadata says two things.
    """
    check_definition(metadata, key.path)
    with warnings.catch_warnings():
        # That Dagster calls virtual assets a preview, no user of this can change.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetSpec(
            key,
            deps=upstream(key, read, deps),
            kinds=kinds_of(engine) if kept else kinds_of(engine) - {"deltalake"},
            metadata={TABLE_NAME: ".".join(key.path), SQL: sql_text(sql), **metadata},
            code_version=version,
            is_virtual=not kept,
            **options,
        )


def stored(
    spec: dg.AssetSpec, query: SqlQuery, pool: str | None
) -> dg.AssetsDefinition:
    """Return the asset whose table is the result of a query.

    As `dagster.asset` would make it, in a third of the time: that looks at the
    signature of a function to find what `spec` says.
    """
    ins = {name: dep.asset_key for name, dep in _numbered(spec.deps).items()}
    op = dg.OpDefinition(
        query.outputs,
        name=spec.key.to_python_identifier(),
        ins=dict.fromkeys(ins, _AFTER),
        outs={
            "result": dg.Out(
                description=spec.description,
                metadata={**spec.metadata},
                code_version=spec.code_version,
            )
        },
        description=spec.description,
        required_resource_keys={query.session_key},
        code_version=spec.code_version,
        pool=pool,
    )
    return dg.AssetsDefinition(
        node_def=op,
        keys_by_input_name=ins,
        keys_by_output_name={"result": spec.key},
        specs=[spec],
    )


def _numbered(deps: Iterable[dg.AssetDep]) -> dict[str, dg.AssetDep]:
    """Return an input's name for each: by their keys, `a_b/c` and `a/b_c` are one."""
    return {f"upstream_{at}": dep for at, dep in enumerate(deps)}


def upstream(
    key: dg.AssetKey, read: Iterable[dg.AssetKey], deps: Iterable[Any]
) -> list[dg.AssetDep]:
    """Return what an asset waits for: what it is told to, and what it names.

    What its own table has by now, a query may read: that makes no run wait for it.
    """
    given = [
        each if isinstance(each, dg.AssetDep) else dg.AssetDep(each) for each in deps
    ]
    named = {*read} - {each.asset_key for each in given} - {key}
    return [*given, *(dg.AssetDep(each) for each in sorted(named))]


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
