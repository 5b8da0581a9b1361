"""A Sail server of one run: started when first asked, ended with the run."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from typing_extensions import Self

from dagster_dfsession.delta.failures import scrubbed
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.options import is_readable
from dagster_dfsession.errors import SessionError
from dagster_dfsession.profile.sail import SailProfile

_STOPS_S = 10
_HEARTBEAT_S = 30
"""Below this, workers that are merely busy are taken for lost."""


class PrivateServer:
    """A process that serves Flight SQL on a port of the loopback interface.

    Credentials reach it in its environment, and nowhere else.

    Attributes:
        address: As `grpc://127.0.0.1:32010`.
    """

    def __init__(self, profile: SailProfile, options: Mapping[str, str]) -> None:
        """Start it, and wait until it listens.

        Args:
            profile: How large it is.
            options: Storage options of the tables, as `environment_of` names them.

        Raises:
            SessionError: It did not start; the message has its last words.
        """
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dagster_dfsession.engines.sail.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **server_environment(profile, options)},
        )
        out = self._process.stdout
        # Its first line, or nothing once it has ended.
        self.address = "" if out is None else out.readline().decode().strip()
        if not self.address:
            said = self._last_words
            self.stop()
            raise SessionError(
                "the Sail server of this run did not start: "
                f"{scrubbed(said, secrets_of(options))}. See what the profile has "
                "in sail, and the variables SAIL_* of this process's environment"
            )

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return " ".join(lines[-3:]) or "it said nothing"

    def stop(self) -> None:
        """End it; a second call does nothing."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOPS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def server_environment(
    profile: SailProfile, options: Mapping[str, str]
) -> dict[str, str]:
    """Return what a server is told by its environment.

    Args:
        profile: How large it is.
        options: Storage options, as `environment_of` names them.

    Examples:
        >>> told = server_environment(
        ...     SailProfile(mode="local-cluster", workers=2),
        ...     {"AWS_REGION": "eu-west-1"},
        ... )
        >>> told["SAIL_CLUSTER__WORKER_INITIAL_COUNT"], told["AWS_REGION"]
        ('2', 'eu-west-1')
    """
    told = {
        "SAIL_MODE": profile.mode,
        "SAIL_CLUSTER__WORKER_INITIAL_COUNT": str(profile.workers),
        "SAIL_CLUSTER__WORKER_HEARTBEAT_TIMEOUT_SECS": str(_HEARTBEAT_S),
        "SAIL_EXECUTION__DEFAULT_PARALLELISM": str(profile.parallelism or 0),
        "RUST_LOG": "warn",
        "TZ": "UTC",
    }
    if profile.memory is not None:
        told |= {
            "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
            "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(profile.memory),
            # A hash join cannot spill.
            "SAIL_OPTIMIZER__PREFER_HASH_JOIN": "false",
        }
    return told | dict(options)


def secrets_of(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return what no message may show of options, as `environment_of` names them.

    Examples:
        >>> secrets_of({"AWS_REGION": "eu-west-1", "AWS_SECRET_ACCESS_KEY": "hunter2"})
        ('hunter2',)
    """
    return tuple(value for key, value in options.items() if not is_readable(key, value))


def environment_of(location: Location) -> dict[str, str]:
    """Return the storage options of a table as a server reads them.

    Examples:
        >>> environment_of(
        ...     Location("s3://lake/t", (("endpoint_url", "http://127.0.0.1:9000"),))
        ... )
        {'AWS_ENDPOINT': 'http://127.0.0.1:9000'}
    """
    prefix = "AWS_" if location.uri.startswith(("s3://", "s3a://")) else ""
    named = (
        (f"{prefix}{key.upper().removeprefix(prefix)}", value)
        for key, value in location.storage_options
    )
    return {
        "AWS_ENDPOINT" if name == "AWS_ENDPOINT_URL" else name: value
        for name, value in named
    }
