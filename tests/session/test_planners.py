"""Planners and codecs of others, in the engine itself; its own planner stands in."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionContext, SessionExtensionComponents
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError
from dagster_dfsession.profile.extensions import Extension
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.session.functions.declare import scalar_udf
from dagster_dfsession.session.ports import ExtensionBundle
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


class Nesting:
    """A planner that wraps the one before it, and a codec of its own."""

    engine_major, version = 55, "1.0"

    def __init__(self, name: str, calls: list[Any]) -> None:
        self.name = name
        self.calls = calls
        self.host = SessionContext()

    def __datafusion_session_components__(
        self, ctx: SessionContext
    ) -> SessionExtensionComponents:
        self.calls.append(
            (self.name, "components", len(ctx.logical_extension_codec_ids()))
        )
        return SessionExtensionComponents(logical_extension_codecs=(self.host,))

    def __datafusion_session_planner__(
        self, ctx: SessionContext, fallback: object
    ) -> object:
        self.calls.append(
            (self.name, "planner", len(ctx.logical_extension_codec_ids()))
        )
        return self.host


def planner(name: str) -> Callable[[], ExtensionBundle]:
    return lambda: ExtensionBundle(
        name=name, version="1.0", engine_major=55, parts={"p": SessionContext()}
    )


@pytest.mark.demand("D35")
def test_a_foreign_planner_plans_queries_functions_and_twins(
    shop: ModuleType, opened: Opened
) -> None:
    @scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
    def same(values: pa.Int64Array) -> pa.Int64Array:
        return values

    vars(shop).update(planner=planner("second"), same=same)
    session = opened(
        extensions=(Extension(path="shop:planner"),),
        functions={"modules": ["shop:same"]},
        sql=SqlProfile(url_tables=True),
    )
    plain = opened(
        functions={"modules": ["shop:same"]}, sql=SqlProfile(url_tables=True)
    )

    query = "SELECT same(sum(a)) AS s FROM (VALUES (1), (2)) AS t(a)"
    assert session.sql(query).to_pydict() == {"s": [3]}
    assert session.without_statistics().sql(query).to_pydict() == {"s": [3]}
    assert len(session.ctx.logical_extension_codec_ids()) == 1
    runtime, other = session.snapshot(), plain.snapshot()
    assert runtime.rules == other.rules
    assert runtime.session_hash != other.session_hash
    assert runtime.extensions[0].ports == (
        "LogicalExtensionCodecExportable",
        "PhysicalExtensionCodecExportable",
        "QueryPlannerExportable",
    )


@pytest.mark.demand("D35")
def test_the_engine_takes_the_planner_that_an_extension_hands_out(
    shop: ModuleType, opened: Opened
) -> None:
    handed: list[object] = []

    class Planner:
        """The engine's own planner, which plans as if there were no other."""

        def __init__(self) -> None:
            self.host = SessionContext()

        def __datafusion_query_planner__(self, *session: Any) -> object:
            handed.append(self.host.__datafusion_query_planner__(*session))
            return handed[-1]

    parts = {"planner": Planner()}
    vars(shop)["planner"] = lambda: ExtensionBundle(
        name="counted", version="1.0", engine_major=55, parts=parts
    )
    session = opened(extensions=(Extension(path="shop:planner"),))

    assert [type(each).__name__ for each in handed] == ["PyCapsule"]
    assert session.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}


def test_all_codecs_are_there_before_the_planners_nest_in_order(
    shop: ModuleType, opened: Opened
) -> None:
    calls: list[Any] = []
    vars(shop).update(
        inner=lambda: Nesting("inner", calls), outer=lambda: Nesting("outer", calls)
    )
    session = opened(
        extensions=(Extension(path="shop:inner"), Extension(path="shop:outer"))
    )

    assert calls == [
        ("inner", "components", 0),
        ("outer", "components", 0),
        ("inner", "planner", 2),
        ("outer", "planner", 2),
    ]
    assert session.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}
    assert len(session.ctx.logical_extension_codec_ids()) == 2


def test_a_planner_that_would_replace_another_is_refused(
    shop: ModuleType, opened: Opened
) -> None:
    vars(shop).update(first=planner("first"), second=planner("second"))

    with pytest.raises(InstallError) as refused:
        opened(extensions=(Extension(path="shop:first"), Extension(path="shop:second")))

    assert str(refused.value) == snapshot(
        "phase 'planning_extensions' could not install 'shop:second': its planner would replace that of first, which it cannot wrap; name 'shop:second' before 'shop:first', or let it have __datafusion_session_planner__"
    )


def test_a_bundle_that_raises_names_its_extension(
    shop: ModuleType, opened: Opened
) -> None:
    class Broken(Nesting):
        def __datafusion_session_planner__(
            self, ctx: SessionContext, fallback: object
        ) -> object:
            raise OSError("no scheduler")

    vars(shop).update(
        good=lambda: Nesting("good", []), broken=lambda: Broken("broken", [])
    )

    with pytest.raises(InstallError) as refused:
        opened(extensions=(Extension(path="shop:good"), Extension(path="shop:broken")))

    assert str(refused.value) == snapshot(
        "phase 'planning_extensions' could not install 'shop:broken': broken 1.0: __datafusion_session_planner__ raised OSError: no scheduler"
    )
