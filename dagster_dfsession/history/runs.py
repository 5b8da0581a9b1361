"""What Dagster knows of a run."""

import datetime as dt

import dagster as dg


def run_start(instance: dg.DagsterInstance, run_id: str) -> dt.datetime | None:
    """Return when a run started, the same in all its steps and attempts.

    None: the instance knows no such run.
    """
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return None
    if record.start_time is None:
        return record.create_timestamp
    return dt.datetime.fromtimestamp(record.start_time, dt.timezone.utc)
