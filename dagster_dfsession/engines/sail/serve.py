"""A Flight SQL server of Sail as a process, of which this is the main module.

It says on its output where it listens, and ends when its input does: with the process
that started it, however that ends.
"""

import contextlib
import os
import sys

from pysail import cli
from pysail.flight import FlightSqlServer


def main() -> None:
    """Serve until the input ends."""
    _install_encryption()
    server = FlightSqlServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    print(f"grpc://{host}:{port}", flush=True)  # noqa: T201  # is read by who started it
    sys.stdin.read()
    server.stop()


def _install_encryption() -> None:
    """Have Sail's client of Kubernetes find what encrypts; without, it dies of it.

    Sail 0.7 installs that where its command line begins, and nowhere else: so one is
    begun that fails next, as the directory that it is to change to is a file.
    """
    sys.argv = ["sail", "flight", "server", "--directory", os.path.realpath(__file__)]
    with contextlib.suppress(RuntimeError):
        cli.main()


if __name__ == "__main__":
    main()
