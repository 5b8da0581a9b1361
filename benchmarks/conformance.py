"""Run the conformance suite on this project's IO manager and on its peers.

Each peer of tests/conformance/peers.toml is installed in an environment of its own, as
pip finds it. The tables go into docs/conformance.md and README.md.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "tests" / "conformance"
PEERS = SUITE / "peers.toml"
PAGE, README = ROOT / "docs" / "conformance.md", ROOT / "README.md"
BEGIN, END = "<!-- begin: make conformance -->\n", "<!-- end -->"
OURS = "dagster-dfsession"
ENGINES = ("dagster", "datafusion", "deltalake", "pyarrow", "pytest")
# As tests/conformance/outcome.py names them, which needs no package to be read here.
LOUD = ("DATA LOST", "WRONG ROWS", "error, data changed", "broken case")

Outcomes = Mapping[str, str]
"""Name of a case -> what came of it."""


def install(name: str, packages: Iterable[str], environments: Path) -> Path:
    """Make an environment with just these packages; return its Python."""
    home = environments / name
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    install = [python, "-m", "pip", "install", "-qq", *packages]
    subprocess.run(install, check=True)
    return python


def outcomes(python: Path | str, *options: str | Path) -> Outcomes:
    """Run the suite; cases that fail are what it is there to find."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        pytest = [python, "-m", "pytest", SUITE, "-p", "no:cacheprovider"]
        subprocess.run(
            [*pytest, "--quiet", "--tb=no", f"--junit-xml={report}", *options],
            cwd=ROOT,
            env=os.environ | {"DAGSTER_DISABLE_TELEMETRY": "1"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        tree = ET.parse(report)  # noqa: S314 - pytest wrote it just now
    return {
        case.get("name", ""): found.get("value", "")
        for case in tree.iter("testcase")
        for found in case.iter("property")
        if found.get("name") == "outcome"
    }


def summary(results: Mapping[str, Outcomes]) -> list[str]:
    """Return how many cases came to what, for each IO manager."""
    counts = {name: Counter(of.values()) for name, of in results.items()}
    told = dict.fromkeys(each for case in results.values() for each in case.values())
    rows = ([shown(each), *(str(of[each]) for of in counts.values())] for each in told)
    return [*table(["", *results], rows)]


def page(results: Mapping[str, Outcomes], installed: Mapping[str, str]) -> str:
    """Return the generated part of the page."""
    names = list(results)
    cases = list(dict.fromkeys(case for of in results.values() for case in of))
    return "\n".join(
        [
            *summary(results),
            "",
            *table(
                ["case", *names],
                (
                    [label(case), *(shown(results[n].get(case, "")) for n in names)]
                    for case in cases
                ),
            ),
            "",
            f"Measured with Python {platform.python_version()} and",
            "",
            *(f"- {name}: {what}" for name, what in installed.items()),
            "",
        ]
    )


def label(case: str) -> str:
    """Return the name of a test as a reader would say it.

    Examples:
        >>> label("test_a_key_read[static, int]")
        'a key read: static, int'
    """
    name, _, shape = re.sub(r"]$", "", case).partition("[")
    words = name.removeprefix("test_").replace("_", " ")
    return f"{words}: {shape}" if shape else words


def shown(outcome: str) -> str:
    """Return an outcome as a cell; one that hurts in bold."""
    return f"**{outcome}**" if outcome in LOUD else outcome


def table(headings: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def measure(environments: Path) -> tuple[str, str]:
    """Run everything; return the generated parts of the page and of the README."""
    asked: Mapping[str, Any] = tomli.loads(PEERS.read_text(encoding="utf-8"))
    everywhere = asked["everywhere"]["packages"]
    results = {OURS: outcomes(sys.executable)}
    installed = {OURS: ", ".join(f"{n} {metadata.version(n)}" for n in ENGINES)}
    for name, peer in asked["peers"].items():
        print(name, flush=True)
        packages = [*peer["packages"], *everywhere]
        python = install(name, packages, environments)
        named = f"--io-manager={peer['io-manager']}"
        results[name] = outcomes(python, "-c", PEERS, named)
        installed[name] = ", ".join(packages).replace("==", " ")
    return page(results, installed), "\n".join([*summary(results), ""])


def write(file: Path, generated: str) -> None:
    """Put what was generated between the marks of a file."""
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    file.write_text(f"{before}{BEGIN}{generated}{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, and write the page and the table of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--environments", type=Path, help="where they are kept (default: nowhere)"
    )
    kept = parser.parse_args().environments
    with tempfile.TemporaryDirectory() as scratch:
        told, short = measure(Path(scratch) if kept is None else kept.resolve())
    write(PAGE, told)
    write(README, short)


if __name__ == "__main__":
    main()
