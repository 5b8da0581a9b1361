"""An extension that is not what it says is refused, with what to do about it."""

from types import ModuleType

import pytest
from datafusion import SessionConfig, SessionContext
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError
from dagster_dfsession.profile.extensions import Extension
from dagster_dfsession.session.extensions import load_extension, load_extensions
from dagster_dfsession.session.ports import PORTS
from tests.session.extending import Said, Watcher, bundle, made


def refusal(path: str) -> str:
    with pytest.raises(InstallError) as refused:
        load_extension(Extension(path=path))
    return str(refused.value)


@pytest.mark.demand("D17")
def test_an_extension_that_is_absent_is_told_what_to_install() -> None:
    assert refusal("lake_spatial.rules:planner") == snapshot(
        "phase 'planning_extensions' could not install 'lake_spatial.rules:planner': there is no module 'lake_spatial'; install lake_spatial in a version built for DataFusion 55, or mark the extension optional"
    )


@pytest.mark.demand("D17")
def test_a_factory_that_was_renamed_is_told_what_is_there() -> None:
    assert refusal("geodatafusion:register_al") == snapshot(
        "phase 'planning_extensions' could not install 'geodatafusion:register_al': geodatafusion 0.4.0 has no callable 'register_al'; it has register_all, register_all_geo, register_all_geohash, register_all_native, udaf, udf. Did you mean 'register_all'? Install the version of geodatafusion that has it, or name another"
    )


@pytest.mark.demand("D15")
@pytest.mark.demand("D17")
@pytest.mark.demand("D38")
def test_half_a_port_is_an_error_that_names_the_other_half(shop: ModuleType) -> None:
    class Half(Said):
        def install_rules(self, ctx: SessionContext) -> None: ...

        def install_config(self, config: SessionConfig) -> None: ...

    made(shop, half=Half)

    assert refusal("shop:half") == snapshot(
        "phase 'planning_extensions' could not install 'shop:half': shop-rules 1.2 has install_config, install_rules of PlannerExtensionPort and lacks install_physical_config, install_physical_rules; install a version of shop that has all of them"
    )


@pytest.mark.demand("D17")
@pytest.mark.parametrize(
    ("method", "meant"),
    [
        ("install_planner_rules", "install_rules"),
        ("__datafusion_query_planer__", "__datafusion_query_planner__"),
    ],
)
def test_a_method_that_was_renamed_is_never_passed_over(
    method: str, meant: str, shop: ModuleType
) -> None:
    made(shop, later=type("Later", (Watcher,), {method: Watcher.install_tracing}))

    message = refusal("shop:later")

    assert f"watcher 1.2 has {method}, which no port has. Did you mean" in message
    assert meant in PORTS["PlannerExtensionPort"] + PORTS["QueryPlannerExportable"]


@pytest.mark.demand("D2")
@pytest.mark.demand("D17")
def test_an_extension_for_another_engine_is_refused_by_both_versions(
    shop: ModuleType,
) -> None:
    made(shop, old=type("Old", (Watcher,), {"engine_major": 54}))

    assert refusal("shop:old") == snapshot(
        "phase 'planning_extensions' could not install 'shop:old': watcher 1.2 is built for DataFusion 54, and this is 55.0.0; install a version of shop that is built for DataFusion 55"
    )


def test_what_does_not_say_what_it_is_is_told_how_to() -> None:
    assert refusal("geodatafusion") == snapshot(
        "phase 'planning_extensions' could not install 'geodatafusion': geodatafusion 0.4.0 has no engine_major, name, version, which say what an extension is. If its makers know nothing of this package, return it in an ExtensionBundle; if it only brings functions, name a module in `functions.modules` that declares them with function_bundle or capsule_function"
    )


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (Said, "shop-rules 1.2 has no method of a port; ports are "),
        (lambda: bundle("empty"), "empty 1.0 is a bundle of nothing"),
        (lambda: 1 / 0, "calling it raised ZeroDivisionError: division by zero"),
    ],
)
def test_an_extension_of_nothing_is_refused(
    factory: object, reason: str, shop: ModuleType
) -> None:
    made(shop, factory=factory)

    assert reason in refusal("shop:factory")


def test_what_an_extension_says_in_another_type_is_quoted(shop: ModuleType) -> None:
    made(shop, texts=type("Texts", (Watcher,), {"engine_major": "55"}))

    assert refusal("shop:texts").startswith(
        "phase 'planning_extensions' could not install 'shop:texts': the Texts that it "
        "makes has no engine_major of type int (but '55'), which say what an"
    )


def test_two_extensions_of_one_name_are_refused(shop: ModuleType) -> None:
    one, two = made(shop, one=Watcher, two=Watcher)

    with pytest.raises(InstallError, match="shop:one is called 'watcher' too"):
        load_extensions([one, two])
