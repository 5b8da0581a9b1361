"""The graph that every arm makes: 8 raw tables, and 22 queries over them.

It is a directory, so that arms read it in environments that share no package:
`raw/<table>.parquet` and `queries/q<number>.sql`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Graph(NamedTuple):
    """Files of the raw tables, and the texts of the queries, both by asset name."""

    raw: Mapping[str, Path]
    queries: Mapping[str, str]

    def reads(self, query: str) -> list[str]:
        """Return the raw tables that a query names.

        Examples:
            >>> graph = Graph({"part": Path(), "partsupp": Path()}, {"q": "FROM part"})
            >>> graph.reads("q")
            ['part']
        """
        words = set(re.findall(r"\w+", self.queries[query]))
        return [table for table in self.raw if table in words]


def read_graph(home: Path) -> Graph:
    """Return the graph that a directory describes."""
    return Graph(
        raw={file.stem: file for file in sorted(home.glob("raw/*.parquet"))},
        queries={
            file.stem: file.read_text(encoding="utf-8")
            for file in sorted(home.glob("queries/*.sql"))
        },
    )
