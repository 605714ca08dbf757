"""Where a call went, for errors to say, and the key that none of them may show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import quote, urlsplit

from ..config import safe_url

_HIDDEN = "[key]"
# longer than any chain of causes that requests, urllib3 and http.client make
_LONGEST_CHAIN = 32
# deeper than any answer of the service
_DEEPEST = 20


class Place:
    """Is what an error says about its call: method and URL, and how to hide the key."""

    def __init__(self, method: str, url: str, key: str) -> None:
        self.method = method
        self.url = safe_url(url).partition("?")[0]
        self._secrets = sorted({key, quote(key, safe=""), key.replace("/", "\\/")} - {""}, key=len)

    @property
    def name(self) -> str:
        """Give method and path, for messages."""
        return f"{self.method} {urlsplit(self.url).path or '/'}"

    def facts(self) -> dict[str, Any]:
        """Give what every error of this call carries."""
        return {"method": self.method, "url": self.url}

    def hide(self, text: str) -> str:
        """Take the key out of a text."""
        for secret in reversed(self._secrets):
            text = text.replace(secret, _HIDDEN)
        return text

    def hide_in(self, value: Any, depth: int = 0) -> Any:
        """Take the key out of strings and bytes, alone or in mappings, lists and tuples.

        What lies deeper than 20 levels is left out.
        """
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, bytes):
            return self.hide(value.decode("latin-1")).encode("latin-1")
        if not isinstance(value, Mapping) and type(value) not in (list, tuple):
            return value
        if depth == _DEEPEST:
            return _HIDDEN
        if isinstance(value, Mapping):
            return {self.hide(str(k)): self.hide_in(v, depth + 1) for k, v in value.items()}
        return type(value)(self.hide_in(item, depth + 1) for item in value)

    def hide_in_chain(self, error: BaseException) -> BaseException:
        """Take the key out of an exception and all it came from; gives it, or what replaces it.

        Libraries quote what a server sent, each in its own way. An exception that shows the key
        all the same gives way to its hidden words, or is cut off where it is the cause of another.
        """
        return self._cleaned(error, _LONGEST_CHAIN) or ConnectionError(
            f"{type(error).__name__}: {self.hide(str(error))}"
        )

    def _cleaned(self, error: Optional[BaseException], depth: int) -> Optional[BaseException]:
        if error is None or depth == 0:
            return None
        error.args = self.hide_in(error.args)
        error.__dict__.update(self.hide_in(vars(error)))
        silent = error.__suppress_context__  # setting the cause would set it, too
        error.__cause__ = self._cleaned(error.__cause__, depth - 1)
        error.__context__ = self._cleaned(error.__context__, depth - 1)
        error.__suppress_context__ = silent
        return None if self._is_shown_by(error) else error

    def _is_shown_by(self, error: BaseException) -> bool:
        words = f"{error} {error!r} {vars(error)}"
        return any(secret in words for secret in self._secrets)
