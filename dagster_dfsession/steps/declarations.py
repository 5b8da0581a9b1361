"""From an asset's metadata to what its table is created with beside its columns."""

from collections.abc import Mapping
from typing import Any

from dagster_dfsession.delta.properties import Declared
from dagster_dfsession.errors import DeltaError, ProfileError

TABLE_PROPERTIES = "table_properties"
CONSTRAINTS = "constraints"


def asset_declared(metadata: Mapping[str, Any], asset: str) -> Declared:
    """Return the properties and constraints that an asset's table is created with.

    Raises:
        DeltaError: One of them is no mapping of texts to texts.

    Examples:
        >>> asset_declared({"constraints": {"positive": "x > 0"}}, "numbers")
        Declared(properties={}, constraints={'positive': 'x > 0'})
    """
    properties = metadata.get(TABLE_PROPERTIES, {})
    constraints = metadata.get(CONSTRAINTS, {})
    try:
        return Declared(properties=properties, constraints=constraints)
    except ProfileError as error:
        raise DeltaError(
            f"the metadata of asset {asset!r}: {TABLE_PROPERTIES} and {CONSTRAINTS} "
            "map texts to texts, as {'delta.appendOnly': 'true'} and "
            f"{{'positive': 'x > 0'}}; {error}"
        ) from error
