"""Setting a stream aside on disk."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa


@contextlib.contextmanager
def spooled(
    reader: pa.RecordBatchReader, directory: str | None = None
) -> Iterator[Path]:
    """Read a stream to its end, and hand out the Arrow stream file it was written to.

    Args:
        reader: What it raises is raised here, before anyone has seen a row.
        directory: Where the file is, until the block ends. None: the system's.
    """
    with tempfile.TemporaryDirectory(prefix="dfsession_rows_", dir=directory) as place:
        path = Path(place, "rows.arrow")
        compressed = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_stream(sink, reader.schema, options=compressed) as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)
        yield path
