"""deltalake's storage options as arguments of the engine's object stores."""

import json
from pathlib import Path
from typing import Any

import pytest
from dagster_deltalake import AzureConfig, GcsConfig, LocalConfig, S3Config
from datafusion import SessionContext

from dagster_dfsession.config.storage import plain_options
from dagster_dfsession.delta.location import Lake, Location, open_table
from dagster_dfsession.delta.stores import (
    AZURE,
    GCS,
    S3,
    engine_uri,
    has_store,
    register_store,
    store_arguments,
)
from dagster_dfsession.errors import DeltaError

KEY, SECRET = "AKIATESTONLY", "aGlkZGVu"  # also base64, as Azure wants it
ABFSS = "abfss://box@account.dfs.core.windows.net/lake"


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for keys, prefixes in (
        (S3, ("AWS_",)),
        (AZURE, ("AZURE_", "AZURE_STORAGE_")),
        (GCS, ("GOOGLE_",)),
    ):
        for key in keys:
            for prefix in prefixes:
                monkeypatch.delenv(prefix + key.upper(), raising=False)


def arguments(uri: str, options: Any) -> dict[str, Any] | None:
    return store_arguments(Lake(uri, plain_options(options)).table(["t"]))


@pytest.fixture
def account_file(tmp_path: Path) -> str:
    path = tmp_path / "account.json"
    path.write_text(json.dumps({"type": "service_account", "private_key": SECRET}))
    return str(path)


@pytest.mark.parametrize(
    ("spelt", "argument"),
    [
        ("aws_access_key_id access_key_id AWS_ACCESS_KEY_ID", "access_key_id"),
        ("aws_secret_access_key SECRET_ACCESS_KEY", "secret_access_key"),
        ("aws_session_token session_token AWS_TOKEN token", "session_token"),
        ("aws_region region AWS_DEFAULT_REGION default_region", "region"),
        ("aws_endpoint endpoint AWS_ENDPOINT_URL endpoint_url", "endpoint"),
    ],
)
def test_every_spelling_of_s3_is_one_argument(spelt: str, argument: str) -> None:
    for key in spelt.split():
        assert arguments("s3://lake", {key: "x"}) == {argument: "x"}
        assert arguments("s3a://lake", {key: "x"}) == {argument: "x"}


@pytest.mark.parametrize(
    ("spelt", "argument"),
    [
        ("azure_storage_account_name account_name", "account"),
        ("azure_storage_account_key access_key ACCOUNT_KEY", "access_key"),
        ("azure_storage_client_id azure_client_id client_id", "client_id"),
        ("AZURE_STORAGE_CLIENT_SECRET client_secret", "client_secret"),
        ("azure_storage_tenant_id authority_id AZURE_AUTHORITY_ID", "tenant_id"),
        ("azure_storage_token bearer_token", "bearer_token"),
    ],
)
def test_every_spelling_of_azure_is_one_argument(spelt: str, argument: str) -> None:
    for key in spelt.split():
        for uri in ("az://box/lake", "abfs://box/lake", ABFSS):
            named = {} if argument == "account" else {"account_name": "account"}
            found = arguments(uri, named | {key: "x"})
            assert found is not None
            assert found[argument] == "x"


@pytest.mark.parametrize(
    "spelt",
    [
        "google_service_account",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "service_account",
        "google_application_credentials",
    ],
)
def test_every_spelling_of_google_is_one_argument(
    spelt: str, account_file: str
) -> None:
    expected = {"service_account_path": account_file}
    assert arguments("gs://lake", {spelt: account_file}) == expected


@pytest.mark.parametrize("spelt", ["true", "TRUE", "1", "on", "yes"])
def test_a_switch_is_a_truth_value(spelt: str) -> None:
    for key, value in ((spelt, True), ("false", False), ("0", False)):
        found = arguments("s3://lake", {"aws_allow_http": key})
        assert found == {"allow_http": value}


def test_a_region_counts_more_than_a_default_one() -> None:
    options = {"AWS_REGION": "one", "aws_default_region": "other"}
    assert arguments("s3://lake", options) == {"region": "one"}


def test_what_the_options_leave_out_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "one")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert arguments("s3://lake", {"region": "other"}) == {
        "region": "other",
        "endpoint": "http://127.0.0.1:1",
    }
    assert arguments("az://box", {}) == {"account": "account"}


