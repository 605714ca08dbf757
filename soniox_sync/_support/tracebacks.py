"""What a traceback keeps of the calls that failed."""

from __future__ import annotations

from types import TracebackType
from typing import Optional

# packages whose calls hold the headers of a request, or what a server repeats of them
_HOLDERS = frozenset({"http", "requests", "socket", "soniox_sync", "ssl", "urllib3"})


def clear_locals(error: BaseException) -> None:
    """Empty the local variables of the finished calls of an HTTP request; their lines remain.

    Crash reporters record local variables, and those of requests and below hold the key. Includes
    the causes and contexts of `error`. The caller's own code keeps its variables, also where it was
    called from inside, as the file of an upload is.
    """
    waiting: list[Optional[BaseException]] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            _clear(link.__traceback__)
            waiting += [link.__cause__, link.__context__]


def _clear(trace: Optional[TracebackType]) -> None:
    while trace is not None:
        frame = trace.tb_frame
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _HOLDERS:
            try:
                frame.clear()
            except RuntimeError:
                pass  # it is still running: the caller of this, which holds no secret
        trace = trace.tb_next
