"""docs/sql.md names every kind of failure and every policy."""

import re
from pathlib import Path

from dagster_dfsession import errors
from dagster_dfsession.profile.sql import SQL_POLICIES
from dagster_dfsession.session import failures
from dagster_dfsession.session.failure_rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")


def test_the_page_has_every_kind_of_failure_and_no_other() -> None:
    table = PAGE[PAGE.index("| kind |") :]
    named = {
        kind
        for row in table.splitlines()[2:]
        for kind in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    source = Path(failures.__file__).read_text(encoding="utf-8")
    told = {rule.kind for rule in RULES} | set(re.findall(r'kind = "(\w+)"', source))
    told |= set(re.findall(r'\.kind, .* = "(\w+)", ', source))
    classes = (each for each in vars(errors).values() if isinstance(each, type))
    told |= {each.kind for each in classes if issubclass(each, errors.QueryError)}

    assert named == told | {"parameter"}


def test_the_page_has_every_policy() -> None:
    for name, policy in SQL_POLICIES.items():
        row = next(each for each in PAGE.splitlines() if each.startswith(f"| `{name}`"))
        allowed = [cell.strip() == "yes" for cell in row.split("|")[3:6]]

        assert allowed == [policy.allow_statements, policy.allow_dml, policy.allow_ddl]
