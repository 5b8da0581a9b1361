"""Two runs held against each other, asset by asset."""

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import msgspec

from dagster_dfsession.delta.history import BY_VERSION
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.history.materializations import materialized_by
from dagster_dfsession.materialization.records import (
    Change,
    InputRecord,
    QueryRecord,
    WriteRecord,
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
        plan: Of the optimized query, a unified diff, or of its SQL where its plan
            reads the same; empty where it is the same query.
        inputs: Versions, partitions and content of the tables that were read.
        written: How the table was written, and what it came to: partitions, rows,
            their data version where it tells them apart, version of the table.
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
CONTENT = "data version"


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
        before=next(iter(left.values()))[-1].run_id,
        after=next(iter(right.values()))[-1].run_id,
        only_before=tuple("/".join(key) for key in sorted(left.keys() - right.keys())),
        only_after=tuple("/".join(key) for key in sorted(right.keys() - left.keys())),
        assets=tuple(
            _asset_difference(left[key], right[key], lakes)
            for key in sorted(left.keys() & right.keys())
        ),
    )


def _asset_difference(
    left: Sequence[Materialized], right: Sequence[Materialized], lakes: Sequence[Lake]
) -> AssetDifference:
    before, after = read_record(left[-1], lakes), read_record(right[-1], lakes)
    session, functions = split_changes(
        session_changes(before.session, after.session), before.sources, after.sources
    )
    return AssetDifference(
        asset="/".join(left[-1].asset),
        session=session,
        functions=functions,
        plan=_plan_difference(before.query, after.query),
        inputs=tuple(_input_changes(before.inputs, after.inputs)),
        written=tuple(
            _unlike(
                _how(before.written) | _result(left),
                _how(after.written) | _result(right),
            )
        ),
    )


def _plan_difference(before: QueryRecord | None, after: QueryRecord | None) -> str:
    """Return what changed in a query; a plan shows not all of it."""
    left, right = (NO_QUERY if q is None else q.plan for q in (before, after))
    if before and after and before.plan_hash == after.plan_hash:
        return ""  # its SQL may have got another comment
    return text_difference(left, right) or text_difference(_sql(before), _sql(after))


def _sql(query: QueryRecord | None) -> str:
    return "" if query is None or query.statement is None else query.statement.sql


def _how(written: WriteRecord | None) -> dict[str, str]:
    """Return how a table was written, by name; what was left open is not named."""
    if written is None:
        return {}
    told = {
        PARTITIONS: ", ".join(written.partition_keys),
        "mode": written.mode,
        "schema mode": written.schema_mode,
        "merge": str(msgspec.to_builtins(written.merge) or ""),
        "partitioned by": ", ".join(written.partition_by or ()),
        "sorted by": ", ".join(written.sort_by),
    }
    return {what: said for what, said in told.items() if said}


def _result(made: Sequence[Materialized]) -> dict[str, str]:
    """Return what became of a table, by name."""
    last = made[-1]
    rows = {_of(each): f"{each.rows:,}" for each in made if each.rows is not None}
    content = last.data_version or BY_VERSION
    told = {} if content.startswith(BY_VERSION) else {CONTENT: content}
    return {**rows, **told, VERSION: str(last.version)}


def _of(made: Materialized) -> str:
    return ROWS if made.partition is None else f"{ROWS} of {made.partition}"


def _unlike(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for what in dict.fromkeys([*before, *after]):
        if before.get(what) != after.get(what):
            yield Change(what=what, before=before.get(what), after=after.get(what))


def _input_changes(
    before: Sequence[InputRecord], after: Sequence[InputRecord]
) -> Iterator[Change]:
    left = {each.table: _told(each) for each in before}
    right = {each.table: _told(each) for each in after}
    for table in sorted({*left, *right}):
        # Of another version, other rows go without saying.
        found = _unlike(left.get(table, {}), right.get(table, {}))
        yield from itertools.islice(found, 1)


def _told(record: InputRecord) -> dict[str, str]:
    """Return what tells two readings of a table apart, the most telling first."""
    return {
        f"address of {record.table}": record.uri,
        record.table: _read(record),
        f"content of {record.table}": record.data_version,
    }


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
    common = _in_common(found.assets)
    if told := [
        *change_lines("session", common.session),
        *function_lines(common.functions),
    ]:
        yield f"all {len(found.assets)} assets"
        yield from (f"  {line}" for line in told)
    for each in found.assets:
        yield f"{each.asset}: {'no difference' if each.is_empty else 'different'}"
        yield from (f"  {line}" for line in _asset_lines(each, common))


def _asset_lines(found: AssetDifference, common: AssetDifference) -> Iterator[str]:
    session = [each for each in found.session if each not in common.session]
    yield from change_lines("session", session)
    functions = [each for each in found.functions if each not in common.functions]
    yield from function_lines(functions)
    yield from change_lines("inputs", found.inputs)
    yield from change_lines("written", found.written)
    if found.plan:
        yield "plan"
        yield from textwrap.indent(found.plan, "  ").splitlines()


def _in_common(assets: Sequence[AssetDifference]) -> AssetDifference:
    """Return what is different of the session of every asset."""
    if len(assets) < 2:  # noqa: PLR2004  # of one asset, all is its own
        return AssetDifference(asset="")
    first, *others = assets
    return AssetDifference(
        asset="",
        session=tuple(
            each
            for each in first.session
            if all(each in other.session for other in others)
        ),
        functions=tuple(
            each
            for each in first.functions
            if all(each in other.functions for other in others)
        ),
    )
