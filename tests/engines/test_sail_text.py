"""A query as Sail gets it."""

import datetime as dt
import decimal

import pytest

from dagster_dfsession.engines.sail.literals import spark_literal
from dagster_dfsession.engines.sail.text import spark_text
from dagster_dfsession.errors import QueryError


def test_a_column_that_is_called_like_a_table_stays_a_column() -> None:
    text = spark_text(
        "SELECT count(*) AS flights FROM flights HAVING flights > 1",
        {"flights": "v"},
        {},
    )

    assert text == (
        "WITH `flights` AS (SELECT * FROM `v`) "
        "SELECT count(*) AS flights FROM flights HAVING flights > 1"
    )


def test_the_names_of_a_query_come_after_those_of_its_tables() -> None:
    text = spark_text("WITH late AS (SELECT 1) SELECT * FROM late, t;", {"t": "v"}, {})

    assert text == (
        "WITH `t` AS (SELECT * FROM `v`), late AS (SELECT 1) SELECT * FROM late, t"
    )


def test_two_tables_with_one_last_name_are_told_apart() -> None:
    text = spark_text(
        "SELECT raw.t.n FROM raw.t JOIN t ON t.n = raw.T.n",
        {"raw.t": "v", "t": "w"},
        {},
    )

    assert text.endswith("SELECT `raw__t`.n FROM `raw__t` JOIN t ON t.n = `raw__t`.n")


def test_a_parameter_in_a_text_or_a_comment_is_none() -> None:
    text = spark_text("SELECT '$n', $n -- $n", {}, {"n": 1})

    assert text == "SELECT '$n', CAST(1 AS BIGINT) -- $n"


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-7, "CAST(-7 AS BIGINT)"),
        (0.1, "CAST('0.1' AS DOUBLE)"),
        (decimal.Decimal("-1.50"), "CAST('-1.50' AS DECIMAL(3, 2))"),
        (decimal.Decimal("0.001"), "CAST('0.001' AS DECIMAL(3, 3))"),
        (dt.date(2020, 1, 2), "CAST('2020-01-02' AS DATE)"),
        (dt.datetime(2020, 1, 2), "CAST('2020-01-02 00:00:00' AS TIMESTAMP_NTZ)"),
        (
            dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc),
            "CAST('2020-01-02 00:00:00+00:00' AS TIMESTAMP)",
        ),
    ],
)
def test_values_become_literals(value: object, literal: str) -> None:
    assert spark_literal("p", value) == literal


def test_a_value_without_a_literal_is_refused_by_name() -> None:
    with pytest.raises(QueryError, match=r"parameter \$p is a list .* pass a text"):
        spark_literal("p", [1])
