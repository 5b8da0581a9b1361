"""Optimizer features that can be turned off one by one."""

from typing import Annotated

from msgspec import Meta, structs
from typing_extensions import Self

from dagster_dfsession.profile.base import Frozen


class FeaturesProfile(Frozen, frozen=True):
    """Feature gates of the engine's optimizer."""

    dynamic_filters: Annotated[
        bool, Meta(description="Filters found while a query runs, pushed into scans.")
    ] = True
    join_dynamic_filters: Annotated[
        bool, Meta(description="Dynamic filters from the build side of joins.")
    ] = True
    aggregate_dynamic_filters: Annotated[
        bool, Meta(description="Dynamic filters from min and max aggregates.")
    ] = True
    topk_dynamic_filters: Annotated[
        bool, Meta(description="Dynamic filters from ORDER BY ... LIMIT.")
    ] = True
    sort_pushdown: Annotated[
        bool, Meta(description="Push required orders down into scans.")
    ] = True
    unpruned_symmetric_joins: Annotated[
        bool, Meta(description="Allow symmetric hash joins that cannot be pruned.")
    ] = True

    @property
    def gated(self) -> Self:
        """The same with every kind of dynamic filter off where all of them are.

        To the engine, the gate of them all only sets those of the kinds.
        """
        on = self.dynamic_filters
        return structs.replace(
            self,
            join_dynamic_filters=on and self.join_dynamic_filters,
            aggregate_dynamic_filters=on and self.aggregate_dynamic_filters,
            topk_dynamic_filters=on and self.topk_dynamic_filters,
        )
