"""Queries that cannot be planned: what is said of each."""

from inline_snapshot import snapshot

from dagster_dfsession.session.session import Session
from tests.session.failing import told


def test_what_is_no_sql(session: Session) -> None:
    assert told(
        session,
        "SELEKT 1",
        "SELECT 1 FROM",
        "SELECT 'abc",
        "SELECT * FROM order",
        "SELECT * FROM $table",
        "SELECT 1; SELECT 2",
        "-- nothing",
    ) == snapshot(
        {
            "SELEKT 1": (
                "syntax",
                ", line 1, column 1: no SQL: expected an SQL statement, found SELEKT.",
            ),
            "SELECT 1 FROM": (
                "syntax",
                ", line 1, column 14: no SQL: expected identifier, found the end of the text.",
            ),
            "SELECT 'abc": (
                "syntax",
                ", line 1, column 8: no SQL: Unterminated string literal.",
            ),
            "SELECT * FROM order": (
                "table",
                "table 'order' was not found; there is airports, flights. A table is found by its asset key ('raw.flights' is the key raw/flights) once its asset was materialized, or by a name passed to sql(query, name=frame) or register(name, frame).",
            ),
            "SELECT * FROM $table": (
                "syntax",
                ", line 1, column 15: no SQL: expected identifier, found $table. A parameter stands for a value, not for a name or keyword: write those into the text, from a list of your own.",
            ),
            "SELECT 1; SELECT 2": (
                "syntax",
                ": the text has several statements, and one is run at a time. Give each its own call.",
            ),
            "-- nothing": (
                "syntax",
                ": the text has no statement in it. Write a query, such as SELECT 1.",
            ),
        }
    )


def test_names_that_are_not_there(session: Session) -> None:
    assert told(
        session,
        "SELECT dely FROM flights",
        "SELECT flights.dely FROM flights",
        'SELECT "Dest" FROM flights',
        "SELECT * FROM flihgts",
        "SELECT * FROM 'data.csv'",
        "SELECT d.* FROM flights",
        "SELECT summ(delay) FROM flights",
        "SELECT haversine(delay) FROM flights",
        "SELECT row_number() FROM flights",
        "SELECT * FROM read_csv('x')",
        "SELECT dest FROM flights a JOIN airports b ON a.dest = b.dest",
        "SELECT dest FROM flights ORDER BY 9",
    ) == snapshot(
        {
            "SELECT dely FROM flights": (
                "column",
                ", line 1, column 8: No field named dely. Did you mean 'flights.delay'? Valid fields are flights.dest, flights.delay, flights.\"Gate\", flights.stops.",
            ),
            "SELECT flights.dely FROM flights": (
                "column",
                ", line 1, column 8: No field named flights.dely. Did you mean 'flights.delay'? Valid fields are flights.dest, flights.delay, flights.\"Gate\", flights.stops.",
            ),
            'SELECT "Dest" FROM flights': (
                "column",
                ', line 1, column 8: No field named "Dest". Did you mean \'flights.dest\'? Valid fields are flights.dest, flights.delay, flights."Gate", flights.stops.',
            ),
            "SELECT * FROM flihgts": (
                "table",
                "table 'flihgts' was not found; there is airports, flights. Did you mean 'flights'? A table is found by its asset key ('raw.flights' is the key raw/flights) once its asset was materialized, or by a name passed to sql(query, name=frame) or register(name, frame).",
            ),
            "SELECT * FROM 'data.csv'": (
                "table",
                "table 'data.csv' was not found; there is airports, flights. A table is found by its asset key ('raw.flights' is the key raw/flights) once its asset was materialized, or by a name passed to sql(query, name=frame) or register(name, frame). Files are tables where sql.url_tables says so.",
            ),
            "SELECT d.* FROM flights": (
                "qualifier",
                ", line 1, column 8: Invalid qualifier d. A table is called by its alias where it has one.",
            ),
            "SELECT summ(delay) FROM flights": (
                "function",
                ", line 1, column 8: function 'summ' was not found. Did you mean 'sum'? SHOW FUNCTIONS lists all; one of your own is declared in a module that the profile names (functions.modules).",
            ),
            "SELECT haversine(delay) FROM flights": (
                "function",
                ", line 1, column 8: function 'haversine' was not found. SHOW FUNCTIONS lists all; one of your own is declared in a module that the profile names (functions.modules).",
            ),
            "SELECT row_number() FROM flights": (
                "function",
                ", line 1, column 8: 'row_number' is a window function: write row_number(...) OVER (...).",
            ),
            "SELECT * FROM read_csv('x')": (
                "function",
                ", line 1, column 15: function 'read_csv' was not found. SHOW FUNCTIONS lists all; one of your own is declared in a module that the profile names (functions.modules).",
            ),
            "SELECT dest FROM flights a JOIN airports b ON a.dest = b.dest": (
                "ambiguous",
                ", line 1, column 8: several tables of the query have a column dest. Say whose it is: table.dest.",
            ),
            "SELECT dest FROM flights ORDER BY 9": (
                "position",
                ": Order by column out of bounds, specified: 9, max: 1. Name the column instead.",
            ),
        }
    )


