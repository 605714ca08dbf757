"""The one TLS context of a client, shared by WebSockets and HTTP, so that both trust the same."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Optional, Union

from .errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

Verify = Union[bool, str, "os.PathLike[str]"]


class TlsSettings:
    """Makes the context when it is first needed and keeps it: a fresh one costs 22-28 ms a connect.

    `verify`: True trusts the system's authorities and certifi's (or the file in `SSL_CERT_FILE`,
    `REQUESTS_CA_BUNDLE`), a path trusts that file or directory instead, False trusts anybody and
    is for tests only. `context` overrides it all. Thread-safe.
    """

    def __init__(self, verify: Verify = True, context: Optional[ssl.SSLContext] = None) -> None:
        if not isinstance(verify, (bool, str, os.PathLike)):
            raise ConfigurationError("verify: expected True, False or the path of a CA file")
        if isinstance(verify, (str, os.PathLike)) and not os.path.exists(verify):
            raise ConfigurationError(f"verify: there is no CA file at {os.fspath(verify)!r}")
        self._verify = verify
        # Guards _context. Held while it is loaded (milliseconds, no network). Leaf.
        self._lock = threading.Lock()
        self._context = context

    def context(self) -> ssl.SSLContext:
        """Give the shared context. Raises `ConfigurationError` for an unusable CA file."""
        with self._lock:
            if self._context is None:
                self._context = _make(self._verify)
            return self._context


def _make(verify: Verify) -> ssl.SSLContext:
    import ssl

    if isinstance(verify, (str, os.PathLike)):
        return _trusting(os.fspath(verify))
    if not verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    own = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if own:
        return _trusting(own)
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE"):
        import certifi

        context.load_verify_locations(certifi.where())  # what requests trusts
    return context


def _trusting(path: str) -> ssl.SSLContext:
    import ssl

    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"verify: {path!r} is not a usable file of CA certificates ({error})"
        ) from None
