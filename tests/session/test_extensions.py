"""An extension is what it says and is there before the first query, or says why not."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext, udf
from deltalake import DeltaTable, write_deltalake
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.extensions import Extension
from dagster_dfsession.profile.sql import Prepared, SqlProfile
from dagster_dfsession.session.ports import (
    PORTS,
    ExtensionPort,
    PhysicalExprAdapterPort,
    PlannerExtensionPort,
    TracingPort,
)
from dagster_dfsession.session.session import Session
from tests.session.extending import Said, Watcher, bundle, made

Opened = Callable[..., Session]


class Rules(Said):
    """A planner extension that notes how it is called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def install_config(self, config: SessionConfig) -> None:
        config.set("datafusion.optimizer.max_passes", "5")
        self.calls.append("config")

    def install_physical_config(self, config: SessionConfig) -> None:
        config.set("datafusion.optimizer.enable_round_robin_repartition", "false")
        self.calls.append("physical config")

    def install_rules(self, ctx: SessionContext) -> None:
        self.calls.append(("rules", ctx.catalog_names()))
        assert ctx.remove_optimizer_rule("eliminate_limit")

    def install_physical_rules(self, ctx: SessionContext) -> None:
        self.calls.append(("physical rules", ctx.catalog_names()))


@pytest.mark.demand("D15")
@pytest.mark.demand("D24")
@pytest.mark.demand("D34")
def test_a_planner_extension_is_called_once_before_anything_could_be_planned(
    shop: ModuleType, opened: Opened
) -> None:
    rules = Rules()
    session = opened(
        extensions=made(shop, rules=lambda: rules),
        sql=SqlProfile(policy="service", prepared=(Prepared(name="p", sql="SELECT 1"),)),
    )  # fmt: skip
    runtime = session.snapshot()

    # Without a catalog, there is nothing that a query could be about.
    assert rules.calls == ["config", "physical config", ("rules", set()), ("physical rules", set())]  # fmt: skip
    assert runtime.settings["datafusion.optimizer.max_passes"] == "5"
    assert "eliminate_limit" not in runtime.rules.logical
    assert runtime.extensions[0].ports == ("PlannerExtensionPort",)
    assert session.report.installed(Phase.PLANNING_EXTENSIONS) == ("shop:rules",)


@pytest.mark.demand("D16")
@pytest.mark.demand("D18")
def test_tracing_and_expression_adapters_get_the_public_context(
    shop: ModuleType, opened: Opened
) -> None:
    watcher = Watcher()
    session = opened(extensions=made(shop, watcher=lambda: watcher))

    assert watcher.calls == ["adapter SessionContext", "tracing SessionContext"]
    assert session.snapshot().extensions[0].ports == ("PhysicalExprAdapterPort", "TracingPort")  # fmt: skip


@pytest.mark.demand("D15")
def test_the_ports_are_protocols_that_objects_are_held_against() -> None:
    assert isinstance(Rules(), ExtensionPort)
    assert isinstance(Rules(), PlannerExtensionPort)
    assert not isinstance(Rules(), TracingPort)
    assert isinstance(Watcher(), TracingPort)
    assert isinstance(Watcher(), PhysicalExprAdapterPort)
    assert PORTS["PlannerExtensionPort"] == ("install_config", "install_physical_config", "install_physical_rules", "install_rules")  # fmt: skip


def test_a_module_that_says_what_it_is_needs_no_factory(
    shop: ModuleType, opened: Opened
) -> None:
    seen: list[SessionContext] = []
    vars(shop).update(name="shop", version="3", engine_major=55)
    vars(shop)["install_tracing"] = seen.append

    (entry,) = opened(extensions=(Extension(path="shop"),)).snapshot().extensions

    assert len(seen) == 1
    assert (entry.name, entry.version, entry.ports) == ("shop", "3", ("TracingPort",))


@pytest.mark.demand("D17")
def test_an_optional_extension_that_cannot_be_had_is_recorded(
    shop: ModuleType, opened: Opened
) -> None:
    absent = Extension(path="lake_spatial:planner", optional=True)
    runtime = opened(extensions=(absent, *made(shop, watcher=Watcher))).snapshot()
    without = opened(extensions=made(shop, watcher=Watcher)).snapshot()

    unavailable, there = runtime.extensions
    assert unavailable.ports == ()
    assert "there is no module 'lake_spatial'" in str(unavailable.unavailable)
    assert there.unavailable is None
    assert runtime.session_hash != without.session_hash
    elsewhere = msgspec.structs.replace(unavailable, unavailable="for another reason")
    other = msgspec.structs.replace(runtime, extensions=(elsewhere, there))
    assert other.session_hash == runtime.session_hash


