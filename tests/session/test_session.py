"""How a session lives and ends."""

import contextlib
import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from dagster_dfsession.errors import (
    FunctionError,
    InstallError,
    SessionError,
    SettingError,
)
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.runtime import NoSpill, RuntimeProfile, SpillToDisk
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.functions.library import load_library
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


def profile(spill_root: Path) -> SessionProfile:
    spilling = RuntimeProfile(spill=SpillToDisk(directory=str(spill_root)))
    return SessionProfile(name="x", runtime=spilling)


def test_a_session_has_a_spill_directory_of_its_own_that_tells_whose_it_was(
    spill_root: Path,
) -> None:
    plan = plan_session(profile(spill_root))

    with open_session(plan, label="1a2b3c4d") as one, open_session(plan) as other:
        assert one.spill_dir is not None
        name = Path(one.spill_dir).name
        assert name.startswith(f"dfsession_1a2b3c4d_{os.getpid()}_")
        assert one.spill_dir != other.spill_dir
        assert len(list(spill_root.iterdir())) == 2
    assert list(spill_root.iterdir()) == []


def test_closing_drops_the_spill_directory_and_may_be_repeated(
    opened: Opened, spill_root: Path
) -> None:
    session = opened()
    assert session.spill_dir is not None
    (Path(session.spill_dir) / "left").write_text("by the engine")

    session.close()
    session.close()

    assert session.closed
    assert list(spill_root.iterdir()) == []


def test_a_session_that_nobody_holds_drops_its_spill_directory(
    spill_root: Path,
) -> None:
    session = open_session(plan_session(profile(spill_root)))
    assert len(list(spill_root.iterdir())) == 1

    del session
    gc.collect()

    assert list(spill_root.iterdir()) == []


USES: dict[str, Callable[[Session], object]] = {
    "sql": lambda session: session.sql("SELECT 1"),
    "ctx": lambda session: session.ctx,
    "catalog": lambda session: session.catalog,
    "snapshot": lambda session: session.snapshot(),
    "table_names": lambda session: session.table_names(),
    "spill_dir": lambda session: session.spill_dir,
}


@pytest.mark.parametrize("use", USES)
def test_a_closed_session_is_of_no_use(use: str, opened: Opened) -> None:
    session = opened()
    session.snapshot()
    session.close()

    with pytest.raises(SessionError, match="session 'test' is closed; open another"):
        USES[use](session)


def test_a_closed_session_still_says_what_it_was(opened: Opened) -> None:
    session = opened()
    was = repr(session)
    session.close()

    assert was == f"<Session 'test' {session.plan.fingerprint[:16]} open>"
    assert repr(session) == f"<Session 'test' {session.plan.fingerprint[:16]} closed>"
    assert session.report.phases


def test_a_frame_outlives_its_session(opened: Opened) -> None:
    session = opened()
    frame = session.sql("SELECT count(*) AS n FROM generate_series(1, 10)")
    session.close()

    assert frame.to_pydict() == {"n": [10]}


def test_a_block_closes_its_session_also_when_it_fails(spill_root: Path) -> None:
    session = open_session(plan_session(profile(spill_root)))

    with contextlib.suppress(LookupError), session:
        raise LookupError
    assert session.closed
    assert list(spill_root.iterdir()) == []


def test_a_session_that_may_not_spill_has_no_directory(
    opened: Opened, spill_root: Path
) -> None:
    session = opened(runtime=RuntimeProfile(spill=NoSpill()))

    assert session.spill_dir is None
    assert list(spill_root.iterdir()) == []
    session.close()


def test_a_spill_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallError) as refused:
        open_session(plan_session(profile(tmp_path / "absent")))

    assert str(refused.value) == (
        "phase 'context' could not install 'runtime.spill.directory': "
        f"{str(tmp_path / 'absent')!r} is not a directory; make it, or leave it unset"
    )


def test_a_module_of_functions_that_is_not_there_leaves_no_directory(
    opened: Opened, spill_root: Path
) -> None:
    with pytest.raises(FunctionError, match=r"no module 'no_such.udfs'"):
        opened(functions=FunctionsProfile(modules=("no_such.udfs",)))
    assert list(spill_root.iterdir()) == []


def test_a_session_without_a_directory_that_fails_leaves_none_behind(
    opened: Opened, spill_root: Path
) -> None:
    with pytest.raises(SettingError):
        opened(runtime=RuntimeProfile(spill=NoSpill()), settings={"nothing": "1"})
    assert list(spill_root.iterdir()) == []


@pytest.mark.demand("D47")
@pytest.mark.demand("D61")
def test_a_library_given_by_hand_is_used_instead_of_the_modules(
    spill_root: Path,
) -> None:
    asked = profile(spill_root)

    with open_session(plan_session(asked), load_library([])) as session:
        assert session.snapshot().functions.entries == ()


@pytest.mark.parametrize(
    ("wanted", "level"),
    [("off", None), ("debug", logging.DEBUG), ("info", logging.INFO)],
)
def test_the_install_report_is_logged_as_the_profile_says(
    wanted: str,
    level: int | None,
    opened: Opened,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "dagster_dfsession"):
        opened(diagnostics=DiagnosticsProfile(install_log=wanted))  # type: ignore[arg-type]

    assert [record.levelno for record in caplog.records] == [level] * bool(level)
    for record in caplog.records:
        assert record.getMessage().startswith("test: session opened in ")
        assert "(context: 39, catalogs: 1, schema_guards: 36, " in record.getMessage()


def test_tables_are_listed_as_queries_spell_them(opened: Opened) -> None:
    session = opened()
    session.ctx.register_batch("flights", pa.record_batch({"a": [1]}))

    assert session.table_names() == ["flights"]
    listed = session.sql("SHOW TABLES").to_pydict()
    assert "flights" in listed["table_name"]
