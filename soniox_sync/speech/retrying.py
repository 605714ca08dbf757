"""Which failures of a stream are worth another one, and when."""

from __future__ import annotations

import random

from ..errors import QuotaError, RealtimeError, SonioxError, is_retriable

__all__ = ["may_try_again", "retry_delay"]

# attempts in a row without any audio, the first included
_MAX_TRIES = 4
# the account's limit of streams frees itself when others end: that is worth more patience
_MAX_QUOTA_TRIES = 8
_DELAY_SEC = 0.25
_MAX_DELAY_SEC = 8.0
# 413 comes after two minutes of audio: what is left can be spoken by another stream
_RESUMABLE = frozenset({"max_audio_duration_reached", "invalid_stream_state"})


def may_try_again(error: SonioxError, tries: int, *, resumed: bool) -> bool:
    """Tell whether to open another stream after `tries` without audio; `resumed`: some was."""
    if _is_quota(error):
        return tries < _MAX_QUOTA_TRIES
    known = isinstance(error, RealtimeError) and error.error_type in _RESUMABLE
    return tries < _MAX_TRIES and (is_retriable(error) or (known and resumed))


def retry_delay(error: SonioxError, tries: int) -> float:
    """Give the seconds to wait before: none after the first loss, then more each time."""
    if tries == 1 and not _is_quota(error):
        return 0.0
    delay = min(_DELAY_SEC * 2.0**tries, _MAX_DELAY_SEC)
    return delay * random.uniform(0.5, 1.5)  # not all speakers of a fleet at the same moment


def _is_quota(error: SonioxError) -> bool:
    return isinstance(error, QuotaError) and error.error_type == "limit_exceeded"
