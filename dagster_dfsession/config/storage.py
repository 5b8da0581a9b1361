"""Secrets on their way in: masked fields, environment variables, dagster-deltalake."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
from pydantic import Field

from dagster_dfsession.errors import SessionError

NOT_OPTIONS = frozenset({"provider", "bucket"})
"""Fields of dagster-deltalake's config classes that say what the address says."""
RENAMED = MappingProxyType(
    {
        "allow_unsafe_rename": "aws_s3_allow_unsafe_rename",
        "checksum": "checksum_algorithm",
    }
)
"""Fields whose own names deltalake ignores."""
OPTIONS = "storage_options"
ENV_VARS = (dg.EnvVar, type(dg.EnvVar.int("ANY")))
"""The classes of Dagster's environment variables; numbers have no public one."""


if TYPE_CHECKING:  # what may be given; it is made a plain mapping before it is checked
    StorageOptions: TypeAlias = Mapping[str, str] | dg.Config
else:
    StorageOptions = dict[str, str]


def SecretOptions(description: str) -> Any:  # noqa: N802  # stands where pydantic's Field would
    """Return a field for storage options that the Dagster page masks."""
    return Field(
        default_factory=dict,
        description=description,
        json_schema_extra={"dagster__is_secret": True},
    )


def plain_options(options: Any) -> Any:
    """Return a config class of dagster-deltalake as a plain mapping, others as is.

    `EnvVar` stays what it is: Dagster then stores the name and not the secret.

    Examples:
        >>> from dagster_deltalake import S3Config
        >>> options = plain_options(S3Config(region="eu-central-1", checksum="sha256"))
        >>> options["region"], options["checksum_algorithm"]
        ('eu-central-1', 'sha256')
    """
    if not isinstance(options, dg.Config):
        return options
    fields = {name: getattr(options, name) for name in type(options).model_fields}
    return {
        RENAMED.get(name, name): value if isinstance(value, str) else str(value).lower()
        for name, value in fields.items()
        if value is not None and name not in NOT_OPTIONS
    }


def with_plain_options(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource's arguments with plain storage options.

    This has to be done before the constructor of Dagster: an `EnvVar` survives it in a
    mapping, but in a config class becomes a text, its own name.
    """
    return {
        name: plain_options(value) if name == OPTIONS else value
        for name, value in fields.items()
    }


def resolved_options(options: StorageOptions) -> dict[str, str]:
    """Return options with every `EnvVar` read.

    Dagster reads them itself, but not where a launch overrides another field.

    Raises:
        SessionError: A variable is not set.
    """
    return {
        key: resolved(value, f"{OPTIONS}[{key!r}]")
        for key, value in plain_options(options).items()
    }


def resolved(value: Any, field: str) -> Any:
    """Return a value of the config; if it is an `EnvVar`, what that stands for.

    Raises:
        SessionError: The variable is not set.
    """
    if not isinstance(value, ENV_VARS):
        return value
    found = value.get_value()
    if found is None:
        raise SessionError(
            f"{field} is to be read from the environment variable "
            f"{value.env_var_name}, which is not set here"
        )
    return found


def has_variables(config: Any) -> bool:
    """Return whether a part of a config is an `EnvVar`, known only where it runs."""
    if isinstance(config, Mapping):
        return any(map(has_variables, config.values()))
    if isinstance(config, dg.Config):
        return has_variables(dict(config))
    if isinstance(config, list | tuple):
        return any(map(has_variables, config))
    return isinstance(config, ENV_VARS)
