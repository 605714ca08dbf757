"""Feeding a transcription: cutting audio into messages, keeping a pace, a thread that feeds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Callable, Optional, Union

from .clock import Clock
from .errors import InputTypeError, StateError
from .protocol.dialects import SttDialect
from .transport.deadline import Deadline, Waitable, join_thread, wait_for
from .transport.frames import BINARY, TEXT, encode_frame

_log = logging.getLogger("soniox_sync")

Audio = Union[bytes, bytearray, memoryview]

# a larger message would keep the line from keepalives and pongs for too long
MAX_AUDIO_MESSAGE_BYTES = 64 * 1024


def audio_frames(data: Audio, dialect: SttDialect) -> list[bytes]:
    """Encode audio as messages of at most 64 KB; none for empty audio.

    Raises `InputTypeError` for what is not bytes-like.
    """
    try:
        whole = data if isinstance(data, bytes) else memoryview(data).tobytes()
    except TypeError:
        raise InputTypeError(f"data: audio must be bytes-like, not {type(data).__name__}") from None
    frames = []
    for start in range(0, len(whole), MAX_AUDIO_MESSAGE_BYTES):
        piece = whole[start : start + MAX_AUDIO_MESSAGE_BYTES]
        if dialect.audio is None:
            frames.append(encode_frame(BINARY, piece))
        else:
            frames.append(encode_frame(TEXT, dialect.audio(piece).encode("utf-8")))
    return frames


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
    if isinstance(chunks, (bytes, bytearray, memoryview, str)):
        raise InputTypeError(
            f"chunks: expected an iterable of bytes, not {type(chunks).__name__}; use "
            "send_audio() for one piece"
        )
    due = clock.now()
    for chunk in chunks:
        if pace_sec and wait_for(over, Deadline(due - clock.now())):
            return
        if over.is_set():
            return
        send(chunk)
        if pace_sec:
            # a source that stalled does not have to be caught up with faster than its pace
            due = max(due + pace_sec, clock.now() - pace_sec)


class SendHandle:
    """Is a thread that feeds a transcription; `join()` waits for it."""

    def __init__(self, run: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        self._work = run
        self._failed = failed
        self.error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="soniox-sender", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - a thread's top: reported
            self.error = error
            if not isinstance(error, StateError):
                _log.debug("! sending ended: %r", error)
            self._failed(error)

    @property
    def done(self) -> bool:
        """Tell whether the thread has ended."""
        return not self._thread.is_alive()

    def join(self, timeout_sec: Optional[float] = None) -> bool:
        """Wait until everything was sent or sending failed (`error` says how); tell whether.

        `timeout_sec`: how long, `None` without limit.
        """
        return join_thread(self._thread, Deadline(timeout_sec))
