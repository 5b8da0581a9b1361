"""Write docs/diagnostics.md: what is recorded, counted, traced and shown in SQL.

Run it after a change to one of these. With `--check` it writes nothing, and its exit
code is 1 if the file is stale.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dagster_dfsession.session.system import COLUMNS
from dagster_dfsession.telemetry.measures import MEASURES
from dagster_dfsession.telemetry.spans import CONVENTIONS
from dagster_dfsession.telemetry.specs import SPECS, Spec

PATH = Path(__file__).with_suffix(".md")

SPANS = {
    "dfsession.run": "the session of a run, in one process",
    "dfsession.step": "its loan to a step",
    "dfsession.open": "building it",
    "dfsession.phase.*": "one phase of that",
    "dfsession.compile": "planning a query, or what an asset returned",
    "dfsession.execute": "running it, from the first batch to the last",
    "dfsession.scan": "one scan of files in it, by the engine's own clock",
    "dfsession.write": "writing the table of an asset",
    "dfsession.commit": "the end of that: files are closed, the log is written",
    "dfsession.teardown": "closing the session",
}
TABLES = {
    "session": "what was asked for and decided",
    "settings": "every setting: in effect, as planned, the engine's default",
    "functions": "the user functions",
    "tables": "the names that a query may use, and the version each is read at",
    "leases": "who has this session now, and what they registered",
    "sessions": "who has which session on this machine, as `dfsession sessions`",
    "metrics": "what was counted so far",
    "artifacts": "the last artifacts and events of this run and process",
    "caches": "the caches of the engine, the run and the process",
}


def document() -> str:
    """Return the text of docs/diagnostics.md."""
    return "\n".join(
        [
            "# Diagnostics\n",
            "Written by `python docs/diagnostics.py` from the package itself.\n",
            "Three things are told of a session, each to somebody else:\n",
            _table(
                ("what", "says", "where", "for"),
                [
                    (
                        "settings",
                        "what is set",
                        "`dfsession.settings`, metadata `dfsession/settings`",
                        "people who ask why a query runs as it does",
                    ),
                    (
                        "fingerprint",
                        "what is hashed",
                        "`plan.fingerprint`, `session_hash` and its parts",
                        "caches, staleness, replay: equal or not",
                    ),
                    (
                        "telemetry",
                        "what was done",
                        "`session.telemetry(version=1)`, the artifact `session`",
                        "sinks, dashboards, alarms",
                    ),
                ],
            ),
            "## Artifacts and events\n",
            "They go to the sinks that the profile names, in `diagnostics.sinks`:",
            "`log`, `dagster` (the log of the run), `opentelemetry`, `delta` (the",
            "table `dfsession.events` of the lake, one commit a run and process,",
            "divided by day, below `_dfsession/events`), or your own:",
            "`my_project.sinks:make` returns an object with the methods",
            "`record(entries)` and `close()`. Recording happens once, after the work.",
            "A sink runs on a thread of its own, behind a queue; if it fails or is",
            "slow, the run goes on, and its log says how many entries were dropped.",
            "At its end, a run waits two seconds at most for all sinks together.\n",
            *_specs(),
            "## Tables\n",
            "Made when a query names them, so they say what holds now; nobody can",
            "write to them. `diagnostics.system_tables` turns them off.\n",
            _table(
                ("table", "what", "columns"),
                [
                    (
                        f"`dfsession.{name}`",
                        TABLES[name],
                        ", ".join(f"`{column}`" for column in columns.names),
                    )
                    for name, columns in COLUMNS.items()
                ],
            ),
            "## Spans\n",
            "Through OpenTelemetry's API; the SDK, and where it sends, are yours. All",
            "processes of a run share a trace: that of the tags which",
            "`trace_tags()` gave the run, else the one whose trace id is the run id.\n",
            _table(("span", "is"), [(f"`{n}`", what) for n, what in SPANS.items()]),
            "Attributes are `dfsession.<name>`, and of the semantic conventions:\n",
            _table(
                ("attribute", "is"),
                [
                    ("`db.system`, `db.system.name`", "`datafusion`"),
                    *(
                        (", ".join(f"`{name}`" for name in names), ours)
                        for ours, names in CONVENTIONS.items()
                    ),
                ],
            ),
            "The text of a query is there where `diagnostics.query_text` allows it.",
            "Log records of this package have `otelTraceID` and `otelSpanID`.\n",
            "## Metrics\n",
            _table(
                ("metric", "kind", "unit", "what"),
                [
                    (f"`{each.name}`", each.kind, f"`{each.unit}`", each.description)
                    for each in MEASURES
                ],
            ),
        ]
    )


def _specs() -> Iterator[str]:
    for spec in SPECS.values():
        yield f"### `{spec.name}`\n"
        yield f"{spec.description} An {spec.kind}, version {spec.version}, schema"
        yield f"`{spec.schema_fingerprint}`.\n"
        yield _table(("field", "type"), _fields(spec))


def _fields(spec: Spec) -> list[tuple[str, str]]:
    properties = spec.schema["$defs"][spec.payload.__name__]["properties"]
    return [(f"`{name}`", _type(declared)) for name, declared in properties.items()]


def _type(declared: dict[str, Any]) -> str:
    if "anyOf" in declared:
        return " or ".join(map(_type, declared["anyOf"]))
    if "enum" in declared:
        return ", ".join(map(str, declared["enum"]))
    if "$ref" in declared:
        return f"`{declared['$ref'].rpartition('/')[2]}`"
    if declared["type"] == "array":
        return f"list of {_type(declared['items'])}"
    return {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "object": "whole numbers by name",
        "null": "unset",
    }[declared["type"]]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> int:
    """Write the file, or say that it is stale; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    text = document()
    if PATH.exists() and PATH.read_text(encoding="utf-8") == text:
        return 0
    sys.stdout.write(f"{'stale' if check else 'written'}: {PATH.name}\n")
    if not check:
        PATH.write_text(text, encoding="utf-8")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
