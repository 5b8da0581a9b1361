"""A real collector on this machine, and what it has sent on: the spans of a run.

`python -m tests.telemetry.collector DIRECTORY` runs `nightly.py` and prints its trace.
"""

import contextlib
import gzip
import http.server
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

ROOT = Path(__file__).parents[2]
WHEEL = importlib.util.find_spec("rotel")
AGENT = Path(WHEEL.origin).parent / "rotel-agent" if WHEEL and WHEEL.origin else None
LONGEST_S = 110


class Spans(http.server.ThreadingHTTPServer):
    """Takes what OTLP over HTTP brings.

    Attributes:
        found: The spans so far.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.found: list[dict[str, Any]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Spans

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            data = gzip.decompress(data)
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            pid = {
                each.key: each.value.int_value for each in resource.resource.attributes
            }
            for scope in resource.scope_spans:
                self.server.found += [
                    {
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "start_ns": span.start_time_unix_nano,
                        "ms": (span.end_time_unix_nano - span.start_time_unix_nano)
                        / 1e6,
                        "pid": pid["process.pid"],
                        "attributes": {
                            each.key: each.value.string_value or each.value.int_value
                            for each in span.attributes
                        },
                    }
                    for span in scope.spans
                ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def listening(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def collecting() -> Iterator[tuple[str, Spans]]:
    """Run a collector; yield its address, and what comes out at its other end."""
    assert AGENT is not None, "rotel is not installed: it has wheels for Linux"
    grpc, port = free_port(), free_port()
    with Spans() as spans:
        threading.Thread(target=spans.serve_forever, daemon=True).start()
        agent = subprocess.Popen(
            [
                AGENT,
                "start",
                f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
                f"--otlp-http-endpoint=127.0.0.1:{port}",
                "--exporter=otlp",
                f"--otlp-exporter-endpoint=http://127.0.0.1:{spans.server_port}",
                "--otlp-exporter-protocol=http",
                "--otlp-exporter-compression=none",
                "--disable-batching",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + LONGEST_S
            while not listening(port):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}", spans
        finally:
            agent.terminate()
            agent.wait(LONGEST_S)
            spans.shutdown()


def launch(home: Path, endpoint: str) -> None:
    """Run `nightly.py` to its end."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.telemetry.nightly"],
        env=os.environ
        | {
            "DAGSTER_HOME": str(home),
            "NIGHTLY_LAKE": str(home / "lake"),
            "PYTHONPATH": str(ROOT),
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=LONGEST_S,
    )
    (said,) = [line for line in ran.stdout.splitlines() if line.startswith("RUN")]
    assert said.endswith("True"), ran.stderr


def tree(spans: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each span, below its parent."""
    known = {span["id"] for span in spans}

    def below(parent: str | None, depth: int) -> Iterator[str]:
        children = (
            span
            for span in spans
            if (span["parent"] == parent if parent else span["parent"] not in known)
        )
        for span in sorted(children, key=lambda span: span["start_ns"]):
            yield f"{'  ' * depth}{span['name']} {_told(span['attributes'])}".rstrip()
            yield from below(span["id"], depth + 1)

    yield from below(None, 0)


def _told(attributes: Mapping[str, Any]) -> str:
    shown = ("dagster.step_key", "dagster.asset_key", "db.response.returned_rows")
    return " ".join(
        f"{name.rpartition('.')[2]}={attributes[name]}"
        for name in shown
        if name in attributes
    )


def main() -> None:
    """Print the spans of a run as JSON, and their tree."""
    with collecting() as (endpoint, spans):
        launch(Path(sys.argv[1]), endpoint)
        time.sleep(1)
    sys.stdout.write(json.dumps(spans.found, indent=1))
    sys.stdout.write("\n" + "\n".join(tree(spans.found)) + "\n")


if __name__ == "__main__":
    main()
