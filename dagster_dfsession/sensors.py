"""Sensors that look after sessions and what they leave."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from dagster_dfsession.errors import SessionError
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager

DAY = dt.timedelta(days=1)


def build_janitor_sensor(
    name: str = "dfsession_janitor",
    *,
    orphans_of: Iterable[dg.AssetKey | str | Sequence[str]] = (),
    older_than: dt.timedelta = DAY,
    dry_run: bool = False,
    io_manager_key: str = "io_manager",
    minimum_interval_seconds: int = 3600,
    **options: Any,
) -> dg.SensorDefinition:
    """Return a sensor that removes what crashed runs left behind.

    Those are spill directories on the machine that the sensor runs on, and pins of
    table versions in the lake, of runs that Dagster says are over. Each tick says
    what it did, as the reason for which it starts no run.

    Args:
        name: Of the sensor.
        orphans_of: Assets whose tables are searched for data files that no version
            names; this lists the whole table.
        older_than: Whatever was written to more recently is left alone.
        dry_run: Only say what would be removed.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.
        minimum_interval_seconds: Between two ticks.
        **options: For `dagster.sensor`: description, default_status, tags, ...

    Examples:
        >>> build_janitor_sensor(orphans_of=["flights"]).name
        'dfsession_janitor'
    """
    keys = [dg.AssetKey.from_coercible(key) for key in orphans_of]

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={io_manager_key},
        **{"description": "Removes what crashed runs left behind.", **options},
    )
    def janitor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.janitor import clean_up, spill_directory  # noqa: PLC0415

        resource = getattr(context.resources, io_manager_key)
        if not isinstance(resource, DataFusionDeltaIOManager):
            raise SessionError(
                f"the resource {io_manager_key!r} is a {type(resource).__name__}; the "
                "janitor needs the DataFusionDeltaIOManager of the lake: name its key "
                "as io_manager_key"
            )
        done = clean_up(
            context.instance,
            lakes=[resource.lake],
            spill_directory=spill_directory(resource.session.plan()),
            tables=[(resource.lake, key) for key in keys],
            older_than=older_than,
            dry_run=dry_run,
        )
        context.log.info("%s", done)
        return dg.SkipReason(str(done))

    return janitor
