"""What grows with the number of SQL files, and what does not."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_dfsession import DataFusionSessionResource, load_sql_assets, sql_asset
from dagster_dfsession.session.session import Session

Sql = Callable[..., Path]


def load(folder: Path, **more: Any) -> list[Any]:
    return load_sql_assets(folder, **{"external": ["raw/flights"], **more})


def test_files_are_loaded_with_one_session_and_one_plan_a_query(
    sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, counted = DataFusionSessionResource(preset="dev"), Counter[str]()
    for owner, name in ((DataFusionSessionResource, "plan"), (Session, "planned")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, _counting(counted, name, real))
    folder = sql(**{f"a{n}": f"SELECT {n} AS n FROM raw.flights" for n in range(20)})

    assert len(load(folder, session=session)) == 20
    assert counted == {"plan": 1, "planned": 20}


def _counting(counted: Counter[str], name: str, real: Callable[..., Any]) -> Any:
    def called(*args: Any, **more: Any) -> Any:
        counted[name] += 1
        return real(*args, **more)

    return called


def test_an_asset_of_a_file_is_as_dagster_makes_it(sql: Sql) -> None:
    query = "SELECT a.delay FROM raw.flights AS a, b"
    text = f"/* ---\npool: few\ngroup: g\n--- */\n{query}"
    (made,) = load(sql(x=text), external=["raw/flights", "b"])
    other = sql_asset(name="x", sql=query, pool="few", group_name="g")

    assert made.dependency_keys == other.dependency_keys
    assert made.node_def.pools == other.node_def.pools == {"few"}
    assert made.required_resource_keys == other.required_resource_keys
    assert made.specs_by_key[made.key].kinds == other.specs_by_key[made.key].kinds
    assert made.specs_by_key[made.key].code_version == (
        other.specs_by_key[made.key].code_version
    )


def test_names_that_are_spelt_alike_are_two_dependencies(sql: Sql) -> None:
    query = "SELECT * FROM a_b.c, a.b_c, a.b__c, a__b.c"
    external = ["a_b/c", "a/b_c", "a/b__c", "a__b/c"]

    (of_file,) = load(sql(x=query), external=external)

    for made in (of_file, sql_asset(name="x", sql=query)):
        found = {each.to_user_string() for each in made.dependency_keys}
        assert found == {*external}
        assert {*made.keys_by_input_name.values()} == made.dependency_keys
