"""Which engine this is, and whether its two halves fit together."""

import functools
import platform
from importlib import metadata

from dagster_dfsession.errors import EngineVersionError
from dagster_dfsession.profile.base import Frozen

DELTALAKE_FOR = {"55": ("1.6", "deltalake>=1.6,<1.7")}
"""Major version of datafusion -> series of deltalake built on the same engine."""


class EngineVersions(Frozen, frozen=True):
    """Versions that a result may depend on.

    Attributes:
        datafusion: The Python package.
        engine: The DataFusion library inside it.
    """

    datafusion: str
    engine: str
    deltalake: str
    python: str

    def __str__(self) -> str:
        return (
            f"datafusion {self.engine}, deltalake {self.deltalake}, "
            f"python {self.python}"
        )


@functools.cache
def installed(package: str) -> str:
    """Return the installed version of a package.

    Raises:
        EngineVersionError: It is not installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise EngineVersionError(
            f"{package} is not installed; run: pip install dagster-dfsession"
        ) from None


def engine_versions(engine: str) -> EngineVersions:
    """Return the versions of this process; `engine` is read from the session."""
    return EngineVersions(
        datafusion=installed("datafusion"),
        engine=engine,
        deltalake=installed("deltalake"),
        python=platform.python_version(),
    )


def check_pair(datafusion: str, deltalake: str) -> None:
    """Refuse a pair whose engines have different majors.

    deltalake hands its tables to datafusion through an ABI that holds within one
    major version of the engine; across majors the process may crash.

    Raises:
        EngineVersionError: The pair is not one that works; the message names one.

    Examples:
        >>> check_pair("55.0.0", "1.6.6")
        >>> check_pair("54.0.0", "1.6.6")
        Traceback (most recent call last):
        dagster_dfsession.errors.EngineVersionError: datafusion 54.0.0 is not supported;
        run: pip install 'datafusion>=55,<56' 'deltalake>=1.6,<1.7'
    """
    major = datafusion.partition(".")[0]
    if major not in DELTALAKE_FOR:
        newest, (_, wanted) = max(DELTALAKE_FOR.items())
        raise EngineVersionError(
            f"datafusion {datafusion} is not supported; run: pip install "
            f"'datafusion>={newest},<{int(newest) + 1}' '{wanted}'"
        )
    series, wanted = DELTALAKE_FOR[major]
    if not deltalake.startswith(f"{series}."):
        raise EngineVersionError(
            f"deltalake {deltalake} is built on another engine than datafusion "
            f"{datafusion}; run: pip install 'datafusion=={datafusion}' '{wanted}'"
        )
