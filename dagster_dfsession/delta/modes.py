"""What a write may do: words alone, so that a code server needs no engine for them."""

from typing import Literal, TypeAlias

WriteMode: TypeAlias = Literal["overwrite", "append", "merge", "error", "ignore"]
SchemaMode: TypeAlias = Literal["strict", "merge", "overwrite"]
