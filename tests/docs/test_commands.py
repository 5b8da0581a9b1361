"""docs/cli.md says what `--help` does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_on_the_command_line_is_fresh() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "docs" / "commands.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout + checked.stderr == ""
    assert checked.returncode == 0, "run `make docs`"
