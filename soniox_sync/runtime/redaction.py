"""Redaction: keys that a server or library repeats are replaced before an exception shows them."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, TypeVar
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
# a shorter secret would match ordinary words; no key is that short
_SHORTEST = 8
# levels of nesting; no frame or response of the service has as many
_DEEPEST = 20
# longer than any chain of causes that requests, urllib3 and http.client produce
_LONGEST_CHAIN = 32

E = TypeVar("E", bound=BaseException)


class Redactor:
    """Secrets that must not be shown, and how to remove them. Immutable; thread-safe.

    Each is removed in its plain, URL-quoted and JSON-escaped spellings.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                found |= _spellings(secret)
        # the longest first: it may contain a shorter one
        self._secrets = tuple(sorted(found, key=len, reverse=True))

    @property
    def spellings(self) -> tuple[str, ...]:
        """Everything that is replaced, the longest first."""
        return self._secrets

    def text(self, text: str) -> str:
        """Return `text` with its secrets replaced by `***`."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return `value` itself if it contains no secret, else a redacted copy.

        Searches strings and bytes, and mappings, lists and tuples of them. Anything nested deeper
        than 20 levels is masked altogether.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("latin-1")).encode("latin-1")
        if not isinstance(value, Mapping) and type(value) not in (list, tuple):
            return value
        if depth == _DEEPEST:
            return MASK
        copy: Any
        if isinstance(value, Mapping):
            copy = {self.value(k): self.value(v, depth + 1) for k, v in value.items()}
        else:
            copy = type(value)(self.value(item, depth + 1) for item in value)
        return value if copy == value else copy

    def error(self, error: E) -> E:
        """Redact an exception, its attributes and its chain in place; return it.

        A cause that still shows a secret, because it computes its message from elsewhere, is cut
        off.
        """
        if self._secrets:
            self._clean(error, {})
        return error

    def cause(self, error: BaseException) -> BaseException:
        """Redact an exception that is to be the cause of another; return it.

        One that still shows a secret is replaced by a `ConnectionError` with its redacted message.
        """
        return self._clean(error, {}) or ConnectionError(
            f"{type(error).__name__}: {self.text(str(error))}"
        )

    def _clean(
        self, error: Optional[BaseException], seen: dict[int, Optional[BaseException]]
    ) -> Optional[BaseException]:
        """Redact a chain from `error` on; return `None` at its end, or if a secret still shows.

        `seen`: the result for each exception, since a chain may branch and be circular.
        """
        if error is None or (id(error) not in seen and len(seen) == _LONGEST_CHAIN):
            return None
        if id(error) in seen:
            return seen[id(error)]
        seen[id(error)] = error
        error.args = self.value(error.args)
        error.__dict__.update({name: self.value(value) for name, value in vars(error).items()})
        silent = error.__suppress_context__  # assigning the cause would set it to True
        error.__cause__ = self._clean(error.__cause__, seen)
        error.__context__ = self._clean(error.__context__, seen)
        error.__suppress_context__ = silent
        shown = f"{error} {error!r} {vars(error)}"
        if any(secret in shown for secret in self._secrets):
            seen[id(error)] = None
        return seen[id(error)]

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._secrets)} spellings>"


def secrets_of_proxy(url: Optional[str]) -> Iterator[str]:
    """Yield what must not be shown of the URL of a proxy: its credentials as it is sent them."""
    if not url:
        return
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        user, password = parts.username or "", parts.password or ""
    except ValueError:
        return  # connecting refuses it with a clear error
    if user or password:
        yield password
        yield unquote(password)
        pair = f"{unquote(user)}:{unquote(password)}"
        yield pair
        yield base64.b64encode(pair.encode("utf-8")).decode("ascii")


def secrets_of_proxies(given: Optional[str]) -> Iterator[str]:
    """Yield the credentials of `proxy=`, and of all proxies that the environment names."""
    yield from secrets_of_proxy(given)
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy"):
            yield from secrets_of_proxy(value)


def _spellings(secret: str) -> set[str]:
    """Return a secret as JSON and URLs may spell it."""
    if secret.isalnum() and secret.isascii():
        return {secret}
    escaped = json.dumps(secret)[1:-1]
    quoted = {quote(secret, safe=safe, errors="replace") for safe in ("", "/", ":")}
    return {
        secret,
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        *quoted,
        *(_ESCAPED_BYTE.sub(lambda found: found[0].lower(), each) for each in quoted),
    }


_ESCAPED_BYTE = re.compile("%[0-9A-F]{2}")
