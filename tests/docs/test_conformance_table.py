"""What the README says of others is what was measured."""

from pathlib import Path

import pytest

from benchmarks.conformance import BEGIN, END, PAGE, README, summary, write

BY_CASE = {"ours": {"a": "ok", "b": "ok"}, "theirs": {"a": "DATA LOST", "b": "ok"}}


def generated(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def test_the_table_of_the_readme_is_that_of_the_page() -> None:
    table = generated(README)

    assert table.startswith("|  | dagster-dfsession | ")
    assert generated(PAGE).startswith(f"{table}\n")


def test_each_case_of_the_page_is_counted_once_for_everybody() -> None:
    counts, cases = generated(PAGE).split("\n\n")[:2]
    rows = [line.split("|")[2:-1] for line in counts.splitlines()[2:]]
    total = len(cases.splitlines()) - 2

    assert {sum(map(int, of)) for of in zip(*rows, strict=True)} == {total}
    assert f"in {total} cases" in " ".join(README.read_text(encoding="utf-8").split())


def test_what_came_of_cases_is_counted() -> None:
    assert summary(BY_CASE) == [
        "|  | ours | theirs |",
        "|---|---|---|",
        "| ok | 2 | 1 |",
        "| **DATA LOST** | 0 | 1 |",
    ]


@pytest.mark.parametrize("around", ["before\n{}after\n", "{}"])
def test_what_is_generated_replaces_nothing_else(tmp_path: Path, around: str) -> None:
    file = tmp_path / "page.md"
    file.write_text(around.format(f"{BEGIN}old\n{END}"), encoding="utf-8")
    write(file, "new\n")

    told = file.read_text(encoding="utf-8")
    assert told == around.format(f"{BEGIN}new\n{END}")
