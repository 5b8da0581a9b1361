"""What a built session says of itself: four snapshots, and the hashes over them."""

from dagster_dfsession.plan.classification import hashed_settings, result_settings
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.functions.snapshot import FunctionsSnapshot
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot
from dagster_dfsession.session.versions import EngineVersions

SETTINGS_HASH_VERSION = 1
RESULT_SETTINGS_HASH_VERSION = 1
SESSION_HASH_VERSION = 1


class SessionRuntime(Frozen, frozen=True):
    """A session as observed; built from snapshots alone, without an engine.

    Attributes:
        settings: The effective settings by key, less those that differ between two
            sessions of one plan.
        runtime_env: What the engine does not tell of its memory and disk.
        profile_hash: What was asked for.
    """

    settings: dict[str, str]
    functions: FunctionsSnapshot
    runtime_env: RuntimeEnvSnapshot
    versions: EngineVersions
    profile_hash: str

    @property
    def settings_hash(self) -> str:
        """Effective settings less the volatile ones, and the runtime."""
        return content_hash(
            "settings",
            SETTINGS_HASH_VERSION,
            {
                "settings": hashed_settings(self.settings),
                "runtime_env": self.runtime_env,
            },
        )

    @property
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

    @property
    def session_hash(self) -> str:
        """All of the above and the engine's versions."""
        return content_hash(
            "session",
            SESSION_HASH_VERSION,
            {
                "profile": self.profile_hash,
                "settings": self.settings_hash,
                "functions": self.udf_snapshot_hash,
                "versions": self.versions,
            },
        )