def test_config_classes_of_dagster_deltalake_are_translated(account_file: str) -> None:
    s3 = S3Config(
        access_key_id=KEY,
        secret_access_key=SECRET,
        token=SECRET,
        region="eu-central-1",
        endpoint="http://127.0.0.1:1",
        bucket="lake",
        allow_unsafe_rename=True,
    )
    assert arguments("s3://lake", s3) == {
        "access_key_id": KEY,
        "secret_access_key": SECRET,
        "session_token": SECRET,
        "region": "eu-central-1",
        "endpoint": "http://127.0.0.1:1",
        "allow_http": True,
        "imdsv1_fallback": False,
    }
    azure = AzureConfig(account_name="account", account_key=SECRET)
    assert arguments("az://box/lake", azure) == {
        "account": "account",
        "access_key": SECRET,
    }
    gcs = GcsConfig(service_account=account_file, bucket="lake")
    assert arguments("gs://lake", gcs) == {"service_account_path": account_file}
    local = LocalConfig()
    assert has_store(Lake("data/lake", plain_options(local)).root)


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("s3://lake", S3Config(virtual_hosted_style_request="true")),
        ("s3://lake", {"aws_skip_signature": "true"}),
        ("s3://lake", {"regoin": "eu-central-1"}),
        ("az://box", {"account_key": SECRET}),  # whose account?
        ("az://box", AzureConfig(account_name="account", sas_key=SECRET)),
        ("az://box", AzureConfig(account_name="account", use_azure_cli=True)),
        ("abfss://box@onelake.dfs.fabric.microsoft.com/lake", {}),
        ("gs://lake", GcsConfig(service_account_key=SECRET)),
        ("gs://lake", {"service_account": "absent.json"}),
        ("wasbs://box@account.blob.core.windows.net/lake", {}),
    ],
)
def test_what_the_engine_lacks_leaves_the_table_to_the_provider(
    uri: str, options: Any
) -> None:
    location = Lake(uri, plain_options(options)).table(["t"])

    assert not has_store(location)
    with pytest.raises(ValueError, match="the engine has no store for"):
        register_store(SessionContext(), location)


def test_credentials_of_a_google_user_are_left_to_the_provider(tmp_path: Path) -> None:
    path = tmp_path / "user.json"
    for text in ('{"type": "authorized_user"}', "[]", "no JSON"):
        path.write_text(text)
        assert not has_store(Location("gs://lake", (("service_account", str(path)),)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Location("s3://north/t"), Location("s3://south/t")),
        (
            Location("s3://lake/t", (("endpoint", "http://one"),)),
            Location("s3://lake/t", (("endpoint", "http://other"),)),
        ),
        (Location(ABFSS), Location(ABFSS.replace("box", "crate"))),
    ],
    ids=["bucket", "server", "container"],
)
def test_no_two_stores_have_one_address(one: Location, other: Location) -> None:
    hosts = [engine_uri(each).split("/")[2] for each in (one, other)]

    assert hosts[0] != hosts[1]
    assert not any("@" in host for host in hosts)
    assert engine_uri(one) == engine_uri(Location(one.uri, one.storage_options))


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("s3://lake", {"access_key_id": KEY, "secret_access_key": SECRET}),
        (ABFSS, {"account_key": SECRET}),
        ("az://box", {"account_name": "account", "token": SECRET}),
    ],
)
def test_a_store_is_made_and_tells_no_secret(uri: str, options: dict[str, str]) -> None:
    location = Lake(uri, options).table(["t"])
    ctx = SessionContext()

    register_store(ctx, location)
    register_store(ctx, location)  # again changes nothing
    for text in (repr(location), repr(ctx), engine_uri(location)):
        assert SECRET not in text
        assert KEY not in text


@pytest.mark.parametrize(
    ("uri", "options", "said"),
    [
        ("az://box", {"account_key": SECRET}, "Account must be specified"),
        (
            "az://box",
            {"use_emulator": "true", "account_key": SECRET, "max_retries": "1"},
            "check the endpoint and the network",
        ),
        ("az://box", {"account_name": "a", "account_key": "no/b64"}, "Access Key"),
        ("gs://box", {"service_account": "/absent"}, "Unable to open service account"),
        ("gs://box", {"service_account_key": f"{{{SECRET}"}, "decode service account"),
    ],
)
def test_a_store_that_cannot_be_opened_is_told_without_its_secrets(
    uri: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(DeltaError) as failed:
        open_table(Lake(uri, options).table(["t"]))

    assert str(failed.value).startswith(f"{uri}/t: ")
    assert said in str(failed.value)
    for secret in (SECRET, "no/b64", "/absent"):
        assert secret not in str(failed.value)
