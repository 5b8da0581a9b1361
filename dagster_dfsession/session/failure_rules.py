"""What the engine's texts mean: one table, read from the top."""

import re
from typing import NamedTuple

from dagster_dfsession.errors import (
    ColumnNotFoundError,
    FunctionFailedError,
    MemoryLimitError,
    QueryError,
)

_CAST = "Write CAST(... AS ...) where the types differ."
_VALUE = "TRY_CAST gives NULL instead of an error."
_MORE_MEMORY = "raise runtime.memory_pool.size."


class Rule(NamedTuple):
    """A text of the engine, and what is said in its place.

    Attributes:
        kind: Of the error.
        pattern: Its group `name` is the error's, and `said` what the engine says of it.
        says: The sentence, with the groups of the pattern in braces.
        advice: What to do.
        error: The class.
    """

    kind: str
    pattern: re.Pattern[str]
    says: str
    advice: str = ""
    error: type[QueryError] = QueryError


def _rule(kind: str, pattern: str, says: str = "{said}.", advice: str = "") -> Rule:
    return Rule(kind, re.compile(pattern, re.DOTALL), says, advice)


def _memory(pattern: str, says: str, advice: str) -> Rule:
    return Rule(
        "memory", re.compile(pattern, re.DOTALL), says, advice, MemoryLimitError
    )


def _refused(operator: str, advice: str) -> Rule:
    """Return the rule for an operator to which the memory pool gave no more."""
    return _memory(
        r"Failed to allocate additional (?P<more>[^\n]+?) for "
        rf"(?P<operator>{operator})\S* with (?P<held>[^\n]+?) already allocated for "
        r"this reservation - (?P<left>[^\n]+?) remain available for the total memory "
        r"pool: (?P<pool>\w+)\([^\n]*?pool_size: (?P<size>[^\n)]+)\)",
        "{operator} holds {held} and needs {more} more; {left} are left of the {size} "
        "of the session's {pool} memory pool.",
        advice,
    )


