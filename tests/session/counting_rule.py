"""A physical rule compiled from C, in sessions of a process that it may end.

Run as a script with the path of the compiled library, it prints what became of it.
"""

import ctypes
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.features import feature_states

QUERY = "SELECT sum(a) AS s FROM (VALUES (1), (2)) AS t(a)"


class CountingRule:
    """What exports the rule."""

    name, version, engine_major = "counting-rule", "1.0", 55

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def __datafusion_physical_optimizer_rule__(self) -> object:
        capsule = ctypes.pythonapi.PyCapsule_New
        capsule.restype = ctypes.py_object
        capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        rule = ctypes.addressof(ctypes.c_char.in_dll(self.library, "rule"))
        return capsule(rule, b"datafusion_physical_optimizer_rule", None)


def tried(plans: Callable[[], int], **profile: Any) -> dict[str, Any]:
    """Return what a session with these parts of a profile does and says."""
    with open_session(plan_session(parse_profile(profile, base="dev"))) as session:
        before = plans()
        rows = session.sql(QUERY).to_pydict()
        planned = plans() - before
        twin = session.without_statistics().sql(QUERY).to_pydict()
        by_twin = plans() - before - planned
        runtime = session.snapshot()
        return {
            "rows": rows,
            "planned": planned,
            "twin": twin,
            "planned by the twin": by_twin,
            "last rules": runtime.rules.physical[-2:],
            "hashes": [runtime.rules.digest, runtime.session_hash],
            "ports": [each.ports for each in runtime.extensions],
            "features": {
                each.feature: each.in_effect for each in feature_states(session)
            },
        }


def main() -> None:
    """Try a session without the rule, and with it through both doors."""
    library = ctypes.CDLL(sys.argv[1])
    library.plans.restype = ctypes.c_int64
    module = ModuleType("shop")
    vars(module)["rule"] = lambda: CountingRule(library)
    sys.modules["shop"] = module
    doors: dict[str, Any] = {
        "none": {},
        "rules": {"rules": {"add": ["shop:rule"]}},
        "extensions": {"extensions": [{"path": "shop:rule"}]},
    }
    told = {door: tried(library.plans, **parts) for door, parts in doors.items()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
