"""Which version a table had at a moment, read off the Delta log."""

import datetime as dt

from deltalake import DeltaTable

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import commits_backwards
from dagster_dfsession.errors import DeltaError


def version_at(table: DeltaTable, location: Location, moment: dt.datetime) -> int:
    """Return the newest version, up to the table's own, that there was at a moment.

    Times are those that the commits state, by the clocks of their writers. They stay
    the same where a log is copied, which moves the times of its files.

    Args:
        table: Loaded at the newest version that may be found.
        location: Where it is: the log is read with its storage options.
        moment: With a time zone.

    Raises:
        DeltaError: The table was not there yet, the log no longer reaches so far
            back, or a commit that could be the one does not state its time.
    """
    first = None
    for commit in commits_backwards(LakeFiles(location), table.version()):
        if commit.time is None:
            raise DeltaError(
                f"{location}: the writer of version {commit.version} did not state "
                f"when it committed, so it may be the one of {moment.isoformat()} or "
                "not; give a version instead of a timestamp"
            )
        if commit.time <= moment:
            return commit.version
        first = commit
    known = (
        "its log has no commit"
        if first is None or first.time is None
        else f"the first one known is version {first.version} of "
        f"{first.time.isoformat()}"
    )
    raise DeltaError(
        f"{location}: there is no version of {moment.isoformat()} or earlier; {known}"
    )
