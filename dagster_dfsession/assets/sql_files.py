"""A folder of queries as assets."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dfsession.assets.check_step import check_names, check_step
from dagster_dfsession.assets.code_version import code_version
from dagster_dfsession.assets.definition import (
    code_reference,
    described,
    query_spec,
    stored,
)
from dagster_dfsession.assets.file_metadata import file_metadata, file_partitions
from dagster_dfsession.assets.incremental import watermark_of
from dagster_dfsession.assets.named_files import NamedFile, named_files
from dagster_dfsession.assets.query import sql_query
from dagster_dfsession.assets.sql_asset import profile_of
from dagster_dfsession.assets.sql_file import SIDECARS, SUFFIX, SqlFile, read_sql_file
from dagster_dfsession.errors import CodeLocationError, DfSessionError, did_you_mean
from dagster_dfsession.metadata.keys import CODE_REFERENCES, VIEW
from dagster_dfsession.pool.views import View
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.expansion import with_queries
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.session.catalog import table_name
from dagster_dfsession.steps.views import view_metadata

Definition = dg.AssetsDefinition | dg.AssetSpec


def load_sql_assets(
    folder: str | Path,
    *,
    key_prefix: str | Sequence[str] = (),
    external: Iterable[Any] = (),
    partitions: Mapping[str, dg.PartitionsDefinition] | None = None,
    session: DataFusionSessionResource | SessionProfile | None = None,
    session_key: str = "dfsession",
) -> list[Definition]:
    """Return the queries of a folder, one a file, as assets and their checks.

    `sql/mart/late.sql` is the asset `mart/late`, unless its front matter, a comment
    with YAML at its top or `late.yaml` beside it, says otherwise; see `SqlModel`.
    Nothing is returned if anything is wrong in any file.

    Args:
        folder: Where they are; folders below it are prefixes of asset keys.
        key_prefix: What all keys begin with.
        external: What queries may name that is made elsewhere: assets, specs, or keys
            such as `raw/flights`.
        partitions: By the names that files call them.
        session: As in `sql_asset`.
        session_key: The resource that runs queries and checks.

    Returns:
        For the `assets` of `dagster.Definitions`: assets, views as specs, and checks.

    Raises:
        CodeLocationError: There is no such folder, a file is not what it should be, or
            tables wait for one another in a circle.
        TableNotFoundError: Queries name what is neither in the folder nor external.
        QueryError: As `sql_asset`.
        DeltaError: As `sql_asset`.
    """
    root, profile = Path(folder), profile_of(session)
    prefix = [key_prefix] if isinstance(key_prefix, str) else [*key_prefix]
    files = [read_sql_file(each, root) for each in _paths(root)]
    found = named_files(files, prefix, _keys(external), profile)
    known = partitions or {}
    made: list[Definition] = []
    for each in found:
        if each.file.model.kept == "inline":
            continue
        try:
            made.extend(_definitions(each, known, profile, session_key))
        except DfSessionError as error:
            raise _in_file(error, each.file) from error
        except dg.DagsterError as error:
            raise CodeLocationError(f"{each.file.shown}: {error}") from error
    return made


def _definitions(
    named: NamedFile,
    known: Mapping[str, dg.PartitionsDefinition],
    profile: SessionProfile,
    session_key: str,
) -> Iterator[Definition]:
    file, key = named.file, named.key
    model = file.model
    partitions = file_partitions(model.partitions, known)
    table = table_name(key.path, profile.catalog.default_schema)
    query = sql_query(
        with_queries(file.sql, named.queries),
        named.params,
        key.to_user_string(),
        partitions=partitions,
        session_key=session_key,
        watermark=None
        if model.incremental is None
        else watermark_of(
            model.incremental, table, file.sql, key.to_user_string(), f"{model.mode}"
        ),
        engine=model.engine or "datafusion",
    )
    kept = model.kept == "table"
    spec = query_spec(
        key,
        query.sql if kept else file.sql,
        named.reads,
        version=code_version(query.sql, query.params, profile, query.engine),
        deps=[dg.AssetKey.from_user_string(each) for each in model.deps],
        metadata={
            **file_metadata(file, key),
            CODE_REFERENCES: code_reference(str(file.path.absolute()), file.line),
            **({} if kept else {VIEW: view_metadata(View(query.sql, query.params))}),
        },
        kept=kept,
        engine=query.engine,
        partitions_def=partitions if kept else None,
        description=model.description or described(named.reads),
        group_name=model.group,
        owners=[*model.owners] or None,
        tags=dict(model.tags),
    )
    yield stored(spec, query, model.pool) if kept else spec
    checks = check_names(file.checks, file.shown)
    if checks:
        yield check_step(
            key,
            checks,
            named.spelling,
            wrapped=lambda sql: with_queries(sql, named.checked),
            params=named.checked_params,
            others=named.others,
            session_key=session_key,
        )


def _paths(root: Path) -> list[Path]:
    if not root.is_dir():
        raise CodeLocationError(
            f"{str(root)!r} is no folder; load_sql_assets takes one with {SUFFIX} "
            f"files in it, seen from {Path.cwd()}"
        )
    seen = sorted(_seen(root))
    paths = [path for path in seen if path.name.endswith(SUFFIX)]
    if not paths:
        raise CodeLocationError(f"{str(root)!r} has no {SUFFIX} file in it")
    stems = {path.with_suffix("") for path in paths}
    for suffix in SIDECARS:
        for path in seen:
            if path.name.endswith(suffix) and path.with_suffix("") not in stems:
                names = [each.name for each in stems]
                raise CodeLocationError(
                    f"{path.relative_to(root).as_posix()} describes no query: there is "
                    f"no {path.stem}{SUFFIX} beside it.{did_you_mean(path.stem, names)}"
                )
    return paths


def _seen(root: Path) -> Iterator[Path]:
    """Yield files; editors and systems hide theirs behind a dot."""
    for folder, inner, names in os.walk(root):
        inner[:] = [each for each in inner if not each.startswith(".")]
        yield from (Path(folder, each) for each in names if not each.startswith("."))


def _keys(external: Iterable[Any]) -> set[dg.AssetKey]:
    if isinstance(external, str):
        raise CodeLocationError(
            f"external is {external!r}; give a list: [{external!r}]"
        )
    found: set[dg.AssetKey] = set()
    for each in external:
        if isinstance(each, dg.AssetsDefinition):
            found |= {*each.keys}
        elif isinstance(each, str):
            found.add(dg.AssetKey.from_user_string(each))
        elif isinstance(each, dg.AssetKey | list | tuple):
            found.add(dg.AssetKey.from_coercible(each))
        elif isinstance(key := getattr(each, "key", None), dg.AssetKey):
            found.add(key)
        else:
            raise CodeLocationError(
                f"external has {each!r}; give assets, specs, or keys such as "
                "'raw/flights'"
            )
    return found


def _in_file(error: DfSessionError, file: SqlFile) -> DfSessionError:
    """Return an error that begins with the file that it is about."""
    text = str(error)
    if text.startswith(file.shown):
        return error
    again = type(error)(f"{file.shown}: {text}")
    again.__dict__.update(error.__dict__)
    return again
