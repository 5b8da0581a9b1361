"""Options that many commands share."""

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import dagster as dg

from dagster_dfsession.code_location import (
    CodeLocation,
    CodeSource,
    find_source,
    load_code_location,
    read_workspace,
)
from dagster_dfsession.errors import CodeLocationError
from dagster_dfsession.history.materializations import find_materialized

P = ParamSpec("P")
R = TypeVar("R")

_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def location_options(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command be told which code location; it gets a loaded `location`."""

    @click.option("-f", "--python-file", type=_FILE, help="File with the Definitions.")
    @click.option("-m", "--module-name", help="Module with the Definitions.")
    @click.option("-w", "--workspace", type=_FILE, help="A workspace.yaml.")
    @click.option("-a", "--attribute", help="Name of the Definitions, if several.")
    @click.option(
        "-d", "--working-directory", type=_DIRECTORY, default=Path(), hidden=True
    )
    @functools.wraps(command)
    def wrapped(**options: Any) -> R:
        asked = {
            name: options.pop(name)
            for name in ("python_file", "module_name", "workspace", "attribute")
        }
        directory: Path = options.pop("working_directory")
        with warnings.catch_warnings():
            # Of what Dagster warns itself, nobody at a terminal can change anything.
            warnings.filterwarnings("ignore", module=r"dagster[.]")
            return command(location=_location(directory, **asked), **options)

    return wrapped


def _location(
    directory: Path,
    *,
    python_file: Path | None,
    module_name: str | None,
    workspace: Path | None,
    attribute: str | None,
) -> CodeLocation:
    given = [each for each in (python_file, module_name, workspace) if each is not None]
    if len(given) > 1:
        raise click.UsageError("give one of -f, -m and -w")
    if workspace is not None:
        source = read_workspace(workspace)
    elif given:
        source = CodeSource(
            python_file=python_file,
            module_name=module_name,
            working_directory=directory,
        )
    else:
        source = find_source(directory.absolute())
    if attribute is not None:
        source = CodeSource(
            python_file=source.python_file,
            module_name=source.module_name,
            attribute=attribute,
            working_directory=source.working_directory,
        )
    # What definitions print while they are imported is no result of the command.
    with contextlib.redirect_stdout(sys.stderr):
        return load_code_location(source)


dagster_home_option = click.option(
    "--dagster-home",
    envvar="DAGSTER_HOME",
    type=_DIRECTORY,
    help="Directory of the Dagster instance.  [default: DAGSTER_HOME]",
)


@contextlib.contextmanager
def opened_instance(dagster_home: Path | None) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of a directory for the length of a block.

    Raises:
        CodeLocationError: None is given, or it is not there.
    """
    if dagster_home is None:
        raise CodeLocationError(
            "which Dagster instance? Set DAGSTER_HOME to its directory, or give "
            "--dagster-home"
        )
    if not dagster_home.is_dir():
        raise CodeLocationError(
            f"there is no directory {dagster_home}, where the Dagster instance should "
            "be; set DAGSTER_HOME to the one of your runs, or give --dagster-home"
        )
    with dg.DagsterInstance.from_config(str(dagster_home.absolute())) as instance:
        yield instance


def instance_option(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command be told which Dagster instance; it gets it as `instance`."""

    @dagster_home_option
    @functools.wraps(command)
    def wrapped(*, dagster_home: Path | None, **options: Any) -> R:
        with opened_instance(dagster_home) as instance:
            return command(instance=instance, **options)

    return wrapped


def materialization_options(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command be told which materialization of an ASSET.

    It gets it as `made`, with its `location`.
    """

    @click.argument("asset")
    @click.option(
        "--run", "run_id", help="The run, or how its id begins.  [default: last]"
    )
    @click.option(
        "--partition", help="A partition key.  [default: that of the last run]"
    )
    @location_options
    @instance_option
    @functools.wraps(command)
    def wrapped(
        *,
        location: CodeLocation,
        instance: dg.DagsterInstance,
        asset: str,
        run_id: str | None,
        partition: str | None,
        **options: Any,
    ) -> R:
        key = location.key(asset)
        made = find_materialized(instance, key, run_id=run_id, partition=partition)
        return command(location=location, made=made, **options)

    return wrapped
