"""What an engine is asked for: rows of a query, over tables at their versions."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from dagster_dfsession.delta.location import Location


class TableAt(NamedTuple):
    """A Delta table at one version; nothing that is committed later is seen."""

    location: Location
    version: int


class Engine(Protocol):
    """Runs whole queries; what it returns, others commit.

    Attributes:
        name: With the version, as `sail 0.7.2`. It is part of what the rows are
            called: two engines may add up floats in another order.
    """

    @property
    def name(self) -> str:
        """With the version.

        Raises:
            SessionError: Only the engine knows it, and cannot be reached.
        """

    def execute(
        self,
        query: str | bytes,
        tables: Mapping[str, TableAt],
        params: Mapping[str, Any],
    ) -> pa.RecordBatchReader:
        """Run a query, and return its rows once it is certain that there are all.

        Args:
            query: SQL, or a logical plan as bytes, for engines that read those.
            tables: What the names of the query mean, as it spells them. A plan has
                its tables within it.
            params: Values by name, for `$name` in SQL.

        Raises:
            QueryError: The engine does not take such a query, refused it, or failed.
            SessionError: The engine cannot be reached.
        """
