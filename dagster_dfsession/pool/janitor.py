"""What crashed runs leave behind: spill directories, pins, entries of sessions."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import psutil

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import PoolError
from dagster_dfsession.pool.holders import holder_files
from dagster_dfsession.pool.pins import PINS, remove_pins
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.spill import SPILL_PREFIX, remove_directory

Fate: TypeAlias = Literal["over", "running", "unknown"]
"""What became of a run, as far as the one who asks knows."""

_SPILL = re.compile(
    rf"^{SPILL_PREFIX}(?P<label>[A-Za-z0-9-]+)_(?P<process>\d+)_[a-z0-9_]{{8}}$"
)
_RUN = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class Leftover(Frozen, frozen=True, kw_only=True):
    """What a run has left behind.

    Attributes:
        kind: `spill`: a directory of spilled batches; `pins`: versions that the run
            had pinned; `session`: an entry of `dfsession sessions`.
        path: The directory, the file, or the address of the pins.
        run: The run; None: the session belonged to none.
        bytes: Of all its files.
        modified: When the last of them was written.
    """

    kind: Literal["spill", "pins", "session"]
    path: str
    run: str | None
    bytes: int
    modified: dt.datetime


def spilled_leftovers(
    directory: Path,
    fate: Callable[[str], Fate],
    *,
    older_than: dt.timedelta,
) -> tuple[Leftover, ...]:
    """Return the spill directories that nobody uses any more, sorted.

    One belongs to nobody if its run is over; where the run is not known, if the
    process that made it is gone from this machine.

    Args:
        directory: Where sessions make their spill directories.
        fate: What became of the run of an id.
        older_than: Whatever was written to more recently is left alone.
    """
    now, found = dt.datetime.now(dt.timezone.utc), []
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        named = _SPILL.match(path.name)
        if named is None or not path.is_dir():
            continue
        run = named["label"] if _RUN.match(named["label"]) else None
        known = "unknown" if run is None else fate(run)
        is_gone = known == "unknown" and not psutil.pid_exists(int(named["process"]))
        if known != "over" and not is_gone:
            continue
        inside = [path, *path.rglob("*")]
        modified = _time(max(each.stat().st_mtime for each in inside))
        if now - modified >= older_than:
            found.append(
                Leftover(
                    kind="spill",
                    path=str(path),
                    run=run,
                    bytes=sum(each.stat().st_size for each in inside if each.is_file()),
                    modified=modified,
                )
            )
    return tuple(found)


def pinned_leftovers(
    lake: Lake,
    fate: Callable[[str], Fate],
    *,
    older_than: dt.timedelta,
) -> tuple[Leftover, ...]:
    """Return the pins of runs that are over, sorted.

    Args:
        lake: Where the runs read.
        fate: What became of the run of an id; pins of an unknown one may be those of
            another Dagster instance, and stay.
        older_than: Pins that are younger are left alone.

    Raises:
        DeltaError: The storage refused.
    """
    now = dt.datetime.now(dt.timezone.utc)
    return tuple(
        each
        for each in _pins(lake)
        if now - each.modified >= older_than
        and each.run is not None
        and fate(each.run) == "over"
    )


def held_leftovers(
    directory: Path, *, older_than: dt.timedelta
) -> tuple[Leftover, ...]:
    """Return the entries of sessions whose process is gone from this machine, sorted.

    Args:
        directory: From `holders_directory`.
        older_than: Sessions that began more recently are left alone.

    Raises:
        PoolError: A file in it is no entry.
    """
    now = dt.datetime.now(dt.timezone.utc)
    return tuple(
        Leftover(
            kind="session",
            path=str(path),
            run=holder.scope.run_id,
            bytes=path.stat().st_size,
            modified=holder.since,
        )
        for path, holder in holder_files(directory)
        if now - holder.since >= older_than and holder.state == "dead"
    )


def remove_leftover(leftover: Leftover, lake: Lake | None = None) -> None:
    """Remove what a run has left; what is gone already is fine.

    Args:
        leftover: From `spilled_leftovers`, `pinned_leftovers` or `held_leftovers`.
        lake: Where the pins are.

    Raises:
        PoolError: They are pins, and the lake was not given.
        DeltaError: The storage refused.
    """
    if leftover.kind == "spill":
        remove_directory(leftover.path)
    elif leftover.kind == "session":
        Path(leftover.path).unlink(missing_ok=True)
    elif lake is None or leftover.run is None:
        raise PoolError(f"{leftover.path}: pins are removed from their lake; give it")
    else:
        remove_pins(LakeFiles(lake.root), leftover.run)


def _pins(lake: Lake) -> Iterator[Leftover]:
    depth = PINS.count("/") + 1
    by_run: dict[str, list[tuple[int, dt.datetime]]] = {}
    for entry in LakeFiles(lake.root).entries(PINS):
        # Some object stores list a directory that was emptied as a file.
        if entry.path.endswith(".json"):
            run = entry.path.split("/")[depth]
            by_run.setdefault(run, []).append((entry.bytes, entry.modified))
    for run, files in sorted(by_run.items()):
        yield Leftover(
            kind="pins",
            path=f"{lake.root.uri}/{PINS}/{run}",
            run=run,
            bytes=sum(size for size, _ in files),
            modified=max(modified for _, modified in files),
        )


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
