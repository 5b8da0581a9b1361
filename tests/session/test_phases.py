"""A session is built in steps that can be named, repeated and refused."""

import functools
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from datafusion import SessionContext
from inline_snapshot import snapshot

from dagster_dfsession.errors import DfSessionError, InstallError
from dagster_dfsession.plan.build import SYSTEM_TABLES, plan_session
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.runtime import NoSpill, UnboundedPool
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import Prepared, SqlProfile
from dagster_dfsession.session import factory
from dagster_dfsession.session.catalog import SessionCatalog
from dagster_dfsession.session.functions.declare import scalar_udf
from dagster_dfsession.session.functions.library import load_library
from dagster_dfsession.session.phases import INSTALLERS, run_phases
from dagster_dfsession.session.runtime_env import describe_runtime_env
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.site import Site

Opened = Callable[..., Session]

ROOT = Path(__file__).parents[2]
ONE = Prepared(name="one", sql="SELECT $1 + 1 AS one", types=("BIGINT",))


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The module `shop_hooks`, importable while the test lasts."""
    module = SimpleNamespace(called=[], contexts=[], number=1)

    def first(ctx: SessionContext) -> None:
        module.called.append("first")
        module.contexts.append(weakref.ref(ctx))

    def second(ctx: SessionContext) -> None:
        ctx.register_batch("by_hook", pa.record_batch({"a": [1]}))
        module.called.append("second")

    def broken(ctx: SessionContext) -> None:
        module.contexts.append(weakref.ref(ctx))
        raise LookupError("no such region")

    @scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
    def twice(values: pa.Int64Array) -> pa.Int64Array:
        return values

    vars(module).update(first=first, second=second, broken=broken, twice=twice)
    monkeypatch.setitem(sys.modules, "shop_hooks", module)
    return module


def site_of(profile: SessionProfile) -> Site:
    plan = plan_session(profile)
    return Site(
        plan=plan,
        library=load_library(plan.functions.modules),
        catalog=SessionCatalog(plan.catalog.default_schema),
        runtime_env=describe_runtime_env(UnboundedPool(), NoSpill(), memory=0),
    )


@pytest.mark.demand("D24")
def test_running_all_phases_twice_installs_nothing_twice(
    hooks: SimpleNamespace,
) -> None:
    # Names that several phases use: what one has installed is no other's.
    same = [Prepared(name=name, sql="SELECT 1") for name in ("spark", "lake")]
    site = site_of(
        SessionProfile(
            name="twice",
            sql=SqlProfile(policy="service", url_tables=True, prepared=(*same, ONE)),
            functions=FunctionsProfile(modules=("shop_hooks:twice",), spark=True),
            hooks=HooksProfile(after_session=("shop_hooks:first", "shop_hooks:first")),
        )
    )

    first, ctx, tables = run_phases(site), site.ctx, site.catalog.registered
    again = run_phases(site)

    assert [report.installed for report in first[1:] if report.phase != "schema_guards"] == [
        ("url tables",),
        (),
        ("lake",),
        ("spark", "twice"),
        ("spark", "lake", "one"),
        ("shop_hooks:first",),
        SYSTEM_TABLES,
    ]  # fmt: skip
    assert [report.installed for report in again] == [()] * len(Phase)
    assert hooks.called == ["first"]
    assert site.ctx is ctx
    assert site.catalog.registered == tables
    assert ctx.sql("EXECUTE one(1)").to_pydict() == {"one": [2]}
    assert ctx.sql("EXECUTE spark").to_pydict() == {"Int64(1)": [1]}


@pytest.mark.demand("D4")
@pytest.mark.parametrize("phase", list(Phase))
def test_a_step_that_fails_names_its_phase_and_leaves_nothing(
    phase: Phase, opened: Opened, spill_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites: list[weakref.ref[SessionContext]] = []

    def fails(site: Site) -> tuple[str, ...]:
        sites.extend([weakref.ref(site.built)] if site.built else [])
        assert len(list(spill_root.iterdir())) == 1
        raise OSError("the disk is gone")

    failing = functools.partial(run_phases, installers={**INSTALLERS, phase: fails})
    monkeypatch.setattr(factory, "run_phases", failing)
    with pytest.raises(InstallError, match=r"OSError: the disk is gone") as refused:
        opened()

    assert str(refused.value).startswith(f"phase {phase.value!r} could not install ")
    assert refused.value.phase == phase.value
    assert list(spill_root.iterdir()) == []
    del refused
    gc.collect()
    assert [site() for site in sites] == [None] * len(sites)


def test_a_function_that_the_library_lacks_is_named(opened: Opened) -> None:
    with pytest.raises(InstallError) as refused:
        opened(functions=FunctionsProfile(names=("haversine",)))

    assert str(refused.value) == snapshot(
        "phase 'functions' could not install 'haversine': the library holds nothing."
    )


def test_a_phase_before_the_context_has_no_context() -> None:
    with pytest.raises(InstallError, match="this phase has to run first"):
        _ = site_of(SessionProfile(name="x")).ctx


def test_hooks_run_once_and_in_order(opened: Opened, hooks: SimpleNamespace) -> None:
    paths = ("shop_hooks:second", "shop_hooks:first")
    session = opened(hooks=HooksProfile(after_session=paths))

    assert hooks.called == ["second", "first"]
    assert session.sql("SELECT a FROM by_hook").to_pydict() == {"a": [1]}
    assert session.report.installed(Phase.EXTENSION_HOOKS) == paths


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("shop_hooks:broken", "LookupError: no such region"),
        ("shop_hooks:absent", "ImportError: module 'shop_hooks' has no attribute 'absent'"),
        ("shop_hooks:number", "TypeError: 'int' object is not callable"),
        ("no_such_module:hook", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)  # fmt: skip
def test_a_hook_that_cannot_run_is_named_and_the_context_dropped(
    path: str, reason: str, opened: Opened, hooks: SimpleNamespace, spill_root: Path
) -> None:
    with pytest.raises(InstallError) as refused:
        opened(hooks=HooksProfile(after_session=("shop_hooks:first", path)))

    assert str(refused.value) == (
        f"phase 'extension_hooks' could not install {path!r}: {reason}"
    )
    assert list(spill_root.iterdir()) == []
    del refused
    gc.collect()
    assert {ctx() for ctx in hooks.contexts} <= {None}


def test_a_prepared_statement_runs_where_the_policy_lets_it(opened: Opened) -> None:
    typed = Prepared(name="typed", sql="SELECT arrow_typeof($1) AS t", types=("INT",))
    session = opened(sql=SqlProfile(policy="service", prepared=(ONE, typed)))

    assert session.sql("EXECUTE one(41)").to_pydict() == {"one": [42]}
    assert session.sql("EXECUTE typed(41)").to_pydict() == {"t": ["Int32"]}


def test_a_prepared_statement_that_does_not_plan_is_named(
    opened: Opened, spill_root: Path
) -> None:
    bad = Prepared(name="bad", sql="SELECT nothing FROM nowhere")

    with pytest.raises(InstallError) as refused:
        opened(sql=SqlProfile(prepared=(ONE, bad)))

    assert str(refused.value) == snapshot(
        "phase 'prepared_statements' could not install 'bad': Error during planning: table 'lake.public.nowhere' not found in 'SELECT nothing FROM nowhere'"
    )
    assert list(spill_root.iterdir()) == []


def test_two_prepared_statements_of_one_name_are_refused(opened: Opened) -> None:
    with pytest.raises(InstallError, match=r"'one'.*already exists"):
        opened(sql=SqlProfile(prepared=(ONE, ONE)))


def test_a_session_tells_of_itself_in_sql(opened: Opened) -> None:
    session = opened(catalog=CatalogProfile(default_schema="main"))

    (row,) = session.sql("SELECT * FROM dfsession.session").to_pylist()
    assert row["profile_hash"] == session.plan.profile_hash
    assert row["plan_fingerprint"] == session.plan.fingerprint
    assert row["memory_bytes"] == session.snapshot().runtime_env.memory_bytes
    settings = session.sql(
        "SELECT key, planned, source FROM dfsession.settings WHERE planned IS NOT NULL"
    )
    assert [tuple(each.values()) for each in settings.to_pylist()] == [
        (each.key, each.value, each.source) for each in session.plan.settings
    ]


def test_a_session_is_silent_in_sql_where_nobody_wants_it(opened: Opened) -> None:
    session = opened(diagnostics=DiagnosticsProfile(system_tables=False))

    with pytest.raises(DfSessionError, match=r"'dfsession.session' was not found"):
        session.sql("SELECT * FROM dfsession.session")


def test_a_file_is_a_table_only_where_the_profile_says_so(
    opened: Opened, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n1\n")
    query = f"SELECT a FROM '{path}'"

    with pytest.raises(DfSessionError, match="was not found"):
        opened().sql(query)
    session = opened(sql=SqlProfile(url_tables=True))
    assert session.sql(query).to_pydict() == {"a": [1]}
    assert session.sql("SELECT name FROM dfsession.session").count() == 1


@pytest.mark.demand("D5")
def test_planning_phases_need_no_telemetry() -> None:
    code = """
import sys
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.catalog import SessionCatalog
from dagster_dfsession.session.functions.library import Library
from dagster_dfsession.session.phases import INSTALLERS, run_phases
from dagster_dfsession.session.runtime_env import describe_runtime_env
from dagster_dfsession.session.site import Site

plan = plan_session(SessionProfile(name="x"))
env = describe_runtime_env(plan.memory_pool, plan.spill, memory=2**30)
site = Site(plan=plan, library=Library(), catalog=SessionCatalog("public"), runtime_env=env)
run_phases(site, {**INSTALLERS, Phase.OBSERVABILITY: lambda site: ()})
watching = {"opentelemetry", "logging.handlers", "dagster_dfsession.telemetry", "dagster"}
print(site.ctx.sql("SELECT 1 AS one").to_pydict(), sorted(watching & set(sys.modules)))
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed == "{'one': [1]} []\n"
