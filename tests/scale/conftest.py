import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
from dask.distributed import LocalCluster

from benchmarks.tpch.source import write_graph
from tests.s3.conftest import root, s3
from tests.s3.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from tests.scale.running import Runs

__all__ = ["root", "s3"]

SCALE = 0.01
ALL = os.environ.get("DFSESSION_SCALE") == "all"
"""`make scale` asks for what takes too long for every test run."""
SOME = ("q03", "q04", "q12")
TABLES = 30 if ALL else 6
"""How many tables the graph of TPC-H has: the raw ones, and a table a query."""


@pytest.fixture(scope="module")
def environment(s3: S3Server) -> Iterator[Mapping[str, str]]:
    """What opens the lake, for this process and all that it starts."""
    values = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "DFSESSION_LAKE_ROOT": f"s3://{BUCKET}/{uuid.uuid4().hex}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield dict(os.environ)


@pytest.fixture(scope="module")
def dask(environment: Mapping[str, str]) -> Iterator[LocalCluster]:
    """A Dask cluster of two worker processes, on loopback."""
    cluster = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # None is port 8787 of every address
        env=dict(environment),
    )
    with contextlib.closing(cluster):
        yield cluster


@pytest.fixture
def runs(
    environment: Mapping[str, str],
    instance: dg.DagsterInstance,
    root: str,
    tmp_path: Path,
) -> Runs:
    """A lake on the S3 server and an instance, of one test alone."""
    assert environment["AWS_ENDPOINT_URL"]
    return Runs(instance, root, tmp_path)


@pytest.fixture
def tpch(runs: Runs) -> Runs:
    """The same, with the tables and queries of TPC-H."""
    write_graph(SCALE, runs.home / "tpch")
    for file in runs.home.glob("tpch/queries/*.sql"):
        if not ALL and file.stem not in SOME:
            file.unlink()
    return runs
