"""The local variables in an exception's tracebacks, as crash reporters record them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Optional

_TESTS = str(Path(__file__).parent)


def chain_of(error: BaseException) -> list[BaseException]:
    """Return the exception with its causes and contexts, suppressed ones included."""
    found: list[BaseException] = []
    waiting: list[Optional[BaseException]] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and not any(link is known for known in found):
            found.append(link)
            waiting += [link.__cause__, link.__context__]
    return found


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of all tracebacks of the chain, except those of the tests."""
    for link in chain_of(error):
        trace = link.__traceback__
        while trace is not None:
            if not trace.tb_frame.f_code.co_filename.startswith(_TESTS):
                yield trace.tb_frame
            trace = trace.tb_next


def leaks_of(error: BaseException, *secrets: str) -> list[str]:
    """Return each local variable whose repr, or whose exception's text, shows one of `secrets`."""
    frames = list(frames_of(error))
    assert frames, "no frame of the library: the check would prove nothing"
    leaks = []
    for frame in frames:
        where = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        for name, value in frame.f_locals.items():
            if any(secret in repr(value) for secret in secrets):
                leaks.append(f"{where}: {name} = {value!r}")
    return leaks
