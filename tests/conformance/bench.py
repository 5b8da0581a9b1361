"""Runs of assets, each compared with what it should have left."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg
import pyarrow as pa

from tests.conformance.outcome import (
    Fallen,
    Outcome,
    Rows,
    judge_failure,
    judge_success,
    rows_of,
)
from tests.conformance.shapes import Shape
from tests.conformance.subject import Subject

NOTHING: Mapping[str, Any] = MappingProxyType({})
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


class Bench:
    """One IO manager, one place and one instance, for many assets.

    Attributes:
        subject: The IO manager.
        root: Where its tables are.
        instance: Dagster's.
    """

    def __init__(
        self, subject: Subject, root: Path, instance: dg.DagsterInstance
    ) -> None:
        self.subject, self.root, self.instance = subject, root, instance
        self._resources = subject.resources(root)
        self._names = map("asset_{}".format, itertools.count())

    def materialize(
        self,
        *assets: dg.AssetsDefinition,
        only: dg.AssetsDefinition | None = None,
        keys: Sequence[str] = (),
    ) -> dg.ExecuteInProcessResult:
        """Run assets, or only one of them, for no key, one, or a range of them."""
        span = {RANGE_START: keys[0], RANGE_END: keys[-1]} if len(keys) > 1 else {}
        return dg.materialize(
            assets,
            selection=None if only is None else [only],
            resources=self._resources,
            instance=self.instance,
            partition_key=keys[0] if len(keys) == 1 else None,
            tags=span,
            run_config=QUIET,
        )

    def asset(self, shape: Shape | None, columns: pa.Schema | None = None) -> "Asset":
        """Return an asset that no other case has."""
        if shape is not None and isinstance(
            shape.definition, dg.DynamicPartitionsDefinition
        ):
            known = shape.definition.name or ""
            self.instance.add_dynamic_partitions(known, list(shape.keys))
        return Asset(self, next(self._names), shape, columns)

    def stored(self, name: str, columns: pa.Schema) -> Rows:
        """Return the rows of an asset's table, read past the IO manager."""
        found = self.subject.stored(self.root, name)
        if found is None:
            return Counter()
        try:
            return rows_of(found.select(columns.names).cast(columns))
        except (KeyError, pa.ArrowInvalid) as error:
            why = f"the table has other columns: {found.schema}: {error}"
            raise Fallen(Outcome.WRONG_ROWS, why) from error


