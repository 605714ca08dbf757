"""Text on its way to the voice, and how far ahead of it `reply` may be."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Optional, Union

from ..._support.locks import new_condition, new_lock
from ...cancel import CancelToken

# Characters that wait for the voice before `reply` is asked for more: some sentences, so that the
# voice never waits, and an answer without an end takes no memory and costs no more than that.
_AHEAD_CHARS = 2000


class Job:
    """One call of `reply`. Thread-safe."""

    def __init__(self, number: int, text: str) -> None:
        # Immutable
        self.number = number
        self.text = text
        self.cancel: CancelToken = CancelToken()
        # Guards the fields below; notified when `may_go_on()` may return. Leaf.
        self._changed = new_condition(new_lock())
        self._ahead = 0  # characters given and not taken by the voice
        self._is_held = False
        self._is_over = False

    @property
    def is_wanted(self) -> bool:
        """Whether its text is still to be spoken."""
        return not self._is_over and not self.cancel.cancelled

    def count(self, chars: int) -> None:
        """Count characters that wait for the voice, or with a minus such that no longer do."""
        with self._changed:
            self._ahead += chars
            self._changed.notify_all()

    def hold(self, on: bool) -> None:
        """Draw no more text, or go on."""
        with self._changed:
            self._is_held = on
            self._changed.notify_all()

    def end(self) -> None:
        """Draw no more text, ever."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def may_go_on(self) -> bool:
        """Wait until more text may be drawn; return False if it is no longer wanted."""
        with self._changed:
            while self.is_wanted and (self._is_held or self._ahead >= _AHEAD_CHARS):
                self._changed.wait()
        return self.is_wanted


class TextFeed:
    """Iterable of the text of one passage, for `speak()`. One thread gives, another takes."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Optional[tuple[str, Optional[Job]]]] = queue.SimpleQueue()

    def put(self, text: str, job: Optional[Job]) -> None:
        """Add text; `job`: whose it is."""
        if job is not None:
            job.count(len(text))
        self._items.put((text, job))

    def end(self) -> None:
        """Add no more."""
        self._items.put(None)

    def drop(self) -> None:
        """Forget what was not taken, and end."""
        while True:
            try:
                self._took(self._items.get_nowait())
            except queue.Empty:
                break
        self._items.put(None)

    def _took(self, item: Union[tuple[str, Optional[Job]], None]) -> None:
        if item is not None and item[1] is not None:
            item[1].count(-len(item[0]))

    def __iter__(self) -> Iterator[str]:
        while (item := self._items.get()) is not None:
            self._took(item)
            yield item[0]
        self._items.put(None)
