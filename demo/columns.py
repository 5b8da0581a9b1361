"""What the columns of the demo's Python assets hold; SQL files say it of their own."""

from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg

CARRIER = "IATA code of the airline."
ORIGIN = "FAA code of the airport of departure."
DEST = "FAA code of the airport of arrival."
TAILNUM = "Tail number of the plane."
KM_IN_YEAR = "Kilometres flown in the year."

DESCRIBED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "airlines": {"carrier": CARRIER, "name": "Its name."},
        "airports": {
            "faa": "FAA code of the airport.",
            "name": "Its name.",
            "lat": "Latitude in degrees.",
            "lon": "Longitude in degrees.",
            "alt": "Altitude in feet.",
            "tz": "Hours from UTC, without daylight saving.",
            "dst": "Daylight saving: `A` as in the US, `U` unknown, `N` none.",
            "tzone": "IANA name of the time zone.",
        },
        "planes": {
            "tailnum": TAILNUM,
            "year": "Year it was built.",
            "type": "Type of aircraft.",
            "manufacturer": "Who built it.",
            "model": "Model, as the manufacturer calls it.",
            "engines": "Number of engines.",
            "seats": "Number of seats.",
            "speed": "Cruising speed in miles an hour.",
            "engine": "Type of engine.",
        },
        "weather": {
            "origin": "FAA code of the airport.",
            "time_hour": "Hour of the measurement.",
            "temp": "Temperature in degrees Fahrenheit.",
            "dewp": "Dew point in degrees Fahrenheit.",
            "humid": "Relative humidity in percent.",
            "wind_dir": "Direction of the wind in degrees.",
            "wind_speed": "Miles an hour.",
            "wind_gust": "Miles an hour.",
            "precip": "Precipitation in inches.",
            "pressure": "At sea level, in millibar.",
            "visib": "Visibility in miles.",
        },
        "flights": {
            "month": "First day of the month of departure: the partition.",
            "flight_date": "Day of the scheduled departure, in New York.",
            "time_hour": "Hour of the scheduled departure.",
            "sched_dep_time": "HHMM in local time.",
            "dep_time": "HHMM in local time; NULL if cancelled.",
            "dep_delay": "Minutes; early is negative.",
            "sched_arr_time": "HHMM in local time.",
            "arr_time": "HHMM in local time; NULL if it did not land.",
            "arr_delay": "Minutes; early is negative.",
            "carrier": CARRIER,
            "flight": "Number of the flight.",
            "tailnum": TAILNUM,
            "origin": ORIGIN,
            "dest": DEST,
            "air_time": "Minutes in the air.",
            "distance": "Miles.",
        },
        "punctuality": {
            "carrier": CARRIER,
            "name": "Name of the airline.",
            "flights": "Scheduled flights.",
            "not_landed": "Those that did not land where they were to.",
            "mean_delay": "Mean delay on arrival in minutes.",
            "usual_delay": "The same, without a tenth of the flights at either end.",
            "on_time": "Share of landed flights less than 15 minutes late.",
        },
        "fleet": {
            "carrier": CARRIER,
            "tailnum": TAILNUM,
            "manufacturer": "Who built it.",
            "model": "Model, as the manufacturer calls it.",
            "built": "Year it was built.",
            "seats": "Number of seats.",
            "flights": "Flights that left the ground.",
            "flown_km": KM_IN_YEAR,
        },
        "flight_weather": {
            "month": "First day of the month of departure: the partition.",
            "flight_date": "Day of the scheduled departure, in New York.",
            "time_hour": "Hour of the scheduled departure.",
            "carrier": CARRIER,
            "flight": "Number of the flight.",
            "origin": ORIGIN,
            "dest": DEST,
            "dep_delay": "Minutes; early is negative.",
            "temp": "Temperature in degrees Fahrenheit.",
            "wind_speed": "Miles an hour.",
            "precip": "Precipitation in inches.",
            "visib": "Visibility in miles.",
        },
        "carriers": {
            "code": CARRIER,
            "planes": "Planes in use.",
            "age_years": "Mean age of the planes.",
            "seats": "Seats a flight, on average.",
            "flown_km": KM_IN_YEAR,
            "name": "Name of the airline.",
            "flights": "Scheduled flights.",
            "not_landed": "Those that did not land where they were to.",
            "mean_delay": "Mean delay on arrival in minutes.",
            "usual_delay": "The same, without a tenth of the flights at either end.",
            "on_time": "Share of landed flights less than 15 minutes late.",
        },
    }
)


def column_metadata(asset: str) -> dict[str, dg.TableSchema]:
    """Return the metadata by which Dagster's page describes an asset's columns.

    Examples:
        >>> column_metadata("airlines")["dagster/column_schema"].columns[0].description
        'IATA code of the airline.'
        >>> column_metadata("routes")
        {}
    """
    if asset not in DESCRIBED:
        return {}
    columns = [
        # The table says the types.
        dg.TableColumn(name, "?", description=text)
        for name, text in DESCRIBED[asset].items()
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}
