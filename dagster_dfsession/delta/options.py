"""Storage options of object stores: what is added to them, and which may be read."""

from collections.abc import Mapping

RETRY_TIMEOUT = "15s"
"""How long after a request's first try deltalake may begin another.

Left alone, it tries for three minutes, and a run that cannot reach its store looks as
if it were working. 15 seconds outlast a throttled bucket and the restart of a proxy. A
try that has begun may still take `timeout` (30 s) or, where nobody answers,
`connect_timeout` (5 s); `max_retries` is 10.
"""

_ENDPOINTS = frozenset({"endpoint", "endpoint_url"})
_READABLE = frozenset(
    {
        "allow_http",
        "connect_timeout",
        "max_retries",
        "region",
        "retry_timeout",
        "timeout",
        *_ENDPOINTS,
    }
)


def with_defaults(options: Mapping[str, str]) -> dict[str, str]:
    """Return options for a store, with what they leave open but this package decides.

    Whoever gives an `http://` endpoint has allowed HTTP. Each option that is given
    stays as it is.

    Examples:
        >>> with_defaults({"endpoint": "http://127.0.0.1:9000"})["allow_http"]
        'true'
        >>> with_defaults({"retry_timeout": "3m"})
        {'retry_timeout': '3m'}
    """
    added = {"retry_timeout": RETRY_TIMEOUT}
    plain_http = any(
        _plain(key) in _ENDPOINTS and value.lower().startswith("http://")
        for key, value in options.items()
    )
    if plain_http and "allow_http" not in map(_plain, options):
        added["allow_http"] = "true"
    return added | dict(options)


def is_readable(key: str, value: str) -> bool:
    """Whether a message may show the value; of a key that is not known, it may not.

    Examples:
        >>> is_readable("AWS_ENDPOINT_URL", "https://store.example")
        True
        >>> is_readable("endpoint", "https://user:password@store.example")
        False
        >>> is_readable("aws_secret_access_key", "hunter2")
        False
    """
    return _plain(key) in _READABLE and "@" not in value


def _plain(key: str) -> str:
    return key.lower().removeprefix("aws_")
