"""What changes a digest, and what does not."""

import linecache
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dagster_dfsession.session.functions.digest import Digest, implementation_digest

Project = Callable[..., ModuleType]

BASE = '''
import math
import numpy as np
import pyarrow.compute as pc
from shop.rates import VAT, rounded

SCALE = 3
TABLE = {"a": (1, 2.0), "b": frozenset({"x", "y"})}

def helper(x):
    return x * SCALE

def f(x, factor=2, *, base=10):
    """What it does."""
    return rounded(helper(x) * factor + base + len(TABLE) + math.pi + np.pi + VAT)
'''
RATES = "VAT = 0.19\n\ndef rounded(x):\n    return round(x, 2)\n"


def digest(module: ModuleType) -> str:
    found = implementation_digest(module.f)
    assert found.reason is None
    assert found.sha256 is not None
    return found.sha256


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* factor + base", "* factor - base"),
        ("factor=2", "factor=3"),
        ("base=10", "base=11"),
        ("return x * SCALE", "return x * SCALE * 1"),
        ("SCALE = 3", "SCALE = 3.0"),
        ("SCALE = 3", "SCALE = True"),
        ("(1, 2.0)", "[1, 2.0]"),
        ('{"x", "y"}', '{"x", "z"}'),
        ("len(TABLE)", "max(TABLE)"),
        ("math.pi", "math.e"),
    ],
)
def test_a_changed_body_default_helper_or_constant_changes_the_digest(
    project: Project, old: str, new: str
) -> None:
    before = digest(project(BASE, rates=RATES))

    assert old in BASE
    assert digest(project(BASE.replace(old, new), rates=RATES)) != before


@pytest.mark.parametrize(
    ("old", "new"), [("0.19", "0.07"), ("round(x, 2)", "round(x, 3)")]
)
def test_a_change_in_another_module_of_the_project_changes_the_digest(
    project: Project, old: str, new: str
) -> None:
    before = digest(project(BASE, rates=RATES))

    assert digest(project(BASE, rates=RATES.replace(old, new))) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\nSCALE", "\n\n\n# how much\nSCALE"),
        ("    return rounded", "    # why\n\n    return rounded"),
        ("What it does.", "Something else is said."),
        ('    """What it does."""\n', ""),
        ("def f(x, ", "def f(x: float, "),
        ("def f(", "def unrelated():\n    return 1\n\ndef f("),
        ("def f(", "@functools.cache\ndef f("),
        ("SCALE = 3", "SCALE = 3\nUNUSED = 4"),
    ],
)
def test_comments_lines_docstrings_annotations_and_strangers_do_not_count(
    project: Project, old: str, new: str
) -> None:
    base = "import functools\n" + BASE
    before = digest(project(base, rates=RATES))
    after = project(base.replace(old, new), rates=RATES)

    found = implementation_digest(getattr(after.f, "__wrapped__", after.f))
    assert found.sha256 == before


def test_a_function_that_moved_to_another_file_has_the_same_digest(
    project: Project,
) -> None:
    before = digest(project(BASE, rates=RATES))
    moved = project("from shop.other import f", other=BASE, rates=RATES)

    assert digest(moved) == before


def test_a_changed_helper_read_through_its_module_changes_the_digest(
    project: Project,
) -> None:
    text = "import shop.rates\nfrom shop import rates\n\ndef f(x):\n    return {}(x)"
    for spelt in ("shop.rates.rounded", "rates.rounded"):
        before = digest(project(text.format(spelt), rates=RATES))
        other = RATES.replace("round(x, 2)", "round(x, 3)")

        assert digest(project(text.format(spelt), rates=other)) != before


def test_helpers_that_call_each_other_can_be_digested(project: Project) -> None:
    text = (
        "def even(n):\n    return n == 0 or odd(n - 1)\n\n"
        "def odd(n):\n    return n != {} and even(n - 1)\n\n"
        "def f(n):\n    return even(n)"
    )

    assert digest(project(text.format(0))) == digest(project(text.format(0)))
    assert digest(project(text.format(0))) != digest(project(text.format(1)))


