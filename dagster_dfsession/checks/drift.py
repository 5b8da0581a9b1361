"""Asset checks that compare the session that made an asset with that of now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from dagster_dfsession.checks.building import (
    Assets,
    Judge,
    Verdict,
    checks_over,
    materialized_specs,
    stored_by,
)
from dagster_dfsession.display import bounded, table_of
from dagster_dfsession.metadata.budget import Metadata
from dagster_dfsession.metadata.keys import DRIFT, DRIFT_FUNCTIONS

if TYPE_CHECKING:
    from dagster_dfsession.history.drift import MaterializedDrift

NAME = "session_drift"
_NAMED = 5
_SOURCE_CHARS = 2_000


def build_session_drift_checks(
    assets: Assets,
    *,
    blocking: bool = False,
    io_manager_key: str = "io_manager",
) -> list[dg.AssetChecksDefinition]:
    """Return a check for each asset: was it made by the session of now?

    It fails where a setting or a function is another one that can change the rows of
    the asset's query, and only warns where the sessions differ in anything else, or
    nobody knows which session it was. Of an asset with partitions, the newest
    materialization of each one counts.

    Args:
        assets: Those to be checked.
        blocking: Whether what is downstream in a run waits for the check, and does not
            run if it failed; a warning blocks nothing.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.

    Raises:
        UnsupportedTypeError: One of the assets is no asset.
    """
    specs = materialized_specs(assets, "build_session_drift_checks")

    def judging(context: dg.AssetCheckExecutionContext) -> Judge:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.history.drift import drift_report  # noqa: PLC0415

        manager = stored_by(context, io_manager_key)
        session, lakes = manager.working_session.session(), [manager.lake]

        def judge(key: dg.AssetKey) -> Verdict:
            report = drift_report(
                context.instance, [(key, specs[key].partitions_def)], session, lakes
            )
            if report.unknown:
                (why,) = report.unknown.values()
                return Verdict(passed=False, warning=True, description=why)
            drifted = [each for each in report.found if each.drift.deciding]
            other = [each for each in report.found if each.drift.neutral]
            if not drifted and not other:
                return Verdict(passed=True, description="The session of now made it.")
            of = "" if specs[key].partitions_def is None else _partitions(drifted)
            return Verdict(
                passed=False,
                warning=not drifted,
                description=f"The session of now could make other rows{of}."
                if drifted
                else "The session of now is another one, and makes the same rows.",
                metadata=_shown([*drifted, *other]),
            )

        return judge

    return checks_over(
        NAME,
        specs,
        judging,
        description="Whether the session that is configured now made the asset.",
        blocking=blocking,
        resources=[io_manager_key],
    )


def _partitions(drifted: Sequence["MaterializedDrift"]) -> str:
    keys = [str(each.made.partition) for each in drifted]
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f" in {len(keys)} partitions: {', '.join(keys[:_NAMED])}{more}"


def _shown(found: Sequence["MaterializedDrift"]) -> Metadata:
    rows = {
        change: {
            "what": bounded(change.what, 100),
            "made with": bounded(change.before or "", 100),
            "now": bounded(change.after or "", 100),
            "changes results": decides,
        }
        # What decides for one partition is told as such.
        for decides in (False, True)
        for each in found
        for change in (each.drift.deciding if decides else each.drift.neutral)
    }
    ordered = sorted(rows.values(), key=lambda row: not row["changes results"])
    columns = ("what", "made with", "now", "changes results")
    sources = {each.name: each.source for drift in found for each in drift.functions}
    texts = [f"{name}\n{text}" for name, text in sources.items()]
    functions = {
        DRIFT_FUNCTIONS: dg.MetadataValue.md(
            bounded("```diff\n" + "\n".join(texts), _SOURCE_CHARS) + "\n```"
        )
    }
    return {DRIFT: table_of(ordered, columns), **(functions if texts else {})}
