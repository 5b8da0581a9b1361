"""Processes that write at the same time.

As a program, one of them: a line of JSON on its standard input names an asset, a key by
position and a run; the line that comes back is empty, or says why nothing was written.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from tests.conformance.bench import Asset, Bench
from tests.conformance.shapes import SHAPES
from tests.conformance.subject import named_subject

ROOT = Path(__file__).parents[2]
STATIC = SHAPES["static, string"]
MARK = "written:"


class Writers:
    """Two processes, ready to write; close them."""

    def __init__(self, io_manager: str, root: Path) -> None:
        command = [sys.executable, "-m", __name__, io_manager, str(root)]
        self._processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(2)
        ]
        for process in self._processes:
            _answer(process)

    def write(self, asset: Asset) -> list[str]:
        """Write the first key in one process and the second in the other.

        Returns:
            What those said that failed; the asset owes the rows of the others.
        """
        runs = {number: asset.next_run() for number, _ in enumerate(self._processes)}
        for number, process in enumerate(self._processes):
            assert process.stdin is not None
            order = {"asset": asset.name, "number": number, "run": runs[number]}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        refusals = []
        for number, process in enumerate(self._processes):
            refusal = _answer(process)
            if refusal:
                refusals.append(refusal)
            else:
                asset.owes(number, STATIC.table([number], runs[number]))
        return refusals

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate()


def _answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(MARK):
            return line.removeprefix(MARK).strip()
    raise RuntimeError(f"a writer ended with code {process.wait()}")


def main(io_manager: str, root: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        bench = Bench(named_subject(io_manager), Path(root), instance)
        sys.stdout.write(f"{MARK}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            order = json.loads(line)
            asset = Asset(bench, order["asset"], STATIC, None)
            rows = [order["number"]], order["run"]
            try:
                asset.launch([order["number"]], functools.partial(STATIC.table, *rows))
                refusal = ""
            except Exception as error:  # noqa: BLE001 - it is the answer
                refusal = f"{type(error).__name__}: {str(error)[:300]!r}"
            sys.stdout.write(f"{MARK} {refusal}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
