"""A lake on S3 that two teams share, and its upkeep.

The team of the airport writes `airport/flights` from a code location of its own. Ours
observes that table and reads it by its name, as its root is that of our tables. Once a
week our tables are compacted and vacuumed; the janitor removes what killed runs left,
and what the session would now make otherwise, as a setting or a function changed, is
asked for again.

    dagster dev -f shared_lake.py

`DFSESSION_LAKE_ROOT` is the address of the lake, `s3://bucket/lake`, and the `AWS_*`
variables open it. `AIRPORT_TIME_ZONE` is the zone of the clock at the airport.
"""

import os

import dagster as dg

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    MaintenancePolicy,
    build_janitor_sensor,
    build_maintenance_asset,
    build_session_drift_sensor,
    observable_delta_source,
    sql_asset,
)

LAKE_ROOT = os.environ["DFSESSION_LAKE_ROOT"]
TIME_ZONE = os.environ.get("AIRPORT_TIME_ZONE", "UTC")

# Its data version changes with its rows, and not when they compact or vacuum.
flights = observable_delta_source(
    ["airport", "flights"],
    f"{LAKE_ROOT}/airport/flights",
    automation_condition=dg.AutomationCondition.on_cron("*/15 * * * *"),
)

departures = sql_asset(
    name="departures",
    # Their clock knows no zone: the session's time zone decides what instant this is.
    sql="""
        SELECT origin, CAST(departure AS TIMESTAMPTZ) AS departure FROM airport.flights
    """,
    description="Departures: one row each, `departure` in UTC.",
    metadata={"layout": {"sort_by": "departure"}},
    automation_condition=dg.AutomationCondition.eager(),
)

busy_days = sql_asset(
    name="busy_days",
    sql="""
        SELECT origin, CAST(date_trunc('day', departure) AS DATE) AS day,
               count(*) AS flights
        FROM departures GROUP BY 1, 2
    """,
    description="Days by flights: one row an origin and day in UTC.",
    automation_condition=dg.AutomationCondition.eager(),
)

upkeep = build_maintenance_asset(
    "upkeep",
    ["departures", "busy_days"],
    MaintenancePolicy(replayable="keep", z_order_by=("origin",)),
    automation_condition=dg.AutomationCondition.on_cron("0 3 * * 0"),
)

drift = build_session_drift_sensor([departures, busy_days])

session = DataFusionSessionResource(
    preset="dev", profile={"hardening": {"time_zone": TIME_ZONE}}
)
lake = DataFusionDeltaIOManager(session=session, root_uri=LAKE_ROOT)
defs = dg.Definitions(
    assets=[flights, departures, busy_days, upkeep],
    sensors=[build_janitor_sensor(orphans_of=["departures", "busy_days"]), drift],
    resources={"dfsession": session, "io_manager": lake},
)
