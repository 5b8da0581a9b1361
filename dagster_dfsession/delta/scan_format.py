"""A scan of exactly these Parquet files, through the engine's own plan format.

DataFusion's Python package opens one address at a time: a file, or all files of a
directory, and a Delta table is neither. But a logical plan that is written down as
bytes lists the addresses of a scan, so a plan over one address becomes one over many
by putting others in their place. Of the format, that one field is all that is relied
on, and every plan is read back before it is trusted.

Source: `ListingTableScanNode` of datafusion's datafusion.proto.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from datafusion import DataFrame, SessionContext
from datafusion.plan import LogicalPlan

from dagster_dfsession.errors import EngineVersionError

LISTING_SCAN = 1
PATHS = 2
_NAME = "dfsession_files"
_PLACE = "file:///dfsession/files.parquet"
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_MORE = 0x80
_LOW = 0x7F


class ScanTemplate:
    """Makes scans of files that have one schema.

    Args:
        ctx: In which the scans will run: they take its settings for Parquet.
        schema: The columns of the files; a file that lacks one has NULLs.

    Raises:
        EngineVersionError: This DataFusion writes plans down in another form.
    """

    def __init__(self, ctx: SessionContext, schema: pa.Schema) -> None:
        self._ctx = ctx
        # In a context of its own: a name in `ctx` would be one of the session's.
        config = ctx.copied_config().with_create_default_catalog_and_schema(True)  # noqa: FBT003
        scratch = SessionContext(config)
        scratch.register_listing_table(_NAME, _PLACE, schema=schema)
        plan = scratch.table(_NAME).logical_plan().to_bytes(scratch)
        fields = list(_fields(plan))
        scan = fields[0][1] if [number for number, _, _ in fields] == [1] else b""
        if _paths(scan) != [_PLACE]:
            raise EngineVersionError(
                "this DataFusion does not write down a scan of files as the one this "
                "package was built for: its list of paths is not where it was"
            )
        self._rest = b"".join(raw for field, _, raw in _fields(scan) if field != PATHS)

    def scan(self, urls: Sequence[str]) -> DataFrame:
        """Return the rows of these files; of none, a frame without rows.

        The engine takes a file that is not there for an empty directory, so whoever
        calls this has made sure that each is.

        Args:
            urls: Percent-encoded addresses: `file:///lake/t/part-0.parquet`.

        Raises:
            EngineVersionError: The engine read another list of files.
        """
        paths = b"".join(_tagged(PATHS, url.encode()) for url in urls)
        data = _tagged(LISTING_SCAN, paths + self._rest)
        plan = LogicalPlan.from_bytes(self._ctx, data)
        (_, read, _), *_ = _fields(plan.to_bytes(self._ctx))
        if len(_paths(read)) != len(urls):
            raise EngineVersionError(
                f"this DataFusion read {len(_paths(read))} of {len(urls)} files of a "
                "plan that it was given"
            )
        return self._ctx.create_dataframe_from_logical_plan(plan)


def _paths(scan: bytes) -> list[str]:
    return [value.decode() for field, value, _ in _fields(scan) if field == PATHS]


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Return number, value and whole text of each field of a protobuf message."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        kind, value = tag & 7, b""
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            value = message[at : at + size]
            at += size
        elif kind in (_DOUBLE, _FLOAT):
            at += 8 if kind == _DOUBLE else 4
        else:
            raise EngineVersionError(
                f"a plan of this DataFusion has a field of the kind {kind}, which "
                "protobuf no longer writes"
            )
        yield tag >> 3, value, message[start:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & _LOW) << shift
        if byte < _MORE:
            return value, at
        shift += 7


def _tagged(number: int, value: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(value)) + value


def _encoded(number: int) -> bytes:
    parts = bytearray()
    while number >= _MORE:
        parts.append(number & _LOW | _MORE)
        number >>= 7
    return bytes([*parts, number])
