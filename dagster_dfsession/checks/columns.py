"""Asset checks that notice columns that changed since the materialization before."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from dagster_dfsession.checks.building import (
    Assets,
    Judge,
    Verdict,
    checks_over,
    materialized_specs,
)
from dagster_dfsession.display import table_of
from dagster_dfsession.metadata.keys import COLUMN_CHANGES, COLUMN_SCHEMA

NAME = "schema_change"


def build_schema_change_checks(
    assets: Assets, *, blocking: bool = False
) -> list[dg.AssetChecksDefinition]:
    """Return a check for each asset: has it the columns that it had before?

    It compares what the last two materializations say under `dagster/column_schema`,
    and fails if columns were added, removed, or are of another type or nullability.
    The order of columns is no difference. Of a table so wide that its columns were
    cut there, those are compared that both have in full.

    Args:
        assets: Those to be checked.
        blocking: Whether what is downstream in a run waits for the check, and does not
            run if it failed.

    Raises:
        UnsupportedTypeError: One of the assets is no asset.
    """

    def judging(context: dg.AssetCheckExecutionContext) -> Judge:
        def judge(key: dg.AssetKey) -> Verdict:
            events = context.instance.fetch_materializations(key, limit=2).records
            schemas = [_schema(each.asset_materialization) for each in events]
            if not schemas:
                return Verdict(passed=False, description="It was never materialized.")
            if None in schemas:
                return Verdict(
                    passed=False,
                    description="Nobody knows its columns: one of the last two "
                    f"materializations has no {COLUMN_SCHEMA!r}.",
                )
            now, *before = (each for each in schemas if each is not None)
            if not before:
                return Verdict(passed=True, description="It was materialized once.")
            changed = list(_changes(before[0], now))
            if not changed:
                return Verdict(passed=True, description="It has the same columns.")
            names = ", ".join(str(each["column"]) for each in changed)
            columns = ("column", "before", "now")
            return Verdict(
                passed=False,
                description=f"Other columns than before: {names}.",
                metadata={COLUMN_CHANGES: table_of(changed, columns)},
            )

        return judge

    return checks_over(
        NAME,
        materialized_specs(assets, "build_schema_change_checks"),
        judging,
        description="Whether the last two materializations have the same columns.",
        blocking=blocking,
    )


def _schema(event: dg.AssetMaterialization | None) -> dg.TableSchema | None:
    found: Any = None if event is None else event.metadata.get(COLUMN_SCHEMA)
    return found.schema if isinstance(found, dg.TableSchemaMetadataValue) else None


def _changes(before: dg.TableSchema, now: dg.TableSchema) -> Iterator[dict[str, Any]]:
    left, right = _types(before.columns), _types(now.columns)
    # A schema that was cut says so, and has its first columns.
    cut = bool(before.constraints.other or now.constraints.other)
    names = [name for name in left if name in right] if cut else [*left, *right]
    for name in dict.fromkeys(names):
        if left.get(name) != right.get(name):
            yield {
                "column": name,
                "before": left.get(name, ""),
                "now": right.get(name, ""),
            }
    if before.constraints.other != now.constraints.other:
        yield {
            "column": "(not shown)",
            "before": ", ".join(before.constraints.other),
            "now": ", ".join(now.constraints.other),
        }


def _types(columns: Sequence[dg.TableColumn]) -> dict[str, str]:
    return {
        each.name: each.type + ("" if each.constraints.nullable else " not null")
        for each in columns
    }