RULES = (
    Rule(
        "function_failed",
        re.compile(
            r"(?P<said>user function '(?P<name>[^']+)' raised .+?)(?:\\n|$|\")",
            re.DOTALL,
        ),
        "{said}",
        error=FunctionFailedError,
    ),
    _refused(
        "HashJoinInput",
        "A hash join holds its smaller side and cannot spill: "
        "execution.prefer_hash_join: false makes it a sort-merge join, which can (from "
        "2 execution.target_partitions up, and where rows are joined by equal values). "
        f"Or {_MORE_MEMORY}",
    ),
    _refused(
        "ExternalSorterMerge",
        "Merging what a sort spilled needs memory at a time when the rest of the query "
        "has taken most of it: lower execution.target_partitions or "
        "execution.batch_size, and, where it asked for just that much, "
        f"execution.sort_spill_reservation, or {_MORE_MEMORY}",
    ),
    _refused(
        "SortPreservingMergeExec",
        "Merging what was sorted holds batches of every partition: lower "
        f"execution.batch_size or execution.target_partitions, or {_MORE_MEMORY}",
    ),
    _refused(r"\w+", f"Lower execution.target_partitions, or {_MORE_MEMORY}"),
    _memory(
        r"Resources exhausted: (?P<said>.+?) \(DiskManager is disabled\)",
        "more memory was needed than the session may use: {said}, and it may not "
        "spill.",
        f"Let it (runtime.spill), or {_MORE_MEMORY}",
    ),
    _memory(
        r"Resources exhausted: (?P<said>.+)",
        "more memory was needed than the session may use: {said}.",
        f"Lower execution.target_partitions, or {_MORE_MEMORY}",
    ),
    _rule(
        "syntax",
        r"only supports a single SQL statement",
        "the text has several statements, and one is run at a time.",
        "Give each its own call.",
    ),
    _rule(
        "syntax",
        r"No SQL statements were provided",
        "the text has no statement in it.",
        "Write a query, such as SELECT 1.",
    ),
    Rule(
        "column",
        re.compile(r"Field (?P<name>.+) not found in struct", re.DOTALL),
        "the struct has no field {name}.",
        "SELECT arrow_typeof(...) of the struct shows those it has.",
        ColumnNotFoundError,
    ),
    _rule(
        "ambiguous",
        r"Ambiguous reference to unqualified field (?P<name>.+)",
        "several tables of the query have a column {name}.",
        "Say whose it is: table.{name}.",
    ),
    _rule(
        "arguments",
        r"No function matches the given name and argument types "
        r"'(?P<said>(?P<name>\w+)\(.*?\))'\..*?Candidate functions:\s*(?P<forms>.*)",
        "{said} is none of the forms of this function: {forms}.",
        "Cast the arguments to the types it takes, or give as many as it takes.",
    ),
    _rule(
        "arguments",
        r"(?P<said>(?:\[return_type\] )?\w+ not supported for \w+)",
        advice="Cast the argument to a type that the function takes.",
    ),
    _rule(
        "arguments",
        r"(?P<said>Unsupported date_trunc granularity: .+|Date part '.+' not supported"
        r"|Unsupported type '.+'\. Must be [^.]+|Regular expression did not compile.+)",
        advice="The function takes no such text.",
    ),
    _rule(
        "types",
        r"(?P<said>(?:Cannot infer common argument type|Cannot coerce arithmetic "
        r"expression|There isn't a common type to|Failed to coerce|expr type) .+)",
        advice=_CAST,
    ),
    _rule(
        "types",
        r"Incompatible inputs for Union: (?P<said>.+) on column '(?P<name>[^']*)'",
        "the queries of the UNION give column {name!r} types that do not go together: "
        "{said}.",
        _CAST,
    ),
    _rule(
        "types",
        r"(?P<said>Cannot create filter with non-boolean predicate "
        r"'(?P<name>[^']+)' .+)",
        advice="A condition is true or false: compare it with something.",
    ),
    _rule(
        "types",
        r"(?P<said>Unary operator .+|Cannot access field at argument .+"
        r"|unnest\(\) can only be applied .+|Expected LIMIT to be .+)",
        advice=_CAST,
    ),
    _rule(
        "columns",
        r"(?P<said>(?:UNION|EXCEPT|INTERSECT) queries have different number of "
        r"columns)",
        advice="Give each of them the same columns, in the same order.",
    ),
    _rule(
        "columns",
        r"(?P<said>Too many columns! The subquery should only return one column: .+)",
        advice="Select one of them.",
    ),
    _rule(
        "group_by",
        r"column \"(?P<name>[^\n]+?)\" must appear in the GROUP BY clause.*?"
        r"currently only (?P<there>.+?) appears",
        "column {name} is neither in GROUP BY nor in an aggregate function; only "
        "{there} is.",
        "Add it to GROUP BY, or aggregate it: min({name}).",
    ),
    _rule(
        "group_by",
        r"HAVING clause references: (?P<said>.+) must appear in the GROUP BY clause",
        "HAVING has {said} in it, and the query has no groups.",
        "Write it in WHERE, or aggregate.",
    ),
    _rule(
        "position",
        r"(?P<said>Order by column out of bounds.+|Cannot find column with position.+)",
        advice="Name the column instead.",
    ),
    _rule(
        "qualifier",
        r"(?P<said>Invalid qualifier (?P<name>[^\n]+)"
        r"|Unsupported compound identifier '[^']+'[^\n]+)",
        advice="A table is called by its alias where it has one.",
    ),
    _rule(
        "aggregate",
        r"Aggregate functions are not allowed in the WHERE clause",
        "WHERE has an aggregate function in it, and is decided row by row.",
        "Write it in HAVING.",
    ),
    _rule(
        "aggregate",
        r"(?P<said>Aggregate function calls cannot be nested: .+)",
        advice="Aggregate in a subquery, and its result outside of it.",
    ),
    _rule(
        "aggregate",
        r"does not support logical expression WindowFunction",
        "a window function stands where rows are still being chosen, as in WHERE.",
        "Write it in QUALIFY, or filter in a query around this one.",
    ),
    _rule(
        "duplicate",
        r"unique expression names but the expression \"(?P<one>.+?)\" at position \d+ "
        r"and \"(?P<two>.+?)\" at position \d+ have the same name",
        "two columns have the same name: {one} and {two}.",
        "Give one of them another name with AS.",
    ),
    _rule(
        "duplicate",
        r"(?P<said>Schema contains duplicate (?:un)?qualified field name "
        r"(?P<name>\S+))",
        advice="Give one of the tables, or of the columns, another name with AS.",
    ),
    _rule(
        "duplicate",
        r"WITH query name \"(?P<name>.+?)\" specified more than once",
        "WITH has two queries named {name}.",
        "Give one of them another name.",
    ),
    _rule(
        "parameter",
        r"(?:Placeholder '|No value found for placeholder with name )(?P<name>[^'\s]+)",
        "parameter {name} has no value.",
        "Pass it in params.",
    ),
    _rule(
        "value",
        r"Divide by zero",
        "a number was divided by zero.",
        "Divide by nullif(..., 0), which gives NULL.",
    ),
    _rule(
        "value",
        r"(?P<name>LIMIT|OFFSET) must be >= ?0, '(?P<said>[^']+)' was provided",
        "{name} is {said}, and counts rows.",
        "Give 0 or more.",
    ),
    _rule(
        "value",
        r"(?m:^)(?P<said>[^\n]*(?:[Oo]verflow|out of range|too large to store)[^\n]*)",
        "a value does not fit its type: {said}.",
        "Cast to a wider type before the calculation.",
    ),
    _rule(
        "value",
        r"(?:Cast|Parser) error: (?P<said>[^\n]+)",
        "a value is not what the type wants: {said}.",
        _VALUE,
    ),
    _rule(
        "value",
        r"(?P<said>Scalar subquery returned more than one row)",
        advice="Aggregate in it, or LIMIT 1.",
    ),
    _rule(
        "unsupported",
        r"not implemented: Unsupported ast node (?P<name>\w+)",
        "the engine has no {name}.",
        "Write the query without it.",
    ),
    _rule(
        "unsupported",
        r"not implemented: (?P<said>[^\n{]+)",
        "the engine does not do this: {said}.",
        "Write the query in another way.",
    ),
)
