"""Thread that decodes and recognises the audio of one STT session."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from typing import Any, Protocol, Union

from ..audio.containers import AutoDecoder
from ..engines.base import RecognitionResult
from ..problems import Problem, bad_request
from ..world import World
from .config import SttConfig
from .recognition import AudioRecognizer
from .tokens import TokenWriter

__all__ = ["SttWorker", "WorkerSession"]

log: logging.Logger = logging.getLogger(__name__)

_FINALIZE, _END, _STOP = "finalize", "end", "stop"
# bytes in one item of the queue
_SLICE = 64 * 1024
# items in the queue; a client that sends faster than the worker recognises is slowed down by TCP
_BACKLOG = 512


class WorkerSession(Protocol):
    """Session that a worker reports to, from its own thread."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a response."""

    def finish(self, message: Mapping[str, Any]) -> None:
        """Send the last response."""

    def fail(self, problem: Problem) -> None:
        """End with an error."""

    def count_audio(self, ms: float) -> None:
        """Count `ms` more milliseconds of recognised audio."""

    def container_missing(self) -> None:
        """Handle that audio of format `auto` started without a known header."""

    def container_found(self) -> None:
        """Handle that audio of format `auto` has a known header."""


class SttWorker:
    """Processes audio and commands in order, and reports the results to its session.

    `audio`, `finalize` and `end` are called by the reader; they block while the worker is far
    behind.
    """

    def __init__(
        self, world: World, config: SttConfig, session: WorkerSession, number: int
    ) -> None:
        self._auto = config.audio_format == "auto"
        self._session = session
        self._queue: queue.Queue[Union[bytes, str]] = queue.Queue(_BACKLOG)
        self._stopped = threading.Event()
        # Worker only
        self._recognizer = AudioRecognizer(world, config, self._stopped)
        self._writer = TokenWriter(config)
        # an alias is answered with the name of what runs (PROTOCOL 7)
        self._named = {"model": config.model} if config.is_alias else {}
        self._got_bytes = False
        self._final_ms = 0
        self._thread = threading.Thread(
            target=self._run, name=f"soniox-sandbox-stt-{number}", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def audio(self, data: bytes) -> None:
        """Queue audio in slices, so that the length of the queue limits its memory."""
        for at in range(0, len(data), _SLICE):
            self._put(data[at : at + _SLICE])

    def finalize(self) -> None:
        """Queue a finalize."""
        self._put(_FINALIZE)

    def end(self) -> None:
        """Queue the end of the audio."""
        self._put(_END)

    def stop(self) -> None:
        """Stop the thread without another result, and wait for it."""
        self._stopped.set()
        try:
            self._queue.put_nowait(_STOP)
        except queue.Full:
            # the worker checks _stopped before each item of the full queue
            pass
        self._thread.join()

    def _put(self, item: Union[bytes, str]) -> None:
        while not self._stopped.is_set():
            try:
                # with a timeout, because a worker that has failed takes no more items
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
                if self._stopped.is_set() or not self._handle(item):
                    return
        except Problem as problem:
            self._session.fail(problem)
        except Exception:
            log.exception("sandbox transcription failed")
            self._session.fail(Problem("internal_error", "The sandbox failed; see its log."))
        finally:
            self._recognizer.close()

    def _handle(self, item: Union[bytes, str]) -> bool:
        """Handle one item; return False after the end of the audio."""
        if isinstance(item, bytes):
            self._recognize(self._decode(item))
        elif item == _FINALIZE:
            self._send(self._recognizer.finalize(), finalized=True)
        else:
            self._finish()
            return False
        return True

    def _decode(self, data: bytes) -> bytes:
        first = not self._got_bytes
        self._got_bytes = True
        decoder = self._recognizer.decoder
        pcm = decoder.feed(data)
        if isinstance(decoder, AutoDecoder) and self._auto:
            if decoder.recognised:
                self._session.container_found()
            elif first:
                self._session.container_missing()
        return pcm

    def _recognize(self, pcm: bytes) -> None:
        for ms, result in self._recognizer.recognize(pcm):
            if result is not None:
                self._send(result)
            self._session.count_audio(ms)

    def _send(
        self, result: RecognitionResult, *, finalized: bool = False, last: bool = False
    ) -> None:
        # never backwards, whatever an engine reports
        self._final_ms = max(self._final_ms, result.final_ms)
        response = self._writer.response(result, finalized=finalized, last=last)
        response["final_audio_proc_ms"] = self._final_ms
        response.update(self._named)
        self._session.send(response)

    def _finish(self) -> None:
        if not self._got_bytes:
            raise bad_request("No audio received.")
        self._recognize(self._recognizer.decoder.finish())
        result = self._recognizer.finalize()
        if result.final or result.endpoint or self._writer.owes_translation:
            self._send(result, last=True)
        total = max(result.total_ms, self._final_ms)
        self._session.finish(
            {
                "tokens": [],
                "final_audio_proc_ms": total,
                "total_audio_proc_ms": total,
                "finished": True,
                **self._named,
            }
        )
