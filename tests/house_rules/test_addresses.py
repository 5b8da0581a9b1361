"""The repository names no machine and no registry."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A folder at the root of a file system, in a path or in a file: address.
MACHINE = re.compile(
    r"(?:(?<![\w.~*/$})-])|(?<=file://))"
    r"/(?:root|home|Users|work|opt|tmp|private|mnt)/[\w.-]+"
)
REGISTRY = re.compile(
    r"pypi[.]org|pythonhosted[.]org|npmjs[.]|debian[.]org"
    r"|--(?:extra-)?index-url\s+\S|--find-links\s+\S",
    re.IGNORECASE,
)


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted({name for name in listed if (ROOT / name).is_file()})


def addresses(text: str) -> list[str]:
    return [
        match.group() for rule in (MACHINE, REGISTRY) for match in rule.finditer(text)
    ]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = {
        name: addresses((ROOT / name).read_text(encoding="utf-8", errors="replace"))
        for name in tracked_files()
    }

    assert found
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.parametrize(
    "parts",
    [
        ('cd "', "/root/", 'x"'),
        ("see ", "/home/", "someone/.cache"),
        ("file://", "/tmp/", "lake"),  # noqa: S108  # text to be found, never opened
        ("url = https://py", "pi.org/simple"),
        ("pip --index", "-url x"),
    ],
)
def test_an_address_is_noticed(parts: tuple[str, ...]) -> None:
    assert addresses("".join(parts))


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/home/page",
        "$(CURDIR)/tmp/x",
        "data/tmp/lake",
        "--no-emit-index-url --no-header",
        "#!/usr/bin/env bash",
    ],
)
def test_what_is_no_address_is_let_through(text: str) -> None:
    assert addresses(text) == []
