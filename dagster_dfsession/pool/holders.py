"""Who holds which session on this machine: one small file for each."""

import contextlib
import datetime as dt
import functools
import getpass
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from dagster_dfsession.errors import PoolError
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.system import Row

SUFFIX = ".json"
_SAME_PROCESS_S = 1.0


class Holder(Frozen, frozen=True):
    """A step that has a session.

    Attributes:
        started: When its process began, in seconds since 1970: a number of a process
            is used again, together with its beginning it is not.
        profile: Name of the profile.
        plan: Fingerprint of the plan.
        since: When it got the session, in UTC.
        names: What it registered, less the prefix.
    """

    host: str
    pid: int
    started: float
    scope: Scope
    profile: str
    plan: str
    since: dt.datetime
    names: tuple[str, ...] = ()

    @property
    def state(self) -> Literal["alive", "dead", "elsewhere"]:
        """Whether its process is there; `elsewhere`: only another machine knows."""
        if self.host != socket.gethostname():
            return "elsewhere"
        with contextlib.suppress(psutil.NoSuchProcess):
            began = psutil.Process(self.pid).create_time()
            if abs(began - self.started) < _SAME_PROCESS_S:
                return "alive"
        return "dead"

    @property
    def described(self) -> Row:
        """Its row in `dfsession.sessions`."""
        return {
            "run_id": self.scope.run_id,
            "step": self.scope.step,
            "attempt": self.scope.attempt,
            "profile": self.profile,
            "plan": self.plan,
            "since": self.since,
            "names": [*self.names],
            "host": self.host,
            "pid": self.pid,
            "state": self.state,
        }


def this_process(
    scope: Scope, *, profile: str, plan: str, since: dt.datetime
) -> Holder:
    """Return a step of this process as a holder."""
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        started=_started(os.getpid()),
        scope=scope,
        profile=profile,
        plan=plan,
        since=since,
    )


@functools.cache
def _started(pid: int) -> float:
    return psutil.Process(pid).create_time()


def holders_directory() -> Path:
    """Return where the files are.

    Below DAGSTER_HOME, where it is set: all processes of an instance look there.
    Otherwise in the directory for temporary files, apart for each user.
    """
    return _directory(os.environ.get("DAGSTER_HOME"))


@functools.cache
def _directory(home: str | None) -> Path:
    if home:
        return Path(home, "dfsession", "sessions")
    user = getattr(os, "getuid", getpass.getuser)()
    return Path(tempfile.gettempdir(), f"dfsession-sessions-{user}")


class HolderFile:
    """The file of one holder; it appears whole, and is gone with its session."""

    def __init__(self, directory: Path, holder: Holder) -> None:
        """Write the file.

        Raises:
            PoolError: The directory cannot be written to.
        """
        self._path = directory / f"{holder.pid}-{holder.scope.prefix}{SUFFIX}"
        self._write(holder)

    def replace(self, holder: Holder) -> None:
        """Replace what it says; for a moment there is no file.

        Raises:
            PoolError: The directory cannot be written to.
        """
        # Put in the place of another file, ext4 would first write it to the disk.
        self.remove()
        self._write(holder)

    def _write(self, holder: Holder) -> None:
        data = msgspec.json.encode(holder)
        try:
            try:
                self._put(data)
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._put(data)
        except OSError as error:
            raise PoolError(
                f"`dfsession sessions` will not show this session: {error}"
            ) from error

    def _put(self, data: bytes) -> None:
        # Twice as fast as `open` and `write`, and each step of a run pays for it.
        new = f"{self._path}.new"
        opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            os.write(opened, data)
        finally:
            os.close(opened)
        os.replace(new, self._path)  # noqa: PTH105  # a Path of it would cost as much

    def remove(self) -> None:
        """Remove the file; one that is gone is removed already.

        Raises:
            PoolError: It cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise PoolError(
                f"`dfsession sessions` will show this session: {error}"
            ) from error


def read_holders(directory: Path | None = None) -> tuple[Holder, ...]:
    """Return all holders, the longest-lasting first.

    Args:
        directory: Where their files are; None: that of `holders_directory`.

    Raises:
        PoolError: A file is not what this release writes.

    Examples:
        >>> read_holders(Path("nowhere"))
        ()
    """
    found = (each for _, each in holder_files(directory or holders_directory()))
    return tuple(sorted(found, key=lambda holder: holder.since))


def remove_dead_holders(directory: Path | None = None) -> tuple[Holder, ...]:
    """Remove the files of processes of this machine that are gone; return them.

    Raises:
        PoolError: A file is not what this release writes.
    """
    removed = []
    for path, holder in holder_files(directory or holders_directory()):
        if holder.state == "dead":
            path.unlink(missing_ok=True)
            removed.append(holder)
    return tuple(removed)


def holder_files(directory: Path) -> Iterator[tuple[Path, Holder]]:
    """Yield the files in a directory with what they say, sorted.

    Raises:
        PoolError: A file is not what this release writes.
    """
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Holder)
        except FileNotFoundError:
            continue  # its session was closed meanwhile
        except msgspec.DecodeError as error:
            raise PoolError(
                f"{path} says of no session who holds it: {error}; remove it"
            ) from None
