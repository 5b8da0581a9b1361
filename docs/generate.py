"""Write what the structs say of themselves: docs/reference.md, a table of README.md.

Run it after a change to a profile, a preset, a hash or a metadata key. With `--check`
it writes nothing, and its exit code is 1 if one of the two is stale.
"""

import argparse
import ast
import importlib
import operator
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dagster_dfsession import errors
from dagster_dfsession.metadata import keys
from dagster_dfsession.plan.settings import DESCRIBED_ELSEWHERE, RULES
from dagster_dfsession.profile.base import MIB, declared_types
from dagster_dfsession.profile.codec import NAMED_PARTS
from dagster_dfsession.profile.fields import (
    Leaf,
    bare,
    choices_of,
    is_hashed,
    leaf_fields,
    metas_of,
)
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.profile.session import SessionProfile

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- begin: docs/generate.py -->\n", "<!-- end -->"
LEAVES: Mapping[str, Leaf] = {leaf.path: leaf for leaf in leaf_fields(SessionProfile)}

# Kind of a hash -> where it is seen; the others go into these.
SEEN_AS = {
    "profile": keys.PROFILE_HASH,
    "settings": keys.SETTINGS_HASH,
    "result_settings": keys.RESULT_SETTINGS_HASH,
    "functions": keys.UDF_SNAPSHOT_HASH,
    "session": keys.SESSION_HASH,
    "plan_text": keys.PLAN_HASH,
    "data": keys.DATA_VERSION_TAG,
}

NAMES = {
    bool: "true or false",
    int: "whole number",
    str: "text",
    types.NoneType: "unset",
}


def reference() -> str:
    """Return the text of docs/reference.md."""
    return "\n".join(
        [
            "# Reference\n",
            "Written by `python docs/generate.py` from the package itself.\n",
            "## Profile\n",
            "The path `execution.batch_size` stands for the nested mappings",
            "`DataFusionSessionResource(profile={'execution': {'batch_size': 4096}})`.",
            "Defaults are those of the preset `default`. A field marked * names a",
            "place of one machine and is in no hash.\n",
            *_profile(),
            "## Presets\n",
            "What each says otherwise than `default`.\n",
            *_presets(),
            "## Presets of parts\n",
            "A part may be a name, `cache: isolated`, or a name with changes to it,",
            "`cache: {preset: isolated, metadata_limit: 1048576}`.\n",
            *_parts(),
            "## Metadata\n",
            metadata_table(),
            "## Hashes\n",
            "SHA-256 of canonical MessagePack with kind and version inside. A change",
            "of what a hash covers raises its version.\n",
            _table(("kind", "version", "seen as"), _hashes()),
            "## Errors\n",
            "`dagster_dfsession` exports all of them; facts that a program may want",
            "are attributes.\n",
            f"```text\n{error_tree()}\n```\n",
        ]
    )


def metadata_table() -> str:
    """Return what a materialization records, as a table; refuse to leave a key out."""
    defined = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str)
    }
    if differing := defined ^ set(keys.DESCRIBED):
        raise SystemExit(f"metadata/keys.py defines or describes alone: {differing}")
    rows = [(f"`{key}`", kind, what) for key, (kind, what) in keys.DESCRIBED.items()]
    return _table(("key", "as", "what"), rows)


def error_tree() -> str:
    """Return the tree of errors.py; refuse one that is not that of the classes."""
    tree = (errors.__doc__ or "").split("\n\n")[1]
    drawn = set(re.findall(r"^\W*(\w+Error)", tree, re.MULTILINE))
    classes = {name for name in vars(errors) if name.endswith("Error")}
    if differing := drawn ^ classes:
        raise SystemExit(f"errors.py draws or defines alone: {differing}")
    return tree


def _profile() -> Iterator[str]:
    base = PRESETS["default"]
    tops = list(dict.fromkeys(path.partition(".")[0] for path in LEAVES))
    parts = sorted(
        {path.rpartition(".")[0] for path in LEAVES},
        key=lambda part: (tops.index(part.partition(".")[0]) if part else -1, part),
    )
    for part in parts:
        yield f"### {f'`{part}`' if part else 'The whole'}\n"
        rows = (
            (
                f"`{path}`",
                _words(leaf.type),
                _value(path, base),
                leaf.description,
                "<br>".join(f"`{key}`" for key in _keys(path)),
            )
            for path, leaf in LEAVES.items()
            if path.rpartition(".")[0] == part
        )
        yield _table(("field", "type", "default", "what", "DataFusion"), rows)


