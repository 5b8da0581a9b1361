"""How the rows of an asset become the files of its table."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen

Determinism: TypeAlias = Literal["canonical", "stable", "best_effort"]


class MaterializationProfile(Frozen, frozen=True):
    """Defaults of a materialization; an asset's metadata may say otherwise.

    Attributes:
        determinism: What two runs of one query over the same inputs have in common.
            `canonical`: the bytes of their data files. `stable`: the rows, and their
            order in each file. `best_effort`: the rows. The first two sort by all
            columns and hold the rows of a write in memory.
        streaming: False: a query that fails on its way leaves no file in the storage.
    """

    determinism: Annotated[
        Determinism,
        Meta(
            description="What is the same in two runs: the bytes of files (canonical), "
            "rows in their order (stable), or rows (best_effort)."
        ),
    ] = "best_effort"
    streaming: Annotated[
        bool,
        Meta(
            description="Write rows while they are computed. Off: they are set aside "
            "on disk first, and written once all are there."
        ),
    ] = True
