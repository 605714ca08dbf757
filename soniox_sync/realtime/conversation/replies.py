"""The thread that calls `reply`, one call after another."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from ..._support.checks import refuse_awaitable, wrong_type
from .texts import Job

_log = logging.getLogger("soniox_sync")

TextFilter = Callable[[Iterable[str]], Iterable[str]]
_EXPECTED = "a str, an iterable of str, or None"


class ReplyThread:
    """Calls `reply` for one turn at a time, and passes on its text while it is wanted.

    `call`: calls the user's function with the text of a turn. `on_text(job, text)` and
    `on_done(job, error)` are called on this thread.
    """

    def __init__(
        self,
        call: Callable[[str], Any],
        text_filter: Optional[TextFilter],
        on_text: Callable[[Job, str], None],
        on_done: Callable[[Job, Optional[BaseException]], None],
        name: str,
    ) -> None:
        # Immutable
        self._call = call
        self.text_filter = text_filter
        self._on_text = on_text
        self._on_done = on_done
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._jobs: queue.SimpleQueue[Optional[Job]] = queue.SimpleQueue()
        # Replaced by this thread only
        self._current: Optional[Job] = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def current_here(self) -> Optional[Job]:
        """Job that the calling thread works on; `None` in any other thread."""
        return self._current if threading.current_thread() is self._thread else None

    def take(self, job: Job) -> None:
        """Call `reply` for a job, after those before it."""
        self._jobs.put(job)

    def stop(self) -> None:
        """End the thread after the job that it works on. Does not wait."""
        self._jobs.put(None)

    def join(self, timeout_sec: float) -> None:
        """Wait for the end of the thread, unless this is the thread."""
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(timeout_sec)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._current = job
            error: Optional[BaseException] = None
            try:
                self._answer(job)
            except BaseException as raised:  # noqa: BLE001 - the user's code: ends the loop
                error = _as_raised(raised)
            self._current = None
            if error is not None and not job.is_wanted:
                _log.warning("! a reply that was no longer wanted failed: %r", error)
            self._on_done(job, error)
            del job, error

    def _answer(self, job: Job) -> None:
        """Call `reply` and pass its text on; close what it returned in any case."""
        answer = self._call(job.text) if job.is_wanted else None
        if answer is None:
            return
        refuse_awaitable("reply", _EXPECTED, answer)
        if isinstance(answer, (bytes, bytearray, Mapping)) or not isinstance(answer, Iterable):
            raise wrong_type("reply", _EXPECTED, answer)
        iterator: Iterator[Any] = iter((answer,) if isinstance(answer, str) else answer)
        try:
            for text in filtered(self.text_filter, _drawn(iterator, job)):
                if not job.is_wanted:
                    return
                self._on_text(job, text)
        finally:
            for each in (iterator, answer):
                close = getattr(each, "close", None)
                if callable(close):
                    close()


def filtered(text_filter: Optional[TextFilter], texts: Iterable[str]) -> Iterator[str]:
    """Yield what a filter makes of texts.

    Raises
        InputTypeError: it gives something else than texts.
        Exception: what it raised.
    """
    if text_filter is None:
        yield from texts
        return
    found = text_filter(texts)
    refuse_awaitable("text_filter", "one that returns an iterable of str", found)
    if not isinstance(found, Iterable):
        raise wrong_type("text_filter", "one that returns an iterable of str", found)
    for text in found:
        if not isinstance(text, str):
            raise wrong_type("text_filter", "one that gives texts that are str", text)
        yield text


def _as_raised(error: BaseException) -> BaseException:
    """Return what a failing `reply` raises in the loop.

    What means something to whoever iterates, as in a generator, would end the user's loop silently.
    """
    if not isinstance(error, (StopIteration, GeneratorExit)):
        return error
    meant = RuntimeError(f"reply raised {type(error).__name__}")
    meant.__cause__ = error
    return meant


def _drawn(iterator: Iterator[Any], job: Job) -> Iterator[str]:
    """Yield texts while they are wanted, and no faster than they are spoken."""
    while job.may_go_on():
        try:
            text = next(iterator)
        except StopIteration:
            return
        if text is None:  # a language model's chunk without text
            continue
        if not isinstance(text, str):
            raise wrong_type("reply", "texts that are str", text)
        if text:
            yield text
