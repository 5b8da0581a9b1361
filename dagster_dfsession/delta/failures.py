"""From deltalake's errors to this package's errors: the one place that reads them."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import quote

from deltalake import exceptions

from dagster_dfsession.errors import (
    CommitError,
    DeltaError,
    DfSessionError,
    SchemaMismatchError,
)

MAPPED: Mapping[type[BaseException], type[DeltaError]] = MappingProxyType(
    {
        exceptions.CommitFailedError: CommitError,
        exceptions.DeltaError: DeltaError,
        exceptions.DeltaProtocolError: DeltaError,
        exceptions.SchemaMismatchError: SchemaMismatchError,
        exceptions.TableNotFoundError: DeltaError,
        OSError: DeltaError,  # what its object stores raise
    }
)

_PRESENT = "A table already exists at"

_CREDENTIALS = "Check the storage options: key, secret, region and endpoint."

_FEATURE = (
    "The table's protocol asks for more than deltalake has: use an engine that has it, "
    "or have the one that wrote the table drop the feature."
)

# What a refused commit or an unreadable table asks the reader to do. The first
# fragment found in the engine's text decides.
NEXT_STEP: Mapping[str, str] = MappingProxyType(
    {
        _PRESENT: "Another run created the table meanwhile; nothing of this run was "
        "committed. Run again.",
        "Metadata changed since": "Another writer changed the table's schema or "
        "properties meanwhile; run again.",
        "Protocol changed since": "Another writer created or upgraded the table "
        "meanwhile; run again.",
        "Concurrent transaction failed": "Another attempt with the same idempotence "
        "key committed meanwhile; run again to take its result.",
        "concurrent transactions added": "Another run wrote the same partitions (or "
        "the same unpartitioned table) meanwhile; nothing of this run was "
        "committed. Run again, and keep runs of one partition apart with a Dagster "
        "pool or a concurrency limit.",
        "concurrent transaction deleted": "Another run replaced or compacted the "
        "files that this write replaces; nothing of this run was committed. Run "
        "again.",
        "Unsupported table features required": _FEATURE,
        "Unsupported: Feature": _FEATURE,
        "Unsupported minimum": _FEATURE,
        "Failed to commit transaction: 0": "Another run wrote or compacted the table "
        "meanwhile; nothing of this run was committed. Run again.",
        "Find missing file": "Vacuum has removed files of that version: it cannot be "
        "restored.",
        "Invalid retention period": "The table's own "
        "delta.deletedFileRetentionDuration is longer: raise retain_hours, or lower "
        "the property.",
        "not the same as the specified end version": "The table has no such "
        "version; `history` lists those it has.",
        "Unknown scheme": "Use a local path, file://, s3://, gs://, az:// or abfss://.",
        "NoSuchBucket": "Create the bucket, or correct the root address.",
        "/latest/": "No credentials were given, and this machine has none of its own: "
        "set access_key_id and secret_access_key in the storage options.",
        "lacked the necessary privileges": _CREDENTIALS,
        "403 Forbidden": _CREDENTIALS,
        "URL scheme is not allowed": "Use an https:// endpoint, or set the storage "
        "option allow_http to 'true'.",
        "error sending request": "The store did not answer: check the endpoint and the "
        "network. The storage option retry_timeout says how long to try.",
        "failed validation check": "Rows break a predicate, a NOT NULL or a CHECK "
        "constraint of the table.",
    }
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BACKTRACE = re.compile(r"\n\s*0: .*", re.DOTALL)
_XML = re.compile(
    r"<\?xml.*?<Code>([^<]*)</Code>.*?<Message>([^<]*)</Message>.*?</Error>", re.DOTALL
)
_SHORT_SECRET = 3


@contextlib.contextmanager
def delta_errors(uri: str, secrets: Collection[str] = ()) -> Iterator[None]:
    """Turn what deltalake raises in the block into a `DeltaError` of our tree.

    The original is not chained: its text may hold what `secrets` masks.

    Args:
        uri: The table, for the message.
        secrets: Texts that the message must not show; those of up to 3
            characters are let through, or nothing would be left to read.

    Raises:
        DeltaError: Or the class of it that `MAPPED` names. Errors of this package
            and everything deltalake does not raise pass through as they are.

    Examples:
        >>> with delta_errors("s3://lake/t", ["hunter2"]):
        ...     raise OSError("403 for key hunter2")
        Traceback (most recent call last):
        dagster_dfsession.errors.DeltaError: s3://lake/t: 403 for key ***
    """
    try:
        yield
    except DfSessionError:
        raise
    except BaseException as error:
        target = _target(error)
        if target is None:
            raise
        raise target(f"{uri}: {explained(str(error), secrets)}") from None


def explained(text: str, secrets: Collection[str] = ()) -> str:
    """Return an engine's text on one line, without secrets, and what to do next.

    What a store answered is cut to its code and message: the rest may show the key or
    the token that it refused.

    Examples:
        >>> answer = "<?xml?><Error><Code>Expired</Code><Message>Too old</Message>"
        >>> explained(f"400: {answer}<Token-0>abc</Token-0></Error>")
        '400: Expired: Too old'
    """
    plain = _BACKTRACE.sub("", _COLOUR.sub("", text)).replace("↳", "")
    plain = _XML.sub(r"\1: \2", plain)
    sentence = scrubbed(" ".join(plain.split()), secrets)
    steps = (step for fragment, step in NEXT_STEP.items() if fragment in text)
    step = next(steps, None)
    return f"{sentence.rstrip('.')}. {step}" if step else sentence


def quotes_store(text: str) -> bool:
    """Whether an engine's text has the answer of a store in it, as it came."""
    return "<?xml" in text


def says_absent(error: exceptions.TableNotFoundError) -> bool:
    """Whether there is no table, rather than one that could not be reached.

    deltalake raises the same class for an unknown scheme and for a directory that
    may not be read.
    """
    text = str(error)
    return "No files in log segment" in text or "kind: NotFound" in text


def says_present(error: DeltaError) -> bool:
    """Whether a table could not be made because there is one."""
    return _PRESENT in str(error)


def says_empty(error: OSError) -> bool:
    """Whether a file has no first byte to read from: no store takes it for empty."""
    text = str(error)
    return "416 Range Not Satisfiable" in text or "only 0 bytes long" in text


def scrubbed(text: str, secrets: Collection[str]) -> str:
    """Return the text with every secret masked, also where it is percent-encoded.

    Examples:
        >>> scrubbed("key=a/b%2Fcd", ["a/b/cd", "b/cd", "key"])
        'key=a/***'
    """
    long = [secret for secret in secrets if len(secret) > _SHORT_SECRET]
    spelt = {form for secret in long for form in (secret, quote(secret, safe=""))}
    for secret in sorted(spelt, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _target(error: BaseException) -> type[DeltaError] | None:
    for kind in type(error).__mro__:
        if kind in MAPPED:
            return MAPPED[kind]
    # deltalake raises a bare Exception for Arrow types it cannot hold, and lets
    # panics of its engine through as a class that no public module exports.
    bare = type(error) is Exception or type(error).__name__ == "PanicException"
    return DeltaError if bare else None
