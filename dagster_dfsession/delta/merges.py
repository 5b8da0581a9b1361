"""What a merge is to do with the rows of a table: the kinds, and their one door."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

from dagster_dfsession.errors import DeltaError, ProfileError, did_you_mean, listing
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.fields import structs_at

Keys: TypeAlias = Annotated[tuple[str, ...], Meta(min_length=1)]
When: TypeAlias = Literal["matched", "not_matched", "not_matched_by_source"]
Do: TypeAlias = Literal["update", "insert", "delete"]


class Upsert(Frozen, frozen=True, tag_field="kind", tag="upsert"):
    """Update the rows that differ, insert those that are new.

    Attributes:
        on: The columns that tell rows apart; none of their values is NULL.
    """

    on: Keys


class InsertOnly(Frozen, frozen=True, tag_field="kind", tag="insert_only"):
    """Insert the rows that are new, and leave those that are there as they are."""

    on: Keys


class DeleteMatched(Frozen, frozen=True, tag_field="kind", tag="delete_matched"):
    """Delete the rows whose keys the frame has; it may lack all other columns."""

    on: Keys


class FullSync(Frozen, frozen=True, tag_field="kind", tag="full_sync"):
    """Update, insert, and delete what the frame lacks: within the run's partitions."""

    on: Keys


class Scd2(Frozen, frozen=True, tag_field="kind", tag="scd2"):
    """Keep the history: close the versions that changed, and open new ones.

    Attributes:
        on: The columns that tell things apart; each has one version at a time.
        tracked: The columns whose change opens a version. None: all others.
        effective: The column that says from when a row holds. None: from the start of
            the run on, in UTC.
        close_missing: Whether what the frame lacks ends with the start of the run.
        valid_from: The table's column of the time from which a version holds.
        valid_to: From which on it no longer does; NULL for the current one.
        is_current: Whether it is the current one.
    """

    on: Keys
    tracked: Keys | None = None
    effective: str | None = None
    close_missing: bool = False
    valid_from: str = "valid_from"
    valid_to: str = "valid_to"
    is_current: str = "is_current"

    @property
    def own_columns(self) -> tuple[str, str, str]:
        """The columns that the merge itself fills."""
        return (self.valid_from, self.valid_to, self.is_current)

    @property
    def needs_run_start(self) -> bool:
        """Whether the outcome depends on when the run started."""
        return self.effective is None or self.close_missing


class Clause(Frozen, frozen=True, rename={"condition": "if"}):
    """What to do with some rows; the first clause that fits a row decides.

    Attributes:
        when: `matched`, `not_matched` (rows of the frame alone), or
            `not_matched_by_source` (rows of the table alone).
        do: `update` or `delete` a row of the table, `insert` one of the frame.
        condition: `if`: SQL over `source.column` and `target.column`. None: always.
        set: Column -> SQL. None: every column, as the frame has it.
    """

    when: When
    do: Do
    condition: str | None = None
    set: dict[str, str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.do == "insert") != (self.when == "not_matched"):
            takes = "insert" if self.when == "not_matched" else "update or delete"
            raise ProfileError(f"when {self.when} one can {takes}, not {self.do}")
        if self.do == "delete" and self.set is not None:
            raise ProfileError("delete takes no `set`")
        if (
            self.when == "not_matched_by_source"
            and self.do == "update"
            and not self.set
        ):
            raise ProfileError(
                "an update of rows that the frame lacks needs `set`: column -> SQL"
            )


class Custom(Frozen, frozen=True, tag_field="kind", tag="custom"):
    """Do what the clauses say, in their order.

    Attributes:
        on: The columns that tell rows apart; none of their values is NULL.
        clauses: At least one.
        source_only: Columns of the frame for conditions alone; no table has them.
    """

    on: Keys
    clauses: Annotated[tuple[Clause, ...], Meta(min_length=1)]
    source_only: tuple[str, ...] = ()


Merge: TypeAlias = Upsert | InsertOnly | DeleteMatched | FullSync | Scd2 | Custom


def reaches_absent(merge: Merge) -> bool:
    """Whether rows of the table change that the frame lacks.

    Examples:
        >>> reaches_absent(FullSync(on=("id",))), reaches_absent(Upsert(on=("id",)))
        (True, False)
    """
    if isinstance(merge, Scd2):
        return merge.close_missing
    if isinstance(merge, Custom):
        return any(each.when == "not_matched_by_source" for each in merge.clauses)
    return isinstance(merge, FullSync)


class _Holder(Frozen, frozen=True):
    merge: Merge


def parse_merge(data: Any, asset: str) -> Merge:
    """Read the `merge` metadata of an asset; without a `kind` it is an upsert.

    Args:
        data: A mapping; `on` is a column or a list of them.
        asset: Name of the asset, for messages.

    Raises:
        DeltaError: It is no merge; the message says where and why.

    Examples:
        >>> parse_merge({"on": "id"}, "orders")
        Upsert(on=('id',))
        >>> parse_merge({"on": "id", "trakced": ["name"], "kind": "scd2"}, "orders")
        Traceback (most recent call last):
        dagster_dfsession.errors.DeltaError: asset 'orders', metadata merge: Object
        contains unknown field `trakced`. Did you mean 'tracked'? The kind 'scd2' has:
        close_missing, effective, is_current, kind, on, tracked, valid_from, valid_to.
    """
    if not isinstance(data, Mapping):
        raise DeltaError(
            f"asset {asset!r} is in mode 'merge', but its 'merge' metadata is {data!r}."
            " Set it to the columns that tell rows apart and the kind of merge: "
            "metadata={'mode': 'merge', 'merge': {'on': ['id'], 'kind': 'upsert'}}."
        )
    plain = {"kind": "upsert", **data}
    if isinstance(plain.get("on"), str):
        plain["on"] = [plain["on"]]
    try:
        return msgspec.convert({"merge": plain}, _Holder).merge
    except msgspec.ValidationError as error:
        raise _refused(str(error), plain, asset) from None


def _refused(text: str, data: Mapping[str, Any], asset: str) -> DeltaError:
    # msgspec ends with " - at `$.merge.on`".
    reason, _, place = text.partition(" - at `")
    path = place.rstrip("`").rpartition("`")[2] or "$.merge"
    fields = _fields(path, str(data["kind"]))
    unknown = reason.partition("unknown field `")[2].rstrip("`")
    if unknown:
        holder = f"The kind {data['kind']!r}" if path == "$.merge" else "It"
        reason += f".{did_you_mean(unknown, fields)} {holder} has: {listing(fields)}"
    elif path == "$.merge.kind":
        kinds = [str(kind.__struct_config__.tag) for kind in get_args(Merge)]
        reason += f".{did_you_mean(str(data['kind']), kinds)} Known: {listing(kinds)}"
    elif reason.startswith("Invalid enum value"):
        words = get_args(When if path.endswith(".when") else Do)
        reason += f". Known: {listing(words)}"
    return DeltaError(f"asset {asset!r}, metadata {path[2:]}: {reason}.")


def _fields(path: str, kind: str) -> list[str]:
    found = [
        s for s in structs_at(_Holder, path) if s.__struct_config__.tag in (None, kind)
    ]
    names = [name for struct in found for name in struct.__struct_encode_fields__]
    return ["kind", *names] if path == "$.merge" else names
