"""Tables as other writers leave them: with features that deltalake does not write."""

import json
import struct
import uuid
from base64 import b85encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# Python's base 85 has other digits than ZeroMQ's, which Delta Lake takes.
Z85 = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
)
BITMAP_MAGIC = 1681511377
NO_RUNS = 12346


def deletion_vector(rows: Sequence[int]) -> dict[str, Any]:
    """Return rows of a file as the log holds them inline, as deleted."""
    bitmap = struct.pack("<II", NO_RUNS, 1)  # one container
    bitmap += struct.pack("<HH", 0, len(rows) - 1)
    bitmap += struct.pack("<I", len(bitmap) + 4)
    bitmap += struct.pack(f"<{len(rows)}H", *sorted(rows))
    data = struct.pack("<IQI", BITMAP_MAGIC, 1, 0) + bitmap
    padded = data + b"\0" * (-len(data) % 4)
    return {
        "storageType": "i",
        "pathOrInlineDv": b85encode(padded).translate(Z85).decode(),
        "sizeInBytes": len(data),
        "cardinality": len(rows),
    }


def write_foreign(
    place: Path,
    rows: pa.Table,
    *,
    features: Sequence[str] = (),
    properties: Mapping[str, str] = {},
    fields: Sequence[Mapping[str, Any]] = (),
    add: Mapping[str, Any] = {},
) -> None:
    """Write a table of one file by hand.

    Args:
        place: Its directory.
        rows: Columns of integers.
        features: Of readers and writers.
        properties: Of the table.
        fields: Its columns in the log; empty: as `rows` has them.
        add: More of what the log says of the file.
    """
    log = place / "_delta_log"
    log.mkdir(parents=True)
    pq.write_table(rows, place / "part-0.parquet")
    columns = fields or [
        {"name": name, "type": "long", "nullable": True, "metadata": {}}
        for name in rows.column_names
    ]
    actions = [
        {
            "protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": list(features),
                "writerFeatures": list(features),
            }
        },
        {
            "metaData": {
                "id": str(uuid.uuid4()),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": columns}),
                "partitionColumns": [],
                "configuration": dict(properties),
                "createdTime": 0,
            }
        },
        {
            "add": {
                "path": "part-0.parquet",
                "partitionValues": {},
                "size": (place / "part-0.parquet").stat().st_size,
                "modificationTime": 0,
                "dataChange": True,
                "stats": json.dumps({"numRecords": rows.num_rows}),
                **add,
            }
        },
    ]
    text = "\n".join(map(json.dumps, actions))
    (log / f"{0:020}.json").write_text(text)
