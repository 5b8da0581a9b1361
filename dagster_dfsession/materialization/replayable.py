"""Maintenance that knows which versions the replay of a materialization reads."""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from dagster_dfsession.delta.files import FileEntry, LakeFiles
from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.delta.log import ASSET, MERGE, RUN_ID, Commit, commits_backwards
from dagster_dfsession.delta.maintain import maintain
from dagster_dfsession.delta.maintained import MaintenanceResult, existing_table
from dagster_dfsession.delta.vacuum import NeededVersion
from dagster_dfsession.materialization.records import RECORDS, SUFFIX, RecordStore
from dagster_dfsession.profile.maintenance import MaintenancePolicy

_READERS = 16
_DIGITS = 12


def needed_versions(
    location: Location, lake: Location, *, keep_days: int = 30
) -> tuple[NeededVersion, ...]:
    """Return the versions that a replay reads, or compares its rows with.

    Those are the versions that runs of this package wrote, those that they merged
    into, and those that the lake's records name as inputs. One that was replaced
    longer ago than `keep_days`, and named by no record since, counts no more.

    Args:
        location: The table.
        lake: The root whose records tell who read the table.
        keep_days: How long replays are wanted for.

    Raises:
        RecordError: A record is damaged: what it needs is not known.
        DeltaError: There is no table, or the storage refused.
    """
    newest = existing_table(location).version()
    since = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=keep_days)
    written: dict[int, str] = {}
    replaced: dict[int, dt.datetime] = {}
    gone: dt.datetime | None = None
    for commit in commits_backwards(LakeFiles(location), newest):
        if gone is not None:
            replaced[commit.version] = gone
        if RUN_ID in commit.info:
            written[commit.version] = _writer(commit)
            if commit.operation == MERGE:
                written[commit.version - 1] = f"{_writer(commit)} merged into it"
        gone = commit.time or gone

    def is_recent(version: int) -> bool:
        return version not in replaced or replaced[version] >= since

    return (
        *(NeededVersion(v, why) for v, why in written.items() if is_recent(v)),
        *(
            each
            for each, recorded in _read(location, lake)
            if is_recent(each.version) or recorded >= since
        ),
    )


def _writer(commit: Commit) -> str:
    return f"written by run {commit.info[RUN_ID]} of asset {commit.info.get(ASSET)}"


def _read(
    location: Location, lake: Location
) -> Iterator[tuple[NeededVersion, dt.datetime]]:
    files = LakeFiles(lake)
    kept = [each for each in files.entries(RECORDS) if each.path.endswith(SUFFIX)]
    store = RecordStore(files.to_read(each.path for each in kept))

    def inputs(entry: FileEntry) -> list[tuple[NeededVersion, dt.datetime]]:
        name = entry.path.removeprefix(f"{RECORDS}/")[:_DIGITS]
        return [
            (
                NeededVersion(each.version, f"read, says record {name}…"),
                entry.modified,
            )
            for each in store.get(entry.path).inputs
            if each.uri == location.uri
        ]

    with ThreadPoolExecutor(_READERS) as readers:
        yield from itertools.chain.from_iterable(readers.map(inputs, kept))


def maintain_table(
    lake: Lake, key: Sequence[str], policy: MaintenancePolicy
) -> tuple[MaintenanceResult, ...]:
    """Do what the policy asks for with the table of an asset key.

    Args:
        lake: Where the table is, and the records that tell who read it.
        key: The asset key.
        policy: What to do.

    Raises:
        CommitError: Other runs wrote to the table again and again.
        DeltaError: There is no table, or a step was refused; those before it are done.
    """
    location = lake.table(key)
    return maintain(
        location,
        policy,
        lambda: needed_versions(location, lake.root, keep_days=policy.keep_days),
    )
