"""Rules of recognising what a source delivers: held back bytes, cut WAVs, what was declared."""

from __future__ import annotations

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.audio.formats import RawAudio
from soniox_sync.audio.framing.base import Framing, Mark
from soniox_sync.errors import ConfigurationError
from soniox_sync.recorder.container_replay import MAX_BYTES, ContainerReplay
from soniox_sync.recorder.intake import Intake

HEADER = wav_header(sample_rate=16_000, data_bytes=4)
PCM = RawAudio("pcm_s16le", 16_000, 1)


def test_a_declared_format_is_known_at_once() -> None:
    """And its first bytes are held back only to see that they are no file."""
    intake = Intake("pcm_s16le", 16_000, 1)
    assert intake.is_known and intake.audio == PCM
    assert intake.accept(b"\1\0" * 7) == b""
    assert intake.accept(b"\2\0") == b"\1\0" * 7 + b"\2\0"
    assert intake.accept(b"\3\0") == b"\3\0"


def test_a_format_is_set_once() -> None:
    """What the source says counts, whatever comes later."""
    intake = Intake("auto", None, None)
    assert not intake.is_known
    intake.declare(PCM)
    intake.declare(None)
    assert intake.is_known and intake.audio == PCM
    intake = Intake("auto", None, None)
    intake.declare(None)
    intake.declare(PCM)
    assert intake.audio is None


def test_a_container_that_was_declared_needs_no_recognition() -> None:
    """Its bytes are checked, and passed on as they are."""
    intake = Intake("ogg", None, None)
    assert not intake.is_known
    assert intake.accept(b"OggS") == b""
    assert intake.is_known and intake.audio is None
    assert intake.accept(bytes(12)) == b"OggS" + bytes(12)


def test_a_wav_of_a_source_that_knows_its_format_keeps_its_bytes() -> None:
    """The source has removed the header, if there was one: this is audio that looks like it."""
    intake = Intake("auto", None, None)
    intake.declare(PCM)
    with pytest.raises(ConfigurationError):
        intake.accept(HEADER)


def test_the_end_gives_what_was_held_back() -> None:
    """A short recording of samples, or of a container nobody knows; once."""
    intake = Intake("pcm_s16le", 16_000, 1)
    assert intake.accept(b"\1\0") == b""
    assert intake.finish() == b"\1\0"
    assert intake.finish() == b""
    intake = Intake("auto", None, None)
    assert intake.accept(b"OggS") == b""
    assert intake.finish() == b"OggS"
    assert intake.is_known and intake.audio is None


def test_nothing_at_all_is_a_container_of_nothing() -> None:
    """So that the recording can end."""
    intake = Intake("auto", None, None)
    assert intake.finish() == b"" and intake.is_known


@pytest.mark.parametrize("cut", [4, 8, 15, 16, 20, 43])
def test_a_wav_that_ends_inside_its_header_is_refused(cut: int) -> None:
    """Even if only its first letters were delivered."""
    intake = Intake("auto", None, None)
    assert intake.accept(HEADER[:cut]) == b""
    with pytest.raises(ConfigurationError, match="ends inside its header"):
        intake.finish()


@pytest.mark.parametrize("name", [b"RIFF", b"RF64", b"BW64"])
def test_all_names_of_a_wav_are_known(name: bytes) -> None:
    """Three of them."""
    intake = Intake("auto", None, None)
    intake.accept(name)
    with pytest.raises(ConfigurationError, match="ends inside its header"):
        intake.finish()


def test_a_whole_wav_has_nothing_left_at_its_end() -> None:
    """Its samples were delivered as they came."""
    intake = Intake("auto", None, None)
    assert intake.accept(HEADER + b"abcd") == b"abcd"
    assert intake.finish() == b"" and intake.audio == PCM


def test_the_last_samples_of_a_wav_without_a_length_are_not_lost() -> None:
    """Only what follows completes its header, and there may be little of that."""
    header = wav_header(sample_rate=16_000, data_bytes=0)
    header = header[:4] + (1000).to_bytes(4, "little") + header[8:]
    intake = Intake("auto", None, None)
    assert intake.accept(header + b"\1\0") == b""
    assert intake.finish() == b"\1\0"
    assert intake.audio == PCM


# -- containers that are kept --------------------------------------------------------------------


class Marked(Framing):
    """Framing with a mark of 1 s each 10 bytes, whose end is told by the test."""

    def __init__(self, end_ms: float, *headers: bool) -> None:
        super().__init__()
        self.end_ms = end_ms
        self._headers = headers or (True,) * int(end_ms // 1000)
        self._sent = False

    def feed(self, data: bytes) -> list[Mark]:
        if self._sent:
            return []
        self._sent = True
        return [
            Mark(10 * n, 1000.0 * n, b"h" if header else None)
            for n, header in enumerate(self._headers)
        ]


def kept(seconds: int, window_sec: float, *, can_drop: bool = True) -> ContainerReplay:
    replay = ContainerReplay(Marked(1000.0 * seconds), window_sec, can_drop=can_drop)
    replay.append(bytes(10 * seconds))
    return replay


def test_a_container_begins_at_zero() -> None:
    """Before anything is known of it."""
    replay = ContainerReplay(Marked(0.0), 120.0)
    assert (replay.start, replay.end, replay.held_bytes, replay.ms_at(0)) == (0, 0, 0, 0)
    assert replay.entry_at(0) == (0, 0) and not replay.is_full


def test_only_what_may_be_dropped_is_dropped() -> None:
    """A source that can wait loses nothing: it is held back instead."""
    assert kept(5, 2.0).start == 30
    assert kept(5, 2.0, can_drop=False).start == 0
    assert kept(5, 2.0, can_drop=False).is_full
    assert not kept(5, 5.1).is_full and kept(5, 5.0).is_full
    grown = kept(5, 2.5, can_drop=False)
    grown.grow()
    assert grown.is_full
    grown.grow()
    assert not grown.is_full


def test_release_keeps_the_entry_at_the_cursor() -> None:
    """Up to the last entry before both the time and the cursor."""
    replay = kept(5, 120.0)
    replay.release(4500, 30)
    assert (replay.start, replay.held_bytes) == (30, 20)
    replay = kept(5, 120.0)
    replay.release(2000, 50)
    assert replay.start == 20
    replay = kept(5, 120.0)
    replay.release(1999, 50)
    assert replay.start == 10


def test_the_time_between_two_marks_is_an_estimate() -> None:
    """As is the length of so many seconds: one byte at least, one message at most."""
    replay = kept(5, 120.0)
    assert [replay.ms_at(at) for at in (0, 5, 10, 45, 50)] == [0, 500, 1000, 4500, 5000]
    assert replay.length_of(0, 0.5) == 5
    assert replay.length_of(0, 0.0) == 1
    assert replay.length_of(5, 1.5) == 15
    large = ContainerReplay(Marked(1e6, True), 1e9)
    large.append(bytes(10 * MAX_BYTES))
    assert large.length_of(0, 1e6) == MAX_BYTES


def test_a_session_starts_where_decoding_can() -> None:
    """At the mark before, if one has no header."""
    replay = ContainerReplay(Marked(4000.0, True, False, True, False), 120.0)
    replay.append(bytes(40))
    assert [replay.entry_at(ms) for ms in (1999, 2000, 3999)] == [(0, 0), (20, 2000), (20, 2000)]
    assert replay.header_at(20) == b"h"
