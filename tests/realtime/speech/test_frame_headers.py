"""Headers of MP3 and AAC frames: where each ends, how long it sounds, and which are tags."""

from __future__ import annotations

from typing import Optional

import pytest

from soniox_sync import SonioxConnectionError
from soniox_sync.audio import wav_header
from soniox_sync.realtime.speech.joiner import open_joiner

# second byte of a header: MPEG version, layer III, no CRC
MPEG1, MPEG2, MPEG25 = 0xFB, 0xF3, 0xE3
STEREO, MONO = 0x00, 0xC0
# frame sizes at 44.1 kHz (MPEG-1) and 22.05 kHz (MPEG-2), by index of the bit rate from 1 on
SIZES_1 = (104, 130, 156, 182, 208, 261, 313, 365, 417, 522, 626, 731, 835, 1044)
SIZES_2 = (26, 52, 78, 104, 130, 156, 182, 208, 261, 313, 365, 417, 470, 522)


def mp3(second: int, third: int, size: int, fourth: int = STEREO) -> bytes:
    return bytes((0xFF, second, third, fourth)).ljust(size, b"\1")


def joined(audio_format: str, data: bytes) -> tuple[bytes, Optional[float]]:
    """Return what a joiner makes of one stream, and how long that sounds."""
    joiner = open_joiner(audio_format, 24000)
    joiner.begin()
    return joiner.feed(data) + joiner.finish(), joiner.seconds


@pytest.mark.parametrize(
    ("version", "index", "size", "seconds"),
    [
        *((MPEG1, index, size, 1152 / 44100) for index, size in enumerate(SIZES_1, 1)),
        *((MPEG2, index, size, 576 / 22050) for index, size in enumerate(SIZES_2, 1)),
    ],
)
def test_an_mp3_frame_is_as_long_as_its_bit_rate_says(
    version: int, index: int, size: int, seconds: float
) -> None:
    """Two frames of each bit rate of ISO 11172-3 and 13818-3 are two frames, not one or three."""
    frames = mp3(version, index << 4, size) * 2
    assert joined("mp3", frames) == (frames, pytest.approx(2 * seconds))


@pytest.mark.parametrize(
    ("version", "index", "rate_index", "size", "seconds"),
    [
        (MPEG1, 9, 1, 384, 0.024),  # 128 kbit/s at 48 kHz
        (MPEG1, 9, 2, 576, 0.036),  # at 32 kHz
        (MPEG2, 8, 1, 192, 0.024),  # 64 kbit/s at 24 kHz
        (MPEG2, 8, 2, 288, 0.036),  # at 16 kHz
        (MPEG25, 8, 0, 417, 576 / 11025),
        (MPEG25, 8, 1, 384, 0.048),  # at 12 kHz
        (MPEG25, 8, 2, 576, 0.072),  # at 8 kHz
    ],
)
def test_an_mp3_frame_sounds_as_long_as_its_sample_rate_says(
    version: int, index: int, rate_index: int, size: int, seconds: float
) -> None:
    """MPEG-2 halves the sample rates of MPEG-1, MPEG-2.5 halves them again."""
    frames = mp3(version, index << 4 | rate_index << 2, size) * 2
    assert joined("mp3", frames) == (frames, pytest.approx(2 * seconds))


def test_padding_is_one_byte_more() -> None:
    """At 44.1 kHz most frames of 128 kbit/s have a 418th byte."""
    frames = mp3(MPEG1, 0x92, 418) + mp3(MPEG1, 0x90, 417)
    assert joined("mp3", frames) == (frames, pytest.approx(2 * 1152 / 44100))


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xfb\x00\x00",  # bit rate 0: free format
        b"\xff\xfb\xf0\x00",  # bit rate 15
        b"\xff\xf3\x00\x00",
        b"\xff\xf3\xf0\x00",
        b"\xff\xfb\x9c\x00",  # sample rate 3
        b"\xff\xeb\x90\x00",  # MPEG version 1
        b"\xff\xfd\x90\x00",  # layer II
        b"\xff\x1b\x90\x00",  # no sync
        b"\x7f\xfb\x90\x00",
    ],
)
def test_what_is_no_mp3_header_is_passed_on(head: bytes) -> None:
    """Bytes that a header cannot have mean another format: nothing is held back or timed."""
    data = head + bytes(413)  # as long as one of 128 kbit/s
    assert joined("mp3", data) == (data, None)


@pytest.mark.parametrize(
    ("size", "length"),
    [
        ((0, 0, 0, 20), 20),
        ((0, 0, 1, 5), 133),
        ((0, 3, 0, 1), 49153),
        ((1, 0, 0, 2), 2097154),
    ],
)
@pytest.mark.parametrize("audio_format", ["mp3", "aac"])
def test_an_id3_tag_has_seven_bits_of_its_length_in_each_byte(
    audio_format: str, size: tuple[int, ...], length: int
) -> None:
    """A tag before the first frame is left out as a whole, also before AAC."""
    frame = mp3(MPEG1, 0x90, 417) if audio_format == "mp3" else adts(20)
    tag = b"ID3\4\0\0" + bytes(size) + bytes(length)
    audio, seconds = joined(audio_format, tag + frame)
    assert audio == frame
    assert seconds and seconds < 0.1


def test_the_tag_behind_an_mp3_is_left_out() -> None:
    """ID3v1 is 128 bytes behind the last frame; what follows it is heard."""
    frame = mp3(MPEG1, 0x90, 417)
    audio, seconds = joined("mp3", frame + b"TAG".ljust(128, b"x") + frame)
    assert (audio, seconds) == (frame * 2, pytest.approx(2 * 1152 / 44100))


