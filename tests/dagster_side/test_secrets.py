"""A secret is in no text that anybody stores or shows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster_deltalake import DeltaTableResource, LocalConfig, S3Config
from datafusion import DataFrame
from deltalake import write_deltalake
from pydantic import ValidationError

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource
from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.pool.cache import PROCESS_SESSIONS

Run = Callable[..., dg.ExecuteInProcessResult]

SECRET = "hunter2-of-the-lake"  # noqa: S105  # of no lake
OPTIONS = {"aws_secret_access_key": SECRET, "sas_token": SECRET}


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"x": [1, 2]})


@dg.asset(deps=[numbers])
def doubled(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT 2 * x AS x FROM numbers")


@dg.asset(deps=[numbers])
def fails(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT nothing FROM numbers")


def texts_of(resource: Any) -> list[str]:
    return [repr(resource), str(resource), f"{resource}", f"{[resource]}"]


def test_neither_resource_shows_its_options() -> None:
    session = DataFusionSessionResource(preset="dev", storage_options=OPTIONS)
    manager = DataFusionDeltaIOManager(
        session=session, root_uri="lake", storage_options=OPTIONS
    )

    for text in texts_of(session) + texts_of(manager):
        assert SECRET not in text
    assert repr(manager) == (
        "DataFusionDeltaIOManager(session=DataFusionSessionResource(preset='dev', "
        "udfs=[]), root_uri='lake')"
    )


def test_no_wrong_option_is_shown() -> None:
    session = DataFusionSessionResource()
    wrong: dict[str, Any] = {"aws_secret_access_key": [SECRET]}

    with pytest.raises(ValidationError) as of_session:
        DataFusionSessionResource(storage_options=wrong)
    with pytest.raises(ValidationError) as of_manager:
        DataFusionDeltaIOManager(
            session=session, root_uri="lake", storage_options=wrong
        )
    with pytest.raises(ValidationError) as of_another_field:
        DataFusionDeltaIOManager(
            session=session,
            root_uri="lake",
            mode="no",  # type: ignore[arg-type]
            storage_options=OPTIONS,
        )

    for refused in (of_session, of_manager, of_another_field):
        assert SECRET not in str(refused.value)


def test_a_run_writes_no_secret_anywhere(
    run: Run,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen: list[str] = []

    @dg.asset
    def looks(dfsession: DataFusionSessionResource) -> None:
        seen.append(repr(PROCESS_SESSIONS.cache.holders()))
        seen.append(repr(dfsession.run.tables.first_lake))
        seen.append(repr(dfsession.lease))
        seen.append(str(dfsession.snapshot()))

    fields = {"storage_options": OPTIONS}
    result = run(
        numbers,
        doubled,
        looks,
        fails,
        session=fields,
        io=fields,
        instance=instance,
        raise_on_error=False,
    )

    texts = [str(entry) for entry in instance.all_logs(result.run_id)]
    printed = capfd.readouterr()
    assert not result.success
    assert any("No field named nothing" in text for text in texts)
    assert any("dfsession/record" in text for text in texts)
    for text in (*texts, *seen, printed.out, printed.err):
        assert SECRET not in text
    assert holding(tmp_path, SECRET) == []


def test_the_repository_holds_the_name_of_a_variable_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAKE_SECRET", SECRET)
    options = {"aws_secret_access_key": dg.EnvVar("LAKE_SECRET")}
    session = DataFusionSessionResource(storage_options=options)
    manager = DataFusionDeltaIOManager(
        session=session,
        root_uri="s3://bucket/lake",
        storage_options=S3Config(secret_access_key=dg.EnvVar("LAKE_SECRET")),
    )
    defs = dg.Definitions(
        assets=[numbers, doubled],
        resources={"dfsession": session, "io_manager": manager},
    )

    repository = defs.get_repository_def()
    configs = [
        str(resource.config_schema.default_value)
        for resource in repository.get_top_level_resources().values()
    ]
    assert len(configs) == 2
    for config in configs:
        assert "LAKE_SECRET" in config
        assert SECRET not in config


def test_the_page_masks_the_options_of_both() -> None:
    for resource in (DataFusionSessionResource, DataFusionDeltaIOManager):
        extra: Any = resource.model_fields["storage_options"].json_schema_extra
        assert extra == {"dagster__is_secret": True}


@pytest.mark.parametrize("where", ["session", "io"])
def test_variables_in_a_config_class_are_read_in_the_run(
    run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("LAKE_SECRET", SECRET)
    seen: list[dict[str, str]] = []

    @dg.asset
    def looks(dfsession: DataFusionSessionResource) -> None:
        lake = dfsession.run.tables.first_lake
        assert lake is not None
        seen.append(lake.root.options)

    given = S3Config(secret_access_key=dg.EnvVar("LAKE_SECRET"), region="here")
    # The lake that was announced first is asked first: the resource's own, if any.
    root = {"root_uri": str(lake)} if where == "session" else {}
    run(looks, numbers, **{where: {"storage_options": given, **root}})

    assert seen == [
        {
            "secret_access_key": SECRET,
            "region": "here",
            "imdsv1_fallback": "false",
        }
    ]


def test_the_config_of_local_files_is_taken_by_both(run: Run) -> None:
    result = run(
        numbers,
        doubled,
        session={"storage_options": LocalConfig()},
        io={"storage_options": LocalConfig()},
    )

    assert result.success


@pytest.mark.filterwarnings("ignore:The `dict` method is deprecated")  # its own
def test_a_table_of_dagster_deltalake_s_resource_can_be_registered(
    lake: Path,
) -> None:
    write_deltalake(lake / "given", pa.table({"x": [5]}))
    seen: list[Any] = []

    @dg.asset
    def reads(dfsession: DataFusionSessionResource, table: DeltaTableResource) -> None:
        dfsession.register("given_table", table.load())
        seen.append(dfsession.sql("SELECT x FROM given_table").to_pydict())

    dg.materialize(
        [reads],
        resources={
            "dfsession": DataFusionSessionResource(preset="dev"),
            "table": DeltaTableResource(
                url=str(lake / "given"), storage_options=LocalConfig()
            ),
        },
    )

    assert seen == [{"x": [5]}]


def test_an_error_of_the_storage_hides_the_options() -> None:
    session = DataFusionSessionResource(
        preset="dev",
        root_uri="s3://no-such-bucket/lake",
        storage_options={
            "aws_endpoint_url": "http://127.0.0.1:9",
            "aws_allow_http": "true",
            "aws_access_key_id": "name",
            "aws_region": "here",
            "max_retries": "0",
            **OPTIONS,
        },
    )

    @dg.asset
    def reads(dfsession: DataFusionSessionResource) -> None:
        dfsession.sql("SELECT * FROM numbers")

    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(DfSessionError) as refused,
    ):
        dg.materialize([reads], resources={"dfsession": session}, instance=instance)

    assert SECRET not in str(refused.value)


def holding(directory: Path, text: str) -> list[Path]:
    """Return the files below a directory that have a text in them, packed or not."""
    return [
        path
        for path in directory.rglob("*")
        if path.is_file() and text.encode() in unpacked(path)
    ]


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".zst":
        return data
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())
