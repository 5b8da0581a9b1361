"""From an import path to an extension that is what it says, or a reason why not."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType, ModuleType
from typing import Any

from dagster_dfsession.errors import InstallError, did_you_mean, listing
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.extensions import Extension
from dagster_dfsession.session.conformance import ports_of, unsaid
from dagster_dfsession.session.functions.digest import implementation_digest
from dagster_dfsession.session.functions.owners import Distribution, owner_of
from dagster_dfsession.session.ports import PORTS, ExtensionBundle
from dagster_dfsession.session.versions import installed

NOTHING_FAILED: Mapping[str, str] = MappingProxyType({})


class ExtensionEntry(Frozen, frozen=True):
    """One extension that the profile names, as it is recorded and hashed.

    Attributes:
        path: As the profile names it.
        name: As it names itself; empty if it is unavailable.
        ports: What it brings: `PlannerExtensionPort` and the like, sorted.
        digest: Of its Python code; None: it cannot be compared, or is unavailable.
        unavailable: Why the session goes without it; None: it is installed.
    """

    path: str
    name: str = ""
    version: str = ""
    engine_major: int | None = None
    ports: tuple[str, ...] = ()
    digest: str | None = None
    unavailable: str | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What is hashed: why it is unavailable may differ from host to host."""
        said = (self.path, self.name, self.version, self.engine_major)
        return (*said, self.ports, self.digest, self.unavailable is None)


@dataclass(frozen=True)
class Part:
    """One object of an extension, with the ports it is."""

    name: str
    given: Any
    ports: frozenset[str]


@dataclass(frozen=True)
class LoadedExtension:
    """An extension that may be installed; without parts, it is unavailable."""

    entry: ExtensionEntry
    parts: tuple[Part, ...] = ()


def load_extension(wanted: Extension) -> LoadedExtension:
    """Import an extension and hold it against the ports; nothing is installed yet.

    Raises:
        InstallError: It is absent, has some methods of a port and lacks others, has
            one that no port knows, or was built for another engine; an optional one
            is returned as unavailable instead.
    """
    major = int(installed("datafusion").partition(".")[0])
    try:
        return _loaded(wanted.path, major)
    except InstallError as error:
        if not wanted.optional:
            raise
        entry = ExtensionEntry(path=wanted.path, unavailable=str(error))
        return LoadedExtension(entry)


def load_extensions(
    wanted: Iterable[Extension], failed: Mapping[str, str] = NOTHING_FAILED
) -> tuple[LoadedExtension, ...]:
    """Load the extensions of a profile, in its order; a path named twice is one.

    Args:
        wanted: The extensions.
        failed: Path -> why it could not be installed: it is unavailable.

    Raises:
        InstallError: As `load_extension`, or two have one name.
    """
    loaded = tuple(
        LoadedExtension(ExtensionEntry(path=path, unavailable=failed[path]))
        if path in failed
        else load_extension(each)
        for path, each in {each.path: each for each in wanted}.items()
    )
    paths: dict[str, str] = {}
    for each in loaded:
        if not each.parts:
            continue
        other = paths.setdefault(each.entry.name, each.entry.path)
        if other != each.entry.path:
            raise _refused(
                each.entry.path, f"{other} is called {each.entry.name!r} too"
            )
    return loaded


def _loaded(path: str, major: int) -> LoadedExtension:
    module = _imported(path, major)
    home = _home(path)
    factory = _factory(path, module, home)
    given = module if factory is None else _made(path, factory)
    if lacking := unsaid(given):
        what = home if factory is None else f"the {type(given).__name__} that it makes"
        raise _refused(
            path,
            f"{what} has no {listing(lacking)}, which say what an extension is. If its "
            "makers know nothing of this package, return it in an ExtensionBundle; if "
            "it only brings functions, name a module in `functions.modules` that "
            "declares them with function_bundle or capsule_function",
        )
    said = f"{given.name} {given.version}"
    if given.engine_major != major:
        raise _refused(
            path,
            f"{said} is built for DataFusion {given.engine_major}, and this is "
            f"{installed('datafusion')}; install a version of {_package(path)} that is "
            f"built for DataFusion {major}",
        )
    objects = given.parts if isinstance(given, ExtensionBundle) else {given.name: given}
    parts = tuple(_part(name, each, path, said) for name, each in objects.items())
    if not parts:
        raise _refused(path, f"{said} is a bundle of nothing")
    entry = ExtensionEntry(
        path=path,
        name=given.name,
        version=given.version,
        engine_major=given.engine_major,
        ports=tuple(sorted({port for part in parts for port in part.ports})),
        digest=_digest(factory, parts),
    )
    return LoadedExtension(entry, parts)


def _part(name: str, given: object, path: str, said: str) -> Part:
    ports = ports_of(given, _package(path))
    if isinstance(ports, str):
        raise _refused(path, f"{said} {ports}")
    return Part(name, given, ports)


def _imported(path: str, major: int) -> ModuleType:
    name = path.partition(":")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        needs = "" if name.startswith(missing) else f", which {name} needs"
        raise _refused(
            path,
            f"there is no module {missing!r}{needs}; install {_package(missing)} in a "
            f"version built for DataFusion {major}, or mark the extension optional",
        ) from error
    except Exception as error:
        raise _refused(
            path, f"importing {name} failed: {type(error).__name__}: {error}"
        ) from error


def _factory(path: str, module: ModuleType, home: str) -> Callable[[], Any] | None:
    attribute = path.partition(":")[2]
    if not attribute:
        return None
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        public = {n: each for n, each in vars(module).items() if not n.startswith("_")}
        known = [name for name, each in public.items() if callable(each)]
        raise _refused(
            path,
            f"{home} has no callable {attribute!r}; it has {listing(known, limit=8)}."
            f"{did_you_mean(attribute, known)} Install the version of "
            f"{_package(path)} that has it, or name another",
        )
    factory: Callable[[], Any] = found
    return factory


def _made(path: str, factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except Exception as error:
        raise _refused(
            path, f"calling it raised {type(error).__name__}: {error}"
        ) from error


def _digest(factory: object, parts: Iterable[Part]) -> str | None:
    """Return what the extension's Python code does, as far as it is Python code."""
    bodies = (
        [factory]
        if factory is not None
        else [
            getattr(part.given, method)
            for part in parts
            for port in sorted(part.ports)
            for method in PORTS[port]
        ]
    )
    digests = [implementation_digest(each).sha256 for each in bodies if callable(each)]
    return None if None in digests else content_hash("extension", 1, digests)


def _package(path: str) -> str:
    """Return what pip calls the package of an import path, as far as is known."""
    module = path.partition(":")[0]
    owner = owner_of(module)
    return owner.name if isinstance(owner, Distribution) else module.partition(".")[0]


def _home(path: str) -> str:
    """Return the package of an import path with its version, for messages."""
    package = _package(path)
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _refused(path: str, reason: str) -> InstallError:
    return InstallError.during(Phase.PLANNING_EXTENSIONS.value, path, reason)
