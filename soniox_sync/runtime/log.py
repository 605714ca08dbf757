"""Log of a connection: one vocabulary, and the connection's number in each record.

The logger is `soniox_sync`, at DEBUG. The first character of a message is its kind: `>` sent, `<`
received, `=` state changed, `%` keepalive or ping, `!` failed. No message contains a key, audio or
text.
"""

from __future__ import annotations

import logging
import re

from .redaction import Redactor

_log = logging.getLogger("soniox_sync")
# what a server sends could begin a line of its own, or control a terminal; also C1 and the
# separators at which `str.splitlines()` splits
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def harmless(text: str) -> str:
    """Return `text` with control characters escaped as in a string literal."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


class ConnectionLog:
    """DEBUG log of one connection. Thread-safe; costs one comparison while DEBUG is off.

    Arguments may contain what a server sent: secrets are removed, control characters escaped.
    """

    def __init__(self, number: int, redactor: Redactor) -> None:
        self._number = number
        self._redactor = redactor

    @property
    def is_on(self) -> bool:
        """Whether DEBUG is on: to be checked before an expensive argument is computed."""
        return _log.isEnabledFor(logging.DEBUG)

    def __call__(self, message: str, *args: object) -> None:
        """Log `message`, followed by `[number]`."""
        if _log.isEnabledFor(logging.DEBUG):
            shown = (arg if isinstance(arg, int) else self._shown(arg) for arg in args)
            _log.debug(message + " [%d]", *shown, self._number, stacklevel=2)

    def _shown(self, arg: object) -> str:
        return harmless(self._redactor.text(str(arg)))
