"""From an asset's metadata to what two of its runs have in common."""

from collections.abc import Mapping
from typing import Any

from dagster_dfsession.errors import DeltaError, ProfileError
from dagster_dfsession.profile.materialization import MaterializationProfile

DETERMINISM = "determinism"
STREAMING = "streaming"


def asset_policy(metadata: Mapping[str, Any], asset: str) -> dict[str, Any]:
    """Return the fields of a target that an asset's metadata says of its runs.

    Raises:
        DeltaError: A value is none of those there are.

    Examples:
        >>> asset_policy({"determinism": "stable", "owner": "me"}, "flights")
        {'determinism': 'stable'}
    """
    stated = {
        name: metadata[name] for name in (DETERMINISM, STREAMING) if name in metadata
    }
    try:
        MaterializationProfile(**stated)
    except ProfileError as error:
        raise DeltaError(
            f"the metadata of asset {asset!r}: {error}; determinism is 'canonical', "
            "'stable' or 'best_effort', and streaming True or False"
        ) from None
    return stated
