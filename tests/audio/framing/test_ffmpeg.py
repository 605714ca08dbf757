"""Files of ffmpeg's muxers, entered in the middle and decoded by ffmpeg, where it is installed."""

from __future__ import annotations

import array
import shutil
import subprocess

import pytest

from soniox_sync.audio.framing.choose import framing_of

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")

RATE = 16000
SECONDS = 14
# tones that wander, each at its own speed: no moment is like another, and encoders keep them
_TONES = "+".join(
    f"0.12*sin(2*PI*{hertz}*t+{depth}*sin(2*PI*{speed}*t))"
    for hertz, depth, speed in [(310, 20, 1.3), (620, 33, 2.1), (905, 29, 3.7), (1430, 41, 1.9)]
)
_SOUND = f"aevalsrc='{_TONES}':d={SECONDS}:s={RATE}"

WAYS = {
    "webm, opus, clusters of 1 s": "-c:a libopus -f webm -cluster_time_limit 1000",
    "webm, opus, clusters of 5 s": "-c:a libopus -f webm -cluster_time_limit 5000",
    "webm, opus, live": "-c:a libopus -f webm -live 1 -cluster_time_limit 1000",
    "webm, opus, dash": "-c:a libopus -f webm -dash 1 -cluster_time_limit 2000",
    "webm, opus, one cluster": "-c:a libopus -f webm -cluster_time_limit 30000",
    "webm, vorbis, clusters of 1 s": "-c:a libvorbis -f webm -cluster_time_limit 1000",
    "webm, vorbis, stereo": "-c:a libvorbis -ac 2 -ar 44100 -f webm -cluster_time_limit 3000",
    "matroska, samples": "-c:a pcm_s16le -f matroska -cluster_time_limit 1000",
    "matroska, flac": "-c:a flac -f matroska -cluster_time_limit 1000",
    "ogg, opus": "-c:a libopus -f ogg",
    "ogg, opus, pages of 20 ms": "-c:a libopus -f ogg -page_duration 20000",
    "ogg, opus, packets of 60 ms": "-c:a libopus -frame_duration 60 -f ogg -page_duration 200000",
    "ogg, vorbis": "-c:a libvorbis -f ogg",
    "ogg, vorbis, short pages": "-c:a libvorbis -ac 2 -ar 44100 -f ogg -page_duration 20000",
    "ogg, flac": "-c:a flac -f ogg",
    "ogg, speex": "-c:a libspeex -f ogg",
    "flac": "-c:a flac -f flac",
    "flac, short blocks": "-c:a flac -frame_size 576 -f flac",
    "flac, stereo": "-c:a flac -ac 2 -ar 48000 -f flac",
    "mp3": "-c:a libmp3lame -b:a 64k -f mp3",
    "mp3, bare": "-c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0 -f mp3",
    "mp3, variable": "-c:a libmp3lame -q:a 4 -ac 2 -ar 44100 -metadata title=x -f mp3",
    "mp3, 8 kHz": "-c:a libmp3lame -ar 8000 -b:a 24k -f mp3",
    "aac": "-c:a aac -f adts",
}


def ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    command = ["ffmpeg", "-v", "error", *arguments, "-"]
    return subprocess.run(command, input=data, capture_output=True, timeout=60).stdout


def encode(options: str) -> bytes:
    """Return the tones as ffmpeg muxes it into a pipe, where it cannot go back for lengths."""
    data = ffmpeg("-f", "lavfi", "-i", _SOUND, *options.split())
    if not data:
        pytest.skip("this ffmpeg lacks the encoder")
    return data


def decode(data: bytes) -> array.array[int]:
    options = f"-i - -f s16le -ar {RATE} -ac 1"
    return array.array("h", ffmpeg(*options.split(), data=data))


def shift_of(whole: array.array[int], part: array.array[int], at: int) -> int:
    """Return by how many samples `part` is later in `whole` than at sample `at`."""
    skipped, count, around = RATE // 2, 1000, 60
    piece = part[skipped : skipped + count]

    def difference(shift: int) -> int:
        begin = at + skipped + shift
        return sum(abs(a - b) for a, b in zip(piece, whole[begin : begin + count]))

    found = min(range(-around, around + 1), key=difference)
    assert difference(found) * 4 < difference(found + 50), "the same audio is nowhere near"
    return found


@pytest.mark.parametrize("way", WAYS)
def test_what_is_entered_in_the_middle_is_heard_at_the_time_of_its_mark(way: str) -> None:
    """A header and the bytes from an entry on decode to the audio from its time on."""
    data = encode(WAYS[way])
    framing = framing_of(data[:64])
    assert framing is not None
    marks = [mark for piece in (data[:5000], data[5000:]) for mark in framing.feed(piece)]
    assert not framing.is_broken
    assert framing.end_ms == pytest.approx(SECONDS * 1000, abs=150)
    entries = [mark for mark in marks if mark.header is not None]
    assert entries[0].ms == 0 and len(entries) > 1
    whole = decode(data)
    for entry in {entries[1], entries[len(entries) // 2]}:
        assert entry.header is not None
        assert entry.lead_ms < 400
        part = decode(entry.header + data[entry.position :])
        assert abs(shift_of(whole, part, round(entry.ms * RATE / 1000))) <= 2 * RATE // 1000
