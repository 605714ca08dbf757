"""Where the text comes from: a string, or an iterable read by a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional, Union

from ..config import check_tts_text
from ..errors import InputTypeError
from ..transport.deadline import Deadline, wait_for

__all__ = ["TextReader", "check_text"]

_log = logging.getLogger("soniox_sync")

# text read ahead of the streams: about ten minutes of speech; a longer iterable is made to wait
_AHEAD_CHARS = 10_000


def check_text(text: str) -> None:
    """Raise `ConfigurationError` for text that no encoding can carry."""
    for at in range(0, len(text), 1000):  # the check counts bytes as well, 5000 at most
        check_tts_text(text[at : at + 1000])


class TextReader:
    """Hands over text through `take`, then calls `over` once, with what the iterable raised.

    For an iterable both are called on a thread of its own, which also closes it. A thread that is
    blocked inside the iterable cannot be woken: it ends when the iterable gives its next text.
    """

    def __init__(
        self,
        texts: Union[str, Iterable[str]],
        take: Callable[[str], None],
        over: Callable[[Optional[BaseException]], None],
        name: str,
    ) -> None:
        # Immutable
        self._texts = texts
        self._take = take
        self._over = over
        self._name = name
        # Set once, by anybody
        self._stopped = threading.Event()
        # Room for text: counted up by the reading thread, down by whoever speaks
        self._given = 0
        self._spoken = 0
        self._room = threading.Event()

    def start(self) -> None:
        """Begin to read; a string is handed over at once."""
        if isinstance(self._texts, str):
            self._take(self._texts)
            self._over(None)
        else:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Ask for no more text. Idempotent, never blocks."""
        self._stopped.set()
        self._room.set()

    def spoken(self, chars: int) -> None:
        """Learn how many characters in all went on to streams: that makes room for more."""
        if chars != self._spoken:
            self._spoken = chars
            self._room.set()

    def _run(self) -> None:
        error: Optional[BaseException] = None
        texts: Any = self._texts
        iterator: Optional[Iterator[Any]] = None
        try:
            iterator = iter(texts)
            for text in iterator:
                if self._stopped.is_set():
                    break
                self._give(text)
        except BaseException as raised:  # noqa: BLE001 - a thread's top: raised in the audio loop
            error = raised
        if self._stopped.is_set() or error is not None:
            _close_all(iterator, texts)
        self._over(error)

    def _give(self, text: Any) -> None:
        if not isinstance(text, str):
            raise InputTypeError(f"text: expected str, not {type(text).__name__}")
        check_text(text)
        self._given += len(text)
        self._take(text)
        while not self._stopped.is_set():
            self._room.clear()
            if self._given - self._spoken < _AHEAD_CHARS:
                return
            wait_for(self._room, Deadline(None))


def _close_all(*closables: Any) -> None:
    """Let a generator, or the response behind it, know that nobody listens any more."""
    for each in closables:
        close = getattr(each, "close", None)
        if callable(close):
            try:
                close()
            except Exception:  # noqa: BLE001 - the caller's code: logged
                _log.exception("! closing the text failed")
