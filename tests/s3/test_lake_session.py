"""A session outside Dagster over an object store."""

import pytest

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import TableNotFoundError
from dagster_dfsession.lake_session import LakeSession
from dagster_dfsession.materialization.artifact import PlanArtifact
from tests.delta.writing import write
from tests.s3.seaweed import SECRET_KEY, S3Server


def test_a_compiled_query_runs_and_is_written_and_holds_no_secret(
    s3: S3Server, s3_lake: Lake, root: str
) -> None:
    write(s3_lake.table(["raw", "t"]), {"n": [1, 2, 3]})
    with LakeSession("dev", root_uri=root, storage_options=s3.options) as lake:
        kept = lake.compile("SELECT n FROM raw.t WHERE n > 1 ORDER BY n").to_bytes()
    artifact = PlanArtifact.from_bytes(kept)

    with LakeSession("dev", root_uri=root, storage_options=s3.options) as lake:
        rows = lake.execute(artifact).to_table().to_pydict()
        made = lake.write(artifact, "marts.t")
        with pytest.raises(TableNotFoundError) as refused:
            lake.sql("SELECT * FROM raw.tt")

    assert rows == {"n": [2, 3]}
    assert (made.written.rows, made.target.location.uri) == (2, f"{root}/marts/t")
    assert "there is marts.t, raw.t." in str(refused.value)
    for text in (kept.decode(), repr(lake), repr(artifact), str(refused.value)):
        assert SECRET_KEY not in text