def test_types_and_shapes_that_do_not_fit(session: Session) -> None:
    assert told(
        session,
        "SELECT sum(dest) FROM flights",
        "SELECT upper(dest, dest) FROM flights",
        "SELECT dest > stops FROM flights",
        "SELECT now() + 1",
        "SELECT 1 WHERE 'yes'",
        "SELECT 1 UNION SELECT 1, 2",
        "SELECT 1 AS a UNION SELECT ARRAY[1]",
        "SELECT (SELECT dest, delay FROM flights)",
        "SELECT dest, sum(delay) FROM flights",
        "SELECT dest FROM flights WHERE sum(delay) > 1",
        "SELECT sum(sum(delay)) FROM flights",
        "SELECT dest FROM flights WHERE row_number() OVER () > 1",
        "SELECT dest AS a, delay AS a FROM flights",
        "SELECT * FROM flights f JOIN airports f ON true",
        "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a",
    ) == snapshot(
        {
            "SELECT sum(dest) FROM flights": (
                "arguments",
                ", line 1, column 8: sum(Utf8) is none of the forms of this function: sum(Decimal) or sum(UInt64) or sum(Int64) or sum(Float64) or sum(Duration) or sum(Interval). Cast the arguments to the types it takes, or give as many as it takes.",
            ),
            "SELECT upper(dest, dest) FROM flights": (
                "arguments",
                ", line 1, column 8: upper(Utf8, Utf8) is none of the forms of this function: upper(String). Cast the arguments to the types it takes, or give as many as it takes.",
            ),
            "SELECT dest > stops FROM flights": (
                "types",
                ": Cannot infer common argument type for comparison operation Utf8 > List(Int64). Write CAST(... AS ...) where the types differ.",
            ),
            "SELECT now() + 1": (
                "types",
                ': Cannot coerce arithmetic expression Timestamp(ns, "UTC") + Int64 to valid types. Write CAST(... AS ...) where the types differ.',
            ),
            "SELECT 1 WHERE 'yes'": (
                "types",
                ": Cannot create filter with non-boolean predicate 'Utf8(\"yes\")' returning Utf8. A condition is true or false: compare it with something.",
            ),
            "SELECT 1 UNION SELECT 1, 2": (
                "columns",
                ": UNION queries have different number of columns. Give each of them the same columns, in the same order.",
            ),
            "SELECT 1 AS a UNION SELECT ARRAY[1]": (
                "types",
                "computing it: the queries of the UNION give column 'make_array(Int64(1))' types that do not go together: Previous inputs were of type Int64, but got incompatible type List(Int64). Write CAST(... AS ...) where the types differ.",
            ),
            "SELECT (SELECT dest, delay FROM flights)": (
                "columns",
                ": Too many columns! The subquery should only return one column: flights.dest, flights.delay. Select one of them.",
            ),
            "SELECT dest, sum(delay) FROM flights": (
                "group_by",
                ', line 1, column 8: column flights.dest is neither in GROUP BY nor in an aggregate function; only "sum(flights.delay)" is. Add it to GROUP BY, or aggregate it: min(flights.dest).',
            ),
            "SELECT dest FROM flights WHERE sum(delay) > 1": (
                "aggregate",
                ": WHERE has an aggregate function in it, and is decided row by row. Write it in HAVING.",
            ),
            "SELECT sum(sum(delay)) FROM flights": (
                "aggregate",
                ": Aggregate function calls cannot be nested: 'sum(flights.delay)' is nested inside 'sum(sum(flights.delay))'. Aggregate in a subquery, and its result outside of it.",
            ),
            "SELECT dest FROM flights WHERE row_number() OVER () > 1": (
                "aggregate",
                "computing it: a window function stands where rows are still being chosen, as in WHERE. Write it in QUALIFY, or filter in a query around this one.",
            ),
            "SELECT dest AS a, delay AS a FROM flights": (
                "duplicate",
                ": two columns have the same name: flights.dest AS a and flights.delay AS a. Give one of them another name with AS.",
            ),
            "SELECT * FROM flights f JOIN airports f ON true": (
                "duplicate",
                ": Schema contains duplicate qualified field name f.dest. Give one of the tables, or of the columns, another name with AS.",
            ),
            "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a": (
                "duplicate",
                ", line 1, column 6: WITH has two queries named a. Give one of them another name.",
            ),
        }
    )


def test_parts_and_words_that_are_not_there(session: Session) -> None:
    assert told(
        session,
        "SELECT named_struct('a', 1)['b']",
        "SELECT arrow_cast(1, 'Int')",
        "SELECT date_trunc('dya', now())",
        "SELECT date_part('foo', now())",
        "SELECT regexp_match(dest, '(') FROM flights",
        "SELECT dest FROM flights HAVING stops > 1",
        "SELECT dest FROM flights LIMIT -1",
    ) == snapshot(
        {
            "SELECT named_struct('a', 1)['b']": (
                "column",
                ", line 1, column 29: the struct has no field b. SELECT arrow_typeof(...) of the struct shows those it has.",
            ),
            "SELECT arrow_cast(1, 'Int')": (
                "arguments",
                ": Unsupported type 'Int'. Must be a supported arrow type name such as 'Int32' or 'Timestamp(ns)'. The function takes no such text.",
            ),
            "SELECT date_trunc('dya', now())": (
                "arguments",
                "computing it: Unsupported date_trunc granularity: 'dya'. Supported values are: microsecond, millisecond, second, minute, hour, day, week, month, quarter, year. The function takes no such text.",
            ),
            "SELECT date_part('foo', now())": (
                "arguments",
                "computing it: Date part 'foo' not supported. The function takes no such text.",
            ),
            "SELECT regexp_match(dest, '(') FROM flights": (
                "arguments",
                "computing it: Regular expression did not compile: Syntax( ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ regex parse error: ( ^ error: unclosed group ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ ). The function takes no such text.",
            ),
            "SELECT dest FROM flights HAVING stops > 1": (
                "group_by",
                ": HAVING has flights.stops > Int64(1) in it, and the query has no groups. Write it in WHERE, or aggregate.",
            ),
            "SELECT dest FROM flights LIMIT -1": (
                "value",
                "computing it: LIMIT is -1, and counts rows. Give 0 or more.",
            ),
        }
    )
