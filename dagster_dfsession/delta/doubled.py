"""Taking back compactions that put rows into a table twice.

deltalake 1.6 does not notice that two compactions at once rewrite the same files: the
first takes them out of the table, the second adds their rows once more. It also tries
again, and carries no transaction, whatever its commit is told.
"""

import itertools
from collections.abc import Sequence

import tenacity

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import Commit, commits_backwards
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.restore import restore
from dagster_dfsession.errors import CommitError, DeltaError

_TRIES = 20


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(CommitError),
    stop=tenacity.stop_after_attempt(_TRIES),
    wait=tenacity.wait_random_exponential(multiplier=0.02, max=1),
    reraise=True,
)
def undo_doubled(location: Location, since: int) -> bool:
    """Go back to before a compaction that came second, if there was one.

    Args:
        location: The table.
        since: The version that the compaction read.

    Returns:
        Whether there was.

    Raises:
        CommitError: Other runs committed again and again.
        DeltaError: Rows were changed since, which going back would undo.
    """
    newest = existing_table(location).version()
    backwards = commits_backwards(LakeFiles(location), newest)
    commits = [*itertools.islice(backwards, newest - since)][::-1]
    doubled = first_doubled(commits)
    if doubled is None:
        return False
    if any(each.changes_data for each in commits if each.version > doubled):
        raise DeltaError(
            f"{location}: two compactions at once put rows into version {doubled} "
            f"twice, and other runs have changed rows since. Restore version "
            f"{doubled - 1} and repeat those runs."
        )
    restore(location, doubled - 1)
    return True


def first_doubled(commits: Sequence[Commit]) -> int | None:
    """Return the first version that removed what was removed already.

    Args:
        commits: The oldest first; what a restored version undid does not count.

    Examples:
        >>> def removing(version: int) -> Commit:
        ...     return Commit(version, {}, (), (Remove("a.parquet"),), False, {})
        >>> from dagster_dfsession.delta.log import Remove
        >>> first_doubled([removing(4), removing(5)])
        5
        >>> first_doubled([removing(4)]) is None
        True
    """
    removed: set[str] = set()
    for index, commit in enumerate(commits):
        if commit.operation == "RESTORE":
            return first_doubled(commits[index + 1 :])
    for commit in commits:
        paths = {remove.path for remove in commit.removes}
        if paths & removed:
            return commit.version
        removed = (removed | paths) - {add.path for add in commit.adds}
    return None
