"""What an asset is given that reads changes; importing this needs no engine."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datafusion import DataFrame


class Changes(msgspec.Struct, frozen=True):
    """The rows of an upstream table that changed since the asset last read it.

    As the annotation of a parameter, it asks for them. How far an asset has read is
    part of the commit that it writes, so each change is read for one commit, however
    often a run fails before, in or after it. In an asset with partitions, each of
    them reads for itself.

    Attributes:
        frame: The rows, lazy, with the columns of the table and `_change_type`
            (`insert`, `delete`, `update_preimage`, `update_postimage`),
            `_commit_version` and `_commit_timestamp`. The parameter's name means the
            same rows in queries of the step.
        since: The last version that was read before; None: none was, and all rows
            are inserts.
        until: The last version that is read now.

    Examples:
        ```python
        @dg.asset(metadata={"mode": "append"})
        def late_flights(flights: Changes) -> DataFrame:
            return flights.frame.filter("arr_delay > 60 AND _change_type = 'insert'")
        ```
    """

    frame: "DataFrame"
    since: int | None
    until: int
