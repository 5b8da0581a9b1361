"""Catalogs and tables of extensions: by their names in SQL, or refused."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion.catalog import CatalogProvider, SchemaProvider, Table
from deltalake import DeltaTable, write_deltalake
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError
from dagster_dfsession.session.session import Session
from tests.session.extending import Said, bundle, made

Opened = Callable[..., Session]


class Shop(SchemaProvider):
    """A schema of one table."""

    table_names = ("orders",)  # type: ignore[assignment]  # the engine reads no method

    def table(self, name: str) -> Table | None:
        rows = ds.dataset(pa.table({"price": [1, 2]}))
        return Table(rows) if self.table_exist(name) else None

    def table_exist(self, name: str) -> bool:
        return name == "orders"


class Crm(CatalogProvider):
    """A catalog of one schema."""

    def schema_names(self) -> set[str]:
        return {"shop"}

    def schema(self, name: str) -> SchemaProvider | None:  # type: ignore[override]  # the engine takes any provider
        return Shop() if name == "shop" else None


class Exports(Said):
    """What hands a catalog out, as compiled libraries do."""

    name = "crm"

    def __init__(self, catalog: object = None) -> None:
        self.catalog = Crm() if catalog is None else catalog

    def __datafusion_catalog_provider__(self, session: object) -> object:
        assert session is not None
        return self.catalog


def test_a_catalog_of_an_extension_is_called_by_its_name(
    shop: ModuleType, opened: Opened
) -> None:
    session = opened(extensions=made(shop, exports=Exports))
    query = "SELECT sum(price) AS total FROM crm.shop.orders"

    assert session.sql(query).to_pydict() == {"total": [3]}
    assert session.without_statistics().sql(query).to_pydict() == {"total": [3]}
    assert session.snapshot().extensions[0].ports == ("CatalogProviderExportable",)


def test_a_catalog_that_is_none_is_refused_before_a_query_finds_it_empty(
    shop: ModuleType, opened: Opened
) -> None:
    with pytest.raises(InstallError) as refused:
        opened(extensions=made(shop, exports=lambda: Exports(object())))

    assert str(refused.value) == snapshot(
        "phase 'planning_extensions' could not install 'shop:exports': crm 1.2: __datafusion_catalog_provider__ raised AttributeError: 'object' object has no attribute 'schema_names'"
    )


def test_a_catalog_does_not_take_the_name_of_the_session_s_own(
    shop: ModuleType, opened: Opened
) -> None:
    lake = bundle("lakes", lake=Exports())

    with pytest.raises(InstallError) as refused:
        opened(extensions=made(shop, lakes=lambda: lake))

    assert str(refused.value) == snapshot(
        "phase 'planning_extensions' could not install 'shop:lakes': lakes 1.0 brings a catalog 'lake', and the session has another of this name; call it otherwise in the parts of an ExtensionBundle"
    )


@pytest.mark.parametrize("table", [True, False], ids=["table", "catalog"])
def test_two_extensions_that_bring_one_name_are_refused(
    *, table: bool, shop: ModuleType, opened: Opened, tmp_path: Path
) -> None:
    write_deltalake(str(tmp_path), pa.table({"a": [1]}))
    brought = DeltaTable(str(tmp_path)) if table else Exports()
    kind = "table" if table else "catalog"
    factories = {
        name: lambda name=name: bundle(name, zones=brought) for name in ("one", "two")
    }

    with pytest.raises(InstallError, match=rf"'shop:two': two 1.0 brings a {kind} "):
        opened(extensions=made(shop, **factories))
