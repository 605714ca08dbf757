"""Description of a request for its errors: method and URL, never the key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ..config import safe_url
from ..runtime.redaction import Redactor, secrets_of_proxy

if TYPE_CHECKING:
    from ..transport.proxies import Proxy


class RequestInfo:
    """Method and URL of a request, for its errors, and the redaction of what it sends in secret."""

    def __init__(self, method: str, url: str, key: str) -> None:
        self.method = method
        self.url: str = safe_url(url).partition("?")[0]
        self.hint = ""  # advice if there is no such endpoint
        self._key = key
        self.redactor: Redactor = Redactor([key])
        self.proxy: Optional[Proxy] = None  # known once it is sent

    def use_proxies(self, urls: Iterable[Optional[str]]) -> None:
        """Redact the credentials of these proxies too: one may repeat what it was sent."""
        found = (secret for url in urls for secret in secrets_of_proxy(url))
        self.redactor = Redactor([self._key, *found])

    @property
    def name(self) -> str:
        """Method and path, for messages."""
        return f"{self.method} {urlsplit(self.url).path or '/'}"

    def facts(self) -> dict[str, Any]:
        """Return the attributes common to all errors of this request."""
        return {"method": self.method, "url": self.url}
