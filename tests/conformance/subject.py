"""The IO manager under test, as the suite sees it."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa


class Subject(Protocol):
    """An IO manager and what tells it apart from others.

    Attributes:
        loads_as: What a parameter of a downstream asset is annotated with.
        row_counts: Metadata keys that tell how many rows a materialization has.
        growing: Asset metadata under which a write may add a column; None: none does.
        appending: Asset metadata under which a write adds rows; None: none does.
    """

    loads_as: type[Any]
    row_counts: tuple[str, ...]
    growing: Mapping[str, Any] | None
    appending: Mapping[str, Any] | None

    def resources(self, root: Path) -> Mapping[str, Any]:
        """Return resources with an `io_manager` that keeps its tables below `root`."""

    def keyed_by(self, column: str | Mapping[str, str]) -> Mapping[str, Any]:
        """Return asset metadata naming the column, or one for each dimension."""

    def value(self, table: pa.Table) -> Any:
        """Return a table as something that an asset may return."""

    def stream(self, batches: pa.RecordBatchReader) -> Any | None:
        """Return a stream as something that an asset may return; None: none is."""

    def table(self, loaded: Any) -> pa.Table:
        """Return what a parameter was given as a table."""

    def stored(self, root: Path, asset: str) -> pa.Table | None:
        """Read an asset's table past the IO manager; None: there is none."""


def named_subject(name: str) -> Subject:
    """Import a subject by `module:factory`.

    Raises:
        ValueError: The name is not of that form.
    """
    module, colon, factory = name.partition(":")
    if not (module and colon and factory):
        raise ValueError(f"--io-manager is {name!r}; it has the form module:factory")
    subject: Subject = getattr(importlib.import_module(module), factory)()
    return subject
