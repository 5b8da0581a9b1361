"""From what is wanted to what will be done: decided without touching an engine."""

import functools
from typing import Any

import msgspec

from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.plan.phases import REQUIRES, Phase, ordered
from dagster_dfsession.plan.settings import Setting, plan_settings
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.bootstrap import BootstrapProfile
from dagster_dfsession.profile.cache import CACHE_PRESETS, Plans
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.profile.diagnostics import Explain
from dagster_dfsession.profile.extensions import Extension, RulesProfile
from dagster_dfsession.profile.fields import hashed_payload
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.materialization import MaterializationProfile
from dagster_dfsession.profile.named import resolved
from dagster_dfsession.profile.runtime import MemoryPool, Spill
from dagster_dfsession.profile.sail import SailProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SQL_POLICIES, Prepared, SqlPolicy

PROFILE_HASH_VERSION = 1
PLAN_FINGERPRINT_VERSION = 1
SYSTEM_TABLES = tuple(
    f"dfsession.{name}"
    for name in (
        "session",
        "settings",
        "functions",
        "tables",
        "leases",
        "sessions",
        "metrics",
        "artifacts",
        "caches",
    )
)


class PhaseStep(Frozen, frozen=True):
    """What one phase will install, by name."""

    phase: Phase
    items: tuple[str, ...]


class Statements(Frozen, frozen=True):
    """What SQL the session takes, and the statements it prepares."""

    policy: SqlPolicy
    url_tables: bool
    prepared: tuple[Prepared, ...]


class Reporting(Frozen, frozen=True):
    """What is said about the session and its queries."""

    install_log: str
    explain: Explain
    plan_chars: int
    system_tables: bool
    sinks: tuple[str, ...]
    query_text: bool

    def shown(self, query: str) -> str | None:
        """Return the text of a query for traces and sinks; None: they do not get it."""
        return query if self.query_text else None


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that opening a session will do.

    Attributes:
        name: The profile's name.
        profile: What was asked for; kept for the record, nothing reads its parts.
        catalog: Names of the default catalog and schema.
        settings: All settings, sorted by key.
        extensions: Installed in this order, before the first query is planned.
        rules: Changes to the optimizer, made then as well.
        plans: Whether and where what is known of queries is kept.
        hooks: User code by import path, called in this order.
        steps: The phases in order, each with the names of what it installs.
    """

    name: str
    profile: SessionProfile
    catalog: CatalogProfile
    settings: tuple[Setting, ...]
    memory_pool: MemoryPool
    spill: Spill
    statements: Statements
    functions: FunctionsProfile
    extensions: tuple[Extension, ...]
    rules: RulesProfile
    hooks: HooksProfile
    delta: DeltaProfile
    plans: Plans
    materialization: MaterializationProfile
    sail: SailProfile
    bootstrap: BootstrapProfile
    reporting: Reporting
    steps: tuple[PhaseStep, ...]

    @functools.cached_property
    def profile_hash(self) -> str:
        """What was asked for, less the places of this host."""
        return profile_hash(self.profile)

    @property
    def decided(self) -> dict[str, Any]:
        """All that was decided, as plain data; what was asked for is not in it."""
        return {
            name: msgspec.to_builtins(getattr(self, name))
            for name in self.__struct_fields__
            if name != "profile"
        }

    @functools.cached_property
    def fingerprint(self) -> str:
        """What will be done here: plans with one fingerprint build equal sessions.

        A session says by what profile it was asked for, so that counts too, even
        where two profiles come to the same settings.
        """
        parts = self.decided | {"profile_hash": self.profile_hash}
        return content_hash("plan", PLAN_FINGERPRINT_VERSION, parts)


def profile_hash(profile: SessionProfile) -> str:
    """Return the identity of what was asked for: 64 hex digits.

    Examples:
        >>> from dagster_dfsession.profile.presets import DEV, PROD
        >>> (
        ...     profile_hash(DEV) == profile_hash(DEV),
        ...     profile_hash(DEV) == profile_hash(PROD),
        ... )
        (True, False)
    """
    return content_hash("profile", PROFILE_HASH_VERSION, hashed_payload(profile))


def plan_session(profile: SessionProfile) -> SessionPlan:
    """Decide how to build the session that `profile` describes.

    Pure: touches no engine, no file and no environment.

    Raises:
        ProfileError: `profile.settings` contradicts a field.

    Examples:
        >>> from dagster_dfsession import SessionProfile
        >>> plan = plan_session(SessionProfile(name="dev"))
        >>> [step.phase.value for step in plan.steps][:3]
        ['context', 'filesystems', 'planning_extensions']
    """
    settings = plan_settings(profile)
    return SessionPlan(
        name=profile.name,
        profile=profile,
        catalog=profile.catalog,
        settings=settings,
        memory_pool=profile.runtime.memory_pool,
        spill=profile.runtime.spill,
        statements=Statements(
            policy=resolved("SQL policy", profile.sql.policy, SQL_POLICIES),
            url_tables=profile.sql.url_tables,
            prepared=profile.sql.prepared,
        ),
        functions=profile.functions,
        extensions=profile.extensions,
        rules=profile.rules,
        hooks=profile.hooks,
        delta=profile.delta,
        plans=resolved("cache preset", profile.cache, CACHE_PRESETS).plans,
        materialization=profile.materialization,
        sail=profile.sail,
        bootstrap=profile.bootstrap,
        reporting=Reporting(
            install_log=profile.diagnostics.install_log,
            explain=profile.diagnostics.explain,
            plan_chars=profile.diagnostics.plan_chars,
            system_tables=profile.diagnostics.system_tables,
            sinks=profile.diagnostics.sinks,
            query_text=profile.diagnostics.query_text,
        ),
        steps=_steps(profile, settings),
    )


def _steps(
    profile: SessionProfile, settings: tuple[Setting, ...]
) -> tuple[PhaseStep, ...]:
    spark = ("spark",) if profile.functions.spark else ()
    items: dict[Phase, tuple[str, ...]] = {
        Phase.CONTEXT: tuple(setting.key for setting in settings),
        Phase.FILESYSTEMS: ("url tables",) if profile.sql.url_tables else (),
        Phase.PLANNING_EXTENSIONS: (
            *(each.path for each in profile.extensions),
            *(f"without {rule}" for rule in profile.rules.remove),
            *profile.rules.add,
        ),
        Phase.CATALOGS: (profile.catalog.default_catalog,),
        Phase.FUNCTIONS: spark + profile.functions.modules,
        Phase.SCHEMA_GUARDS: tuple(
            setting.key for setting in settings if not setting.is_runtime
        ),
        Phase.PREPARED_STATEMENTS: tuple(each.name for each in profile.sql.prepared),
        Phase.EXTENSION_HOOKS: profile.hooks.after_session,
        Phase.OBSERVABILITY: SYSTEM_TABLES if profile.diagnostics.system_tables else (),
    }
    return tuple(PhaseStep(phase=each, items=items[each]) for each in ordered(REQUIRES))
