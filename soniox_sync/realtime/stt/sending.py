"""Feeding a transcription: cutting audio into messages, keeping a pace, a thread that feeds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from ..._support.checks import mapping, wrong_type
from ..._support.reprs import summary
from ..._support.types import Buffer
from ...config._values import check_extra
from ...errors import StateError
from ...protocol.dialects import SttDialect
from ...protocol.messages import encode
from ...runtime.clock import Clock
from ...transport.deadline import Deadline, Waitable, join_thread, wait_for
from ...transport.frames import BINARY, TEXT, encode_frame

_log = logging.getLogger("soniox_sync")

Audio = Buffer

# a larger message would hold up keepalives and pongs for too long
MAX_AUDIO_MESSAGE_BYTES = 64 * 1024


def audio_frames(data: bytes, dialect: SttDialect) -> list[bytes]:
    """Encode audio as messages of at most 64 KB; none for empty audio."""
    frames = []
    for start in range(0, len(data), MAX_AUDIO_MESSAGE_BYTES):
        part = data[start : start + MAX_AUDIO_MESSAGE_BYTES]
        if dialect.audio is None:
            frames.append(encode_frame(BINARY, part))
        else:
            frames.append(encode_frame(TEXT, dialect.audio(part).encode("utf-8")))
    return frames


def control_message(message: Mapping[str, Any]) -> str:
    """Return a control message of the user's as JSON.

    Raises
        ConfigurationError: it contains a key, or a value that JSON cannot represent.
        InputTypeError: not a mapping with `str` names, or a value of such a type.
    """
    mapping("message", message)
    check_extra(message, (), "message")
    return encode(dict(message))


def check_chunks(chunks: object) -> None:
    """Refuse what is no iterable of chunks, a single chunk included."""
    advice = ""
    if isinstance(chunks, (bytes, bytearray, memoryview, str)):
        advice = "use send_audio() for a single chunk"
    elif hasattr(chunks, "__aiter__"):
        advice = "there is no event loop here: pass a plain generator"
    elif isinstance(chunks, Iterable):
        return
    raise wrong_type("chunks", "an iterable of bytes", chunks, advice)


def send_paced(
    chunks: Iterable[Audio],
    send: Callable[[Audio], None],
    pace_sec: Optional[float],
    over: Waitable,
    clock: Clock,
) -> None:
    """Send `chunks` one every `pace_sec` on a schedule, until they or the transcription end.

    The schedule is absolute, so that one late chunk does not delay all that follow.
    """
    due = clock.now()
    for chunk in chunks:
        if pace_sec and wait_for(over, Deadline(due - clock.now())):
            return
        if over.is_set():
            return
        send(chunk)
        if pace_sec:
            # after a stall the schedule starts anew: chunks are not sent faster than the pace
            due = max(due + pace_sec, clock.now() - pace_sec)


class SendHandle:
    """Thread that feeds a transcription; `join()` waits for it."""

    def __init__(self, run: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        self._work = run
        self._failed = failed
        self.error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="soniox-sender", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - top of a thread: reported
            self.error = error
            if not isinstance(error, StateError):
                _log.debug("! sending ended: %r", error)
            self._failed(error)

    def __repr__(self) -> str:
        state = "sending" if not self.done else "done" if self.error is None else "failed:"
        return summary(self, state, "" if self.error is None else type(self.error).__name__)

    @property
    def done(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def join(self, timeout_sec: Optional[float] = None) -> bool:
        """Wait until everything was sent or sending failed; return whether that was in time.

        `timeout_sec`: seconds to wait, `None` without limit. The attribute `error` is what sending
        failed with, or `None`.
        """
        return join_thread(self._thread, Deadline(timeout_sec))
