"""An asset that is a query."""

import functools
import inspect
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

import dagster as dg

from dagster_dfsession.assets.query import sql_query
from dagster_dfsession.display import sql_text
from dagster_dfsession.metadata.keys import CODE_REFERENCES, SQL, TABLE_NAME
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.plan.quoting import quoted_identifier, quoted_literal
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.named_tables import named_tables
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.session.catalog import asset_key
from dagster_dfsession.session.functions.library import Library, load_library
from dagster_dfsession.session.sql_text import Token, tokens
from dagster_dfsession.steps.contracts import CONTRACT
from dagster_dfsession.steps.partitions import MODE, check_definition

KINDS = frozenset({"datafusion", "sql", "deltalake"})
CODE_VERSION = 1


def sql_asset(
    *,
    name: str,
    sql: str,
    key_prefix: str | Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    mode: str | None = None,
    contract: Mapping[str, Any] | None = None,
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
    profile = _profile(session)
    query = sql_query(
        sql,
        params or {},
        key.to_user_string(),
        partitions=partitions_def,
        session_key=session_key,
    )
    home = profile.catalog.default_schema
    read = {dg.AssetKey(asset_key(each, home)) for each in named_tables(sql, profile)}
    given = [
        each if isinstance(each, dg.AssetDep) else dg.AssetDep(each) for each in deps
    ]
    # What its own table has by now, a query may read: that makes no run wait for it.
    found = read - {each.asset_key for each in given} - {key}
    upstream: list[dg.AssetDep | dg.AssetKey] = [*given, *sorted(found)]
    stated = {
        **(metadata or {}),
        **({} if mode is None else {MODE: mode}),
        **({} if contract is None else {CONTRACT: contract}),
    }
    check_definition(stated, key.path)
    file, line = written_at or _caller(inspect.currentframe())
    told: dict[str, Any] = {
        "kinds": KINDS,
        "code_version": code_version(sql, params or {}, profile),
        "description": f"A query of {_words(read)}.",
        **options,
    }
    asset: dg.AssetsDefinition = dg.asset(
        name=name,
        key_prefix=[*prefix] or None,
        deps=upstream,
        partitions_def=partitions_def,
        required_resource_keys={session_key},
        metadata={
            TABLE_NAME: ".".join(key.path),
            SQL: sql_text(sql),
            CODE_REFERENCES: _code_reference(file, line),
            **stated,
        },
        **told,
    )(query)
    return asset


def code_version(sql: str, params: Mapping[str, Any], profile: SessionProfile) -> str:
    """Return what a query is, less its layout: its words, values and functions.

    Comments and white space do not count, nor does the case of words that the engine
    folds. A function counts by its digest, so another body is another version.

    Raises:
        FunctionError: A module of functions cannot be loaded.

    Examples:
        >>> any_profile = SessionProfile(name="any")
        >>> code_version("SELECT a -- b", {}, any_profile) == code_version(
        ...     "select  A", {}, any_profile
        ... )
        True
    """
    folds = profile.sql.ident_normalization == "on"
    words = list(tokens(sql))
    library = _library(tuple(profile.functions.modules))
    called = {each.value.lower() for each in words} & set(library.functions)
    digests = {each: library.digests[each].sha256 for each in called}
    return content_hash(
        "sql asset",
        CODE_VERSION,
        ([_spelt(each, folds=folds) for each in words], dict(params), digests),
    )


def _spelt(token: Token, *, folds: bool) -> str:
    if token.kind == "text":
        return quoted_literal(token.value)
    if token.kind == "quoted":
        return quoted_identifier(token.value)
    return token.value.lower() if folds and token.kind == "word" else token.value


@functools.lru_cache(maxsize=8)
def _library(modules: tuple[str, ...]) -> Library:
    """Return the functions of modules, whose digests take a while."""
    return load_library(modules)


def _profile(
    session: DataFusionSessionResource | SessionProfile | None,
) -> SessionProfile:
    if session is None:
        return SessionProfile(name="sql")
    return session if isinstance(session, SessionProfile) else session.plan().profile


def _words(keys: Iterable[dg.AssetKey]) -> str:
    return ", ".join(sorted(key.to_user_string() for key in keys)) or "no asset"


def _caller(frame: FrameType | None) -> tuple[str, int]:
    """Return where the function of a frame was called."""
    caller = None if frame is None else frame.f_back
    # An interpreter without frames knows no better than this file.
    return (
        (__file__, 1)
        if caller is None
        else (caller.f_code.co_filename, caller.f_lineno)
    )


def _code_reference(file: str, line: int) -> dg.CodeReferencesMetadataValue:
    with warnings.catch_warnings():
        # That Dagster calls these beta, no user of this can change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        place = dg.LocalFileCodeReference(file_path=file, line_number=line)
        return dg.CodeReferencesMetadataValue(code_references=[place])