def _words(declared: Any, *, is_field: bool = True) -> str:
    """Return a type in words; what its own alias says of it goes first."""
    metas = metas_of(declared)
    aliases = metas[:-1] if is_field else metas
    if said := next((meta.description for meta in aliases if meta.description), ""):
        return said
    kinds = [_kind_words(bare(each)) for each in choices_of(declared)]
    bounds = [
        f" {text} {getattr(meta, bound)}"
        for each in (declared, *choices_of(declared))
        for meta in metas_of(each)
        for bound, text in (("ge", "from"), ("le", "to"))
        if getattr(meta, bound) is not None
    ]
    return " or ".join([f"{kinds[0]}{''.join(bounds)}", *kinds[1:]])


def _kind_words(kind: Any) -> str:
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if typing.get_origin(kind) is tuple:
        return f"list of {_words(inner[0], is_field=False)}"
    if typing.get_origin(kind) is dict:
        return f"{_words(inner[1], is_field=False)} by key"
    if kind in NAMES:
        return NAMES[kind]
    tag = kind.__struct_config__.tag
    types_of = declared_types(kind).items()
    fields = ", ".join(f"`{n}`{'' if is_hashed(t) else ' *'}" for n, t in types_of)
    return f"{f'`{tag}`' if tag else 'mappings'}{f' ({fields})' if fields else ''}"


def _keys(path: str) -> list[str]:
    ruled = [f"datafusion.{key}" for field, key, _ in RULES if field == path]
    elsewhere = DESCRIBED_ELSEWHERE.items()
    return ruled + [key for key, at in elsewhere if f"{at}.".startswith(f"{path}.")]


def _presets() -> Iterator[str]:
    base = PRESETS["default"]
    for name, preset in PRESETS.items():
        if preset is not base:
            yield f"### `{name}`\n"
            rows = (
                (f"`{path}`", _value(path, preset), _value(path, base))
                for path in LEAVES
                if path != "name" and _value(path, preset) != _value(path, base)
            )
            yield _table(("field", "value", "`default`"), rows)


def _parts() -> Iterator[str]:
    for path, presets in NAMED_PARTS.items():
        yield f"### `{path}`\n"
        fields = [each for each in LEAVES if each.rpartition(".")[0] == path]
        columns = [
            [_shown(each, getattr(part, each.rpartition(".")[2])) for each in fields]
            for part in presets.values()
        ]
        names = ("field", *(f"`{name}`" for name in presets))
        rows = zip((f"`{each}`" for each in fields), *columns, strict=True)
        yield _table(names, rows)


def _value(path: str, profile: SessionProfile) -> str:
    return _shown(path, operator.attrgetter(path)(profile))


def _shown(path: str, value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        fields = (f", {k} {_plain(getattr(value, k))}" for k in value.__struct_fields__)
        return f"{value.__struct_config__.tag}{''.join(fields)}"
    in_bytes = "bytes" in LEAVES[path].description.lower()
    if in_bytes and isinstance(value, int) and value and value % 1024 == 0:
        return f"{value // MIB} MiB" if value % MIB == 0 else f"{value // 1024} KiB"
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if value or value == 0 else "empty"


def _hashes() -> Iterator[tuple[str, ...]]:
    for path in sorted((ROOT / "dagster_dfsession").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "content_hash":
                kind, version = map(ast.unparse, node.args[:2])
                if not version.isdigit():
                    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                    version = str(getattr(importlib.import_module(name), version))
                kind = ast.literal_eval(kind)
                seen = SEEN_AS.get(kind)
                yield kind, version, f"`{seen}`" if seen else "in no record alone"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [" | ".join(cells) for cells in (headings, *rows)]
    rule = re.sub("[^|]+", "---", lines[0])
    return "\n".join(
        [f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:]), ""]
    )


def documents() -> dict[Path, str]:
    """Return the generated files with the text that they should have."""
    readme = ROOT / "README.md"
    return {
        ROOT / "docs" / "reference.md": reference(),
        readme: _with_generated(readme, metadata_table()),
    }


def _with_generated(path: Path, text: str) -> str:
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}"


def main() -> int:
    """Write the files, or say which are stale; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = {
        path: text
        for path, text in documents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        sys.stdout.write(f"{'stale' if check else 'written'}: {path.name}\n")
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
