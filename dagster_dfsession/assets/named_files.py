"""The queries of a folder and what each of them names."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.assets.sql_file import SqlFile
from dagster_dfsession.assets.table_check import Expression, Relationships
from dagster_dfsession.errors import (
    CodeLocationError,
    QueryError,
    TableNotFoundError,
    listing,
    nearest,
)
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.expansion import in_order
from dagster_dfsession.query.named_tables import named_tables
from dagster_dfsession.session.catalog import TableName, asset_key, table_name
from dagster_dfsession.session.sql_text import places_of

_ALLOWED = re.compile(r"[A-Za-z0-9_.-]+")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


class NamedFile(msgspec.Struct, frozen=True):
    """A file, and what its names stand for.

    Attributes:
        file: It.
        key: Of its asset.
        spelling: The asset, as SQL spells it.
        reads: The assets that it names, by way of inline queries too.
        queries: Name in SQL -> query of a view or an inline query that it names, by way
            of others too, each after those that it names itself.
        checked: Likewise for a query of its checks.
        params: Its values by name, and theirs.
        checked_params: Those of `checked`.
        others: What its checks name -> the asset.
    """

    file: SqlFile
    key: dg.AssetKey
    spelling: str
    reads: frozenset[dg.AssetKey]
    queries: Mapping[str, str]
    checked: Mapping[str, str]
    params: Mapping[str, Any]
    checked_params: Mapping[str, Any]
    others: Mapping[str, dg.AssetKey]


def named_files(
    files: Sequence[SqlFile],
    prefix: Sequence[str],
    external: Iterable[dg.AssetKey],
    profile: SessionProfile,
) -> list[NamedFile]:
    """Return the files with what they name, in their order.

    Args:
        files: Of the whole folder.
        prefix: What all keys begin with.
        external: Keys that queries may name beside those of the folder.
        profile: Of the session that reads them.

    Raises:
        CodeLocationError: Two files have one key, or queries go round in a circle.
        TableNotFoundError: A query or a check names what is not there.
        QueryError: A query cannot be read, or two give one parameter two values.
    """
    home = profile.catalog.default_schema
    by_name = _by_name(files, prefix, home)
    outside = {table_name(key.path, home) for key in external}
    named = {at: _named(by_name[at], profile) for at in by_name}
    asked = {
        at: {each.to: _one(each.to, file, profile) for each in _relationships(file)}
        for at, file in by_name.items()
    }
    _check_all_known(by_name, named, asked, {*by_name, *outside}, home)
    for each in files:
        _check_expressions(each, profile)
    queries = {at for at, file in by_name.items() if file.model.kept != "table"}
    spelt = {_spelling(at, home): at for at in queries}
    steps = {
        name: frozenset(_spelling(each, home) for each in named[at] & queries)
        for name, at in spelt.items()
    }

    def within(names: Iterable[TableName], file: SqlFile) -> list[str]:
        try:
            begin = sorted(_spelling(each, home) for each in {*names} & queries)
            return in_order(begin, steps)
        except ValueError as circle:
            raise CodeLocationError(
                f"{file.shown}: queries that are no tables name one another in a "
                f"circle: {' -> '.join(circle.args)}; keep one of them as 'table'"
            ) from None

    def reads(at: TableName) -> Iterator[dg.AssetKey]:
        for each in named[at]:
            if each in by_name and by_name[each].model.kept == "inline":
                yield from reads(each)
            else:
                yield dg.AssetKey(asset_key(each, home))

    made = []
    for at, file in by_name.items():
        parts = within(named[at] | ({at} & queries), file)
        checked = within([*asked[at].values(), at], file)
        own = [name for name in parts if spelt[name] != at]
        made.append(
            NamedFile(
                file=file,
                key=dg.AssetKey(asset_key(at, home)),
                spelling=".".join(map(quoted_identifier, _written(at, home))),
                reads=frozenset(reads(at)),
                queries={name: by_name[spelt[name]].sql for name in own},
                checked={name: by_name[spelt[name]].sql for name in checked},
                params=_params([file, *(by_name[spelt[name]] for name in own)]),
                checked_params=_params([by_name[spelt[name]] for name in checked]),
                others={
                    name: dg.AssetKey(asset_key(each, home))
                    for name, each in asked[at].items()
                },
            )
        )
    _check_order(made)
    return made


def _by_name(
    files: Sequence[SqlFile], prefix: Sequence[str], home: str
) -> dict[TableName, SqlFile]:
    by_name: dict[TableName, SqlFile] = {}
    for file in files:
        path = PurePosixPath(file.shown)
        said = file.model.key_prefix
        own = (
            path.parent.parts
            if said is None
            else [said]
            if isinstance(said, str)
            else said
        )
        key = [*prefix, *own, file.model.name or path.stem]
        name = table_name(key, home)
        if file.model.kept == "table" and not all(map(_ALLOWED.fullmatch, key)):
            raise CodeLocationError(
                f"{file.shown} is the asset {'/'.join(key)!r}, and Dagster wants "
                "letters of English, digits, '_' and '-'; give it another `name`"
            )
        if name in by_name:
            raise CodeLocationError(
                f"{by_name[name].shown} and {file.shown} both are the asset "
                f"{'/'.join(key)!r}; give one of them another `name` or `key_prefix`"
            )
        by_name[name] = file
    return by_name


def _named(file: SqlFile, profile: SessionProfile) -> frozenset[TableName]:
    try:
        return named_tables(file.sql, profile)
    except QueryError as error:
        again = type(error)(f"{file.shown}: {error}")
        again.__dict__.update(error.__dict__)
        raise again from error


def _check_order(files: Iterable[NamedFile]) -> None:
    """Refuse tables each of which would wait for the other; Dagster has no files."""
    found = {each.key: each for each in files}
    before = {key: found.keys() & (each.reads - {key}) for key, each in found.items()}
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        ring = [found[key] for key in reversed(error.args[1])]
        told = " -> ".join(each.key.to_user_string() for each in ring)
        raise CodeLocationError(
            f"{ring[0].file.shown}: queries name one another in a circle, {told}: each "
            "would wait for the others. Take the name of one out of another; a query "
            "may name its own table"
        ) from None


def _check_expressions(file: SqlFile, profile: SessionProfile) -> None:
    """Refuse conditions that are no SQL: they would keep all checks from running."""
    for each in file.checks:
        if isinstance(each, Expression):
            try:
                named_tables(f"SELECT 1 WHERE ({each.sql}\n)", profile)
            except QueryError as error:
                raise CodeLocationError(
                    f"{file.shown}: the check {each.sql!r} is no condition: {error}"
                ) from error


def _relationships(file: SqlFile) -> Iterator[Relationships]:
    return (each for each in file.checks if isinstance(each, Relationships))


def _one(name: str, file: SqlFile, profile: SessionProfile) -> TableName:
    """Return the table that a check names."""
    try:
        found = named_tables(f"SELECT * FROM {name}", profile)  # noqa: S608  # is read, never run
    except QueryError as error:
        raise CodeLocationError(
            f"{file.shown}: {name!r} is no table: {error}"
        ) from error
    if len(found) != 1:
        raise CodeLocationError(
            f"{file.shown}: `to` of a check is one table, not {name!r}"
        )
    return next(iter(found))


def _check_all_known(
    by_name: Mapping[TableName, SqlFile],
    named: Mapping[TableName, frozenset[TableName]],
    asked: Mapping[TableName, Mapping[str, TableName]],
    known: set[TableName],
    home: str,
) -> None:
    words = sorted(_quoted(each, home) for each in known)
    wrong: dict[str, str] = {}
    for at, file in by_name.items():
        for each in sorted({*named[at], *asked[at].values()} - known):
            name = _quoted(each, home)
            place = next(iter(places_of(name, file.sql)), None)
            where = file.shown if place is None else f"{file.shown}:{place.line}"
            close = _nearest(name, words)
            hint = f" Did you mean {close!r}?" if close else ""
            wrong[f"{where}: {name!r} is no table.{hint}"] = name
    if wrong:
        told = [*wrong][:20]
        more = f"\nand {len(wrong) - 20} more" if len(wrong) > len(told) else ""
        listed = "\n".join(told)
        error = TableNotFoundError(
            f"{listed}{more}\nThere is {listing(words)}. What is made elsewhere is "
            "told by load_sql_assets(..., external=['raw/flights'])."
        )
        error.table = next(iter(wrong.values()))
        error.suggestion = _nearest(error.table, words)
        raise error


def _nearest(name: str, words: Sequence[str]) -> str | None:
    """Return the name that was probably meant; the engine folds what is not quoted."""
    alike = (each for each in words if each.replace('"', "").lower() == name.lower())
    return next(alike, None) or nearest(name, words)


def _params(files: Sequence[SqlFile]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for file in files:
        for name, value in file.model.params.items():
            if name in params and params[name] != value:
                raise QueryError(
                    f"{files[0].shown}: ${name} is {params[name]!r} and in "
                    f"{file.shown}, whose query it names, {value!r}; give one of them "
                    "another name"
                )
            params[name] = value
    return params


def _written(name: TableName, home: str) -> tuple[str, ...]:
    return (name[1],) if name[0] == home else name


def _spelling(name: TableName, home: str) -> str:
    return ".".join(_written(name, home))


def _quoted(name: TableName, home: str) -> str:
    """Return a name as SQL has to spell it."""
    return ".".join(
        part if _PLAIN.fullmatch(part) else quoted_identifier(part)
        for part in _written(name, home)
    )
