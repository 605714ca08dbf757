"""TLS context of a client, shared by WebSockets and HTTP, so that both trust the same CAs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from .._support.checks import object_with, wrong_type, wrong_value
from .._support.locks import new_lock
from .._support.types import Verify

if TYPE_CHECKING:
    import ssl


_check_context = object_with("an ssl.SSLContext", "wrap_socket")


class TlsSettings:
    """TLS context that is made when first needed and then kept: making one takes 22 to 28 ms.

    `verify`: True trusts the CAs of the system and of certifi (or of the file in `SSL_CERT_FILE`,
    `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`), a path trusts that file or directory instead, False
    trusts any server and is for tests only. A `context` is used instead of all this. Thread-safe.
    """

    def __init__(self, verify: Verify = True, context: Optional[ssl.SSLContext] = None) -> None:
        if not isinstance(verify, (bool, str, os.PathLike)):
            raise wrong_type("verify", "True, False or the path of a CA file", verify)
        if not isinstance(verify, bool) and not os.path.exists(verify):
            raise wrong_value("verify", "the path of a CA file or directory", os.fspath(verify))
        if context is not None:
            _check_context("ssl_context", context)
        self._verify = verify
        # Guards _context. Held while it is created (milliseconds, no network). Leaf.
        self._lock = new_lock()
        self._context = context

    def context(self) -> ssl.SSLContext:
        """Return the shared context.

        Raises
            ConfigurationError: the CA file is not usable.
        """
        with self._lock:
            if self._context is None:
                self._context = _make(self._verify)
            return self._context


def certificate_error(error: BaseException) -> Optional[ssl.SSLCertVerificationError]:
    """Return the refused certificate that `error` came from, if there is one."""
    import ssl

    seen: Optional[BaseException] = error
    while seen is not None and not isinstance(seen, ssl.SSLCertVerificationError):
        seen = seen.__cause__ or seen.__context__
    return seen


def _make(verify: Verify) -> ssl.SSLContext:
    import ssl

    if isinstance(verify, (str, os.PathLike)):
        return _trusting(os.fspath(verify))
    if not verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        return _trusting(bundle)
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
        raise wrong_value("verify", "usable CA certificates", path, str(error)) from None
