"""Which DataFusion settings can change what a query returns.

A result is the values, types and names of a query's columns, its rows, their order
where the query orders them, and whether the query is accepted at all. What SQL leaves
open is no result: the order of unordered rows, which rows a bare LIMIT keeps, the last
bits of a float sum, which of two wrong rows is reported first. Nor is the text of
EXPLAIN and SHOW, a query stopped for want of memory, or a written file's layout.
Settings are judged over tables that stay as they are while the session lives: what an
input held is recorded with the input.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from dagster_dfsession.plan.classification_neutral import NEUTRAL
from dagster_dfsession.plan.classification_result import RESULT

VOLATILE = frozenset({"datafusion.runtime.temp_directory"})
"""Settings that differ between two sessions of one plan, so no hash may hold them."""

_Value = TypeVar("_Value")


class SettingClass(NamedTuple):
    """What a DataFusion setting can do.

    Attributes:
        key: The setting as `information_schema.df_settings` spells it.
        changes_results: Whether it can change what a query returns.
        volatile: Whether two sessions of one plan may report different values.
        reason: Why, in a few words.
    """

    key: str
    changes_results: bool
    volatile: bool
    reason: str


def _rows(
    sections: Mapping[str, Mapping[str, str]], *, changes_results: bool
) -> dict[str, SettingClass]:
    keyed = {
        f"datafusion.{section}.{name}": reason
        for section, reasons in sections.items()
        for name, reason in reasons.items()
    }
    return {
        key: SettingClass(key, changes_results, key in VOLATILE, reason)
        for key, reason in keyed.items()
    }


SETTINGS: Mapping[str, SettingClass] = MappingProxyType(
    dict(
        sorted(
            (
                _rows(NEUTRAL, changes_results=False)
                | _rows(RESULT, changes_results=True)
            ).items()
        )
    )
)
"""Every setting of DataFusion 55, by key."""


def changes_results(key: str) -> bool:
    """Return whether the setting can change what a query returns.

    A key that the table lacks can: it comes from an extension or a later engine, and
    nobody has shown that it is harmless.

    Examples:
        >>> changes_results("datafusion.execution.time_zone")
        True
        >>> changes_results("datafusion.execution.batch_size")
        False
        >>> changes_results("my_extension.mode")
        True
    """
    known = SETTINGS.get(key)
    return known is None or known.changes_results


def is_volatile(key: str) -> bool:
    """Return whether two sessions of one plan may report different values.

    Examples:
        >>> is_volatile("datafusion.runtime.temp_directory")
        True
        >>> is_volatile("my_extension.mode")
        False
    """
    return key in VOLATILE


def result_settings(settings: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return the settings that `result_settings_hash` covers, sorted by key.

    Examples:
        >>> result_settings(
        ...     {
        ...         "datafusion.sql_parser.dialect": "duckdb",
        ...         "datafusion.execution.batch_size": "4096",
        ...     }
        ... )
        {'datafusion.sql_parser.dialect': 'duckdb'}
    """
    return {key: settings[key] for key in sorted(settings) if changes_results(key)}


def hashed_settings(settings: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return the settings that `settings_hash` covers, sorted by key.

    `parquet.created_by` is among them: it is a setting that people set. Its default
    names the engine's version, so an upgrade changes this hash, as it changes
    `session_hash`; `result_settings_hash` stays.

    Examples:
        >>> hashed_settings(
        ...     {
        ...         "datafusion.runtime.temp_directory": "spill/datafusion-GhY22m",
        ...         "datafusion.runtime.memory_limit": "8G",
        ...     }
        ... )
        {'datafusion.runtime.memory_limit': '8G'}
    """
    return {key: settings[key] for key in sorted(settings) if not is_volatile(key)}
