"""A property that is computed once is there for all threads, and holds up none."""

from __future__ import annotations

import threading

from soniox_sync._support.once import once
from soniox_sync.audio.formats import RawAudio
from tests.waiting import WAIT


class Slow:
    """An object whose value is computed while `may_end` is waited for."""

    def __init__(self, may_end: threading.Event) -> None:
        self.began = threading.Event()
        self._may_end = may_end
        self.calls = 0

    @once
    def value(self) -> int:
        """Number of calls."""
        self.began.set()
        assert self._may_end.wait(WAIT)
        self.calls += 1
        return self.calls


def test_it_is_computed_at_the_first_use_only() -> None:
    """Then it is in the object, as any attribute."""
    slow = Slow(threading.Event())
    slow._may_end.set()
    assert not slow.began.is_set()
    assert (slow.value, slow.value, slow.calls) == (1, 1, 1)
    assert Slow.value.__doc__ == "Number of calls."


def test_another_thread_that_computes_it_is_not_waited_for() -> None:
    """A thread that a fork has left behind would never be done: another object has its own."""
    may_end = threading.Event()
    slow = Slow(may_end)
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    try:
        assert slow.began.wait(WAIT)
        other = Slow(threading.Event())
        other._may_end.set()
        found: list[int] = []
        use = threading.Thread(target=lambda: found.append(other.value), daemon=True)
        use.start()
        use.join(WAIT)
        assert found == [1]
    finally:
        may_end.set()
        thread.join(WAIT)


def test_an_immutable_object_has_such_properties() -> None:
    """They do not count when it is compared."""
    audio, same = RawAudio("pcm_s16le", 16_000), RawAudio("pcm_s16le", 16_000)
    assert (audio.bytes_per_frame, audio.bytes_per_second) == (2, 32_000)
    assert audio == same and hash(audio) == hash(same)
