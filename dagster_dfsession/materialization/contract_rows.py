"""The rules of a contract, applied to a stream while it passes."""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from datafusion import Expr, SessionContext, col, lit
from datafusion import functions as f

from dagster_dfsession.delta.contract import Contract
from dagster_dfsession.errors import BrokenRule, ContractError
from dagster_dfsession.materialization.unique_keys import Held, UniqueKeys
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.session.failures import engine_errors, shortened

EXAMPLES = 5
NO_TABLE = '"?table?".'
"""What the engine calls the table of rows that have none."""
_ROWS_AT_ONCE = 65_536
"""A call of the engine takes half a millisecond, however few the rows."""
_BYTES_AT_ONCE = 32 * 1024 * 1024
_EXAMPLE_CHARS = 300


class RuleKept(msgspec.Struct, frozen=True):
    """A rule that rows were held against.

    Attributes:
        rows: How many rows were looked at.
        violations: How many of them break it.
    """

    rule: str
    rows: int
    violations: int = 0


class ContractRows:
    """Checks a stream against the rules of a contract.

    The stream is read to its end, so that all violations are counted, and then fails:
    what consumes it commits nothing.

    Attributes:
        rows: How many have passed.
        broken: The rules that rows broke, once the stream has passed.
    """

    def __init__(
        self,
        contract: Contract,
        schema: pa.Schema,
        ctx: SessionContext,
        *,
        asset: str,
        held: Held,
        directory: str | None = None,
    ) -> None:
        """Compile the checks.

        Args:
            contract: Its rules.
            schema: Columns of the stream, as the contract wants them.
            ctx: The engine whose SQL, functions and memory the checks use.
            asset: Its name, for messages.
            held: The rows that others must not share their key with either.
            directory: For keys that are set aside. None: the system's.

        Raises:
            ContractError: A check is no condition on the columns.
        """
        self.rows = 0
        self.broken: tuple[BrokenRule, ...] = ()
        self._contract = contract
        self._schema = schema
        self._ctx = ctx
        self._asset = asset
        self._held = held
        self._directory = directory
        self._breaks = self._compiled(contract.checks)
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[dict[str, Any]]] = {}

    @property
    def kept(self) -> tuple[RuleKept, ...]:
        """What was checked, once the stream has passed."""
        contract = self._contract
        named = [
            *(["schema"] if contract.schema is not None else []),
            *(f"not_null {name}" for name in contract.not_null),
            *(f"unique {', '.join(key)}" for key in contract.unique),
        ]
        said = {each: each for each in named}
        said |= {name: f"{name}: {sql}" for name, sql in contract.checks.items()}
        broken = {each.rule: each.rows for each in self.broken}
        return tuple(
            RuleKept(text, self.rows, broken.get(rule, 0))
            for rule, text in said.items()
        )

    def checked(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return the same batches; at their end, they fail if a rule was broken.

        Raises:
            ContractError: From the reader's end: rows broke a rule.
        """
        return pa.RecordBatchReader.from_batches(reader.schema, self._passing(reader))

    def broken_by(self, reader: pa.RecordBatchReader) -> tuple[BrokenRule, ...]:
        """Read a stream to its end; return the rules that its rows break."""
        for _ in self._counted(reader):
            pass
        return self.broken

    def _passing(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        yield from self._counted(reader)
        self._refuse()

    def _counted(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        with contextlib.ExitStack() as stack:
            keys = self._keys(stack)
            for group in _groups(reader):
                self._count(group)
                for batch in group:
                    for key in keys:
                        key.add(batch)
                    self.rows += batch.num_rows
                    yield batch
            self.broken = (*self._broken(), *self._shared(keys))

    def _keys(self, stack: contextlib.ExitStack) -> list[UniqueKeys]:
        if not self._contract.unique:
            return []
        place = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="dfsession_keys_", dir=self._directory)
        )
        keys = []
        for at, columns in enumerate(self._contract.unique):
            path = Path(place, f"{at}.arrow")
            key = UniqueKeys(columns, self._schema, path, held=self._held)
            stack.callback(key.close)
            keys.append(key)
        return keys

    def _shared(self, keys: Sequence[UniqueKeys]) -> list[BrokenRule]:
        """Return the keys that rows share.

        The stream is read by a thread of deltalake's engine. To read a Delta table it
        would start itself once more there, which it cannot: a fresh thread can.
        """
        if not keys:
            return []
        with (
            engine_errors(f"checking the contract of {self._asset}"),
            ThreadPoolExecutor(1, thread_name_prefix="dfsession_keys") as thread,
        ):
            found = thread.map(lambda key: key.broken(self._ctx, EXAMPLES), keys)
            return [each for each in found if each is not None]

    def _compiled(self, checks: Mapping[str, str]) -> dict[str, Expr]:
        """Return, for each check, what is true where a row breaks it."""
        nothing = pa.RecordBatch.from_pylist([], schema=self._schema)
        frame = self._ctx.read_batch(nothing)
        found = {}
        for name, sql in checks.items():
            try:
                found[name] = frame.parse_sql_expr(f"({sql}) IS FALSE")
                frame.select(found[name].alias("broken")).collect()
            except Exception as error:  # noqa: BLE001  # the engine has no class for it
                said = str(error).replace(NO_TABLE, "")
                refused = ContractError(
                    f"{self._asset}: the check {name!r} of its contract, {sql!r}, is "
                    f"no condition on its columns: {shortened(said, 400)} It may "
                    "use the columns of one row, and the functions of the session."
                )
                refused.asset = self._asset
                raise refused from None
        return found

    def _count(self, group: Sequence[pa.RecordBatch]) -> None:
        for name in self._contract.not_null:
            if missing := sum(batch.column(name).null_count for batch in group):
                self._note(f"not_null {name}", missing)
                nulls = col(quoted_identifier(name)).is_null()
                self._show_broken(f"not_null {name}", nulls, group)
        if not self._breaks:
            return
        with engine_errors(f"checking the contract of {self._asset}"):
            frame = self._ctx.read_batches(list(group))
            counted = frame.aggregate(
                [],
                [
                    f.count(lit(1), filter=breaks).alias(name)
                    for name, breaks in self._breaks.items()
                ],
            ).to_pylist()[0]
            for name, count in counted.items():
                if count:
                    self._note(name, count)
                    self._show_broken(name, self._breaks[name], group)

    def _show_broken(
        self, rule: str, breaks: Expr, group: Sequence[pa.RecordBatch]
    ) -> None:
        # Batch by batch: the engine may hand several out in any order. And not by
        # pyarrow, which cannot filter the text views that the engine makes.
        for batch in group:
            if len(self._examples.get(rule, ())) < EXAMPLES:
                rows = self._ctx.read_batch(batch).filter(breaks)
                for found in rows.limit(EXAMPLES).collect():
                    self._show(rule, found)

    def _note(self, rule: str, count: int) -> None:
        self._counts[rule] += count

    def _show(self, rule: str, rows: pa.RecordBatch) -> None:
        shown = self._examples.setdefault(rule, [])
        shown.extend(rows.slice(0, EXAMPLES - len(shown)).to_pylist())

    def _broken(self) -> Iterator[BrokenRule]:
        for rule, count in self._counts.items():
            yield BrokenRule(rule, count, tuple(self._examples[rule]))

    def _refuse(self) -> None:
        if not self.broken:
            return
        checks = self._contract.checks
        told = [
            f"{each.rule}{f' ({checks[each.rule]})' if each.rule in checks else ''}: "
            f"{each.rows} rows, for example {_shown(each.examples)}"
            for each in self.broken
        ]
        error = ContractError(
            f"{self._asset}: of {self.rows} rows, some break its contract, and nothing "
            f"was committed. {'; '.join(told)}. Correct the query, or the asset's "
            "contract metadata."
        )
        error.asset, error.broken = self._asset, self.broken
        raise error


def _groups(reader: pa.RecordBatchReader) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        group.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


def _shown(examples: Sequence[dict[str, Any]]) -> str:
    return ", ".join(
        shortened(str({name: _brief(value) for name, value in row.items()}), 300)
        for row in examples
    )


def _brief(value: Any) -> Any:
    return shortened(value, 60) if isinstance(value, str) else value
