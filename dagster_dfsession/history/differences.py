"""Two runs held against each other, asset by asset."""

import textwrap
from collections.abc import Iterator, Sequence

import dagster as dg

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.history.materializations import materialized_by
from dagster_dfsession.materialization.records import (
    Change,
    InputRecord,
    SessionRecord,
    session_changes,
)
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.replay.differences import (
    FunctionChange,
    split_changes,
    text_difference,
)
from dagster_dfsession.replay.materialized import Materialized, read_record
from dagster_dfsession.replay.report import change_lines, function_lines

NO_QUERY = "its rows did not come from a query"


class AssetDifference(Frozen, frozen=True, kw_only=True):
    """What two runs made differently of one asset.

    Attributes:
        session: Settings, memory and versions.
        functions: User functions, with what changed in their text.
        plan: Of the optimized query, a unified diff; empty where it is the same.
        inputs: Versions and partitions of the tables that were read.
        written: Partitions, rows and version of the table itself.
    """

    asset: str
    session: tuple[Change, ...] = ()
    functions: tuple[FunctionChange, ...] = ()
    plan: str = ""
    inputs: tuple[Change, ...] = ()
    written: tuple[Change, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is different, but for the version of the table."""
        return not (self.session or self.functions or self.plan or self.inputs) and all(
            each.what == VERSION for each in self.written
        )


class RunDifference(Frozen, frozen=True):
    """What two runs made differently.

    Attributes:
        only_before: Assets that the first run alone has materialized.
        only_after: Those of the second alone.
        assets: Those of both, sorted.
    """

    before: str
    after: str
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    assets: tuple[AssetDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both did the same, and came to as many rows."""
        alone = self.only_before or self.only_after
        return not alone and all(each.is_empty for each in self.assets)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


ROWS, VERSION, PARTITIONS = "rows", "table version", "partitions"


def run_difference(
    instance: dg.DagsterInstance, before: str, after: str, lakes: Sequence[Lake]
) -> RunDifference:
    """Return what two runs made differently; nothing is run.

    Args:
        instance: Whose event log is read.
        before: Id of a run, or its beginning.
        after: Of the other.
        lakes: In which the records are.

    Raises:
        RecordError: A run is not there or recorded nothing, or a record is damaged.
    """
    left, right = (materialized_by(instance, run) for run in (before, after))
    return RunDifference(
        before=next(iter(left.values())).run_id,
        after=next(iter(right.values())).run_id,
        only_before=tuple("/".join(key) for key in sorted(left.keys() - right.keys())),
        only_after=tuple("/".join(key) for key in sorted(right.keys() - left.keys())),
        assets=tuple(
            _asset_difference(left[key], right[key], lakes)
            for key in sorted(left.keys() & right.keys())
        ),
    )


def _asset_difference(
    left: Materialized, right: Materialized, lakes: Sequence[Lake]
) -> AssetDifference:
    before, after = read_record(left, lakes), read_record(right, lakes)
    session, functions = split_changes(
        session_changes(before.session, after.session), before.sources, after.sources
    )
    return AssetDifference(
        asset="/".join(left.asset),
        session=session,
        functions=functions,
        plan=text_difference(_plan(before), _plan(after)),
        inputs=tuple(_input_changes(before.inputs, after.inputs)),
        written=tuple(
            Change(what=what, before=old, after=new)
            for what, old, new in (
                (PARTITIONS, _partitions(before), _partitions(after)),
                (ROWS, _count(left.rows), _count(right.rows)),
                (VERSION, str(left.version), str(right.version)),
            )
            if old != new
        ),
    )


def _plan(record: SessionRecord) -> str:
    return NO_QUERY if record.query is None else record.query.plan


def _partitions(record: SessionRecord) -> str | None:
    keys = () if record.written is None else record.written.partition_keys
    return ", ".join(keys) or None


def _count(rows: int | None) -> str | None:
    return None if rows is None else f"{rows:,}"


def _input_changes(
    before: Sequence[InputRecord], after: Sequence[InputRecord]
) -> Iterator[Change]:
    left = {each.table: _read(each) for each in before}
    right = {each.table: _read(each) for each in after}
    for table in sorted({*left, *right}):
        if left.get(table) != right.get(table):
            yield Change(what=table, before=left.get(table), after=right.get(table))


def _read(record: InputRecord) -> str:
    since = "" if record.since is None else f"changes after version {record.since} to "
    of = f" [{', '.join(record.partitions)}]" if record.partitions else ""
    given = record.narrowing
    filters = given.filters if given is not None and not record.partitions else ()
    columns = () if given is None else given.columns or ()
    narrowed = [
        *(f" where {each}" for each in filters),
        *([f" columns {', '.join(columns)}"] if columns else []),
    ]
    return f"{since}version {record.version}{of}{''.join(narrowed)}"


def _lines(found: RunDifference) -> Iterator[str]:
    yield f"run {found.before} against run {found.after}"
    for name in found.only_before:
        yield f"{name}: in the first run alone"
    for name in found.only_after:
        yield f"{name}: in the second run alone"
    for each in found.assets:
        yield f"{each.asset}: {'no difference' if each.is_empty else 'different'}"
        told = [
            *change_lines("session", each.session),
            *function_lines(each.functions),
            *change_lines("inputs", each.inputs),
            *change_lines("written", each.written),
        ]
        if each.plan:
            told += ["plan", *textwrap.indent(each.plan, "  ").splitlines()]
        yield from (f"  {line}" for line in told)
