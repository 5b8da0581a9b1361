"""What a run wrote to its table, found again in the table's log."""

import itertools

import msgspec
import pyarrow as pa
from datafusion import DataFrame, SessionContext
from datafusion.catalog import Table
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.changes import added_rows
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import LONGEST_WALK, partition_keys
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import ASSET, RUN_ID, Commit, commits_backwards
from dagster_dfsession.delta.partitions import partition_predicate
from dagster_dfsession.delta.predicate import to_sql
from dagster_dfsession.delta.provider import provider_of
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import DeltaError, RecordError
from dagster_dfsession.materialization.records import WriteRecord
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.replay.materialized import Materialized
from dagster_dfsession.replay.reopened import check_files


class Written(msgspec.Struct, frozen=True):
    """A run's write.

    Attributes:
        how: As it was recorded.
        table: At the version that holds it, before it was clustered.
        before: What it was merged into; None: the write was no merge.
    """

    how: WriteRecord
    location: Location
    table: DeltaTable
    before: DeltaTable | None

    @property
    def schema(self) -> pa.Schema:
        """The columns of the table."""
        return table_schema(self.table)

    def rows(self, ctx: SessionContext) -> DataFrame:
        """Return the rows that the run owns in the table, as they were written.

        Of an append, those it added; of a merge, all that were there afterwards.

        Raises:
            DeltaError: Data files are gone.
        """
        if self.how.mode == "append":
            return ctx.read_table(Table(added_rows(self.table, self.location)))
        self._check(self.table)
        rows = ctx.read_table(Table(provider_of(self.table, self.location)))
        own = self._own(self.schema)
        return rows if own is None else rows.filter(own)

    def prepare(self, place: Location) -> None:
        """Make a table to which the replay can write as the run wrote to its own.

        It is empty, but for a merge: that finds the rows that the run owns, as they
        were before.

        Raises:
            DeltaError: Data files are gone, or the place cannot be written to.
        """
        like = self.before or self.table
        with delta_errors(place.uri):
            DeltaTable.create(
                place.uri,
                table_schema(like),
                partition_by=like.metadata().partition_columns,
            )
        if self.before is None:
            return
        self._check(self.before)
        own = self._own(table_schema(self.before))
        with delta_errors(self.location.uri, self.location.secrets):
            scan = self.before.scan(predicate=own)
            rows = pa.RecordBatchReader.from_stream(scan)
        write_table(WriteRequest(location=place, mode="append"), rows)

    def _own(self, schema: pa.Schema) -> str | None:
        """Return which rows the run owns, as SQL; None: all."""
        if self.how.partitions is None:
            return None
        return to_sql(partition_predicate(self.how.partitions, schema), schema)

    def _check(self, table: DeltaTable) -> None:
        name = ("", "/".join(self.how.key))
        check_files(OpenedTable(name, self.how.key, self.location, table))


def find_written(made: Materialized, how: WriteRecord, location: Location) -> Written:
    """Find what a materialization wrote.

    Args:
        made: The materialization.
        how: As its record says.
        location: The table.

    Raises:
        RecordError: The run wrote nothing, or the log no longer tells what.
        DeltaError: The table is gone, or lacks the version.
    """
    newest = open_table(location, made.version)
    if newest is None:
        raise DeltaError(f"{location}: there is no table any more")
    commit = _commit(made, how, location)
    merged = how.mode == "merge"
    if commit is None:
        if merged:  # and no row differed
            return Written(how, location, newest, newest)
        why = (
            "in mode 'ignore' it found rows and wrote nothing"
            if how.mode == "ignore"
            else f"the log of {location} no longer has its commit"
        )
        raise RecordError(f"{made} cannot be compared with anything: {why}")
    table = open_table(location, commit.version)
    before = open_table(location, commit.version - 1) if merged else None
    if table is None or (merged and before is None):
        raise DeltaError(f"{location}: the table is gone while it is read")
    return Written(how, location, table, before)


def _commit(made: Materialized, how: WriteRecord, location: Location) -> Commit | None:
    """Return the commit of the run; clustering may have come after it."""
    asset, keys = "/".join(how.key), frozenset(how.partition_keys)
    commits = commits_backwards(LakeFiles(location), made.version)
    for commit in itertools.islice(commits, LONGEST_WALK):
        is_own = (
            commit.info.get(RUN_ID) == made.run_id
            and commit.info.get(ASSET) == asset
            and (partition_keys(commit) or frozenset()) == keys
        )
        if is_own:
            return commit
        if commit.changes_data:
            return None
    return None
