"""A query as it was planned, to be looked at, kept, and run by another process."""

from typing import Literal, TypeAlias

import msgspec
from typing_extensions import Self

from dagster_dfsession.errors import RecordError
from dagster_dfsession.materialization.records import StatementRecord
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.versions import EngineVersions

ARTIFACT_VERSION: Literal[1] = 1


class PinnedTable(Frozen, frozen=True, kw_only=True):
    """A table at the version that a query was planned over.

    Attributes:
        key: The asset key.
        uri: Its address.
        id: That which Delta Lake gave it when it was made.
        given: Whether it goes by this name because somebody opened it so, as
            `flights@3`; else the query names it.
    """

    key: tuple[str, ...]
    uri: str
    version: int
    id: str
    given: bool = False


class Encoded(Frozen, frozen=True, tag_field="kind", tag="bytes"):
    """A plan in a standard form. The bytes of equal plans may differ."""

    data: bytes


class NotEncoded(Frozen, frozen=True, tag_field="kind", tag="none"):
    """There is no such form of the plan, and why."""

    why: str


PlanBytes: TypeAlias = Encoded | NotEncoded


class PlanArtifact(Frozen, frozen=True, kw_only=True):
    """A query, what it was planned as, and all that this depends on.

    Tables keep their names in its texts; to which files they are bound is decided
    when it runs. It holds no secret and no run.

    Attributes:
        statement: The query in SQL; a text says why there is none that another
            process could plan again.
        logical: The plan as composed.
        optimized: The plan that is bound to files when it runs.
        physical: What the engine would run if no file could be left out.
        optimized_protobuf: What would run here, over the data files of the inputs, in
            DataFusion's own form. User functions are in it by name.
        physical_protobuf: Likewise, as the engine would run it.
        substrait: The optimized plan over named tables, for other engines too.
        columns: Name and Arrow type of each.
        functions: User function that it calls -> digest of its body; None: nobody can
            tell what it does.
        data: Name of data that it was given -> digest of its rows; None: nobody knows
            before they are read.
        inputs: The Delta tables that it reads.
        plan_hash: Which query it is: the same in every run and process.
        result_settings: Settings that can change what it returns.
        variable: Why it could return something else over the same tables; empty if
            nothing.

    Examples:
        >>> from dagster_dfsession import LakeSession
        >>> with LakeSession("dev") as lake:
        ...     artifact = lake.compile("SELECT 1 AS one")
        >>> PlanArtifact.from_bytes(artifact.to_bytes()) == artifact
        True
    """

    version: Literal[1] = ARTIFACT_VERSION
    statement: StatementRecord | str
    logical: str
    optimized: str
    physical: str
    optimized_protobuf: PlanBytes
    physical_protobuf: PlanBytes
    substrait: PlanBytes
    columns: tuple[tuple[str, str], ...]
    functions: dict[str, str | None]
    data: dict[str, str | None]
    inputs: tuple[PinnedTable, ...]
    plan_hash: str
    result_settings: dict[str, str]
    result_settings_hash: str
    variable: tuple[str, ...]
    engine: EngineVersions

    def __repr__(self) -> str:
        read = (f"{'/'.join(each.key)}@{each.version}" for each in self.inputs)
        over = ", ".join(read) or "no table"
        return f"<PlanArtifact {self.plan_hash[:12]} over {over}>"

    def to_bytes(self) -> bytes:
        """Return the artifact as JSON, for a file."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an artifact that `to_bytes` wrote.

        Raises:
            RecordError: It is none, or of a version that this release does not read.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise RecordError(
                f"these {len(data)} bytes are no plan artifact of version "
                f"{ARTIFACT_VERSION}: {error}; compile the query again"
            ) from None
