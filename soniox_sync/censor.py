"""Blacks out a key that a server or a library said back, before anybody sees the exception."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, TypeVar

_BLACK = "***"
# a shorter secret would black out ordinary words; no key is that short
_SHORTEST = 8
# deeper than any frame of the service
_DEEPEST = 20

E = TypeVar("E", bound=BaseException)


class Censor:
    """Knows what must not be shown. Immutable; safe from any thread."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST)

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _BLACK)
        return text

    def error(self, error: E) -> E:
        """Black out secrets in an exception, its attributes and its chain; gives it back."""
        link: Optional[BaseException] = error if self._secrets else None
        seen: set[int] = set()
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.args = self._clean(link.args)
            for name, value in vars(link).items():
                link.__dict__[name] = self._clean(value)
            link = link.__cause__ or link.__context__
        return error

    def _clean(self, value: Any, depth: int = 0) -> Any:
        """Give the value itself if it is clean, else a copy without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("latin-1")).encode("latin-1")
        if not isinstance(value, (dict, list, tuple)):
            return value
        if depth == _DEEPEST:
            return _BLACK
        copy: Any
        if isinstance(value, dict):
            copy = {self._clean(k): self._clean(v, depth + 1) for k, v in value.items()}
        else:
            copy = type(value)([self._clean(item, depth + 1) for item in value])
        return value if copy == value else copy

    def __repr__(self) -> str:
        return f"<Censor of {len(self._secrets)}>"
