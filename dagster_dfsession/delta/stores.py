"""Storage options for the engine's object stores: the same ones as deltalake takes."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from datafusion import SessionContext
from datafusion.object_store import AmazonS3, GoogleCloud, MicrosoftAzure

from dagster_dfsession.delta.location import Location

Keys = Mapping[str, str]
"""deltalake's name of an option, less its prefix, and the engine's. Of two names for
one, the later is the one that counts."""

SERVICE_ACCOUNT = "service_account_path"
S3: Keys = MappingProxyType(
    {
        "access_key_id": "access_key_id",
        "secret_access_key": "secret_access_key",
        "session_token": "session_token",
        "token": "session_token",
        "default_region": "region",
        "region": "region",
        "endpoint": "endpoint",
        "endpoint_url": "endpoint",
        "allow_http": "allow_http",
        "imdsv1_fallback": "imdsv1_fallback",
    }
)
AZURE: Keys = MappingProxyType(
    {
        "account_name": "account",
        "account_key": "access_key",
        "access_key": "access_key",
        "bearer_token": "bearer_token",
        "token": "bearer_token",
        "client_id": "client_id",
        "client_secret": "client_secret",
        "tenant_id": "tenant_id",
        "authority_id": "tenant_id",
        "use_emulator": "use_emulator",
        "allow_http": "allow_http",
        "use_fabric_endpoint": "use_fabric_endpoint",
    }
)
GCS: Keys = MappingProxyType(
    {
        "service_account": SERVICE_ACCOUNT,
        "service_account_path": SERVICE_ACCOUNT,
        "application_credentials": SERVICE_ACCOUNT,
    }
)
_PREFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"s3": ("aws_",), "az": ("azure_storage_", "azure_"), "gs": ("google_",)}
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {"s3": "s3", "s3a": "s3", "gs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
)
_STORES: Mapping[str, tuple[Keys, Callable[..., Any]]] = MappingProxyType(
    {"s3": (S3, AmazonS3), "az": (AZURE, MicrosoftAzure), "gs": (GCS, GoogleCloud)}
)
_NEUTRAL = frozenset(
    {
        "conditional_put",
        "connect_timeout",
        "max_retries",
        "retry_timeout",
        "s3_allow_unsafe_rename",
        "timeout",
    }
)
"""Options that say nothing of where the bytes are or who may read them."""
_SWITCHES = frozenset(
    {"allow_http", "imdsv1_fallback", "use_emulator", "use_fabric_endpoint"}
)
_AZURE_HOST = ".core.windows.net"


def has_store(location: Location) -> bool:
    """Whether the engine can open the files of a table by itself.

    It knows fewer options than deltalake: with one that it lacks, it might read
    another place, or not be let in.
    """
    return location.is_local or store_arguments(location) is not None


def register_store(ctx: SessionContext, location: Location) -> None:
    """Let a context open the files of a table; a local one needs nothing.

    Raises:
        ValueError: There is no such store, as `has_store` would have said.
    """
    if location.is_local:
        return
    arguments = store_arguments(location)
    if arguments is None:
        message = f"the engine has no store for {location.uri}"
        raise ValueError(message)
    address = urlsplit(location.uri)
    _, make = _STORES[_KINDS[address.scheme]]
    ctx.register_object_store(
        f"{address.scheme}://",
        make(_bucket(address), **arguments),
        host=_host(location, address),
    )


def engine_uri(location: Location) -> str:
    """Return the percent-encoded address by which the engine knows a table.

    The engine tells stores apart by the host of an address alone. Two servers may each
    have a bucket of one name, two lakes open one bucket with different keys, and in
    `abfss://container@account` the container is no part of the host.

    Examples:
        >>> engine_uri(Location("/my lake/t"))
        'file:///my%20lake/t'
    """
    if location.is_local:
        return f"file://{quote(location.uri)}"
    address = urlsplit(location.uri)
    return f"{address.scheme}://{_host(location, address)}{quote(address.path)}"


def store_arguments(location: Location) -> dict[str, Any] | None:
    """Return what the engine's class of the store is made with; None: it lacks some.

    Examples:
        >>> options = (("AWS_REGION", "eu-central-1"), ("endpoint_url", "http://a:9"))
        >>> store_arguments(Location("s3://lake/t", options))
        {'region': 'eu-central-1', 'endpoint': 'http://a:9'}
    """
    address = urlsplit(location.uri)
    kind = _KINDS.get(address.scheme)
    if kind is None:
        return None
    keys, _ = _STORES[kind]
    given = {_plain(k, kind): value for k, value in location.storage_options}
    if set(given) - set(keys) - _NEUTRAL:
        return None
    # deltalake looks there for what the options leave out.
    named = _from_environment(kind, keys) | {
        k: v for k, v in given.items() if k in keys
    }
    found: dict[str, Any] = {
        keys[key]: _is_on(named[key]) if key in _SWITCHES else named[key]
        for key in keys
        if key in named
    }
    if kind == "az" and "@" in address.netloc:
        account, dot, domain = address.netloc.partition("@")[2].partition(".")
        found.setdefault("account", account)
        if not f"{dot}{domain}".endswith(_AZURE_HOST):
            return None
    return found if _is_enough(kind, found) else None


def _host(location: Location, address: SplitResult) -> str:
    # Python salts the hash of a text: nothing can be told of the secrets from it.
    opened = hash((address.netloc, location.storage_options)) & (2**64 - 1)
    return f"{opened:016x}.{_bucket(address)}"


def _bucket(address: SplitResult) -> str:
    return address.netloc.partition("@")[0]


def _is_enough(kind: str, found: Mapping[str, Any]) -> bool:
    """Whether the engine can make the store; with less than that it panics."""
    if kind == "az":
        return "account" in found or found.get("use_emulator", False)
    return SERVICE_ACCOUNT not in found or _is_service_account(found[SERVICE_ACCOUNT])


def _is_service_account(path: str) -> bool:
    """Whether credentials of Google are of the one type that the engine takes."""
    try:
        credentials = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return False
    return (
        isinstance(credentials, dict) and credentials.get("type") == "service_account"
    )


def _from_environment(kind: str, keys: Iterable[str]) -> dict[str, str]:
    spelt = {
        f"{prefix}{key}".upper(): key for prefix in _PREFIXES[kind] for key in keys
    }
    return {key: os.environ[name] for name, key in spelt.items() if name in os.environ}


def _plain(key: str, kind: str) -> str:
    lower = key.lower()
    for prefix in _PREFIXES[kind]:
        if lower.startswith(prefix):
            return lower.removeprefix(prefix)
    return lower


def _is_on(value: str) -> bool:
    return value.strip().lower() in ("1", "true", "yes", "on", "y", "t")
