"""A project of the test's own, importable and gone afterwards."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

Project = Callable[..., ModuleType]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Write modules of the package `shop` and import one; each call starts afresh."""
    made: list[Path] = []

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def write(udfs: str, **others: str) -> ModuleType:
        root = tmp_path / f"project_{len(made)}"
        (root / "shop").mkdir(parents=True)
        for name, text in {"__init__": "", "udfs": udfs, **others}.items():
            (root / "shop" / f"{name}.py").write_text(text, encoding="utf-8")
        made.append(root)
        forget()
        monkeypatch.syspath_prepend(root)
        return importlib.import_module("shop.udfs")

    yield write
    forget()
