"""What is known of a lease while it lasts, and told when it ends."""

import datetime as dt
import logging

import msgspec

from dagster_dfsession.errors import PoolError
from dagster_dfsession.pool.holders import HolderFile, holders_directory, this_process
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.session.system import Row
from dagster_dfsession.telemetry.payloads import LeaseEnded

LOG = logging.getLogger("dagster_dfsession")


class Holding:
    """A lease as others see it: in `dfsession.leases`, and in `dfsession sessions`.

    Attributes:
        lease: The lease.
        since: When it began, in UTC.
        prefix: What the names begin with that it registers.
    """

    def __init__(self, lease: Lease, *, listed: bool) -> None:
        """Show a lease that has just begun.

        Args:
            lease: The lease.
            listed: Whether other processes see it too. Where they cannot, that is
                logged: the lease is as good.
        """
        self.lease = lease
        self.since = dt.datetime.now(dt.timezone.utc)
        self.prefix = lease.prefix
        plan = lease.session.plan
        self._holder = this_process(
            lease.scope, profile=plan.name, plan=plan.fingerprint, since=self.since
        )
        self._file: HolderFile | None = None
        lease.session.borrowers.add(self)
        if not listed:
            return
        try:
            self._file = HolderFile(holders_directory(), self._holder)
        except PoolError as error:
            LOG.warning("%s", error)

    @property
    def names(self) -> tuple[str, ...]:
        """What the lease has registered, less the prefix."""
        return tuple(self.lease.names.values())

    @property
    def described(self) -> Row:
        """The lease as a row."""
        scope = self.lease.scope
        return {
            "prefix": self.prefix,
            "run_id": scope.run_id,
            "step": scope.step,
            "attempt": scope.attempt,
            "since": self.since,
            "names": [*self.names],
        }

    def names_changed(self) -> None:
        """Tell the registry what is registered now.

        Raises:
            PoolError: It cannot be written to.
        """
        if self._file is not None:
            now = msgspec.structs.replace(self._holder, names=self.names)
            self._file.replace(now)

    def end(self) -> None:
        """Release the lease, and record that it ended.

        Raises:
            PoolError: A name was gone already: the session is not as it should be.
        """
        lease, names = self.lease, self.names
        if not lease.session.closed:
            lease.session.borrowers.discard(self)
        try:
            lease.release()
        finally:
            held = dt.datetime.now(dt.timezone.utc) - self.since
            lease.session.recorder.record(
                LeaseEnded(
                    prefix=self.prefix,
                    registered=names,
                    held_ms=held.total_seconds() * 1000,
                ),
                step=lease.scope.step,
                attempt=lease.scope.attempt,
            )
            if self._file is not None:
                self._file.remove()
