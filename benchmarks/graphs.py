"""What it takes to load a code location of 2,000 SQL files, and to load it again.

    python -m benchmarks.graphs --rounds 7 --files 2000

Each arm is a process of its own; what counts is CPU time from the imports on, until
Dagster has its repository.

* `specs`: as many `dagster.AssetSpec`, which nothing computes: what Dagster takes if an
  asset has no op.
* `parts`: as many `dagster.AssetsDefinition` of an `OpDefinition` and a spec each, the
  least that an asset with a step of its own takes.
* `decorated`: as many functions under `@dagster.asset` that do nothing, each with a
  dependency, a group and a description: Dagster's own share.
* `files`: `load_sql_assets`.
* `kept`: the same with `cache.plans` on disk, after one of the files was changed.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.harness import alone, in_turn, keep
from dagster_dfsession import DataFusionSessionResource, load_sql_assets

CHAINS = 20
"""The assets are so many chains, each in a schema and a group of its own."""

FILE = """/* ---
description: Step {at} of a chain, one row a user.
group: g{chain}
--- */
SELECT user_id, sum(amount) AS amount FROM {reads} WHERE amount > {at} GROUP BY user_id
"""


def chained(count: int) -> Iterator[tuple[int, tuple[str, str], tuple[str, str]]]:
    """Yield the number, the key and what it reads of each asset."""
    for at in range(count):
        before = at - CHAINS
        reads = ("raw", "events") if before < 0 else key_of(before)
        yield at, key_of(at), reads


def key_of(at: int) -> tuple[str, str]:
    """Return the key of an asset."""
    return f"m{at % CHAINS:02}", f"a{at:04}"


def write_files(folder: Path, count: int) -> None:
    """Write a file for each asset."""
    for at, (schema, name), reads in chained(count):
        path = folder / schema / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = FILE.format(at=at, chain=at % CHAINS, reads=".".join(reads))
        path.write_text(told)


def decorated(count: int) -> list[dg.AssetsDefinition]:
    """Return as many assets that do nothing."""

    def nothing(context: dg.AssetExecutionContext) -> None:
        del context

    return [
        dg.asset(
            name=name,
            key_prefix=schema,
            deps=[dg.AssetKey(reads)],
            group_name=f"g{at % CHAINS}",
            description=f"Step {at} of a chain, one row a user.",
        )(nothing)
        for at, (schema, name), reads in chained(count)
    ]


def specs(count: int) -> list[dg.AssetSpec]:
    """Return as many assets that nothing computes."""
    return [
        dg.AssetSpec(
            dg.AssetKey(key),
            deps=[dg.AssetKey(reads)],
            group_name=f"g{at % CHAINS}",
            description=f"Step {at} of a chain, one row a user.",
        )
        for at, key, reads in chained(count)
    ]


def parts(count: int) -> list[dg.AssetsDefinition]:
    """Return as many assets that do nothing, without a decorator."""

    def nothing(
        context: dg.OpExecutionContext, inputs: Any
    ) -> Iterator[dg.Output[None]]:
        del context, inputs
        yield dg.Output(None)

    after = dg.In(dg.Nothing)
    return [
        dg.AssetsDefinition(
            node_def=dg.OpDefinition(
                nothing,
                name=spec.key.to_python_identifier(),
                ins={"upstream": after},
                outs={"result": dg.Out()},
            ),
            keys_by_input_name={"upstream": next(iter(spec.deps)).asset_key},
            keys_by_output_name={"result": spec.key},
            specs=[spec],
        )
        for spec in specs(count)
    ]


def load(arm: str, root: Path, count: int) -> dict[str, Any]:
    """Load the location in this process; return the CPU time in milliseconds."""
    plans = {"cache": {"plans": {"kind": "disk", "directory": str(root / "plans")}}}
    profile = plans if arm == "kept" else {}
    session = DataFusionSessionResource(preset="dev", profile=profile)
    # What is imported when first used is no part of it.
    load_sql_assets(root / "one", external=["raw/events"])
    decorated(1)
    started = time.process_time()
    bare: dict[str, Callable[[int], Sequence[Any]]] = {
        "specs": specs,
        "parts": parts,
        "decorated": decorated,
    }
    assets: Sequence[Any] = (
        bare[arm](count)
        if arm in bare
        else load_sql_assets(root / "sql", external=["raw/events"], session=session)
    )
    made = time.process_time()
    dg.Definitions(assets=assets, resources={"dfsession": session}).get_repository_def()
    ended = time.process_time()
    return {"made": (made - started) * 1000, "all": (ended - started) * 1000}


def main() -> None:
    """Run the arms in turn, print and keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=2000)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="dfsession_graph_"))
    changes = iter(range(sys.maxsize))

    def ms(arm: str) -> float:
        if arm == "kept":
            changed = root / "sql" / "m00" / "a0000.sql"
            changed.write_text(f"{changed.read_text()}-- {next(changes)}\n")
        found = alone("benchmarks.graphs", arm, root, given.files)["all"]
        return float(found)

    try:
        write_files(root / "sql", given.files)
        write_files(root / "one", 1)
        ms("kept")
        arms = ("specs", "parts", "decorated", "files", "kept")
        taken = in_turn({arm: lambda a=arm: ms(a) for arm in arms}, rounds=given.rounds)  # type: ignore[misc]  # mypy takes no default of a lambda for one
    finally:
        shutil.rmtree(root)
    plain = taken["decorated"].median
    for arm, times in taken.items():
        print(f"{arm:10} {times}  {times.median / plain:.2f} of decorated")
    shares = {arm: round(each.median / plain, 2) for arm, each in taken.items()}
    spread = {arm: [round(ms) for ms in each.rounds] for arm, each in taken.items()}
    keep(f"load {given.files} files", {"share": shares, "cpu_ms": spread})


if __name__ == "__main__":
    if sys.argv[1:2] and not sys.argv[1].startswith("-"):
        print(json.dumps(load(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
