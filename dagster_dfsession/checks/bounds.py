"""Asset checks that hold what a materialization measured between bounds."""

import dagster as dg

from dagster_dfsession.checks.building import (
    Assets,
    Judge,
    Verdict,
    checks_over,
    materialized_specs,
)
from dagster_dfsession.errors import DfSessionError, did_you_mean, listing
from dagster_dfsession.metadata.keys import (
    BYTES_SCANNED,
    DESCRIBED,
    FILES_PRUNED,
    FILES_READ,
    PEAK_MEMORY_BYTES,
    ROWS_READ,
    SESSION_HASH,
    SPILLED_BYTES,
)

_MEASURES = frozenset(key for key, (kind, _) in DESCRIBED.items() if kind == "number")
_OF_QUERIES = frozenset(
    {
        BYTES_SCANNED,
        FILES_PRUNED,
        FILES_READ,
        PEAK_MEMORY_BYTES,
        ROWS_READ,
        SPILLED_BYTES,
    }
)
"""What is measured of a query alone, where there is something to measure."""


def build_metadata_bounds_checks(
    assets: Assets,
    *,
    metadata_key: str,
    min_value: float | None = None,
    max_value: float | None = None,
    blocking: bool = False,
) -> list[dg.AssetChecksDefinition]:
    """Return a check for each asset: is what its last materialization measured so?

    Unlike Dagster's function of this name, it knows the keys, and it may block. The
    number is in the metadata of the check, too, so the page plots it. Where a measure
    of queries is asked for and none ran, as of rows that were returned as an Arrow
    table, there is nothing to be wrong, and the check passes.

    Args:
        assets: Those to be checked.
        metadata_key: A number of `docs/reference.md`: `dagster/row_count`,
            `dfsession/spilled_bytes`, ...
        min_value: The least that is right. None: there is no least.
        max_value: The most that is right. None: there is no most.
        blocking: Whether what is downstream in a run waits for the check, and does not
            run if it failed.

    Raises:
        DfSessionError: The key is no number of this package, or no number could be
            right or wrong.
        UnsupportedTypeError: One of the assets is no asset.

    Examples:
        >>> build_metadata_bounds_checks(
        ...     [dg.AssetSpec("flights")], metadata_key="dagster/rowcount", min_value=1
        ... )
        Traceback (most recent call last):
        dagster_dfsession.errors.DfSessionError: 'dagster/rowcount' is no number ...
        Did you mean 'dagster/row_count'?
    """
    if metadata_key not in _MEASURES:
        raise DfSessionError(
            f"{metadata_key!r} is no number that a materialization of this package "
            f"has; there is {listing(_MEASURES, limit=len(_MEASURES))}."
            f"{did_you_mean(metadata_key, _MEASURES)}"
        )
    wanted = _wanted(metadata_key, min_value, max_value)

    def judging(context: dg.AssetCheckExecutionContext) -> Judge:
        def judge(key: dg.AssetKey) -> Verdict:
            event = context.instance.get_latest_materialization_event(key)
            made = None if event is None else event.asset_materialization
            if made is None:
                return Verdict(passed=False, description="It was never materialized.")
            found = made.metadata.get(metadata_key)
            value = None if found is None else found.value
            ours = SESSION_HASH in made.metadata
            if ours and value is None and metadata_key in _OF_QUERIES:
                return Verdict(
                    passed=True,
                    description=f"No query told {metadata_key}: the rows did not come "
                    "from one, or it had nothing of the kind to tell.",
                )
            if not isinstance(value, int | float):
                return Verdict(
                    passed=False,
                    description=f"The last materialization has no {metadata_key}.",
                )
            low = min_value is not None and value < min_value
            high = max_value is not None and value > max_value
            return Verdict(
                passed=not (low or high),
                description=f"{metadata_key} is {value:,}; {wanted}.",
                metadata={metadata_key: value},
            )

        return judge

    return checks_over(
        f"{metadata_key.rpartition('/')[2]}_bounds",
        materialized_specs(assets, "build_metadata_bounds_checks"),
        judging,
        description=f"Whether {metadata_key} is right: {wanted}.",
        blocking=blocking,
    )


def _wanted(key: str, least: float | None, most: float | None) -> str:
    if least is None and most is None:
        raise DfSessionError(
            f"{key} was given no bounds, so no number is wrong; give min_value, "
            "max_value or both"
        )
    if least is not None and most is not None and least > most:
        raise DfSessionError(
            f"{key} was given the bounds {least:,} to {most:,}, so no number is right; "
            "min_value may not be greater than max_value"
        )
    said = {"at least": least, "at most": most}
    return " and ".join(f"{word} {n:,}" for word, n in said.items() if n is not None)
