"""What an asset promises of its columns and rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.arrow_types import delta_type
from dagster_dfsession.delta.declared import declared_schema
from dagster_dfsession.errors import ContractError, did_you_mean, listing, nearest


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What must be true of all that is written.

    Attributes:
        schema: All columns with their types, in any order. None: no promise.
        not_null: Columns without NULLs; those that `schema` declares so count too.
        unique: Keys, each of one or more columns, that no two rows share. As in SQL,
            a key with a NULL in it equals no other; NaN equals NaN.
        checks: Name -> SQL condition. As in SQL, a row breaks it where it is false;
            where it is NULL, the row passes.
    """

    schema: pa.Schema | None = None
    not_null: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    checks: Mapping[str, str] = {}


def parse_contract(stated: Any, asset: str) -> Contract:
    """Read the `contract` metadata of an asset.

    Args:
        stated: A mapping with some of `schema`, `not_null`, `unique` and `checks`.
            `unique` is the columns of one key, or a list of keys.
        asset: Its name, for messages.

    Raises:
        ContractError: It is no contract.

    Examples:
        >>> stated = {"unique": ["id"], "checks": {"positive": "amount > 0"}}
        >>> parse_contract(stated, "orders").unique
        (('id',),)
        >>> parse_contract({"uniq": ["id"]}, "orders")
        Traceback (most recent call last):
        dagster_dfsession.errors.ContractError: the contract of asset 'orders' has
        'uniq', which is none of checks, not_null, schema, unique. Did you mean
        'unique'?
    """
    if not isinstance(stated, Mapping):
        raise _refused(asset, f"is {stated!r}; give a mapping such as {_EXAMPLE}")
    known = Contract.__struct_fields__
    for name in stated:
        if name not in known:
            raise _refused(
                asset,
                f"has {name!r}, which is none of {listing(known)}."
                f"{did_you_mean(str(name), known)}",
            )
    schema = stated.get("schema")
    declared = None if schema is None else declared_schema(schema)
    strict = [field.name for field in declared or () if not field.nullable]
    named = _names(stated.get("not_null", ()), "not_null", asset)
    return Contract(
        schema=declared,
        not_null=tuple(dict.fromkeys([*strict, *named])),
        unique=_keys(stated.get("unique", ()), asset),
        checks=_checks(stated.get("checks", {}), asset),
    )


def check_columns(contract: Contract, schema: pa.Schema, asset: str) -> None:
    """Refuse columns that are not those of the contract, before a row is read.

    Spellings of a type that Delta Lake holds alike are alike: a view is a string. A
    column of NULLs without a type fits every type.

    Raises:
        ContractError: Columns are missing, too many or of another type, or a rule
            names one that is not there; the message says all of it.
    """
    wrong = [*_differences(contract.schema, schema), *_unknown(contract, schema)]
    if wrong:
        error = ContractError(
            f"{asset}: the columns are not those of its contract, and nothing was "
            f"computed. {'; '.join(wrong)}. Select or cast in the query, or correct "
            "the asset's contract metadata."
        )
        error.asset = asset
        raise error


_EXAMPLE = "{'unique': ['id'], 'checks': {'positive': 'amount > 0'}}"


def _differences(declared: pa.Schema | None, found: pa.Schema) -> Iterator[str]:
    if declared is None:
        return
    lacking = [f for f in declared if f.name not in found.names]
    extra = [f for f in found if f.name not in declared.names]
    for field in lacking:
        meant = _perhaps(field.name, (each.name for each in extra))
        yield f"missing: {field.name} ({field.type}){meant}"
    for field in extra:
        yield f"not declared: {field.name} ({field.type})"
    for field in declared:
        if field.name not in found.names:
            continue
        given = found.field(field.name).type
        if not pa.types.is_null(given) and delta_type(given, field.name) != delta_type(
            field.type, field.name
        ):
            yield f"of another type: {field.name} ({given}, declared {field.type})"


def _unknown(contract: Contract, found: pa.Schema) -> Iterator[str]:
    declared = () if contract.schema is None else contract.schema.names
    rules = {"not_null": contract.not_null}
    rules |= {f"unique {', '.join(key)}": key for key in contract.unique}
    for rule, columns in rules.items():
        for name in columns:
            if name not in found.names and name not in declared:
                meant = _perhaps(name, found.names)
                yield f"the rule {rule!r} names {name!r}, which is no column{meant}"


def _perhaps(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f", is it {close!r}?" if close else ""


def _names(stated: Any, what: str, asset: str) -> tuple[str, ...]:
    if isinstance(stated, str):
        return (stated,)
    if isinstance(stated, Sequence) and all(isinstance(name, str) for name in stated):
        return tuple(stated)
    raise _refused(asset, f"has {what} {stated!r}; give names of columns, as ['id']")


def _keys(stated: Any, asset: str) -> tuple[tuple[str, ...], ...]:
    several = not isinstance(stated, str) and isinstance(stated, Sequence)
    if several and stated and all(not isinstance(key, str) for key in stated):
        return tuple(_names(key, "unique", asset) for key in stated)
    key = _names(stated, "unique", asset)
    return (key,) if key else ()


def _checks(stated: Any, asset: str) -> Mapping[str, str]:
    if isinstance(stated, Mapping) and all(
        isinstance(text, str) for pair in stated.items() for text in pair
    ):
        return dict(stated)
    raise _refused(
        asset,
        f"has checks {stated!r}; give names and SQL, {{'positive': 'amount > 0'}}",
    )


def _refused(asset: str, reason: str) -> ContractError:
    error = ContractError(f"the contract of asset {asset!r} {reason}")
    error.asset = asset
    return error
