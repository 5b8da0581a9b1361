"""docs/diagnostics.md is fresh, and names all that there is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_on_diagnostics_is_fresh() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "docs" / "diagnostics.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout + checked.stderr == ""
    assert checked.returncode == 0, "run `python docs/diagnostics.py`"
