"""Storage options for the engine's object stores: the same ones as deltalake takes."""

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from datafusion import SessionContext
from datafusion.object_store import AmazonS3, GoogleCloud, MicrosoftAzure

from dagster_dfsession.delta.location import Location

Keys = Mapping[str, str]

S3: Keys = MappingProxyType(
    {
        "access_key_id": "access_key_id",
        "secret_access_key": "secret_access_key",
        "session_token": "session_token",
        "token": "session_token",
        "region": "region",
        "default_region": "region",
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
        "service_account": "service_account_path",
        "service_account_path": "service_account_path",
        "application_credentials": "service_account_path",
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


def has_store(location: Location) -> bool:
    """Whether the engine can open the files of a table by itself.

    It knows fewer options than deltalake: with one that it lacks, it might read
    another place, or not be let in.
    """
    return location.is_local or _arguments(location) is not None


def register_store(ctx: SessionContext, location: Location) -> None:
    """Let a context open the files of a table; a local one needs nothing.

    Raises:
        ValueError: There is no such store, as `has_store` would have said.
    """
    if location.is_local:
        return
    arguments = _arguments(location)
    if arguments is None:
        message = f"the engine has no store for {location.uri}"
        raise ValueError(message)
    address = urlsplit(location.uri)
    _, make = _STORES[_KINDS[address.scheme]]
    bucket = address.netloc.partition("@")[0]
    ctx.register_object_store(
        f"{address.scheme}://", make(bucket, **arguments), host=address.netloc
    )


def _arguments(location: Location) -> dict[str, Any] | None:
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
        keys[key]: _is_on(value) if key in _SWITCHES else value
        for key, value in named.items()
    }
    if kind == "az" and "@" in address.netloc:
        found.setdefault("account", address.netloc.partition("@")[2].split(".")[0])
    return found


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
