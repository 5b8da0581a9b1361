"""What the session calls its tables."""

from typing import Annotated

from msgspec import Meta

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.profile.base import Frozen, Identifier

RESERVED = frozenset({"information_schema", "dfsession"})


class CatalogProfile(Frozen, frozen=True):
    """Names of the default catalog and schema.

    Raises:
        ProfileError: `information_schema` is off, or a name is reserved.
    """

    default_catalog: Annotated[
        Identifier, Meta(description="Catalog that holds the lake's tables.")
    ] = "lake"
    default_schema: Annotated[
        Identifier, Meta(description="Schema of tables with a one-part asset key.")
    ] = "public"
    information_schema: Annotated[
        bool, Meta(description="Must stay on: settings are read back through it.")
    ] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.information_schema:
            raise ProfileError.at(
                "CatalogProfile.information_schema",
                "must be true: effective settings and functions are read through it",
            )
        for field in ("default_catalog", "default_schema"):
            if getattr(self, field) in RESERVED:
                raise ProfileError.at(
                    f"CatalogProfile.{field}",
                    f"{getattr(self, field)!r} is reserved; choose another name",
                )
