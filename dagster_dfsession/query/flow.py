"""What flows through a query: from columns of tables to columns of a result."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from typing_extensions import Self

from dagster_dfsession.errors import QueryError

JoinSides = Literal["both", "left", "right", "left and mark", "right and mark"]


class SourceColumn(NamedTuple):
    """A column of a table that a query reads."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


Sources = frozenset[SourceColumn]
NOTHING: Sources = frozenset()


class Flow(NamedTuple):
    """What the columns of one step of a query are made of.

    Attributes:
        columns: For each column by its place, what its values are made from.
        influence: What decides which rows there are, or how they are put together.
    """

    columns: tuple[Sources, ...]
    influence: Sources = NOTHING

    @classmethod
    def of_table(cls, table: str, names: Iterable[str]) -> Self:
        """Return the columns of a table."""
        return cls(tuple(frozenset({SourceColumn(table, name)}) for name in names))

    def at(self, place: int) -> Sources:
        """Return what a column is made from.

        Raises:
            QueryError: There is no such column: a plan was not understood.
        """
        if not 0 <= place < len(self.columns):
            raise QueryError(f"column {place} of {len(self.columns)} is asked for")
        return self.columns[place]

    def having(self, columns: Iterable[Sources]) -> Self:
        """Return the same rows with other columns."""
        return self._replace(columns=tuple(columns))

    def influenced_by(self, *sources: Sources) -> Self:
        """Return the same columns, whose rows depend on more."""
        return self._replace(influence=self.influence.union(*sources))

    def joined(self, right: "Flow", on: Sources, sides: JoinSides = "both") -> Self:
        """Return the rows of a join; a mark says whether there is a partner."""
        mine = self.columns if sides in ("both", "left", "left and mark") else ()
        yours = right.columns if sides in ("both", "right", "right and mark") else ()
        mark = (NOTHING,) if sides.endswith("mark") else ()
        influence = self.influence | right.influence | on
        return self._replace(columns=(*mine, *yours, *mark), influence=influence)


def united(flows: Sequence[Flow]) -> Flow:
    """Return the rows of all, column by column.

    Raises:
        QueryError: They have not equally many columns: a plan was not understood.

    Examples:
        >>> a, b = Flow.of_table("a", ["x"]), Flow.of_table("b", ["y"])
        >>> sorted(map(str, united([a, b]).at(0)))
        ['a.x', 'b.y']
    """
    if len({len(each.columns) for each in flows}) != 1:
        raise QueryError("a union of rows with different columns")
    columns = zip(*(each.columns for each in flows), strict=True)
    return Flow(
        tuple(NOTHING.union(*sources) for sources in columns),
        NOTHING.union(*(each.influence for each in flows)),
    )
