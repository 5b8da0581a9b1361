"""A physical rule that is compiled: the engine runs it in every plan of a session."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COMPILER = shutil.which("cc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What sessions say in another process: a rule of another ABI would end it."""
    library = tmp_path_factory.mktemp("rule") / "rule.so"
    source = HERE / "counting_rule.c"
    subprocess.run(
        [str(COMPILER), "-shared", "-fPIC", "-o", library, source], check=True
    )
    ran = subprocess.run(
        [sys.executable, HERE / "counting_rule.py", library],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


@pytest.mark.demand("D34")
@pytest.mark.demand("D35")
@pytest.mark.parametrize("door", ["rules", "extensions"])
def test_a_compiled_rule_is_in_each_plan_of_a_session_and_of_its_twin(
    door: str, told: dict[str, Any]
) -> None:
    with_it, without = told[door], told["none"]

    assert with_it["rows"] == with_it["twin"] == without["rows"] == {"s": [3]}
    assert (with_it["planned"], without["planned"]) == (1, 0)
    assert with_it["planned by the twin"] == 1
    assert with_it["last rules"] == ["SanityCheckPlan", "count_plans"]


@pytest.mark.parametrize("door", ["rules", "extensions"])
def test_a_compiled_rule_is_in_the_hashes_and_among_the_features(
    door: str, told: dict[str, Any]
) -> None:
    rules_digest, session_hash = told[door]["hashes"]

    assert rules_digest not in told["none"]["hashes"]
    assert session_hash not in told["none"]["hashes"]
    named = {"rules": "rules.add shop:rule", "extensions": "extension shop:rule"}
    assert told[door]["features"][named[door]] is True
    assert named[door] not in told["none"]["features"]


def test_the_two_doors_lead_to_the_same_rules_and_to_two_sessions(
    told: dict[str, Any],
) -> None:
    by_rules, by_extensions = told["rules"], told["extensions"]

    assert by_rules["hashes"][0] == by_extensions["hashes"][0]
    assert by_rules["hashes"][1] != by_extensions["hashes"][1]
    assert by_extensions["ports"] == [["PhysicalOptimizerRuleExportable"]]
    assert by_rules["ports"] == []
