"""Storage options: a masked field, Dagster's environment variables, dagster-deltalake."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

NOT_OPTIONS = frozenset({"provider", "bucket"})
"""Fields of dagster-deltalake's config classes that say what the address says."""


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
        >>> plain_options(S3Config(region="eu-central-1"))
        {'region': 'eu-central-1'}
    """
    if not isinstance(options, dg.Config):
        return options
    fields = {name: getattr(options, name) for name in type(options).model_fields}
    return {
        name: value if isinstance(value, str) else str(value).lower()
        for name, value in fields.items()
        if value is not None and name not in NOT_OPTIONS
    }


def resolved_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return options with every `EnvVar` read.

    Dagster reads them itself, but not where a launch overrides another field.

    Raises:
        DagsterInvalidConfigError: A variable is not set.
    """
    return {
        key: str(value.get_value()) if isinstance(value, dg.EnvVar) else value
        for key, value in options.items()
    }
