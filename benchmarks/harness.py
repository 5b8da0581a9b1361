"""Arms of a comparison, run in turn, told as ratios of medians."""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("dagster", "dagster-dfsession", "datafusion", "deltalake", "pyarrow")
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).with_name("README.md")


@dataclasses.dataclass(frozen=True)
class Times:
    """Milliseconds of one arm, one for each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median round."""
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        low, high = min(self.rounds), max(self.rounds)
        return f"{self.median:8.2f} ms  ({low:.2f} to {high:.2f}, n={len(self.rounds)})"


def interleaved(
    arms: Mapping[str, Callable[[], object]], *, rounds: int
) -> dict[str, Times]:
    """Run all arms once to warm up, then in turn, so that noise meets them alike."""
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for arm in arms.values():
        arm()
    for _ in range(rounds):
        for name, arm in arms.items():
            started = time.perf_counter()
            arm()
            taken[name].append((time.perf_counter() - started) * 1000)
    return {name: Times(tuple(each)) for name, each in taken.items()}


def alone(module: str, *arguments: object) -> Any:
    """Run a benchmark's arm in a process of its own; return the JSON that it prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def in_turn(
    arms: Mapping[str, Callable[[], float]], *, rounds: int
) -> dict[str, Times]:
    """Ask all arms in turn for the milliseconds that each took by its own clock."""
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            taken[name].append(arm())
    return {name: Times(tuple(each)) for name, each in taken.items()}


def machine() -> dict[str, str | int]:
    """Return what the figures were taken on."""
    versions = {package: metadata.version(package) for package in PACKAGES}
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 0,
        "python": platform.python_version(),
        **versions,
    }


def keep(name: str, figures: Mapping[str, object]) -> None:
    """Put one benchmark's figures into `results.json`, beside those of the others."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[name] = {"on": machine(), **figures}
    RESULTS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def write_part(heading: str, part: str) -> None:
    """Put a generated part into the page, in the place of what it said before."""
    begin, end = f"<!-- begin: {heading} -->\n", "<!-- end -->\n"
    whole = PAGE.read_text(encoding="utf-8")
    if begin not in whole:
        whole = f"{whole.rstrip()}\n\n## {heading}\n\n{begin}{end}"
    before, _, rest = whole.partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}{part}{end}{after}", encoding="utf-8")
