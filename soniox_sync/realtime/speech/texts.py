"""Reading the text to speak: a string, or an iterable on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional, Union

from ..._support.characters import CharacterJoiner
from ..._support.checks import wrong_type
from ...config import check_tts_text
from ...transport.deadline import Deadline, wait_for
from ...transport.latch import Latch

__all__ = ["TextReader", "check_text"]

_log = logging.getLogger("soniox_sync")

# characters read ahead of the streams, about ten minutes of speech; then the iterable has to wait
_AHEAD_CHARS = 10_000


def check_text(text: str) -> None:
    """Raise `ConfigurationError` for text that cannot be encoded."""
    for at in range(0, len(text), 1000):  # in slices: the check also refuses more than 5000 bytes
        check_tts_text(text[at : at + 1000])


class TextReader:
    """Passes text to `on_text`, then calls `on_end` once, with what the iterable raised or `None`.

    An iterable is read on a thread of its own, which calls both and closes the iterable. That
    thread cannot be interrupted while it waits for the iterable: it ends with the next text.
    """

    def __init__(
        self,
        texts: Union[str, Iterable[Optional[str]]],
        on_text: Callable[[str], None],
        on_end: Callable[[Optional[BaseException]], None],
        name: str,
    ) -> None:
        # Immutable
        self._texts = texts
        self._on_text = on_text
        self._on_end = on_end
        self._name = name
        # Set once, by any thread
        self._stopped = Latch()
        # In characters: passed on (written by the reading thread), used (by the speech)
        self._passed = 0
        self._used = 0
        self._has_room = Latch()
        # Reading thread only
        self._characters = CharacterJoiner()

    def start(self) -> None:
        """Start reading; a string is passed on at once."""
        if isinstance(self._texts, str):
            self._on_text(self._texts)
            self._on_end(None)
        else:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Read no more text. Idempotent, never blocks."""
        self._stopped.set()
        self._has_room.set()

    def used(self, chars: int) -> None:
        """Record how many characters in total are on streams, which makes room for more."""
        if chars != self._used:
            self._used = chars
            self._has_room.set()

    def _run(self) -> None:
        error: Optional[BaseException] = None
        texts: Any = self._texts
        iterator: Optional[Iterator[Any]] = None
        try:
            iterator = iter(texts)
            for text in iterator:
                if self._stopped.is_set():
                    break
                self._pass_on(text)
            else:
                self._pass_on(self._characters.finish())
        except BaseException as raised:  # noqa: BLE001 - top of a thread: raised to the consumer
            error = raised
        if self._stopped.is_set() or error is not None:
            _close_all(iterator, texts)
        self._on_end(error)

    def _pass_on(self, text: Any) -> None:
        if text is None:  # a language model's chunk without text
            return
        if not isinstance(text, str):
            raise wrong_type("text", "a str", text)
        text = self._characters.add(text)
        self._passed += len(text)
        self._on_text(text)
        while not self._stopped.is_set():
            self._has_room.clear()
            if self._passed - self._used < _AHEAD_CHARS:
                return
            wait_for(self._has_room, Deadline(None))


def _close_all(*closables: Any) -> None:
    """Close a generator, and the response or file that it reads from."""
    for each in closables:
        close = getattr(each, "close", None)
        if callable(close):
            try:
                close()
            except Exception:  # noqa: BLE001 - the caller's code: logged
                _log.exception("! closing the text failed")
