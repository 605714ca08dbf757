"""Whether to retry, and after what pause."""

from __future__ import annotations

import random
from typing import Optional

from ..errors import SonioxHttpError, retry_after
from ..runtime.tls import certificate_error
from ..transport.deadline import Deadline
from .response import TRANSIENT_STATUSES

# the first retry is made at once, the second after twice this, then doubling; with the default of
# two retries a call that fails takes half a second longer
_BACKOFF_SEC = 0.25


class Retries:
    """Retries of one call, as far as urllib3's `Retry`, the server and the deadline allow.

    `most`: how many. `patience_sec`: the longest pause of a call without a deadline.
    """

    def __init__(self, most: int, patience_sec: float) -> None:
        from urllib3 import Retry

        # its default methods are those that do no harm when repeated, which excludes POST
        self._retry = Retry(
            total=most, status_forcelist=TRANSIENT_STATUSES, backoff_factor=_BACKOFF_SEC
        )
        self._patience_sec = patience_sec
        self._answered: Optional[SonioxHttpError] = None  # the last with a status

    def pause_after(
        self, method: str, error: SonioxHttpError, deadline: Deadline
    ) -> Optional[float]:
        """Return the seconds to wait before the next attempt, `None` if there must be none.

        There is none after a pause that would exceed the deadline.
        """
        from urllib3.exceptions import MaxRetryError

        if not self._may_retry(method, error):
            return None
        try:
            self._retry = self._retry.increment(method, "")
        except MaxRetryError:
            return None
        pause = retry_after(error.headers)
        if pause is None:
            pause = self._retry.get_backoff_time() * random.uniform(0.75, 1.25)
        left = deadline.remaining()
        if pause >= (self._patience_sec if left is None else left):
            return None
        if error.status_code is not None:
            self._answered = error.with_traceback(None)  # its frames refer to this object
        return pause

    def raise_more_telling(self, last: SonioxHttpError) -> None:
        """Raise the error with the status of an earlier attempt, if the last lost its connection.

        A status is more informative than a loss. Does nothing if there was none.
        """
        answered, self._answered = self._answered, None
        if answered is not None and last.code == "network_error" and not certificate_error(last):
            raise answered

    def _may_retry(self, method: str, error: SonioxHttpError) -> bool:
        if error.status_code is not None:
            return error.code == "http_error" and self._retry.is_retry(method, error.status_code)
        if error.code not in ("network_error", "timeout") or certificate_error(error):
            return False
        # 503 stands for any status worth a retry: without one, only the method counts
        return error.nothing_sent or self._retry.is_retry(method, 503)
