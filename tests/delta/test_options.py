import pytest

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.options import RETRY_TIMEOUT, is_readable, with_defaults


def test_a_store_is_given_up_earlier_than_deltalake_would() -> None:
    assert Lake("s3://b").root.options == {"retry_timeout": RETRY_TIMEOUT}
    given = {"retry_timeout": "3m", "max_retries": "20"}
    assert Lake("s3://b", given).root.options == given


def test_a_local_lake_has_the_options_it_was_given() -> None:
    assert Lake("/lake", {"x": "y"}).root.options == {"x": "y"}


@pytest.mark.parametrize("key", ["endpoint", "AWS_ENDPOINT_URL", "aws_endpoint"])
def test_an_http_endpoint_allows_http(key: str) -> None:
    assert with_defaults({key: "HTTP://127.0.0.1:1"})["allow_http"] == "true"
    assert "allow_http" not in with_defaults({key: "https://127.0.0.1:1"})


@pytest.mark.parametrize("key", ["allow_http", "aws_allow_http", "AWS_ALLOW_HTTP"])
def test_http_that_is_forbidden_stays_so(key: str) -> None:
    options = {"endpoint": "http://127.0.0.1:1", key: "false"}
    assert with_defaults(options).items() - {
        "retry_timeout": RETRY_TIMEOUT
    }.items() == (options.items())


def test_an_endpoint_of_another_service_allows_nothing() -> None:
    assert "allow_http" not in with_defaults(
        {"metadata_endpoint": "http://127.0.0.1:1"}
    )


@pytest.mark.parametrize(
    "key",
    [
        "aws_secret_access_key",
        "AWS_SESSION_TOKEN",
        "account_key",
        "sas_key",
        "anything",
    ],
)
def test_a_key_that_is_not_known_is_a_secret(key: str) -> None:
    assert not is_readable(key, "x")


def test_an_endpoint_with_a_password_is_a_secret() -> None:
    options = {"endpoint": "https://me:hunter2@store", "aws_region": "eu-central-1"}
    assert Lake("s3://b", options).root.secrets == ("https://me:hunter2@store",)
