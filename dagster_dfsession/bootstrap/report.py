"""What a zero-row bootstrap found."""

from collections import Counter
from typing import Literal

from dagster_dfsession.errors import Place
from dagster_dfsession.profile.base import Frozen

Status = Literal["ok", "assumed", "unknown", "mismatch", "failed", "blocked"]

HARMLESS: frozenset[Status] = frozenset({"ok", "assumed", "unknown"})


class Fault(Frozen, frozen=True):
    """What an asset falls over.

    Attributes:
        name: The column, table, function or parameter; None: the text itself.
        places: Line and column of each place where the query has it, counted from 1;
            empty: it has it nowhere.
        suggestion: What was probably meant in its place.
    """

    name: str | None = None
    places: tuple[Place, ...] = ()
    suggestion: str | None = None


class BootstrapItem(Frozen, frozen=True):
    """What became of one asset.

    Attributes:
        asset: Its key, as `raw/flights`.
        status: `ok`: it was planned, and fits. `assumed`: its columns were taken from
            its contract or its table. `unknown`: nobody knows its columns. `mismatch`:
            it makes other columns than its contract or its table has. `failed`: its
            query does not plan, or it raised. `blocked`: it reads one of those.
        message: What is wrong, and what to do.
        faults: What exactly, as far as it can be told.
        causes: Of an asset that waits for others: those to be put right first.
    """

    asset: str
    status: Status
    message: str = ""
    faults: tuple[Fault, ...] = ()
    causes: tuple[str, ...] = ()


class BootstrapReport(Frozen, frozen=True):
    """What became of all assets, each after those it reads.

    It holds no time and no address: the same graph gives the same report.
    """

    items: tuple[BootstrapItem, ...]

    @property
    def success(self) -> bool:
        """Whether every asset fits."""
        return not self.affected

    @property
    def affected(self) -> tuple[BootstrapItem, ...]:
        """The assets that a run would fail on, or not come to."""
        return tuple(each for each in self.items if each.status not in HARMLESS)

    @property
    def counts(self) -> dict[Status, int]:
        """How many assets there are of each status, by its name."""
        found = Counter(each.status for each in self.items)
        return {status: found[status] for status in sorted(found)}
