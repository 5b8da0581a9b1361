"""Rows in memory, identified by what they are."""

import hashlib

import pyarrow as pa


def content_digest(rows: pa.Table) -> str:
    """Return 64 hex digits for the schema and the rows, in order.

    Equal digests mean equal rows. Equal rows in other chunks, or with other bytes
    beneath NULLs, may have other digests.

    Examples:
        >>> content_digest(pa.table({"a": [1]})) == content_digest(pa.table({"a": [1]}))
        True
        >>> content_digest(pa.table({"a": [1]})) == content_digest(pa.table({"b": [1]}))
        False
    """
    digest = hashlib.sha256(rows.schema.serialize())
    for batch in rows.to_batches():
        digest.update(batch.serialize())
    return digest.hexdigest()
