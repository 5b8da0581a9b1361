"""A code location, loaded as Dagster loads it, for commands that work on its assets."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import msgspec
import yaml
from dagster.components.definitions import LazyDefinitions

from dagster_dfsession.config.storage import resolved, resolved_options
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import CodeLocationError, did_you_mean, listing
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.adhoc import AdhocSessions
from dagster_dfsession.profile.sql import SqlPolicy
from dagster_dfsession.resources import DataFusionSessionResource

WORKSPACE = "workspace.yaml"
PROJECT = "pyproject.toml"
DEFINITIONS = "definitions.py"


class CodeSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the definitions are.

    Attributes:
        python_file: A file; None: they are in a module.
        module_name: A module that can be imported; None: they are in a file.
        attribute: The name of the `Definitions`; None: the only one that is there.
        working_directory: Where Python looks for modules first.
    """

    python_file: Path | None = None
    module_name: str | None = None
    attribute: str | None = None
    working_directory: Path

    def __str__(self) -> str:
        place = str(self.python_file or self.module_name)
        return f"{place}:{self.attribute}" if self.attribute else place


class CodeLocation:
    """The definitions of a code location, asked by asset key.

    Args:
        definitions: As Dagster takes them.
        name: What messages call the location.
    """

    def __init__(self, definitions: dg.Definitions, name: str) -> None:
        self.definitions = definitions
        self.name = name

    @property
    def keys(self) -> tuple[dg.AssetKey, ...]:
        """The keys of all assets, sorted."""
        return tuple(sorted(self.definitions.resolve_all_asset_keys()))

    def key(self, text: str) -> dg.AssetKey:
        """Return the asset that is called `raw/flights`, or `raw.flights` as in SQL.

        Raises:
            CodeLocationError: There is none.
        """
        found = {each.to_user_string(): each for each in self.keys}
        spelt = found.get(text) or found.get(text.replace(".", "/"))
        if spelt is None:
            raise CodeLocationError(
                f"{self.name} has no asset {text!r}; there is {listing(found)}."
                f"{did_you_mean(text, found)}"
            )
        return spelt

    def lake(self, key: dg.AssetKey) -> Lake:
        """Return the lake that an asset's table is in.

        Raises:
            CodeLocationError: The asset is not stored by this package.
        """
        stored = self._stored(key)
        root: str | None = resolved(stored.root_uri, "root_uri")
        if root is None:
            raise CodeLocationError(
                f"asset {key.to_user_string()!r} of {self.name} has no IO manager of "
                "this package, and its session resource has no root_uri: give either"
            )
        return Lake(root, resolved_options(stored.storage_options))

    def session(self, key: dg.AssetKey | None = None) -> DataFusionSessionResource:
        """Return the session resource of an asset; None: that of the whole location.

        Raises:
            CodeLocationError: There is none, or there are several.
        """
        if key is not None:
            stored = self._stored(key)
            if isinstance(stored, DataFusionSessionResource):
                return stored
            session: DataFusionSessionResource = stored.session
            return session
        named = {
            name: each
            for name, each in self._resources.items()
            if isinstance(each, DataFusionSessionResource)
        }
        if len(named) != 1:
            raise CodeLocationError(
                f"{self.name} has {len(named)} session resources ({listing(named)}), "
                "and this needs to know the one: name an asset that uses it"
            )
        return next(iter(named.values()))

    def queries(self, key: dg.AssetKey | None = None) -> AdhocSessions:
        """Return sessions over its lakes that accept queries alone; close them.

        Args:
            key: As `session`.

        Raises:
            CodeLocationError: As `session`.
        """
        profile = self.session(key).plan().profile
        sql = msgspec.structs.replace(profile.sql, policy=SqlPolicy())
        return AdhocSessions(
            plan_session(msgspec.structs.replace(profile, sql=sql)), self.lakes
        )

    @property
    def lakes(self) -> tuple[Lake, ...]:
        """The lakes of its IO managers and session resources, each once."""
        found: dict[str, Lake] = {}
        for each in self._resources.values():
            if isinstance(each, DataFusionDeltaIOManager | DataFusionSessionResource):
                root = resolved(each.root_uri, "root_uri")
                if root is not None:
                    lake = Lake(root, resolved_options(each.storage_options))
                    found.setdefault(lake.root.uri, lake)
        return tuple(found.values())

    @property
    def _resources(self) -> Mapping[str, Any]:
        return self.definitions.resources or {}

    def _stored(
        self, key: dg.AssetKey
    ) -> DataFusionDeltaIOManager | DataFusionSessionResource:
        assets = self.definitions.resolve_assets_def(key)
        wanted = [assets.get_io_manager_key_for_asset_key(key)]
        wanted += sorted(assets.required_resource_keys)
        given = [self._resources.get(name) for name in wanted]
        for kind in (DataFusionDeltaIOManager, DataFusionSessionResource):
            for each in given:
                if isinstance(each, kind):
                    return each
        raise CodeLocationError(
            f"asset {key.to_user_string()!r} of {self.name} is stored by none of this "
            f"package's resources; it uses {listing(wanted)}"
        )


