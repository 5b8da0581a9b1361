"""A Flight SQL server of Sail as a process, of which this is the main module.

It says on its output where it listens, and ends when its input does: with the process
that started it, however that ends.
"""

import sys

from pysail.flight import FlightSqlServer


def main() -> None:
    """Serve until the input ends."""
    server = FlightSqlServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    print(f"grpc://{host}:{port}", flush=True)  # noqa: T201  # is read by who started it
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