ACCUMULATOR = '''
import dataclasses
import enum
import pyarrow as pa
from datafusion.user_defined import Accumulator

class Mode(enum.Enum):
    FAST = 1
    SLOW = 2

@dataclasses.dataclass
class f(Accumulator):
    """A sum."""
    total: float = 0.0
    modes = {Mode.FAST, Mode.SLOW}
    type_ = pa.float64()

    def state(self):
        return [pa.scalar(self.total, self.type_)]

    def update(self, values):
        self.total += sum(values.to_pylist())

    merge = update

    @property
    def doubled(self):
        return self.total * 2

    def evaluate(self):
        return pa.scalar(self.total)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+= sum", "-= sum"),
        ("total * 2", "total * 4"),
        ("float = 0.0", "float = 1.0"),
        ("SLOW = 2", "SLOW = 3"),
        ("type_ = pa.float64()", "type_ = pa.float32()"),
        ("merge = update", "merge = state"),
    ],
)
def test_a_changed_method_or_attribute_changes_the_digest_of_a_class(
    project: Project, old: str, new: str
) -> None:
    before = digest(project(ACCUMULATOR))

    assert digest(project(ACCUMULATOR.replace('"""A sum."""', "'Other.'"))) == before
    assert digest(project(ACCUMULATOR.replace(old, new))) != before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    return eval('x')", "uses eval"),
        (
            "    from shop.rates import VAT\n    return x * VAT",
            "at the top of the module",
        ),
        ("    from .rates import VAT\n    return x * VAT", "imports '.rates'"),
    ],
)
def test_what_cannot_be_followed_has_no_digest_but_a_reason(
    project: Project, body: str, said: str
) -> None:
    found = implementation_digest(project(f"def f(x):\n{body}", rates=RATES).f)

    assert found.sha256 is None
    assert said in str(found.reason)


def test_another_distribution_counts_by_its_version(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = project("import numpy as np\n\ndef f(x):\n    return np.sin(x)")
    before = digest(module)
    owner = "dagster_dfsession.session.functions.digest.owner_of"
    real = implementation_digest.__globals__["owner_of"]

    def upgraded(name: str) -> object:
        found = real(name)
        if name.startswith("numpy"):
            return type(found)(name="numpy", version="99")
        return found

    monkeypatch.setattr(owner, upgraded)

    assert digest(module) != before


def test_source_that_is_not_what_runs_is_not_believed(
    project: Project,
) -> None:
    module = project("def f(x):\n    return x + 1\n")
    running = digest(module)
    Path(str(module.__file__)).write_text("def f(x):\n    return x + 2\n")
    linecache.clearcache()
    stale = digest(module)
    edited = digest(project("def f(x):\n    return x + 2\n"))

    assert stale not in {running, edited}


def test_a_function_without_source_is_known_by_its_bytecode() -> None:
    def made(text: str) -> Digest:
        scope: dict[str, Callable[..., object]] = {}
        exec(text, scope)  # noqa: S102 - code that stands in no file
        return implementation_digest(scope["f"])

    plain = made("def f(x):\n    return x + 1")

    assert plain.sha256 is not None
    assert made("\n\n\ndef f(x):\n    'Said.'\n    return x + 1") == plain
    assert made("def f(x):\n    return x + 2") != plain
    assert made("def f(x):\n    return [x + 1 for _ in x]") != plain


def test_two_processes_agree_whatever_the_seed_of_their_hashes(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    sources = {"__init__": "", "rates": RATES, "udfs": BASE, "sums": ACCUMULATOR}
    for name, text in sources.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    script = (
        "from dagster_dfsession.session.functions.digest import "
        "implementation_digest as d\n"
        "import shop.udfs, shop.sums\n"
        "print(d(shop.udfs.f), d(shop.sums.f), d(lambda x: x in {'a', 'b', 'c'}))"
    )

    def run(seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": _path(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    first = run("1")
    assert first.count("reason=None") == 3
    assert run("2") == first


def _path(root: Path) -> str:
    return os.pathsep.join([str(root), str(Path(__file__).parents[3])])
