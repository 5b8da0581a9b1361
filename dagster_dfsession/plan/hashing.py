"""The one way to hash: SHA-256 over canonical msgpack, with kind and version inside."""

import hashlib

import msgspec


def content_hash(kind: str, version: int, payload: object) -> str:
    """Return 64 hex digits that identify `payload` among things of its kind.

    The payload goes through `msgspec.to_builtins`; the order of mappings and sets
    does not count, the order of sequences does.

    Examples:
        >>> content_hash("demo", 1, {"a": 1, "b": 2}) == content_hash(
        ...     "demo", 1, {"b": 2, "a": 1}
        ... )
        True
        >>> content_hash("demo", 1, {"b", "a"}) == content_hash("demo", 1, {"a", "b"})
        True
        >>> content_hash("demo", 1, [1, 2]) == content_hash("demo", 2, [1, 2])
        False
    """
    plain = msgspec.to_builtins(
        {"kind": kind, "version": version, "payload": payload}, order="deterministic"
    )
    return hashlib.sha256(msgspec.msgpack.encode(plain)).hexdigest()
