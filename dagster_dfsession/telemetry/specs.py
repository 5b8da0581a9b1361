"""The registry of all artifacts and events: name, version, payload, fingerprint."""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from dagster_dfsession.telemetry.payloads import (
    LeaseEnded,
    MaterializationMade,
    Payload,
    QueryRead,
    SessionClosed,
    SessionTelemetry,
    WorkFailed,
)

FINGERPRINT_DIGITS = 32


class Spec(msgspec.Struct, frozen=True):
    """What is recorded under a name.

    Attributes:
        name: Of the artifact or event.
        version: Raised when the payload changes; `schema_fingerprint` tells if it did.
        kind: An `artifact` is something that came to be, an `event` that happened.
        description: For people.
        payload: The struct.
    """

    name: str
    version: int
    kind: Literal["artifact", "event"]
    description: str
    payload: type[Payload]

    @property
    def schema(self) -> dict[str, Any]:
        """The payload's JSON Schema."""
        return msgspec.json.schema(self.payload)

    @property
    def schema_fingerprint(self) -> str:
        """The first half of the SHA-256 of the fields: prose does not count."""
        return fingerprint_of(self.payload)


@functools.cache
def fingerprint_of(payload: type[Payload]) -> str:
    """Return what identifies the fields of a payload and their types."""
    fields = list(_without_prose(msgspec.json.schema(payload)))
    encoded = msgspec.json.encode(fields, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:FINGERPRINT_DIGITS]


def _without_prose(schema: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        for key in sorted(schema):
            if key != "description" or not isinstance(schema[key], str):
                yield from _without_prose(schema[key], f"{path}.{key}")
    elif isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from _without_prose(each, f"{path}[{number}]")
    else:
        yield path, schema


_ALL = (
    Spec(
        "session",
        1,
        "artifact",
        "A session was built; every phase has run.",
        SessionTelemetry,
    ),
    Spec(
        "materialization",
        1,
        "artifact",
        "The table of an asset was written.",
        MaterializationMade,
    ),
    Spec("query", 1, "event", "The rows of a query were read.", QueryRead),
    Spec("lease", 1, "event", "A step gave the session back.", LeaseEnded),
    Spec("failure", 1, "event", "Work ended with an error.", WorkFailed),
    Spec("teardown", 1, "event", "The session of a run was closed.", SessionClosed),
)
SPECS: Mapping[str, Spec] = MappingProxyType({spec.name: spec for spec in _ALL})
"""Name -> spec, in the order in which a run records them."""

SPEC_OF: Mapping[type[Payload], Spec] = MappingProxyType(
    {spec.payload: spec for spec in _ALL}
)
"""Payload -> its spec: no two share one."""
