"""A store that refuses or does not answer: said soon, plainly and without secrets."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from inline_snapshot import snapshot

import dagster_dfsession as dfs
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import DeltaError
from tests.s3.seaweed import ACCESS_KEY, SECRET_KEY, S3Server

Use = Callable[[Lake], object]
SOON_S = 10

USES: dict[str, Use] = {
    "open": lambda lake: open_table(lake.table(["t"])),
    "write": lambda lake: write_table(
        WriteRequest(location=lake.table(["t"])), pa.table({"x": [1]}).to_reader()
    ),
    "read a file": lambda lake: LakeFiles(lake.root).read("_dfsession/a"),
    "write a file": lambda lake: LakeFiles(lake.root).write_if_absent("a", b"x"),
    "list files": lambda lake: LakeFiles(lake.root).list("_dfsession"),
}
every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


def failure(lake: Lake, use: Use) -> str:
    """Return what the error says; it has to come soon, and without secrets."""
    started = time.monotonic()
    with pytest.raises(DeltaError) as failed:
        use(lake)
    assert time.monotonic() - started < SOON_S
    text = str(failed.value)
    assert SECRET_KEY not in text
    assert ACCESS_KEY not in text
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    return text


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@every_use
def test_a_wrong_secret_is_refused(s3: S3Server, root: str, use: Use) -> None:
    options = s3.options | {"aws_secret_access_key": "another/secret+of=mine"}
    text = failure(Lake(root, options), use)
    assert "SignatureDoesNotMatch" in text
    assert "Check the storage options: key, secret, region and endpoint" in text
    assert "another" not in text


def test_a_wrong_key_is_refused(s3: S3Server, root: str) -> None:
    options = s3.options | {"aws_access_key_id": "AKIANOBODY"}
    text = failure(Lake(root, options), USES["open"])
    assert "InvalidAccessKeyId" in text
    assert "AKIANOBODY" not in text


@pytest.mark.parametrize("use", ["open", "write"])
def test_a_missing_bucket_is_named(s3: S3Server, use: str) -> None:
    text = failure(Lake("s3://nobodys-bucket/lake", s3.options), USES[use])
    assert text.startswith("s3://nobodys-bucket/lake/t: ")
    assert "NoSuchBucket: The specified bucket does not exist" in text
    assert text.endswith("Create the bucket, or correct the root address.")


@every_use
def test_an_endpoint_where_nobody_listens_is_named(s3: S3Server, use: Use) -> None:
    options = s3.options | {
        "aws_endpoint_url": "http://127.0.0.1:1",
        "max_retries": "1",
    }
    text = failure(Lake("s3://lake/x", options), use)
    assert "http://127.0.0.1:1/lake" in text
    assert "Connection refused" in text
    assert "check the endpoint and the network" in text


@every_use
def test_an_endpoint_that_does_not_answer_is_given_up(
    s3: S3Server, silent: str, use: Use
) -> None:
    options = s3.options | {
        "aws_endpoint_url": silent,
        "timeout": "1s",
        "retry_timeout": "1s",
    }
    text = failure(Lake("s3://lake/x", options), use)
    assert silent in text
    assert "operation timed out" in text


def test_http_may_be_forbidden(s3: S3Server, root: str) -> None:
    text = failure(Lake(root, s3.options | {"allow_http": "false"}), USES["open"])
    assert "set the storage option allow_http to 'true'" in text


def test_a_message_reads_well(s3: S3Server) -> None:
    options = s3.options | {
        "aws_endpoint_url": "http://127.0.0.1:1",
        "max_retries": "0",
    }
    text = failure(Lake("s3://lake/x", options), USES["open"])
    before, _, after = text.partition(" in ")
    assert before == snapshot(
        "s3://lake/x/t: Kernel error -> Generic S3 error Error performing GET http://127.0.0.1:1/lake/x/t/_delta_log/_last_checkpoint"
    )
    assert after.partition(" - ")[2] == snapshot(
        "HTTP error error sending request client error (Connect) tcp connect error Connection refused (os error 111). The store did not answer: check the endpoint and the network. The storage option retry_timeout says how long to try."
    )


@pytest.mark.parametrize("wrong", ["secret", "endpoint", "bucket"])
def test_a_run_fails_soon_and_tells_no_secret(
    run: Callable[..., dg.ExecuteInProcessResult],
    s3: S3Server,
    root: str,
    caplog: pytest.LogCaptureFixture,
    wrong: str,
) -> None:
    @dg.asset
    def own() -> pa.Table:
        return pa.table({"x": [1]})

    @dg.asset(deps=[own])
    def reads(dfsession: dfs.DataFusionSessionResource) -> Any:
        return dfsession.sql("SELECT * FROM own")

    options = s3.options
    if wrong == "secret":
        options |= {"aws_secret_access_key": "another/secret+of=mine"}
    elif wrong == "endpoint":
        options |= {"aws_endpoint_url": "http://127.0.0.1:1", "max_retries": "1"}
    elif wrong == "bucket":
        root = "s3://nobodys-bucket/lake"
    io = {"root_uri": root, "storage_options": options}
    for asset in (own, reads):
        started = time.monotonic()
        with dg.DagsterInstance.ephemeral() as instance, caplog.at_level(logging.DEBUG):
            result = run(asset, io=io, instance=instance, raise_on_error=False)
            said = [str(entry) for entry in instance.all_logs(result.run_id)]
        assert time.monotonic() - started < SOON_S
        assert not result.success
        assert any(root in text and "DeltaError" in text for text in said)
        for text in [*said, caplog.text]:
            assert SECRET_KEY not in text
            assert ACCESS_KEY not in text
            assert "another/secret" not in text
