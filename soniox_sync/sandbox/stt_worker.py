"""The thread that decodes and hears one STT session."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .containers import AutoDecoder
from .engines.base import Hearing, Listener
from .problems import Problem, bad_request
from .stt_config import SttConfig
from .stt_tokens import TokenWriter

if TYPE_CHECKING:
    from .stt import SttService
    from .world import World

__all__ = ["SttWorker", "too_long"]

log = logging.getLogger(__name__)

_FINALIZE, _END, _STOP = "finalize", "end", "stop"
# bytes in one item of the queue
_SLICE = 64 * 1024
# items waiting; a client that sends faster than we hear is slowed down by TCP
_BACKLOG = 512
# audio is heard in pieces of this length, however it was sent
_PIECE_MS = 120


def too_long() -> Problem:
    """Make the end of a stream at its longest duration (PROTOCOL 2.7)."""
    return Problem("max_duration_reached", "Maximum audio duration reached.")


class SttWorker:
    """Takes audio and commands in order, and sends what was heard through its service.

    `audio`, `finalize` and `end` are the reader's; they block when the worker is far behind.
    """

    def __init__(self, world: World, config: SttConfig, service: SttService, number: int) -> None:
        self.on_unknown: Callable[[], None] = lambda: None
        self.on_known: Callable[[], None] = lambda: None
        self._world = world
        self._config = config
        self._service = service
        self._queue: queue.Queue[Union[bytes, str]] = queue.Queue(_BACKLOG)
        self._stopped = threading.Event()
        # Worker only
        self._decoder = config.open_decoder()
        self._listener: Optional[Listener] = None
        self._writer = TokenWriter(config)
        self._got_bytes = False
        self._samples = 0
        self._final_ms = 0
        self._thread = threading.Thread(
            target=self._run, name=f"soniox-sandbox-stt-{number}", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def audio(self, data: bytes) -> None:
        """Queue audio, in pieces, so that the queue's length bounds its memory."""
        for at in range(0, len(data), _SLICE):
            self._put(data[at : at + _SLICE])

    def finalize(self) -> None:
        """Queue a finalize."""
        self._put(_FINALIZE)

    def end(self) -> None:
        """Queue the end of the audio."""
        self._put(_END)

    def stop(self) -> None:
        """End the thread without another word, and wait for it."""
        self._stopped.set()
        try:
            self._queue.put_nowait(_STOP)
        except queue.Full:
            # the worker looks at _stopped before each of the items that fill the queue
            pass
        self._thread.join()

    def _put(self, item: Union[bytes, str]) -> None:
        while not self._stopped.is_set():
            try:
                # looks up now and then, as a worker that failed no longer takes items
                self._queue.put(item, timeout=0.5)
                return
            except queue.Full:
                if not self._thread.is_alive():
                    return

    # --- the worker's thread

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                item = self._queue.get()
                if self._stopped.is_set() or not self._step(item):
                    return
        except Problem as problem:
            self._service.fail(problem)
        except Exception:
            log.exception("sandbox transcription failed")
            self._service.fail(Problem("internal_error", "The sandbox failed; see its log."))
        finally:
            self._decoder.close()
            if self._listener is not None:
                self._listener.close()

    def _step(self, item: Union[bytes, str]) -> bool:
        if isinstance(item, bytes):
            self._hear_bytes(item)
        elif item == _FINALIZE:
            self._send(self._settled(), finalized=True)
        else:
            self._finish()
            return False
        return True

    def _hear_bytes(self, data: bytes) -> None:
        first = not self._got_bytes
        self._got_bytes = True
        pcm = self._decoder.feed(data)
        if isinstance(self._decoder, AutoDecoder):
            if self._decoder.recognised:
                self.on_known()
            elif first:
                self.on_unknown()
        self._hear(pcm)

    def _hear(self, pcm: bytes) -> None:
        rate = self._decoder.sample_rate
        if not pcm or not rate:
            return
        size = max(1, rate * _PIECE_MS // 1000) * 2
        for at in range(0, len(pcm), size):
            if self._stopped.is_set():
                return
            self._hear_piece(pcm[at : at + size], rate)

    def _hear_piece(self, pcm: bytes, rate: int) -> None:
        if self._listener is None:
            self._listener = self._world.recognizer.listen(
                sample_rate=rate,
                languages=self._config.language_hints,
                endpoint_delay_ms=self._config.endpoint_delay_ms,
            )
        self._check_duration(len(pcm) // 2, rate)
        hearing = self._listener.feed(pcm)
        if hearing is not None:
            self._send(hearing)
        self._service.count_audio(len(pcm) / 2 * 1000 / rate)

    def _check_duration(self, samples: int, rate: int) -> None:
        self._samples += samples
        limit = self._world.limits.stt_max_duration_sec
        if limit is not None and self._samples > limit * rate:
            raise too_long()

    def _settled(self) -> Hearing:
        if self._listener is None:
            return Hearing((), (), False, 0, 0)
        return self._listener.finalize()

    def _send(self, hearing: Hearing, *, finalized: bool = False, last: bool = False) -> None:
        # never backwards, whatever an engine reports
        self._final_ms = max(self._final_ms, hearing.final_ms)
        response = self._writer.response(hearing, finalized=finalized, last=last)
        response["final_audio_proc_ms"] = self._final_ms
        self._service.send(response)

    def _finish(self) -> None:
        if not self._got_bytes:
            raise bad_request("No audio received.")
        self._hear(self._decoder.finish())
        hearing = self._settled()
        if hearing.final or hearing.endpoint:
            self._send(hearing, last=True)
        total = max(hearing.total_ms, self._final_ms)
        finished: dict[str, Any] = {
            "tokens": [],
            "final_audio_proc_ms": total,
            "total_audio_proc_ms": total,
            "finished": True,
        }
        self._service.finish(finished)
