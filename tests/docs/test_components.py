"""docs/components.md has every attribute, and its YAML is what the components take."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_dfsession import SessionResourceComponent, SqlAssetsComponent

PAGE = (Path(__file__).parents[2] / "docs" / "components.md").read_text(
    encoding="utf-8"
)
COMPONENTS: dict[str, Any] = {
    f"dagster_dfsession.components.{each.__name__}": each
    for each in (SessionResourceComponent, SqlAssetsComponent)
}
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_taken(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_BUCKET", "b")
    told = yaml.safe_load(text)
    kind = COMPONENTS[told["type"]]
    context = dg.ComponentTree.for_test().load_context

    made = kind.from_attributes_dict(attributes=told["attributes"])

    if kind is SessionResourceComponent:
        assert set(made.build_defs(context).resources) == {"dfsession", "io_manager"}
    else:
        assert isinstance(made.partitions["days"], dg.DailyPartitionsDefinition)


def test_the_tables_have_every_attribute() -> None:
    listed = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = [name for cell in listed for name in re.findall(r"`(\w+)`", cell)]
    fields = [name for kind in COMPONENTS.values() for name in kind.model_fields]

    assert sorted(named) == sorted(fields)
