"""What a query is, less its layout."""

import functools
from collections.abc import Mapping
from typing import Any

from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.plan.quoting import quoted_identifier, quoted_literal
from dagster_dfsession.profile.sail import EngineName
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.expansion import without_end
from dagster_dfsession.session.functions.library import Library, load_library
from dagster_dfsession.session.sql_text import Token, tokens

CODE_VERSION = 1


def code_version(
    sql: str,
    params: Mapping[str, Any],
    profile: SessionProfile,
    engine: EngineName = "datafusion",
) -> str:
    """Return what a query is, less its layout: its words, values and functions.

    Comments, white space and a semicolon at the end do not count, nor does the case of
    words that the engine folds. A function counts by its digest, so another body is
    another version; so is another engine.

    Raises:
        FunctionError: A module of functions cannot be loaded.

    Examples:
        >>> any_profile = SessionProfile(name="any")
        >>> code_version("SELECT a -- b", {}, any_profile) == code_version(
        ...     "select  A;", {}, any_profile
        ... )
        True
    """
    folds = profile.sql.ident_normalization == "on"
    words = list(tokens(without_end(sql)))
    library = _library(tuple(profile.functions.modules))
    called = {each.value.lower() for each in words} & set(library.functions)
    digests = {each: library.digests[each].sha256 for each in called}
    return content_hash(
        "sql asset",
        CODE_VERSION,
        (
            [_spelt(each, folds=folds) for each in words],
            dict(params),
            digests,
            *([] if engine == "datafusion" else [engine]),
        ),
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
