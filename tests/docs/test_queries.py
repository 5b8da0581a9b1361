"""docs/queries.md and docs/extending.md name what there is, in its own words."""

import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
from datafusion import SessionContext

import dagster_dfsession as dfs
from dagster_dfsession.bootstrap.report import Status
from dagster_dfsession.materialization.outputs import NO_QUERY
from dagster_dfsession.metadata import lineage
from dagster_dfsession.profile.bootstrap import BootstrapMode
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.session.ports import PORTS
from dagster_dfsession.session.system import COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [(DOCS / name).read_text("utf-8") for name in ("queries.md", "extending.md")]
QUERIES, EXTENDING = (" ".join(page.split()) for page in PAGES)


def without_a_row(page: str, names: set[str]) -> set[str]:
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    return names - {word for row in rows for word in row.split("`")[1::2]}


def shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def test_every_field_of_an_artifact_is_in_a_table() -> None:
    fields = set(dfs.PlanArtifact.__struct_fields__)
    of_others = {"version", "result_settings_hash", "engine"}

    assert without_a_row(PAGES[0], fields) == of_others


def test_every_status_of_a_bootstrap_is_in_a_table() -> None:
    assert without_a_row(PAGES[0], set(get_args(Status))) == set()
    assert [m for m in get_args(BootstrapMode) if f"`{m}`" not in QUERIES] == []


def test_the_words_of_the_lineage_are_explained() -> None:
    words = (lineage.ROWS, lineage.NOT_EXACT, lineage.UNKNOWN)

    assert [word for word in words if f"`{word}`" not in QUERIES] == []


def test_every_port_and_method_of_ours_is_in_a_table() -> None:
    methods = {name for names in PORTS.values() for name in names}
    ours = {name for name in methods if name.startswith("install_")}

    assert without_a_row(PAGES[1], {*PORTS, *ours}) == set()


def test_every_hook_is_in_a_table() -> None:
    hooks = set(HooksProfile.__struct_fields__) - {"failure"}

    assert without_a_row(PAGES[1], hooks) == set()


def test_every_table_of_the_session_is_named() -> None:
    assert [name for name in COLUMNS if f"`{name}`" not in EXTENDING] == []


def test_the_page_shows_what_a_parameter_without_value_is_answered() -> None:
    with pytest.raises(dfs.QueryError) as refused:
        dfs.sql_asset(
            name="spending",
            sql="SELECT $least, $last",
            params={"least": 3.5},
        )

    assert shown(refused.value) in QUERIES


def test_the_page_shows_what_a_query_of_other_settings_is_answered() -> None:
    elsewhere = parse_profile({"hardening": {"time_zone": "Europe/Vienna"}}, base="dev")
    with dfs.LakeSession("dev") as lake:
        artifact = lake.compile("SELECT 1 AS one")

    with dfs.LakeSession(elsewhere) as lake, pytest.raises(dfs.SettingError) as refused:
        lake.execute(artifact)

    assert shown(refused.value) in QUERIES


def test_the_page_shows_what_rows_of_no_query_are_answered() -> None:
    assert f"cannot be replayed: {NO_QUERY}" in QUERIES


def test_the_page_shows_what_an_extension_of_another_engine_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("shop_extensions")
    vars(module)["old_planner"] = lambda: dfs.ExtensionBundle(
        name="second-planner",
        version="1.0",
        engine_major=54,
        parts={"planner": SessionContext()},
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    changes = {"extensions": [{"path": "shop_extensions:old_planner"}]}

    with pytest.raises(dfs.InstallError) as refused:
        dfs.open_session(dfs.plan_session(parse_profile(changes, base="dev")))

    assert shown(refused.value) in EXTENDING