def test_a_path_that_is_named_twice_is_installed_once(
    shop: ModuleType, opened: Opened
) -> None:
    watcher = Watcher()
    (named,) = made(shop, watcher=lambda: watcher)
    again = Extension(path=named.path, optional=True)

    session = opened(extensions=(named, again))

    assert len(session.snapshot().extensions) == 1
    assert watcher.calls == ["adapter SessionContext", "tracing SessionContext"]


def test_what_an_extension_raises_names_it_and_the_method(
    shop: ModuleType, opened: Opened, spill_root: Path
) -> None:
    class Broken(Watcher):
        def install_tracing(self, ctx: SessionContext) -> None:
            raise OSError(f"no collector for a {type(ctx).__name__}")

    with pytest.raises(InstallError) as refused:
        opened(extensions=made(shop, broken=Broken))

    assert str(refused.value) == snapshot(
        "phase 'planning_extensions' could not install 'shop:broken': watcher 1.2: install_tracing raised OSError: no collector for a SessionContext"
    )
    assert list(spill_root.iterdir()) == []


def test_an_optional_extension_that_raises_leaves_nothing_of_itself_behind(
    shop: ModuleType, opened: Opened
) -> None:
    contexts: list[SessionContext] = []

    class Half(Said):
        name = "half"

        def install_physical_expr_adapter(self, ctx: SessionContext) -> None:
            contexts.append(ctx)
            ctx.register_udf(udf(lambda x: x, [pa.int64()], pa.int64(), "stable", "h"))

        def install_tracing(self, ctx: SessionContext) -> None:
            del ctx
            raise OSError("no collector")

    (half,) = made(shop, half=Half)
    watcher = Watcher()
    optional = Extension(path=half.path, optional=True)
    session = opened(extensions=(optional, *made(shop, watcher=lambda: watcher)))
    unavailable, there = session.snapshot().extensions

    assert len(contexts) == 1
    assert "h" in contexts[0].udfs()
    assert "h" not in session.ctx.udfs()
    assert unavailable.unavailable == snapshot(
        "phase 'planning_extensions' could not install 'shop:half': half 1.2: install_tracing raised OSError: no collector"
    )
    assert there.unavailable is None
    assert watcher.calls == ["adapter SessionContext", "tracing SessionContext"]


@pytest.mark.demand("D61")
def test_a_changed_body_or_version_changes_the_session_hash(
    shop: ModuleType, opened: Opened
) -> None:
    def hash_of(factory: object) -> str:
        return opened(extensions=made(shop, it=factory)).snapshot().session_hash

    class Louder(Watcher):
        def install_tracing(self, ctx: SessionContext) -> None:
            self.calls.append(f"loud {ctx}")

    newer = type("Newer", (Watcher,), {"version": "1.3"})

    assert hash_of(Watcher) == hash_of(Watcher)
    assert len({hash_of(each) for each in (Watcher, Louder, newer)}) == 3


def test_a_table_of_an_extension_is_called_by_its_name(
    shop: ModuleType, opened: Opened, tmp_path: Path
) -> None:
    write_deltalake(str(tmp_path / "zones"), pa.table({"id": [1, 2]}))
    zones = bundle("geo", zones=DeltaTable(str(tmp_path / "zones")))

    session = opened(extensions=made(shop, geo=lambda: zones))

    assert session.sql("SELECT sum(id) AS s FROM zones").to_pydict() == {"s": [3]}


@pytest.mark.parametrize(
    "method",
    ["__datafusion_catalog_provider__", "__datafusion_extension_options__",
     "__datafusion_physical_optimizer_rule__", "__datafusion_query_planner__"],
)  # fmt: skip
def test_a_capsule_of_another_kind_is_refused_by_name(
    method: str, shop: ModuleType, opened: Opened
) -> None:
    def capsule(*_: object) -> object:
        return SessionContext().__datafusion_task_context_provider__()

    made(shop, wrong=type("Wrong", (Said,), {method: capsule}))

    with pytest.raises(InstallError, match="shop-rules") as refused:
        opened(extensions=(Extension(path="shop:wrong"),))
    assert "'shop:wrong'" in str(refused.value)


def test_the_record_of_an_extension_can_be_read_again(
    shop: ModuleType, opened: Opened
) -> None:
    runtime = opened(extensions=made(shop, rules=Rules)).snapshot()

    again = msgspec.json.decode(msgspec.json.encode(runtime), type=type(runtime))

    assert again == runtime
    assert again.session_hash == runtime.session_hash