_PLACES = [
    (MPEG1, STEREO, b"Xing", 36),
    (MPEG1, STEREO, b"Info", 36),
    (MPEG1, MONO, b"Xing", 21),
    (MPEG1, MONO, b"Info", 21),
    (MPEG2, STEREO, b"Xing", 21),
    (MPEG2, MONO, b"Info", 13),
    (MPEG25, MONO, b"Xing", 13),
    (MPEG1, MONO, b"VBRI", 36),
    (MPEG2, STEREO, b"VBRI", 36),
]


@pytest.mark.parametrize(("version", "channels", "name", "at"), _PLACES)
def test_a_frame_that_counts_the_others_is_left_out(
    version: int, channels: int, name: bytes, at: int
) -> None:
    """The count stands behind the side information, whose length depends on the channels."""
    third, size = (0x90, 417) if version == MPEG1 else (0x80, 208 if version == MPEG2 else 417)
    sound = mp3(version, third, size, channels)
    count = sound[:at] + name + sound[at + 4 :]
    seconds = joined("mp3", sound)[1]
    assert joined("mp3", count + sound) == (sound, seconds)


@pytest.mark.parametrize(
    ("version", "channels", "name", "at"),
    [
        (MPEG1, STEREO, b"Xing", 21),
        (MPEG1, MONO, b"Xing", 36),
        (MPEG2, STEREO, b"Info", 13),
        (MPEG2, MONO, b"Info", 21),
        (MPEG1, STEREO, b"VBRI", 35),
        (MPEG1, STEREO, b"Xinf", 36),
    ],
)
def test_sound_that_spells_a_count_elsewhere_is_heard(
    version: int, channels: int, name: bytes, at: int
) -> None:
    """Only in its own place is it a count."""
    third, size = (0x90, 417) if version == MPEG1 else (0x80, 208)
    sound = mp3(version, third, size, channels)
    sound = sound[:at] + name + sound[at + 4 :]
    assert joined("mp3", sound)[0] == sound


# -- AAC ------------------------------------------------------------------------------------------


def adts(size: int, rate_index: int = 6, blocks: int = 1, second: int = 0xF1) -> bytes:
    """Make an ADTS frame of AAC LC, mono."""
    third, fourth = 1 << 6 | rate_index << 2, 1 << 6 | size >> 11
    head = (
        0xFF,
        second,
        third,
        fourth,
        size >> 3 & 0xFF,
        (size & 7) << 5 | 0x1F,
        0xFC | blocks - 1,
    )
    return bytes(head).ljust(size, b"\1")


@pytest.mark.parametrize(
    ("index", "rate"),
    [
        *((0, 96000), (1, 88200), (2, 64000), (3, 48000), (4, 44100), (5, 32000)),
        *((6, 24000), (7, 22050), (8, 16000), (9, 12000), (10, 11025), (11, 8000)),
    ],
)
def test_an_aac_frame_sounds_as_long_as_its_sample_rate_says(index: int, rate: int) -> None:
    """A frame has 1024 samples at one of the twelve rates of ISO 14496-3."""
    assert joined("aac", adts(20, index)) == (adts(20, index), pytest.approx(1024 / rate))


@pytest.mark.parametrize("size", [7, 8, 255, 2047, 2048, 5000, 8191])
def test_an_aac_frame_is_as_long_as_its_thirteen_bits_say(size: int) -> None:
    """The length counts the header, which is 7 bytes."""
    data = adts(size) + adts(30)
    assert joined("aac", data) == (data, pytest.approx(2 * 1024 / 24000))


def test_an_aac_frame_may_hold_four_blocks() -> None:
    """Each is 1024 samples."""
    data = adts(40, blocks=4)
    assert joined("aac", data) == (data, pytest.approx(4 * 1024 / 24000))


@pytest.mark.parametrize(
    "frame",
    [
        adts(20, 12),
        adts(20, 15),
        adts(6).ljust(20, b"\1"),
        adts(20, second=0xF3),  # layer III
        adts(20, second=0xE1),  # 11 bits of sync
        b"\x7f" + adts(20)[1:],
    ],
)
def test_what_is_no_aac_header_is_passed_on(frame: bytes) -> None:
    """Bytes that a header cannot have mean another format: nothing is held back or timed."""
    assert joined("aac", frame) == (frame, None)


def test_a_stream_after_one_of_another_format_is_cut_to_frames_again() -> None:
    """The length stays unknown, but a half frame is still no part of the audio."""
    joiner = open_joiner("aac", 24000)
    joiner.begin()
    assert joiner.feed(b"no frame at all") == b"no frame at all"
    joiner.begin()
    assert joiner.feed(adts(30) + adts(30)[:20]) == adts(30)
    assert joiner.seconds is None


# -- WAV and raw audio ----------------------------------------------------------------------------


def test_a_wav_without_a_header_yet_is_no_time() -> None:
    """Half of the first header is kept until the rest of it comes."""
    joiner = open_joiner("wav", 8000)
    joiner.begin()
    head = wav_header(sample_rate=8000)
    assert (joiner.feed(head[:20]), joiner.seconds) == (b"", 0.0)
    assert (joiner.feed(head[20:]), joiner.seconds) == (head, 0.0)


def test_bytes_that_are_no_wav_are_an_error() -> None:
    """They are the service's fault, and name it."""
    joiner = open_joiner("wav", 8000)
    joiner.begin()
    with pytest.raises(SonioxConnectionError, match="a WAV that cannot be read") as caught:
        joiner.feed(b"ID3 and no RIFF at all".ljust(60))
    assert caught.value.code == "protocol_error"


def test_raw_audio_has_24_khz_unless_told() -> None:
    """The service's own default."""
    joiner = open_joiner("pcm_s16le", None)
    joiner.begin()
    joiner.feed(bytes(48000))
    assert joiner.seconds == 1.0
