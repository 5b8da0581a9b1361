"""Which materializations the session that is configured now would not make again."""

from collections.abc import Iterable, Sequence

import dagster as dg

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.history.materializations import newest_materialized
from dagster_dfsession.materialization.drift import SessionDrift, session_drift
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.replay.differences import FunctionChange, split_changes
from dagster_dfsession.replay.materialized import Materialized, read_record
from dagster_dfsession.session.session import Session

KEY_DIGITS = 16


class MaterializedDrift(Frozen, frozen=True, kw_only=True):
    """A materialization, and how its session differs from that of now.

    Attributes:
        functions: Those of all changes that are functions, with what changed in their
            text.
    """

    made: Materialized
    drift: SessionDrift
    functions: tuple[FunctionChange, ...] = ()

    @property
    def key(self) -> str:
        """What this drift of this materialization is known by."""
        return content_hash(
            "drift",
            1,
            (
                self.made.asset,
                self.made.partition,
                self.made.run_id,
                self.drift.deciding,
            ),
        )[:KEY_DIGITS]


class DriftReport(Frozen, frozen=True):
    """What became of the sessions of assets.

    Attributes:
        found: The newest materialization of each asset and partition, in the order in
            which the assets were named.
        unknown: Asset -> why nobody knows its session.
    """

    found: tuple[MaterializedDrift, ...]
    unknown: dict[str, str]

    @property
    def drifted(self) -> tuple[MaterializedDrift, ...]:
        """Those that the session of now would make other rows of."""
        return tuple(each for each in self.found if each.drift.deciding)


def drift_report(
    instance: dg.DagsterInstance,
    assets: Iterable[tuple[dg.AssetKey, dg.PartitionsDefinition | None]],
    session: Session,
    lakes: Sequence[Lake],
) -> DriftReport:
    """Hold the sessions that made assets against one of now; nothing is run.

    Args:
        instance: Whose event log is read.
        assets: With their partitions.
        session: As it is configured now.
        lakes: In which the records are.
    """
    now, sources = session.snapshot(), session.sources
    found: list[MaterializedDrift] = []
    unknown: dict[str, str] = {}
    records: dict[str, tuple[SessionDrift, tuple[FunctionChange, ...]]] = {}
    for key, partitions in assets:
        try:
            for made in newest_materialized(instance, key, partitions):
                # Materializations of equal sessions and queries share a record.
                if made.record not in records:
                    record = read_record(made, lakes)
                    drift = session_drift(record, now)
                    changes = (*drift.deciding, *drift.neutral)
                    _, functions = split_changes(changes, record.sources, sources)
                    records[made.record] = (drift, functions)
                drift, functions = records[made.record]
                found.append(
                    MaterializedDrift(made=made, drift=drift, functions=functions)
                )
        except RecordError as error:
            unknown[key.to_user_string()] = str(error)
    return DriftReport(tuple(found), unknown)
