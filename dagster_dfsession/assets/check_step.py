"""All checks of a table as one step, which reads the table once."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.assets.table_check import (
    Check,
    Expression,
    Probe,
    Relationships,
    Unique,
    checks_query,
    probe,
)
from dagster_dfsession.display import bounded, table_of
from dagster_dfsession.errors import CodeLocationError
from dagster_dfsession.metadata.keys import EXAMPLES, ROWS_CHECKED, ROWS_FAILING

_SHOWN = 200


class TableChecks(msgspec.Struct, frozen=True, eq=False):
    """What a step does to check a table.

    Attributes:
        key: The asset.
        probes: Name of a check -> how it is severe, and what it asks.
        query: Answers all of them.
        examples: Name of a check -> a query of rows that break it.
        params: Values by name, for `$name` in views that these name.
        session_key: The resource that runs it.
    """

    key: dg.AssetKey
    probes: Mapping[str, tuple[Check, Probe]]
    query: str
    examples: Mapping[str, str]
    params: Mapping[str, Any]
    session_key: str

    def results(self, resources: Any) -> Iterator[dg.AssetCheckResult]:
        """Run it, and yield what becomes of each check."""
        session = getattr(resources, self.session_key)
        with session.stream(self.query, params=self.params) as result:
            (told,) = result.to_table().to_pylist()
        for at, name in enumerate(self.probes):
            failing, ending = told[f"failing_{at}"], told.get(f"told_{at}")
            rows = told["rows_checked"]
            yield self._result(session, name, failing, rows, ending)

    def _result(
        self, session: Any, name: str, failing: int, rows: int, ending: str | None
    ) -> dg.AssetCheckResult:
        check, asked = self.probes[name]
        metadata: dict[str, Any] = {ROWS_CHECKED: rows}
        description = "kept"
        if name in self.examples:
            metadata[ROWS_FAILING] = failing
        if failing:
            of = f"{failing} of {rows} rows: " if name in self.examples else ""
            description = f"{of}{asked.what} {ending or ''}".rstrip()
            if name in self.examples:
                metadata[EXAMPLES] = self._examples(session, name)
        return dg.AssetCheckResult(
            passed=not failing,
            asset_key=self.key,
            check_name=name,
            severity=dg.AssetCheckSeverity[check.severity.upper()],
            description=bounded(description, 2000),
            metadata=metadata,
        )

    def _examples(self, session: Any, name: str) -> dg.TableMetadataValue:
        with session.stream(self.examples[name], params=self.params) as result:
            rows = result.to_table()
        shown = [
            {column: _plain(value) for column, value in row.items()}
            for row in rows.to_pylist()
        ]
        return table_of(shown, rows.column_names)


def check_names(checks: Sequence[Check], shown: str) -> dict[str, Check]:
    """Return checks by their names, which Dagster wants to be of letters and digits.

    Raises:
        CodeLocationError: Two have one name.
    """
    named: dict[str, Check] = {}
    unnamed = itertools.count(1)
    for check in checks:
        kind = str(check.__struct_config__.tag)
        name = check.name or "_".join([kind, *_columns(check, unnamed)])
        name = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
        if name in named:
            raise CodeLocationError(
                f"{shown}: two checks are called {name!r}; give one of them a `name`"
            )
        named[name] = check
    return named


def check_step(
    key: dg.AssetKey,
    checks: Mapping[str, Check],
    table: str,
    *,
    wrapped: Any,
    params: Mapping[str, Any],
    others: Mapping[str, dg.AssetKey],
    session_key: str,
) -> dg.AssetChecksDefinition:
    """Return the checks of an asset.

    Args:
        key: The asset.
        checks: By name.
        table: The asset, as SQL spells it.
        wrapped: Makes of a query one that names tables alone.
        params: Values for it.
        others: What `relationships` name -> the asset.
        session_key: The resource that runs it.
    """
    probes = {name: (check, probe(check, table)) for name, check in checks.items()}
    query = checks_query(table, [asked for _, asked in probes.values()])
    step = TableChecks(
        key=key,
        probes=probes,
        query=wrapped(query),
        examples={
            name: wrapped(asked.examples)
            for name, (_, asked) in probes.items()
            if asked.examples
        },
        params=params,
        session_key=session_key,
    )
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=key,
            blocking=check.blocking,
            description=f"Fails where {asked.what}.",
            additional_deps=[others[check.to]]
            if isinstance(check, Relationships) and others[check.to] != key
            else None,
        )
        for name, (check, asked) in probes.items()
    ]
    define = dg.multi_asset_check(
        name=f"{'__'.join(key.path)}__checks",
        specs=specs,
        required_resource_keys={session_key},
    )
    # Dagster wants an annotation of each result, or none: a lambda has none.
    return define(lambda context: step.results(context.resources))


def _columns(check: Check, unnamed: Iterator[int]) -> tuple[str, ...]:
    if isinstance(check, Unique):
        return check.key
    column = getattr(check, "column", None)
    if column is not None:
        return (column,)
    return (str(next(unnamed)),) if isinstance(check, Expression) else ()


def _plain(value: Any) -> Any:
    """Return a value as Dagster's tables take it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return bounded(str(value), _SHOWN)
