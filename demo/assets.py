"""The demo's Python assets: five tables of the source, four derived from them.

A query finds a table by its asset key. An asset that names a table only in SQL says so
in `deps` and reads all of it; a parameter is cut down to the step's partitions.
"""

import datetime as dt
import warnings

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame, col, lit
from datafusion import functions as f

from dagster_dfsession import DataFusionSessionResource
from demo.source import read, read_flights

# `AT_ONCE` needs an argument that Dagster calls beta.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)

KM_A_MILE = 1.609344
MONTHS = dg.MonthlyPartitionsDefinition(start_date="2013-01-01", end_date="2014-01-01")

ARROW = {"arrow", "deltalake", "python"}
ENGINE = {"datafusion", "deltalake", "python"}
OWNERS = ["team:flights"]
# A run over several months is one write, and not one for each.
AT_ONCE = dg.BackfillPolicy.single_run()
BY_MONTH = {"partition_expr": "month"}


@dg.asset(
    group_name="source",
    kinds=ARROW,
    owners=OWNERS,
    metadata={"contract": {"unique": ["carrier"], "not_null": ["name"]}},
)
def airlines() -> pa.Table:
    """Airlines: one row a carrier code."""
    return read("airlines")


@dg.asset(
    group_name="source",
    kinds=ARROW,
    owners=OWNERS,
    metadata={
        "contract": {
            "unique": ["faa"],
            "checks": {"on earth": "lat BETWEEN -90 AND 90"},
        }
    },
)
def airports() -> pa.Table:
    """Airports: one row a FAA code; `lat`, `lon` in degrees, `alt` in feet."""
    return read("airports")


@dg.asset(group_name="source", kinds=ARROW, owners=OWNERS)
def planes() -> pa.Table:
    """Planes: one row a tail number; `year` built, `speed` in miles an hour."""
    return read("planes")


@dg.asset(group_name="source", kinds=ARROW, owners=OWNERS)
def weather() -> pa.Table:
    """Weather: one row an hour and airport.

    `temp` and `dewp` in degrees Fahrenheit, `humid` in percent, `wind_dir` in degrees,
    `wind_speed` and `wind_gust` in miles an hour, `precip` in inches, `pressure` in
    millibar, `visib` in miles.
    """
    return read("weather")


@dg.asset(
    group_name="source",
    kinds=ARROW,
    owners=OWNERS,
    partitions_def=MONTHS,
    backfill_policy=AT_ONCE,
    metadata=BY_MONTH,
)
def flights(context: dg.AssetExecutionContext) -> pa.Table:
    """Departures from New York City in 2013: one row a scheduled flight.

    `dep_time` and `arr_time` as HHMM in local time, NULL if cancelled; delays and
    `air_time` in minutes, early is negative; `distance` in miles.
    """
    return read_flights([dt.date.fromisoformat(key) for key in context.partition_keys])


@dg.asset(
    group_name="joined",
    kinds=ENGINE | {"sql"},
    owners=OWNERS,
    deps=[flights, airlines],
)
def punctuality(dfsession: DataFusionSessionResource) -> DataFrame:
    """Punctuality: one row a carrier; delays on arrival in minutes.

    `usual_delay` leaves out a tenth of the flights at either end; `on_time` is the
    share of landed flights that were less than 15 minutes late.
    """
    return dfsession.sql(
        """
        SELECT carrier,
               name,
               count(*) AS flights,
               count(*) - count(arr_delay) AS not_landed,
               avg(arr_delay) AS mean_delay,
               trimmed_mean(arr_delay, 0.1) AS usual_delay,
               avg(CASE WHEN arr_delay < 15 THEN 1.0 ELSE 0.0 END)
                   FILTER (WHERE arr_delay IS NOT NULL) AS on_time
        FROM flights
        JOIN airlines USING (carrier)
        GROUP BY carrier, name
        """
    )


@dg.asset(group_name="joined", kinds=ENGINE, owners=OWNERS)
def fleet(flights: DataFrame, planes: DataFrame) -> DataFrame:
    """Planes in use: one row a carrier and tail number; `flown_km` in the year."""
    flown = flights.filter(col("air_time").is_not_null()).aggregate(
        [col("carrier"), col("tailnum")],
        [
            f.count(lit(1)).alias("flights"),
            (f.sum(col("distance")) * lit(KM_A_MILE)).alias("flown_km"),
        ],
    )
    return flown.join(planes, on="tailnum").select(
        col("carrier"),
        col("tailnum"),
        col("manufacturer"),
        col("model"),
        col("year").alias("built"),
        col("seats"),
        col("flights"),
        col("flown_km"),
    )


@dg.asset(
    group_name="joined",
    kinds=ENGINE,
    owners=OWNERS,
    partitions_def=MONTHS,
    backfill_policy=AT_ONCE,
    metadata=BY_MONTH,
)
def flight_weather(flights: DataFrame, weather: DataFrame) -> DataFrame:
    """Flights with the weather at departure: one row a flight.

    Weather of the scheduled hour, in the units of `weather`; NULL where nobody
    measured it. `dep_delay` in minutes.
    """
    at_origin = weather.select(
        col("origin").alias("station"),
        col("time_hour").alias("measured"),
        col("temp"),
        col("wind_speed"),
        col("precip"),
        col("visib"),
    )
    return flights.join(
        at_origin,
        left_on=["origin", "time_hour"],
        right_on=["station", "measured"],
        how="left",
    ).select(
        col("month"),
        col("flight_date"),
        col("time_hour"),
        col("carrier"),
        col("flight"),
        col("origin"),
        col("dest"),
        col("dep_delay"),
        col("temp"),
        col("wind_speed"),
        col("precip"),
        col("visib"),
    )


@dg.asset(group_name="reports", kinds=ENGINE, owners=OWNERS)
def carriers(fleet: DataFrame, punctuality: DataFrame) -> DataFrame:
    """Carriers: one row each; `seats` a flight on average, `flown_km` in the year."""
    used = fleet.aggregate(
        [col("carrier").alias("code")],
        [
            f.count(lit(1)).alias("planes"),
            f.avg(lit(2013) - col("built")).alias("age_years"),
            (f.sum(col("seats") * col("flights")) / f.sum(col("flights"))).alias(
                "seats"
            ),
            f.sum(col("flown_km")).alias("flown_km"),
        ],
    )
    return used.join(punctuality, left_on="code", right_on="carrier").drop("carrier")


ASSETS = (
    airlines,
    airports,
    planes,
    weather,
    flights,
    punctuality,
    fleet,
    flight_weather,
    carriers,
)