class Asset:
    """An asset, and the rows that its table should have.

    Attributes:
        name: Its key.
        shape: Its partitions; None: it has none.
        due: The rows, by position of the key; without partitions, all are of key 0.
    """

    def __init__(
        self, bench: Bench, name: str, shape: Shape | None, columns: pa.Schema | None
    ) -> None:
        self.name, self.shape = name, shape
        self.due: dict[int, Rows] = {}
        self._bench = bench
        self._columns = columns or (shape.schema if shape else pa.schema([]))
        self._runs = itertools.count()

    @property
    def part(self) -> tuple[int, ...]:
        """Positions of the keys of a range that is not the whole."""
        return () if self.shape is None else self.shape.part

    @property
    def rows(self) -> Rows:
        """All rows that are due."""
        return sum(self.due.values(), Counter())

    def definition(
        self,
        value: Callable[[], Any] = lambda: None,
        metadata: Mapping[str, Any] = NOTHING,
    ) -> dg.AssetsDefinition:
        """Return the asset as Dagster is given it."""
        shape, keyed = self.shape, self._bench.subject.keyed_by
        named = {} if shape is None else keyed(shape.expression)

        @dg.asset(
            name=self.name,
            partitions_def=None if shape is None else shape.definition,
            metadata={**named, **metadata},
        )
        def asset() -> Any:
            return value()

        return asset

    def fresh(self, *numbers: int) -> pa.Table:
        """Return new rows for keys by position."""
        assert self.shape is not None
        return self.shape.table(numbers, self.next_run())

    def next_run(self) -> int:
        """Return a number that no rows of this asset have."""
        return next(self._runs)

    def owes(self, number: int, table: pa.Table) -> None:
        """From now on, these are the rows of a key by position."""
        self.due[number] = rows_of(table.cast(self._columns))

    def grow(self, field: "pa.Field[Any]") -> None:
        """From now on, it has one more column, which is null in the rows it has."""
        self._columns = self._columns.append(field)
        self.due = {
            number: Counter({(*row, None): count for row, count in rows.items()})
            for number, rows in self.due.items()
        }

    def write(
        self,
        *numbers: int,
        table: pa.Table | None = None,
        metadata: Mapping[str, Any] = NOTHING,
        keep: Rows | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Write keys by position in one run, and see that it left what it should.

        Args:
            numbers: The first and the last of more than one make a range.
            table: What to write; it is compared as rows of the first key.
            metadata: The asset's, besides that which names its columns.
            keep: Rows of the first key that stay. None: none do.

        Raises:
            Fallen: It did not.
        """
        before = self.rows
        given = self.fresh(*numbers) if table is None else table
        try:
            result = self.launch(numbers, lambda: given, metadata)
        except Exception as error:  # noqa: BLE001 - whatever fails is judged
            judge_failure(error, before=before, found=self.found())
        for number in numbers:
            self.due[number] = Counter()
        if keep is not None:
            self.due[numbers[0]] = keep
        kept = self.rows if self.shape else Counter()
        if table is not None or self.shape is None:
            self.owes(numbers[0] if numbers else 0, given)
        else:
            for place, number in enumerate(numbers):
                self.owes(number, given.slice(2 * place, 2))
        if keep is not None:
            self.due[numbers[0]] += keep
        judge_success(kept=kept, due=self.rows, found=self.found())
        return result

    def refuses(
        self,
        *numbers: int,
        value: Callable[[], Any],
        metadata: Mapping[str, Any] = NOTHING,
    ) -> None:
        """See that a run fails and changes nothing.

        Raises:
            Fallen: It succeeded, or changed something.
        """
        before = self.rows
        try:
            self.launch(numbers, value, metadata)
        except Exception as error:  # noqa: BLE001 - it should fail
            if self.found() != before:
                judge_failure(error, before=before, found=self.found())
            return
        own = sum((self.due.get(number, Counter()) for number in numbers), Counter())
        judge_success(kept=before - own, due=before, found=self.found())
        raise Fallen(Outcome.WRONG_ROWS, "the run succeeded and wrote nothing")

    def is_right(self) -> bool:
        """Whether the table has the rows that are due, and no others."""
        try:
            return self.found() == self.rows
        except Fallen:
            return False

    def found(self) -> Rows:
        """Return the rows that the table has."""
        return self._bench.stored(self.name, self._columns)

    def read_own(self, *numbers: int) -> None:
        """Load keys into an asset of the same partitions; see `read`."""
        assert self.shape is not None
        keys = [self.shape.keys[number] for number in numbers]
        self.read(numbers, into=self.shape.definition, keys=keys)

    def read(
        self,
        due: Sequence[int],
        *,
        into: dg.PartitionsDefinition | None = None,
        keys: Sequence[str] = (),
        mapping: dg.PartitionMapping | None = None,
    ) -> None:
        """Load it as an input of another asset, and see that it gets what is due.

        Args:
            due: Positions of the keys whose rows are due.
            into: The partitions of the other asset.
            keys: Its keys in this run.
            mapping: From its keys to those of this asset.

        Raises:
            Fallen: The run failed, or other rows were loaded.
        """
        subject, loaded = self._bench.subject, []
        this = self.definition()

        @dg.asset(
            name=f"{self.name}_read",
            partitions_def=into,
            ins={
                "given": dg.AssetIn(
                    self.name, dagster_type=subject.loads_as, partition_mapping=mapping
                )
            },
        )
        def reader(given: Any) -> None:
            table = subject.table(given)
            loaded.append(table.select(self._columns.names).cast(self._columns))

        try:
            self._bench.materialize(this, reader, only=reader, keys=keys)
        except Exception as error:
            raise Fallen(
                Outcome.UNREADABLE, f"{type(error).__name__}: {str(error)[:400]}"
            ) from error
        expected: Rows = sum(
            (self.due.get(number, Counter()) for number in due), Counter()
        )
        judge_success(kept=Counter(), due=expected, found=rows_of(loaded[0]))

    def launch(
        self,
        numbers: Sequence[int],
        value: Callable[[], pa.Table | Any],
        metadata: Mapping[str, Any] = NOTHING,
    ) -> dg.ExecuteInProcessResult:
        """Run it, whatever comes of it."""

        def returned() -> Any:
            given = value()
            is_table = isinstance(given, pa.Table)
            return self._bench.subject.value(given) if is_table else given

        keys = [self.shape.keys[number] for number in numbers] if self.shape else ()
        return self._bench.materialize(self.definition(returned, metadata), keys=keys)
