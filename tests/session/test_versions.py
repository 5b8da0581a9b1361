"""Which engines work together."""

import sys
from importlib import metadata

import pytest
from inline_snapshot import snapshot

from dagster_dfsession.errors import EngineVersionError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.imports import import_object
from dagster_dfsession.session.phases import context
from dagster_dfsession.session.versions import check_pair, engine_versions, installed


@pytest.mark.parametrize("pair", [("55.0.0", "1.6.0"), ("55.2.1", "1.6.6")])
def test_a_pair_of_one_engine_is_accepted(pair: tuple[str, str]) -> None:
    check_pair(*pair)


def refusal(datafusion: str, deltalake: str) -> str:
    with pytest.raises(EngineVersionError) as refused:
        check_pair(datafusion, deltalake)
    return str(refused.value)


def test_a_pair_of_two_engines_is_refused_with_the_pair_to_install() -> None:
    assert refusal("55.0.0", "1.5.0") == snapshot(
        "deltalake 1.5.0 is built on another engine than datafusion 55.0.0; run: pip install 'datafusion==55.0.0' 'deltalake>=1.6,<1.7'"
    )
    assert refusal("55.0.0", "1.60.0").startswith(
        "deltalake 1.60.0 is built on another"
    )
    assert refusal("54.1.0", "1.6.6") == snapshot(
        "datafusion 54.1.0 is not supported; run: pip install 'datafusion>=55,<56' 'deltalake>=1.6,<1.7'"
    )
    assert refusal("56.0.0", "1.7.0").startswith("datafusion 56.0.0 is not supported")


def test_the_installed_pair_is_one_that_works() -> None:
    check_pair(installed("datafusion"), installed("deltalake"))


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineVersionError) as refused:
        installed("no-such-engine")

    assert str(refused.value) == snapshot(
        "no-such-engine is not installed; run: pip install dagster-dfsession"
    )


def test_a_session_is_not_opened_by_a_pair_that_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        context, "installed", {"datafusion": "55.0.0", "deltalake": "1.5.1"}.get
    )

    with pytest.raises(EngineVersionError, match=r"deltalake>=1[.]6,<1[.]7"):
        open_session(plan_session(SessionProfile(name="x")))


def test_versions_read_as_one_line() -> None:
    versions = engine_versions("55.2.0")
    python = ".".join(map(str, sys.version_info[:3]))

    assert str(versions) == (
        f"datafusion 55.2.0, deltalake {metadata.version('deltalake')}, python {python}"
    )


def test_an_object_is_found_by_its_import_path() -> None:
    assert import_object("collections.abc:Mapping.get") is not None
    assert import_object("json").loads("1") == 1
    with pytest.raises(ImportError, match="module 'json' has no attribute 'lodas'"):
        import_object("json:lodas")
