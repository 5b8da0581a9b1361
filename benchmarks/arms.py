"""Arms in environments of their own: who they are, and what a run of one tells.

A directory describes them: `arms.toml` says what each is called and needs, `arms/` has
the module of each, which is all that its user writes.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomli

from benchmarks.conformance import ROOT, install

Told = Mapping[str, Any]
"""What a run prints last: one line of JSON."""


class Arm(NamedTuple):
    """A way to make the graph.

    Attributes:
        shown: What the table calls it.
        python: Of its environment.
        lines: Of code that its user writes, without comments and docstrings.
    """

    name: str
    shown: str
    python: str
    lines: int


class ArmFailedError(Exception):
    """An arm that does not make the graph; the text is the last that it said."""


def arms(home: Path, names: Sequence[str], environments: Path) -> Iterator[Arm]:
    """Install what each arm needs, and return those asked for; of none, all.

    Args:
        home: The directory that describes them.
        names: With the first of the file, with which the others are compared.
        environments: Where environments are, and stay.
    """
    asked: Told = tomli.loads((home / "arms.toml").read_text())
    if unknown := set(names) - set(asked["arms"]):
        known = ", ".join(asked["arms"])
        raise SystemExit(f"no arm is called {', '.join(unknown)}; there are {known}")
    everywhere = asked["everywhere"]["packages"]
    first, *_ = asked["arms"]
    for name in dict.fromkeys([first, *names]) if names else asked["arms"]:
        arm = asked["arms"][name]
        packages = arm.get("packages")
        python = (
            sys.executable
            if packages is None
            else str(install(name, [*everywhere, *packages], environments))
        )
        yield Arm(name, arm["shown"], python, lines_of(home / "arms" / f"{name}.py"))


def lines_of(module: Path) -> int:
    """Return how many lines of code a module has, each statement on one line."""
    tree = ast.parse(module.read_text())
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            del node.body[0]
    return sum(map(bool, ast.unparse(tree).splitlines()))


def told_by(arm: Arm, module: str, *arguments: Path | str) -> Told:
    """Run a module with the arm's name in a process of the arm's environment.

    Raises:
        ArmFailedError: It ended with an error.
    """
    done = subprocess.run(
        [arm.python, "-m", module, arm.name, *arguments],
        cwd=ROOT,
        env=os.environ | {"DAGSTER_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ArmFailedError((done.stderr.strip().splitlines() or ["no reason"])[-1])
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def runs_in_turn(
    each: Sequence[Arm], module: str, *given: Path | str, scratch: Path, rounds: int
) -> dict[str, list[Told]]:
    """Run all arms, again and again, each time into a directory that is then gone."""
    runs: dict[str, list[Told]] = {arm.name: [] for arm in each}
    for number in range(rounds):
        for arm in each:
            with tempfile.TemporaryDirectory(dir=scratch) as out:
                runs[arm.name].append(told_by(arm, module, *given, out))
            print(f"{number + 1}/{rounds} {arm.name}", flush=True)
    return runs


def arms_parser(description: str) -> ArgumentParser:
    """Return a parser of what every benchmark of arms may be asked."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scratch", type=Path, help="keeps environments and tables")
    parser.add_argument(
        "--arms", nargs="*", default=[], help="default: all; always with this project"
    )
    parser.add_argument("--write", action="store_true", help="the page and results")
    return parser
