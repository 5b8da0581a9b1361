"""Whether all that a session needs is there: what `dfsession doctor` prints."""

import datetime as dt
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import dagster as dg

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.janitor import clean_up, spill_directory
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.sinks import make_sinks
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.base import MIB, Frozen
from dagster_dfsession.profile.runtime import SpillToDisk
from dagster_dfsession.session.capabilities import Capability, engine_capabilities
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.features import FeatureState, feature_states

DAY = dt.timedelta(days=1)
LOW_MIB = 1024
"""Less room for spilled batches than this is worth a warning."""

Verdict: TypeAlias = Literal["ok", "warning", "error"]


class Finding(Frozen, frozen=True):
    """What was found out about one thing.

    Attributes:
        subject: `session`, `sinks`, `spill`, `lake`, `dagster home`, `janitor`.
        verdict: With an error, runs will fail; a warning is for people to judge.
        said: In one sentence, with what to do about it.
    """

    subject: str
    verdict: Verdict
    said: str


class Diagnosis(Frozen, frozen=True, kw_only=True):
    """What a doctor found.

    Attributes:
        capabilities: What the engine can do.
        features: What the profile wants and the session does; empty where no session
            could be had.
        findings: About all that is around the session.
    """

    capabilities: tuple[Capability, ...]
    features: tuple[FeatureState, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing was found that makes runs fail."""
        return all(each.verdict != "error" for each in self.findings)


def diagnose(
    plan: SessionPlan,
    lakes: Sequence[Lake] = (),
    *,
    dagster_home: Path | None = None,
    write: bool = True,
) -> Diagnosis:
    """Try whatever a run will need, and say what came of it; never raises for that.

    Args:
        plan: Of the session.
        lakes: Where its tables are.
        dagster_home: Directory of the Dagster instance; None: there is none.
        write: Write a file of a few bytes to each lake and remove it.

    Examples:
        >>> from dagster_dfsession import SessionProfile, plan_session
        >>> diagnosis = diagnose(plan_session(SessionProfile(name="dev")))
        >>> diagnosis.healthy
        True
        >>> [each.subject for each in diagnosis.findings]
        ['session', 'spill', 'dagster home']
    """
    features, session = _session(plan)
    findings = [session, *_sinks(plan), *_spill(plan)]
    for lake in lakes:
        findings += _lake(lake, write=write)
    findings += _dagster(plan, lakes, dagster_home)
    return Diagnosis(
        capabilities=tuple(engine_capabilities().values()),
        features=features,
        findings=tuple(findings),
    )


def _session(plan: SessionPlan) -> tuple[tuple[FeatureState, ...], Finding]:
    try:
        with open_session(plan, label="doctor") as session:
            features = feature_states(session)
            said = f"{session.report}; {session.snapshot().versions}"
    except DfSessionError as error:
        return (), _finding("session", "error", error)
    odd = [each.feature for each in features if not each.as_wanted]
    if odd:
        said = f"{said}; not as the profile wants: {', '.join(odd)}"
    return features, _finding("session", "warning" if odd else "ok", said)


def _sinks(plan: SessionPlan) -> Iterator[Finding]:
    names = plan.reporting.sinks
    if not names:
        return
    try:
        made = make_sinks(names, RunTables(plan.catalog.default_schema), log=None)
    except DfSessionError as error:
        yield _finding("sinks", "error", error)
        return
    try:
        for sink in made.values():
            sink.close()
    except Exception as error:  # noqa: BLE001  # sinks of users raise what they like
        said = f"closing one raised {type(error).__name__}: {error}; no run fails by it"
        yield _finding("sinks", "warning", said)
        return
    yield _finding("sinks", "ok", f"can be made: {', '.join(made)}")


def _spill(plan: SessionPlan) -> Iterator[Finding]:
    if not isinstance(plan.spill, SpillToDisk):
        yield _finding("spill", "ok", "the profile keeps all in memory")
        return
    directory = spill_directory(plan)
    try:
        with tempfile.TemporaryFile(dir=directory):
            free = shutil.disk_usage(directory).free // MIB
    except OSError as error:
        yield _finding("spill", "error", f"{directory} cannot be written to: {error}")
        return
    said = f"{free:,} MiB free in {directory}"
    low = free < LOW_MIB
    if low:
        said = f"{said}; make room, or set runtime.spill.directory to another disk"
    yield _finding("spill", "warning" if low else "ok", said)


def _lake(lake: Lake, *, write: bool) -> Iterator[Finding]:
    files, uri = LakeFiles(lake.root), lake.root.uri
    subject = f"lake {uri}"
    if lake.root.is_local and not Path(uri).is_dir():
        yield _missing(subject, Path(uri))
        return
    try:
        found = len(files.directories())
        yield _finding(subject, "ok", f"can be listed; it has {found} directories")
        if write:
            _write(files)
            yield _finding(subject, "ok", "a file can be written, read and removed")
    except (DfSessionError, OSError) as error:
        yield _finding(subject, "error", error)


def _missing(subject: str, root: Path) -> Finding:
    there = next(each for each in (root, *root.absolute().parents) if each.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return _finding(subject, "warning", "not there yet; the first write makes it")
    why = "cannot be written to" if there.is_dir() else "is no directory"
    return _finding(subject, "error", f"cannot be made: {there} {why}")


def _write(files: LakeFiles) -> None:
    path = f"_dfsession/doctor-{uuid.uuid4().hex}"
    try:
        files.write_if_absent(path, b"doctor")
        if files.read(path) != b"doctor":
            raise OSError(f"{path} reads otherwise than it was written")
    finally:
        files.remove(path)


def _dagster(
    plan: SessionPlan, lakes: Sequence[Lake], home: Path | None
) -> Iterator[Finding]:
    if home is None:
        said = "DAGSTER_HOME is not set: runs leave no history behind"
        yield _finding("dagster home", "warning", said)
        return
    if not home.is_dir():
        yield _finding("dagster home", "error", f"there is no directory {home}")
        return
    try:
        with dg.DagsterInstance.from_config(str(home.absolute())) as instance:
            runs = instance.get_runs_count()
            yield _finding("dagster home", "ok", f"{home} has {runs:,} runs")
            done = clean_up(
                instance,
                lakes=lakes,
                spill_directory=spill_directory(plan),
                older_than=DAY,
                dry_run=True,
            )
    except Exception as error:  # noqa: BLE001  # storages of Dagster raise what they like
        said = f"{home} cannot be opened: {type(error).__name__}: {error}"
        yield _finding("dagster home", "error", said)
        return
    if done.leftovers:
        said = f"{done} dfsession janitor --write does it."
        yield _finding("janitor", "warning", said)
    else:
        yield _finding("janitor", "ok", done)


def _finding(subject: str, verdict: Verdict, said: object) -> Finding:
    return Finding(subject=subject, verdict=verdict, said=str(said))
