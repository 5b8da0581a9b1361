"""Of each feature: can the engine, did the profile want it, is it in effect."""

from collections.abc import Iterator

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.runtime import SpillToDisk
from dagster_dfsession.session.capabilities import engine_capabilities
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.session import Session

GATES = "features."
"""Settings that a field of this part of the profile asks for are gates."""


class FeatureState(Frozen, frozen=True):
    """What became of one wish.

    Attributes:
        feature: The field of the profile, or the extension, rule or module it names.
        can: Whether the engine, or what is installed beside it, can do it.
        note: Why it cannot, or why it is not as was wanted; empty: nothing to say.
    """

    feature: str
    can: bool
    wanted: bool
    in_effect: bool
    note: str = ""

    @property
    def as_wanted(self) -> bool:
        """Whether the wish came true."""
        return self.wanted == self.in_effect


def feature_states(session: Session) -> tuple[FeatureState, ...]:
    """Return what the engine can do, the profile wanted and the session does.

    Examples:
        >>> from dagster_dfsession import SessionProfile, open_session, plan_session
        >>> with open_session(plan_session(SessionProfile(name="dev"))) as session:
        ...     states = {each.feature: each for each in feature_states(session)}
        >>> spill = states["runtime.spill"]
        >>> spill.can, spill.wanted, spill.in_effect
        (True, True, True)
        >>> all(each.as_wanted for each in states.values())
        True
    """
    runtime = session.snapshot()
    return (
        *_gates(session, runtime),
        *_parts(session, runtime),
        *_rules(session, runtime),
        *_extensions(runtime),
    )


def _gates(session: Session, runtime: SessionRuntime) -> Iterator[FeatureState]:
    dynamic = engine_capabilities()["dynamic_filters"]
    for setting in session.plan.settings:
        if not setting.source.startswith(GATES):
            continue
        found = runtime.settings.get(setting.key)
        is_filter = "dynamic_filter" in setting.key
        yield FeatureState(
            feature=setting.source,
            can=found is not None and (dynamic.there or not is_filter),
            wanted=setting.value == "true",
            in_effect=found == "true",
            note=(dynamic.missing or "") if is_filter else "",
        )


def _parts(session: Session, runtime: SessionRuntime) -> Iterator[FeatureState]:
    plan, report, can = session.plan, session.report, engine_capabilities()
    spilling = SpillToDisk.__struct_config__.tag
    for feature, capability, wanted, in_effect in (
        (
            "runtime.spill",
            "spill",
            isinstance(plan.spill, SpillToDisk),
            runtime.runtime_env.disk_manager == spilling,
        ),
        (
            "sql.url_tables",
            "url_tables",
            plan.statements.url_tables,
            bool(report.installed(Phase.FILESYSTEMS)),
        ),
        (
            "functions.spark",
            "spark_functions",
            plan.functions.spark,
            "spark" in report.installed(Phase.FUNCTIONS),
        ),
        (
            "sql.prepared",
            "prepared_statements",
            bool(plan.statements.prepared),
            bool(report.installed(Phase.PREPARED_STATEMENTS)),
        ),
    ):
        yield FeatureState(
            feature=feature,
            can=can[capability].there,
            wanted=wanted,
            in_effect=in_effect,
            note=can[capability].missing or "",
        )


def _rules(session: Session, runtime: SessionRuntime) -> Iterator[FeatureState]:
    can = engine_capabilities()["removable_rules"]
    for rule in session.plan.rules.remove:
        yield FeatureState(
            feature=f"rules.remove {rule}",
            can=can.there,
            wanted=True,
            in_effect=rule not in runtime.rules.logical,
            note=can.missing or "",
        )
    installed = session.report.installed(Phase.PLANNING_EXTENSIONS)
    for path in session.plan.rules.add:
        yield FeatureState(
            feature=f"rules.add {path}",
            can=True,
            wanted=True,
            in_effect=path in installed,
            note="",
        )


def _extensions(runtime: SessionRuntime) -> Iterator[FeatureState]:
    for entry in runtime.extensions:
        there = entry.unavailable is None
        yield FeatureState(
            feature=f"extension {entry.path}",
            can=there,
            wanted=True,
            in_effect=there,
            note=entry.unavailable or "",
        )
