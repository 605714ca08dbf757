"""`PlayBuffer`: when a device gets audio and when silence."""

from __future__ import annotations

from soniox_sync.audio.buffering import PlayBuffer


def test_the_worked_example() -> None:
    """Audio waits for a full start buffer, again after an underrun, and not at the end."""
    buffer = PlayBuffer(start_bytes=100)
    buffer.put(b"a" * 80)
    assert buffer.take(40) == b""
    buffer.put(b"b" * 40)
    assert buffer.take(40) == b"a" * 40
    assert buffer.take(90) == b"a" * 40 + b"b" * 40
    assert buffer.underruns == 1
    buffer.put(b"c" * 40)
    assert buffer.take(60) == b""
    assert buffer.take(60) == b"c" * 40
    assert buffer.underruns == 2
    buffer.put(b"d" * 40)
    assert buffer.take(40) == b""
    buffer.end()
    assert not buffer.is_finished
    assert buffer.take(90) == b"d" * 40
    assert buffer.is_finished
    assert (buffer.played_bytes, buffer.waiting_bytes, buffer.underruns) == (200, 0, 2)


def test_audio_that_is_exactly_enough_is_no_underrun() -> None:
    """A gap is counted if the device gets less than it requested, not if the buffer is empty."""
    buffer = PlayBuffer()
    buffer.put(b"ab")
    assert buffer.take(2) == b"ab"
    assert buffer.underruns == 0
    assert buffer.take(2) == b""
    assert buffer.underruns == 1


def test_a_short_sound_waits_as_long_as_the_start_buffer_and_no_longer() -> None:
    """Silence before there is any audio does not count: only a wait of the audio itself does."""
    buffer = PlayBuffer(start_bytes=100)
    for _ in range(10):
        assert buffer.take(50) == b""
    buffer.put(b"a" * 10)
    assert buffer.take(50) == buffer.take(50) == b""
    assert buffer.take(50) == b"a" * 10


def test_audio_after_a_clear_is_collected_again() -> None:
    """A clear is no underrun, and the wait of what it dropped does not count."""
    buffer = PlayBuffer(start_bytes=100)
    buffer.put(b"a" * 150)
    assert buffer.take(40) == b"a" * 40
    buffer.clear()
    assert buffer.take(40) == b""
    buffer.put(b"b" * 40)
    assert buffer.take(80) == b""
    buffer.clear()
    buffer.put(b"c" * 40)
    assert buffer.take(80) == b""
    assert buffer.take(80) == b"c" * 40
    assert (buffer.played_bytes, buffer.underruns) == (80, 1)


def test_cleared_audio_is_not_played() -> None:
    """Cleared audio does not count as played, and later audio is played."""
    buffer = PlayBuffer()
    buffer.put(b"ab")
    buffer.clear()
    buffer.put(b"cd")
    assert buffer.take(9) == b"cd"
    assert buffer.played_bytes == 2
