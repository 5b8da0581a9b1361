"""Delta tables that somebody else writes, as assets to be observed."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_dfsession.config.storage import resolved, resolved_options


def observable_delta_source(
    key: dg.AssetKey | str | Sequence[str],
    uri: str | dg.EnvVar,
    *,
    storage_options: Mapping[str, str | dg.EnvVar] | None = None,
    **options: Any,
) -> dg.AssetsDefinition:
    """Return a source asset for a Delta table; an observation tells its data version.

    That is the version of the table that last changed rows, `delta:<table>:<version>`,
    or what the rows are called by content where this package wrote them: compaction
    and vacuum leave what is downstream fresh. The time of that version is its
    `dagster/last_updated_timestamp`, by which freshness is judged.

    Args:
        key: The asset key.
        uri: Where the table is: a directory or an address such as s3://bucket/table.
        storage_options: As deltalake takes them. Use EnvVar for secrets.
        **options: For `dagster.AssetSpec`: group_name, automation_condition, ...

    Examples:
        >>> flights = observable_delta_source("flights", "s3://bucket/flights")
        >>> flights.key.to_user_string(), flights.is_observable
        ('flights', True)
    """
    spec = dg.AssetSpec(
        key, **{"kinds": {"deltalake"}, "description": "A Delta table.", **options}
    )

    def observe() -> Any:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.steps.observe import observe_table  # noqa: PLC0415

        return observe_table(
            spec.key,
            resolved(uri, "uri"),
            resolved_options(dict(storage_options or {})),
        )

    with warnings.catch_warnings():
        # That Dagster calls its own decorator beta, no user of this one can change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        source: dg.AssetsDefinition = dg.multi_observable_source_asset(
            name=f"observe_{'__'.join(spec.key.path)}", specs=[spec]
        )(observe)
    return source
