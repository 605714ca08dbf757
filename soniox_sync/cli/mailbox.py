"""Bytes handed from a thread that blocks in `read` to one that can be stopped."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from typing import Callable, Optional

__all__ = ["Mailbox", "pump"]

# 64 pieces of a pipe are 2 MB at most; a writer that is faster waits, as pipes do
_MAX_WAITING = 64
# Windows cannot interrupt a lock that is being waited for, so Ctrl-C is looked for this often
_SLICE_SEC = 0.2 if os.name == "nt" else None


class Mailbox:
    """Is a bounded queue of bytes with an end, which `stop` cuts short.

    `stop` may be called from a signal handler: the condition's lock is reentrant.
    """

    def __init__(self) -> None:
        # Guards all below. Leaf; held for a few steps only.
        self._changed = threading.Condition()
        self._items: deque[bytes] = deque()
        self._ended = False
        self._stopped = False
        self._error: Optional[BaseException] = None

    def put(self, item: bytes) -> bool:
        """Append an item, waiting for room; `False` when nobody wants it any more."""
        with self._changed:
            while len(self._items) >= _MAX_WAITING and not self._stopped:
                self._changed.wait(_SLICE_SEC)
            self._items.append(item)
            self._changed.notify_all()
            return not self._stopped

    def end(self, error: Optional[BaseException] = None) -> None:
        """Say that no more items come, and why if that is an error."""
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def stop(self) -> None:
        """End the taking side now; what waits is dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self) -> Optional[bytes]:
        """Take the next item, waiting for one; `None` at the end. Raises what `end` was given."""
        with self._changed:
            while not (self._items or self._ended or self._stopped):
                self._changed.wait(_SLICE_SEC)
            return self._next()

    def take_waiting(self) -> Optional[bytes]:
        """Take the next item if one waits, else `None`."""
        with self._changed:
            return self._next() if self._items else None

    def _next(self) -> Optional[bytes]:
        if self._stopped:
            return None
        if self._items:
            self._changed.notify_all()
            return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    def __iter__(self) -> Iterator[bytes]:
        while (item := self.take()) is not None:
            yield item


def pump(
    read: Callable[[], bytes], name: str, close: Callable[[], object] = lambda: None
) -> Mailbox:
    """Read on a thread of its own until `read` gives nothing; give the mailbox it fills.

    The thread calls `close` when it has read for the last time.

    The thread cannot be woken from a blocking read. It is a daemon, and `read` must not go through
    Python's buffered files: the interpreter, when it exits, waits for their locks.
    """
    mailbox = Mailbox()

    def work() -> None:
        try:
            while (data := read()) and mailbox.put(data):
                pass
            mailbox.end()
        except Exception as error:  # noqa: BLE001 - a thread's top: handed to the reader
            mailbox.end(error)
        finally:
            close()

    threading.Thread(target=work, name=f"soniox-{name}", daemon=True).start()
    return mailbox
