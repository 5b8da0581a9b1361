"""Directories for spilled batches: one for each session, gone with it."""

import os
import shutil
import tempfile
from pathlib import Path

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.runtime import Spill, SpillToDisk

SPILL_PREFIX = "dfsession_"


def make_spill_dir(spill: Spill, label: str) -> str | None:
    """Make the directory of one session; None: it must not spill.

    Args:
        spill: What the plan says.
        label: Part of its name, so that a leftover tells whose it was.

    Raises:
        InstallError: The directory that it should lie in is none.
    """
    if not isinstance(spill, SpillToDisk):
        return None
    if spill.directory is not None and not Path(spill.directory).is_dir():
        raise InstallError.during(
            Phase.CONTEXT.value,
            "runtime.spill.directory",
            f"{spill.directory!r} is not a directory; make it, or leave it unset",
        )
    return tempfile.mkdtemp(
        prefix=f"{SPILL_PREFIX}{label}_{os.getpid()}_", dir=spill.directory
    )


def remove_directory(path: str) -> None:
    """Remove a spill directory, with what the engine left in it."""
    shutil.rmtree(path, ignore_errors=True)