def load_code_location(source: CodeSource) -> CodeLocation:
    """Import the definitions.

    Raises:
        CodeLocationError: There is no such file or module, importing it failed, or it
            has not one `Definitions`.
    """
    module = _imported(source)
    found = dict(_definitions_of(module))
    if source.attribute is not None:
        found = {name: each for name, each in found.items() if name == source.attribute}
    if len(found) != 1:
        raise CodeLocationError(
            f"{source} has {len(found)} Definitions ({listing(found)}), and one is "
            "needed: name it with --attribute"
        )
    (given,) = found.values()
    definitions = given() if isinstance(given, LazyDefinitions) else given
    return CodeLocation(definitions, str(source))


def find_source(directory: Path) -> CodeSource:
    """Return what Dagster would load in a directory that says nothing else.

    Its `workspace.yaml`, if that names one location; else the project of its
    `pyproject.toml`; else its `definitions.py`.

    Raises:
        CodeLocationError: There is none of these.
    """
    if (workspace := directory / WORKSPACE).is_file():
        return read_workspace(workspace)
    if (project := directory / PROJECT).is_file():
        source = _read_project(project)
        if source is not None:
            return source
    if (definitions := directory / DEFINITIONS).is_file():
        return CodeSource(python_file=definitions, working_directory=directory)
    raise CodeLocationError(
        f"{directory} has no {WORKSPACE}, no {PROJECT} that names a Dagster project "
        f"and no {DEFINITIONS}: name a file with -f or a module with -m"
    )


def read_workspace(path: Path) -> CodeSource:
    """Return the one code location of a `workspace.yaml`.

    Raises:
        CodeLocationError: It cannot be read, or names none, several or a server.
    """
    try:
        entries = yaml.safe_load(path.read_text())["load_from"]
        (entry,) = entries
        ((kind, given),) = entry.items()
    except (OSError, TypeError, KeyError, ValueError, yaml.YAMLError) as error:
        raise CodeLocationError(
            f"{path} does not name one code location under load_from ({error}): name "
            "a file with -f or a module with -m"
        ) from None
    at = path.parent
    options = given if isinstance(given, dict) else {}
    common = {
        "attribute": options.get("attribute"),
        "working_directory": at / options.get("working_directory", "."),
    }
    if kind == "python_file":
        file = options.get("relative_path") or given
        return CodeSource(python_file=at / file, **common)
    if kind in ("python_module", "python_package"):
        module = options.get("module_name") or options.get("package_name") or given
        return CodeSource(module_name=module, **common)
    raise CodeLocationError(
        f"{path} has a location of the kind {kind!r}, which cannot be loaded here: "
        "name a file with -f or a module with -m"
    )


def _read_project(path: Path) -> CodeSource | None:
    tool = _toml(path).get("tool", {})
    project = tool.get("dg", {}).get("project", {})
    root = project.get("root_module")
    module = (
        project.get("code_location_target_module")
        or (f"{root}.definitions" if root else None)
        or tool.get("dagster", {}).get("module_name")
    )
    return module and CodeSource(module_name=module, working_directory=path.parent)


def _toml(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise CodeLocationError(f"{path} is no TOML: {error}") from None
    return found


def _imported(source: CodeSource) -> ModuleType:
    search: Sequence[str] = [str(source.working_directory.absolute())]
    sys.path[:0] = [each for each in search if each not in sys.path]
    try:
        if source.module_name is not None:
            return importlib.import_module(source.module_name)
        return _imported_file(source.python_file or Path(DEFINITIONS))
    except CodeLocationError:
        raise
    except Exception as error:
        raise CodeLocationError(
            f"{source} could not be imported: {type(error).__name__}: {error}"
        ) from error


def _imported_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CodeLocationError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CodeLocationError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles ask for the module by its name.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _definitions_of(
    module: ModuleType,
) -> Iterator[tuple[str, dg.Definitions | LazyDefinitions[Any]]]:
    for name, each in vars(module).items():
        if isinstance(each, dg.Definitions | LazyDefinitions):
            yield name, each
