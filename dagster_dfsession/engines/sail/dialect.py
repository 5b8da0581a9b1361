"""What Sail would read otherwise than DataFusion, and not say: each is refused.

Sail reads Spark's SQL. What it does not know at all it refuses by itself; here is what
both take, and would answer differently.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from google.protobuf.message import Message

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.substrait import substrait_plan
from dagster_dfsession.session.sql_text import Token, excerpt, place_at, tokens

NULL_ORDER = "datafusion.sql_parser.default_null_ordering"
DECIMALS = "datafusion.sql_parser.parse_float_as_decimal"
ELSEWHERE = "or compute it in an asset of its own, upstream, that runs on datafusion"


class Difference(NamedTuple):
    """A piece of a query that two engines answer differently.

    Attributes:
        what: The construct.
        why: What each makes of it.
        instead: What both read alike.
        start: Where it begins, in characters; None: not known.
    """

    what: str
    why: str
    instead: str
    start: int | None = None


_FUNCTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "concat": (
            "DataFusion leaves NULL out, Sail returns NULL",
            "a || b, which is NULL in both; coalesce(a, '') || b leaves NULL out",
        ),
        "regexp_replace": (
            "DataFusion replaces the first match, Sail all of them",
            f"replace(text, part, other) for a fixed part, {ELSEWHERE}",
        ),
        "to_timestamp": (
            "DataFusion returns nanoseconds without a zone, Sail microseconds in UTC",
            "CAST(text AS TIMESTAMP) for a column whose type has a zone, "
            f"{ELSEWHERE}",
        ),
        "from_unixtime": (
            "DataFusion returns a timestamp, Sail a text",
            ELSEWHERE.removeprefix("or "),
        ),
        "date_format": (
            "DataFusion reads patterns of chrono (%Y), Sail those of Java (yyyy)",
            "extract(year FROM at), date_trunc('month', at), " + ELSEWHERE,
        ),
    }
)
_ALIASES: Mapping[str, str] = MappingProxyType({"to_char": "date_format"})
_NUMBER = re.compile(r"\d[\d_]*")
_EXACT = re.compile(r"\d*\.\d*")
_FLOATING = re.compile(r"(\d+\.?\d*|\.\d+)[eE][+-]?\d*")
_ENDS_ORDER = frozenset({"limit", "offset", "rows", "range", "groups", "fetch"})
_INTEGERS = frozenset({"i8", "i16", "i32", "i64"})
_WIDENED = re.compile(r"CAST\(((?:[^()]|\([^()]*\))+) AS Int64\)")


def check_dialect(query: str, planned: Planned, settings: Mapping[str, str]) -> None:
    """Refuse a query of which Sail would make something else than DataFusion does.

    Args:
        query: Its text.
        planned: The same, planned here.
        settings: Those of the session it was planned in.

    Raises:
        QueryError: It has such a piece; the message names it, and what to write.
    """
    found = next((*differences(query, settings), *_in_plan(query, planned)), None)
    if found is not None:
        raise _refused(query, found)


def check_text(query: str) -> None:
    """Refuse what the text alone shows, whatever the tables and the settings are.

    Raises:
        QueryError: As `check_dialect`.

    Examples:
        >>> check_text("SELECT concat(first, last) FROM names")
        Traceback (most recent call last):
            ...
        dagster_dfsession.errors.QueryError: engine 'sail' refuses concat(...) ...
    """
    settings = {NULL_ORDER: "nulls_min", DECIMALS: "true"}
    exact = (each for each in differences(query, settings) if each.what != "1.5e0")
    if (found := next(exact, None)) is not None:
        raise _refused(query, found)


def differences(query: str, settings: Mapping[str, str]) -> Iterator[Difference]:
    """Yield what the text of a query has of such pieces."""
    found = list(tokens(query))
    spark_order = settings.get(NULL_ORDER) == "nulls_min"
    decimals = settings.get(DECIMALS) == "true"
    for index, token in enumerate(found):
        start, following = token.start, found[index + 1 : index + 2]
        before = found[index - 1].value if index else ""
        called = [each.value for each in following] == ["("]
        word = token.value.lower() if token.kind == "word" else ""
        function = _ALIASES.get(word, word)
        if token.kind == "quoted" and query[start] == '"':
            yield Difference(
                f'"{token.value}"',
                "DataFusion reads the name of a column, Sail a text",
                f"`{token.value}` for a name, '{token.value}' for a text",
                start,
            )
        elif token.kind == "text" and "\\" in token.value:
            yield Difference(
                r"'\'",
                "DataFusion keeps the backslash, Sail takes it for an escape",
                "a parameter: $name in the query, the text in params",
                start,
            )
        elif token.value == "[" and token.kind == "other":
            yield Difference(
                "array[1]",
                "DataFusion counts from 1, Sail from 0",
                f"a column of its own instead of the array, {ELSEWHERE}",
                start,
            )
        elif called and function in _FUNCTIONS:
            yield Difference(f"{word}(...)", *_FUNCTIONS[function], start)
        elif called and word in ("substr", "substring"):
            if not _starts_at_one_or_later(found, index + 2):
                yield Difference(
                    f"{word}(text, start)",
                    "DataFusion counts a start below 1 from before the text, Sail from "
                    "its end",
                    "a start that is a number of at least 1; right(text, 3) for the "
                    "end",
                    start,
                )
        elif (
            token.value == "/"
            and token.kind == "other"
            and _NUMBER.fullmatch(before)
            and following
            and _NUMBER.fullmatch(following[0].value)
        ):
            yield _division(start)
        elif word == "order" and not spark_order:
            if [each.value.lower() for each in following] == ["by"] and not _says_nulls(
                found, index + 2
            ):
                yield Difference(
                    "ORDER BY without NULLS FIRST or NULLS LAST",
                    "this session puts NULL elsewhere than Sail does, which takes it "
                    "for the least value",
                    "NULLS FIRST or NULLS LAST after each column, or set "
                    "sql.null_ordering to nulls_min in the profile",
                    start,
                )
        elif token.kind == "other" and _FLOATING.fullmatch(token.value) and decimals:
            yield Difference(
                token.value,
                "this session reads a decimal, Sail a double",
                f"CAST('{token.value}' AS DOUBLE)",
                start,
            )
        elif token.kind == "other" and _EXACT.fullmatch(token.value) and not decimals:
            if token.value != "." or (following and following[0].value[:1].isdigit()):
                yield Difference(
                    token.value,
                    "this session reads a double, Sail a decimal",
                    f"CAST('{token.value}' AS DOUBLE), or set sql.float_as_decimal in "
                    "the profile",
                    start,
                )


def _in_plan(query: str, planned: Planned) -> Iterator[Difference]:
    """Yield what depends on types: division, and sums that need more room."""
    slashes = [each for each in tokens(query) if each.value == "/"]
    slash = slashes[0].start if slashes else None
    if slashes and _divides_integers(planned):
        yield _division(slash)
    for operand in _WIDENED.findall(planned.text):
        if f"CAST({operand} AS Int64)" in planned.composed:
            continue  # the query says so itself
        each = rf"\(?{re.escape(operand)}\)?"
        sums = rf"(?:{each} [-+*] Int64\((?!NULL)|Int64\([^)]*\) [-+*] {each})"
        if re.search(sums, planned.composed):
            yield Difference(
                f"{operand} + 1",
                "DataFusion adds in 64 bits, Sail in 32, and begins again at the "
                "least number without a word where they are too few",
                f"CAST({operand.rpartition('.')[2]} AS BIGINT) + 1",
            )


def _divides_integers(planned: Planned) -> bool:
    try:
        plan = substrait_plan(planned.optimized, planned.text)
    except QueryError:
        return True  # nobody can tell
    divides = {
        each.extension_function.function_anchor
        for each in plan.extensions
        if each.extension_function.name.partition(":")[0] == "divide"
    }
    return any(
        call.output_type.WhichOneof("kind") in _INTEGERS
        for call in _calls(plan)
        if call.function_reference in divides
    )


def _calls(message: Message) -> Iterator[Message]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if isinstance(value, list) or _repeats(value) else [value]:
            if isinstance(each, Message):
                if each.DESCRIPTOR.name == "ScalarFunction":
                    yield each
                yield from _calls(each)


def _repeats(value: object) -> bool:
    return not isinstance(value, Message) and hasattr(value, "__getitem__")


def _division(start: int | None) -> Difference:
    return Difference(
        "a / b of integers",
        "DataFusion cuts the fraction off, Sail returns it",
        "CAST(a AS DOUBLE) / b for the fraction; in Spark alone there is a DIV b "
        "without it",
        start,
    )


def _starts_at_one_or_later(found: list[Token], at: int) -> bool:
    """Whether the second argument of a call is a number of 1 or more."""
    argument = _second_argument(found, at)
    return (
        len(argument) == 1
        and _NUMBER.fullmatch(argument[0]) is not None
        and int(argument[0]) > 0
    )


def _second_argument(found: list[Token], at: int) -> list[str]:
    depth, number = 0, 0
    argument: list[str] = []
    for token in found[at:]:
        value = token.value.lower()
        if value in ("(", "["):
            depth += 1
        elif value in (")", "]"):
            depth -= 1
            if depth < 0:
                break
        if depth == 0 and token.kind != "text" and value in (",", "from", "for"):
            number += 1
        elif number == 1:
            argument.append(token.value)
    return argument


def _says_nulls(found: list[Token], at: int) -> bool:
    """Whether each column of an ORDER BY says where NULL goes."""
    depth, said, items = 0, 0, 1
    for token in found[at:]:
        value = token.value.lower()
        depth += (value == "(") - (value == ")")
        if depth < 0 or (depth == 0 and value in _ENDS_ORDER):
            break
        items += depth == 0 and value == ","
        said += depth == 0 and token.kind == "word" and value == "nulls"
    return said >= items


def _refused(query: str, found: Difference) -> QueryError:
    error = QueryError(
        f"engine 'sail' refuses {found.what}: {found.why}. Write {found.instead}."
    )
    error.kind, error.name = "dialect", found.what
    if found.start is not None:
        place = place_at(query, found.start)
        error.places = (place,)
        error.args = (f"{error.args[0]}\n{excerpt(query, place)}",)
    return error
