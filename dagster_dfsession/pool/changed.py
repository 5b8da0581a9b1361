"""A table of which a step reads what changed."""

from collections.abc import Iterable, Iterator, Mapping

from datafusion.catalog import Table

from dagster_dfsession.delta.changes import START, changes
from dagster_dfsession.delta.cursor import Cursor, Position
from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.pool.inputs import LoadedInput
from dagster_dfsession.pool.tables import OpenedTable


class ChangedTable(OpenedTable):
    """The rows of an opened table that changed since a position.

    Attributes:
        since: The last version that was read before.
        position: How far the table is read once these rows are.
        turns: Address of a table that is made of the changes -> how often each turn
            of theirs was taken when they were read.
    """

    def __init__(
        self,
        opened: OpenedTable,
        before: Position | None,
        turns: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Find the files of the changes; their rows are read with the query.

        Args:
            opened: The table, at the last version that counts.
            before: How far it was read; None: it never was.
            turns: As they were before `before` was found out.

        Raises:
            DeltaError: What changed is not known, or it is another table by now.
        """
        super().__init__(opened.name, opened.key, opened.location, opened.delta)
        own = str(self.delta.metadata().id)
        if before is not None and before.table != own:
            raise DeltaError(
                f"{self.location}: it was read up to version {before.version}, but the "
                "table was made anew since then, so what changed is not known. "
                "Read the whole table once."
            )
        self.since = START if before is None else before.version
        self.turns = turns
        # Another run may have read on, beyond the version that this one has pinned.
        self.position = Position(own, max(self.version, self.since))
        self.table = Table(changes(self.delta, self.location, self.since))

    def why_not_native(self, _: object) -> str:
        """Return that the files of changes are not those of the table."""
        return "only what changed is read"

    def content(self, keys: tuple[str, ...] | None) -> str:
        """Return what these rows are called: equal only where they are equal."""
        return content_hash(
            "changes",
            1,
            {
                "table": self.position.table,
                "since": self.since,
                "until": self.position.version,
                "partitions": keys,
            },
        )


def cursor_of(inputs: Iterable[LoadedInput]) -> Cursor:
    """Return how far the tables are read whose changes are among the inputs."""
    return {"/".join(each.key): each.position for each in _changed(inputs)}


def turns_of(inputs: Iterable[LoadedInput], location: Location) -> dict[str, int]:
    """Return how often each turn of these changes was taken in a table made of them."""
    return {
        turn: taken
        for each in _changed(inputs)
        for turn, taken in each.turns.get(location.uri, {}).items()
    }


def _changed(inputs: Iterable[LoadedInput]) -> Iterator[ChangedTable]:
    for each in inputs:
        if isinstance(each.opened, ChangedTable):
            yield each.opened
