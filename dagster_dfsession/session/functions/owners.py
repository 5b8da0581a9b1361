"""Whose code a module is: Python's, an installed distribution's, or the project's."""

import functools
import sys
from importlib import metadata
from pathlib import PurePath
from types import ModuleType

from dagster_dfsession.profile.base import Frozen

INSTALLED = {"dist-packages", "site-packages"}


class Distribution(Frozen, frozen=True):
    """An installed distribution; its code is known by its version."""

    name: str
    version: str


class Stdlib(Frozen, frozen=True):
    """The standard library; its code is known by the version of Python."""


class Project(Frozen, frozen=True):
    """Code that no version stands for: it is known by its content alone."""


def owner_of(module: str) -> Distribution | Stdlib | Project:
    """Return the owner of a module, by its dotted name.

    An editable install belongs to the project: its code changes under one version.

    Examples:
        >>> owner_of("math")
        Stdlib()
        >>> owner_of("pyarrow.compute").name
        'pyarrow'
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return Stdlib()
    loaded = sys.modules.get(module) or sys.modules.get(top)
    if loaded is not None and not _is_installed(loaded):
        return Project()
    return _distribution_of(top) or Project()


def _is_installed(module: ModuleType) -> bool:
    """Say whether a loaded module lies where installers put distributions."""
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
    return any(INSTALLED.intersection(PurePath(place).parts) for place in places)


@functools.cache
def _distribution_of(top: str) -> Distribution | None:
    try:
        namesake = metadata.distribution(top)
    except metadata.PackageNotFoundError:
        namesake = None
    # Reading what every distribution provides takes hundreds of milliseconds.
    if namesake is not None and PurePath(top) in _roots(namesake):
        return Distribution(name=namesake.metadata["Name"], version=namesake.version)
    names = sorted(set(metadata.packages_distributions().get(top, ())))
    if not names:
        return None
    versions = [metadata.version(name) for name in names]
    return Distribution(name=" + ".join(names), version=" + ".join(versions))


def _roots(distribution: metadata.Distribution) -> set[PurePath]:
    files = distribution.files or []
    return {PurePath(file.parts[0]).with_suffix("") for file in files}
