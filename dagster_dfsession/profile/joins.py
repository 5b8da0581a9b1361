"""How joins are executed."""

from typing import Annotated

from msgspec import Meta

from dagster_dfsession.profile.base import MIB, Frozen


class JoinsProfile(Frozen, frozen=True):
    """When a hash join divides its sides among partitions."""

    collect_left_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description=(
                "Estimated bytes of a join's smaller side up to which all partitions "
                "share one hash table of it; above, both sides are divided by key."
            ),
        ),
    ] = 32 * MIB
    collect_left_rows: Annotated[
        int,
        Meta(ge=0, description="The same in rows, where the bytes are not known."),
    ] = 2_000_000
