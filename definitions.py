"""The demo code location: a year of real flights as a lake, and what is made of it.

`DFSESSION_PRESET` names the preset of the session, `DFSESSION_LAKE_ROOT` the directory
or address of the tables; both may be left out. Run as a script, it materializes every
asset.
"""

import os
import sys
from pathlib import Path

import dagster as dg

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    ProfileError,
)
from demo.assets import ASSETS, MONTHS
from demo.report import materialize_all

HERE = Path(__file__).resolve().parent


@dg.definitions
def defs() -> dg.Definitions:
    """Return the assets, and the session and the lake that they share.

    Raises:
        ProfileError: `DFSESSION_PRESET` names no preset.
    """
    preset = os.environ.get("DFSESSION_PRESET") or "default"
    session = DataFusionSessionResource(preset=preset, udfs=["demo.udfs"])
    root = lake_root()

    def stored(spec: dg.AssetSpec) -> dg.AssetSpec:
        path = spec.key.path
        uri = "/".join([root.rstrip("/"), *path])
        # The page's Storage panel reads both from the definition alone.
        return spec.merge_attributes(
            metadata={"dagster/table_name": ".".join(path), "dagster/uri": uri}
        )

    return dg.Definitions(
        assets=dg.map_asset_specs(stored, ASSETS),
        resources={
            "dfsession": session,
            "io_manager": DataFusionDeltaIOManager(session=session, root_uri=root),
        },
    )


def lake_root() -> str:
    """Return where the tables are; a relative directory is one beside this file."""
    root = os.environ.get("DFSESSION_LAKE_ROOT") or "data/lake"
    return root if "://" in root else str(HERE / Path(root).expanduser())


def main() -> int:
    """Materialize everything; return the exit code."""
    try:
        definitions = defs()
    except ProfileError as error:
        sys.stderr.write(f"DFSESSION_PRESET: {error}\n")
        return 2
    return materialize_all(definitions, MONTHS, lake_root(), home=HERE / ".dagster")


if __name__ == "__main__":
    sys.exit(main())
