"""Materializing the demo in this process, and what a terminal is shown of it."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import dagster as dg

HEADINGS = ("asset", "rows", "version", "session", "data version", "changes")
RIGHT_ALIGNED = ("rows", "version")
# One line for what went wrong, instead of Dagster's event log.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def materialize_all(
    definitions: dg.Definitions,
    months: dg.TimeWindowPartitionsDefinition,
    lake_root: str,
    *,
    home: Path,
) -> int:
    """Materialize every asset in one run, all partitions, and print what became of it.

    Args:
        definitions: The code location.
        months: The partitions of its partitioned assets.
        lake_root: Where the tables are, for the last lines.
        home: Dagster's directory, made if need be, where `DAGSTER_HOME` is not set.

    Returns:
        The exit code: 0, or 1 where an asset failed.
    """
    keys = months.get_partition_keys()
    span = {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
    with opened_instance(home) as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, tags=span, run_config=QUIET, raise_on_error=False
        )
        if not result.success:
            sys.stderr.write(failures(result))
            return 1
        made = result.get_asset_materialization_events()
    sys.stdout.write(
        f"{report(made)}\n\n"
        f"The tables are in {lake_root}\n"
        "Next: `make ui` shows these materializations, each with its session.\n"
    )
    return 0


def opened_instance(home: Path) -> dg.DagsterInstance:
    """Return the instance of `DAGSTER_HOME`, or one in `home` that `make ui` shows."""
    if not os.environ.get("DAGSTER_HOME"):
        home.mkdir(exist_ok=True)
        if not (home / "dagster.yaml").exists():
            shutil.copy(Path(__file__).with_name("dagster.yaml"), home)
        os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.get()


def report(made: Iterable[dg.DagsterEvent]) -> str:
    """Return a table with a line for each asset, and below it what changed."""
    by_asset: dict[str, list[dg.AssetMaterialization]] = {}
    for event in made:
        found = event.step_materialization_data.materialization
        by_asset.setdefault(found.asset_key.to_user_string(), []).append(found)
    lines = [line(name, events) for name, events in by_asset.items()]
    changes = {
        str(value_of(events[-1], "dfsession/changes")): None
        for events in by_asset.values()
    }
    return "\n\n".join([table([HEADINGS, *lines]), *filter(is_diff, changes)])


def line(name: str, events: Sequence[dg.AssetMaterialization]) -> tuple[str, ...]:
    """Return the cells of one asset; a partitioned one has an event a partition."""
    last = events[-1]
    rows = sum(int(str(value_of(each, "dagster/row_count"))) for each in events)
    changes = str(value_of(last, "dfsession/changes"))
    # "unknown: why" where the lake was removed and Dagster's history was not.
    short = "see below" if is_diff(changes) else changes.partition(":")[0]
    return (
        name,
        f"{rows:,}",
        str(value_of(last, "dfsession/table_version")),
        str(value_of(last, "dfsession/session_hash"))[:16],
        (last.tags or {})["dagster/data_version"][:12],
        short,
    )


def is_diff(changes: str) -> bool:
    """Return whether the session's changes are a list: it comes below the table."""
    return changes.startswith("```")


def value_of(event: dg.AssetMaterialization, key: str) -> object:
    """Return the plain value of an entry of the metadata."""
    return event.metadata[key].value


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines of text, the first one as headings.

    Examples:
        >>> print(table([("asset", "rows"), ("flights", "12")]))
        asset    rows
        -------  ----
        flights    12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if heading in RIGHT_ALIGNED else cell.ljust(width)
            for heading, cell, width in zip(rows[0], row, widths, strict=True)
        ).rstrip()
        for row in ruled
    )


def failures(result: dg.ExecuteInProcessResult) -> str:
    """Return a line for each step that failed, or for the run if it did not start."""
    failed = [event for event in result.all_events if event.is_failure]
    steps = [event for event in failed if event.step_key is not None]
    return "".join(
        f"{event.step_key or 'run'}: {cause(event.event_specific_data)}"
        for event in steps or failed
    )


def cause(data: object) -> str:
    """Return the message of a failure, less what Dagster wraps around it."""
    error = getattr(data, "error", None)
    while error is not None and error.cause and error.cls_name.startswith("Dagster"):
        error = error.cause
    return "failed\n" if error is None else str(error.message)
