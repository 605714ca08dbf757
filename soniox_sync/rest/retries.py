"""Whether to try again, and after which pause."""

from __future__ import annotations

import random
from typing import Optional

from ..errors import SonioxHttpError
from ..transport.deadline import Deadline
from .answer import PASSING
from .failures import retry_after

# seconds; doubles with each attempt after the second, the first repetition follows at once
_BACKOFF_SEC = 0.25


class Retries:
    """Counts the repetitions of one call; urllib3's `Retry` does the counting. Not thread-safe."""

    def __init__(self, most: int) -> None:
        from urllib3 import Retry

        # its default methods are those that do no harm when repeated, POST is not among them
        self._retry = Retry(total=most, status_forcelist=PASSING, backoff_factor=_BACKOFF_SEC)
        self._said: list[SonioxHttpError] = []  # the last that the server answered

    def pause_after(
        self, method: str, error: SonioxHttpError, deadline: Deadline
    ) -> Optional[float]:
        """Give the seconds to wait before the next attempt, `None` when there must be none.

        A pause that would outlast the deadline is not worth waiting for.
        """
        if not self._may_repeat(method, error) or not self._count(method):
            return None
        wish = retry_after(error.headers)
        pause = (
            self._retry.get_backoff_time() * random.uniform(0.75, 1.25) if wish is None else wish
        )
        left = deadline.remaining()
        if left is not None and pause >= left:
            return None
        if error.status_code is not None:
            self._said = [error.with_traceback(None)]  # its frames hold this object
        return pause

    def raise_more_telling(self, last: SonioxHttpError) -> None:
        """Raise what the server answered to an earlier attempt, if the last one lost the line.

        An answer says more than a loss. Does nothing when there is none.
        """
        if self._said and last.code == "network_error" and not getattr(last, "is_final", False):
            raise self._said.pop()

    def _may_repeat(self, method: str, error: SonioxHttpError) -> bool:
        if error.status_code is not None:
            return error.code == "http_error" and self._harmless(method, error.status_code)
        if error.code not in ("network_error", "timeout") or getattr(error, "is_final", False):
            return False
        return getattr(error, "nothing_sent", False) or self._harmless(method, 503)

    def _harmless(self, method: str, status: int) -> bool:
        return bool(self._retry.is_retry(method, status))

    def _count(self, method: str) -> bool:
        from urllib3.exceptions import MaxRetryError

        try:
            self._retry = self._retry.increment(method, "")
        except MaxRetryError:
            return False
        return True
