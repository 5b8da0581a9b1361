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
    build_contract_checks,
    build_janitor_sensor,
    build_session_drift_checks,
    build_session_drift_sensor,
    load_sql_assets,
)
from demo.assets import ASSETS, MONTHS
from demo.columns import column_metadata
from demo.report import materialize_all

HERE = Path(__file__).resolve().parent


@dg.definitions
def defs() -> dg.Definitions:
    """Return the assets with their checks, and the session and the lake they share.

    Raises:
        ProfileError: `DFSESSION_PRESET` names no preset.
    """
    preset = os.environ.get("DFSESSION_PRESET") or "default"
    session = DataFusionSessionResource(preset=preset, udfs=["demo.udfs"])
    queries = load_sql_assets(HERE / "demo/sql", external=ASSETS, session=session)
    root = lake_root()

    def stored(spec: dg.AssetSpec) -> dg.AssetSpec:
        path = spec.key.path
        uri = "/".join([root.rstrip("/"), *path])
        # The page's Storage panel reads these from the definition alone.
        storage = {"dagster/table_name": ".".join(path), "dagster/uri": uri}
        return spec.merge_attributes(metadata=storage | column_metadata(path[-1]))

    checks = [each for each in queries if isinstance(each, dg.AssetChecksDefinition)]
    tables = [each for each in queries if each not in checks]
    assets = dg.map_asset_specs(stored, [*ASSETS, *tables])
    return dg.Definitions(
        assets=assets,
        asset_checks=[
            *checks,
            *build_contract_checks(assets),
            *build_session_drift_checks(assets),
        ],
        # Tables as small as these take less time than a process for each step.
        executor=dg.in_process_executor,
        sensors=[build_session_drift_sensor(assets), build_janitor_sensor()],
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
