"""What a built session says of itself: snapshots, and the hashes over them."""

import functools

import msgspec

from dagster_dfsession.plan.classification import hashed_settings, result_settings
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.extensions import ExtensionEntry
from dagster_dfsession.session.functions.snapshot import FunctionsSnapshot
from dagster_dfsession.session.hooks import HookEntry
from dagster_dfsession.session.rules import Rules
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot
from dagster_dfsession.session.versions import EngineVersions

SETTINGS_HASH_VERSION = 1
RESULT_SETTINGS_HASH_VERSION = 1
SESSION_HASH_VERSION = 2
MEMORY_LIMIT = "datafusion.runtime.memory_limit"


class SessionRuntime(Frozen, frozen=True, dict=True):
    """A session as observed; built from snapshots alone, without an engine.

    Attributes:
        settings: The effective settings by key, less those that differ between two
            sessions of one plan.
        runtime_env: What the engine does not tell of its memory and disk.
        profile_hash: What was asked for.
        extensions: Those the profile names, also the unavailable ones.
        rules: The optimizer's rules; none in records of version 1 of the hash.
        hooks: User code around sessions, queries and writes.
    """

    settings: dict[str, str]
    functions: FunctionsSnapshot
    runtime_env: RuntimeEnvSnapshot
    versions: EngineVersions
    profile_hash: str
    extensions: tuple[ExtensionEntry, ...] = ()
    rules: Rules = Rules()
    hooks: tuple[HookEntry, ...] = ()

    @functools.cached_property
    def settings_hash(self) -> str:
        """Effective settings less the volatile ones, and the runtime.

        Of a shared pool, what there is to share: how many steps a run has at once is
        not the session's doing.
        """
        settings, runtime_env = hashed_settings(self.settings), self.runtime_env
        if runtime_env.shared_bytes is not None:
            settings.pop(MEMORY_LIMIT, None)
            runtime_env = msgspec.structs.replace(runtime_env, memory_bytes=None)
        return content_hash(
            "settings",
            SETTINGS_HASH_VERSION,
            {"settings": settings, "runtime_env": runtime_env},
        )

    @functools.cached_property
    def result_settings_hash(self) -> str:
        """Only the settings that can change what a query returns."""
        return content_hash(
            "result_settings",
            RESULT_SETTINGS_HASH_VERSION,
            result_settings(self.settings),
        )

    @property
    def udf_snapshot_hash(self) -> str:
        """User functions with their bodies, and the built-in registry."""
        return self.functions.hash

    @functools.cached_property
    def session_hash(self) -> str:
        """All of the above and the engine's versions."""
        return content_hash(
            "session",
            SESSION_HASH_VERSION,
            {
                "profile": self.profile_hash,
                "settings": self.settings_hash,
                "functions": self.udf_snapshot_hash,
                "extensions": [each.identity for each in self.extensions],
                "rules": self.rules.digest,
                "hooks": self.hooks,
                "versions": self.versions,
            },
        )
