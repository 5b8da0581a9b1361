"""The command line as a whole: help, errors, exit statuses, JSON."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable

from dagster_dfsession.cli import main as main_module
from dagster_dfsession.cli.main import COMMANDS, Commands, main
from dagster_dfsession.errors import DeltaError

Cli = Callable[..., Result]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name: str, cli: Cli) -> None:
    said = cli(name, "--help")

    assert said.exit_code == 0
    assert f"dfsession {name}" in said.output.partition("Examples:")[2]
    assert "--json" in said.output


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from dagster_dfsession.cli.main import main\n"
        "for asked in (['--help'], ['--version']): main(asked, standalone_mode=False)\n"
        "print({'dagster', 'datafusion', 'deltalake', 'pyarrow'} & {*sys.modules})"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert said.endswith("set()\n")
    for name in COMMANDS:
        assert f"  {name} " in said
    assert max(map(len, said.splitlines())) <= 80


def test_commands_are_completed() -> None:
    environment = {
        "_DFSESSION_COMPLETE": "bash_complete",
        "COMP_WORDS": "dfsession re",
        "COMP_CWORD": "1",
    }
    said = CliRunner().invoke(main, env=environment, prog_name="dfsession")

    assert said.stdout == "plain,record\nplain,replay\n"


def test_every_module_of_a_command_is_in_the_list() -> None:
    modules = Path(main_module.__file__).parent.glob("*.py")
    commands = {path.stem for path in modules if "@click.command" in path.read_text()}

    assert commands == set(COMMANDS)


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            OSError("disk\n  full"),
            2,
            "OSError: disk full (`dfsession --debug ...` shows from where)\n",
        ),
        (DeltaError("no\n log"), 2, "DeltaError: no log\n"),
    ],
)
def test_what_ends_a_command_early_is_told(
    raised: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command
    def command() -> None:
        raise raised

    monkeypatch.setattr(Commands, "get_command", lambda *_: command)

    done = CliRunner().invoke(main, ["anything"])

    assert (done.exit_code, done.stderr) == (status, said)


def test_output_that_nobody_reads_ends_quietly(run_id: str) -> None:
    del run_id
    query = "SELECT * FROM generate_series(1, 200000)"
    script = Path(sys.executable).with_name("dfsession")
    with subprocess.Popen(
        [script, "sql", query, "--csv", "--limit", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "value\n"
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (141, "")


def test_what_definitions_print_is_not_part_of_the_output(
    project: Path, cli: Cli
) -> None:
    path = project / "definitions.py"
    path.write_text(f"print('hello')\n{path.read_text()}")

    said = cli("fingerprint", "--json")

    assert json.loads(said.stdout)["profile"] == "dev"
    assert "hello" in said.stderr


def test_a_directory_without_a_project_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)

    said = cli("sql", "SELECT 1")

    assert said.exit_code == 2
    assert "name a file with -f or a module with -m" in said.stderr


def test_an_error_is_one_paragraph_and_status_2(project: Path, cli: Cli) -> None:
    said = cli("fingerprint", "spendin")

    assert said.exit_code == 2
    assert said.stderr == (
        f"CodeLocationError: {project / 'definitions.py'} has no asset 'spendin'; "
        "there is raw/orders, spending. Did you mean 'spending'?\n"
    )


def test_an_error_shows_its_traceback_where_asked(project: Path, cli: Cli) -> None:
    del project

    assert type(cli("--debug", "fingerprint", "x").exception).__name__ == (
        "CodeLocationError"
    )


def test_a_traceback_that_was_asked_for_ends_with_status_2(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del project

    with pytest.raises(SystemExit) as ended:
        main(["--debug", "fingerprint", "x"])

    assert ended.value.code == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_misspelt_command_is_told_which_one_is_meant(cli: Cli) -> None:
    said = cli("replya", "x")

    assert said.exit_code == 2
    assert "No such command 'replya'. Did you mean 'replay'?" in said.stderr


def test_fingerprint_is_what_a_run_records(run_id: str, cli: Cli) -> None:
    del run_id
    commit = DeltaTable("lake/spending").history(1)[0]

    hashes = json.loads(cli("fingerprint", "--json").stdout)

    assert commit["dfsession.session_hash"] == hashes["session_hash"]


def test_fingerprint_shows_the_plan_where_asked(project: Path, cli: Cli) -> None:
    del project
    said = cli("fingerprint", "raw.orders", "--plan").output

    assert "session_hash" in said
    assert "datafusion.execution.batch_size" in said


def test_maintain_without_write_changes_nothing(run_id: str, cli: Cli) -> None:
    del run_id
    before = sorted(map(str, Path("lake").rglob("*")))

    said = cli("maintain", "raw/orders", "spending")

    assert said.exit_code == 0
    assert "--write does it" in said.output
    assert sorted(map(str, Path("lake").rglob("*"))) == before


def test_maintain_without_a_table_says_what_to_name(run_id: str, cli: Cli) -> None:
    del run_id
    assert "name the ASSETS" in cli("maintain").output
    assert cli("maintain", "--events").exit_code == 0


def test_maintain_with_write_does_the_steps(
    project: Path, materialized: str, cli: Cli
) -> None:
    del materialized
    said = cli("maintain", "spending", "--step", "checkpoint", "--write", "--json")

    assert [each["step"] for each in json.loads(said.stdout)["spending"]] == [
        "checkpoint"
    ]
    log = project / "lake" / "spending" / "_delta_log"
    assert (log / "_last_checkpoint").exists() == ("note" not in said.stdout)
