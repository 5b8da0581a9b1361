"""What a table asks of those who read and write it, and whether it can be given."""

import warnings
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.errors import DeltaError, listing
from dagster_dfsession.profile.delta import DeltaProfile

READER_FEATURES = frozenset(
    {"columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "variantType"}
)
"""Features of tables that deltalake 1.6 reads."""

WRITER_FEATURES = READER_FEATURES | {
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "generatedColumns",
    "invariants",
}
"""Features of tables that it writes."""

# Writer version -> the feature that it alone brings and that deltalake cannot write.
_BROUGHT: Mapping[int, str] = MappingProxyType({6: "identityColumns"})


class TableFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """The protocol of a table.

    Attributes:
        reader_version: What a reader must speak, 1 to 3.
        writer_version: What a writer must speak, 1 to 7.
        reader_features: What else a reader must know, from version 3 on.
        writer_features: What else a writer must know, from version 7 on.
    """

    reader_version: int
    writer_version: int
    reader_features: frozenset[str]
    writer_features: frozenset[str]


def table_features(location: Location) -> TableFeatures:
    """Return the protocol of a table.

    Raises:
        DeltaError: There is no table, or its protocol is one that nothing here opens.
    """
    return features_of(existing_table(location))


def features_of(table: DeltaTable) -> TableFeatures:
    """Return the protocol of an opened table."""
    found = table.protocol()
    brought = _BROUGHT.get(found.min_writer_version)
    return TableFeatures(
        reader_version=found.min_reader_version,
        writer_version=found.min_writer_version,
        reader_features=frozenset(found.reader_features or ()),
        writer_features=frozenset(found.writer_features or ())
        | ({brought} if brought else set()),
    )


def check_protocol(
    table: DeltaTable, location: Location, policy: DeltaProfile, *, writing: bool
) -> None:
    """Refuse a table, or warn of it, that asks for more than there is or is allowed.

    Without this check, deltalake says so when the first row is read, or when a
    finished write is to be committed.

    Args:
        table: As opened.
        location: Where it is.
        policy: What to do, and the versions that are allowed.
        writing: Whether it is to be written, or only read.

    Raises:
        DeltaError: It does, and the policy is `error`.
    """
    if policy.protocol == "ignore":
        return
    features = features_of(table)
    reasons = _reasons(features, policy, writing=writing)
    if not reasons:
        return
    said = (
        f"{location}: the table asks its {'writers' if writing else 'readers'} for "
        f"{' and '.join(reasons)}. Use an engine that has it, have the one that wrote "
        "the table drop the feature, or set delta.protocol to 'warn' or 'ignore' to "
        "try all the same."
    )
    if policy.protocol == "error":
        raise DeltaError(said)
    warnings.warn(said, stacklevel=2)


def _reasons(
    features: TableFeatures, policy: DeltaProfile, *, writing: bool
) -> list[str]:
    asked = features.reader_features - READER_FEATURES
    if writing:
        asked |= features.writer_features - WRITER_FEATURES
    reasons = []
    if asked:
        noun = "the feature" if len(asked) == 1 else "the features"
        reasons.append(f"{noun} {listing(asked)}, which deltalake does not have")
    versions = [("reader", features.reader_version, policy.max_reader_version)]
    if writing:
        versions.append(("writer", features.writer_version, policy.max_writer_version))
    reasons += [
        f"{what} version {found}, above delta.max_{what}_version, which is {allowed}"
        for what, found, allowed in versions
        if found > allowed
    ]
    return reasons
