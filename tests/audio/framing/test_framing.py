"""Marks of containers: where decoding can start, at which times, and after which header."""

from __future__ import annotations

import struct
from typing import Callable, Optional

import pytest

from soniox_sync.audio.framing.base import Mark
from soniox_sync.audio.framing.choose import framing_of, kind_of
from soniox_sync.audio.framing.ogg import opus_samples
from soniox_sync.audio.framing.reservoir import Reservoir, begins_before
from tests import muxers
from tests.muxers import Muxed

RATE = 16000
PCM = b"".join(struct.pack("<h", n % 20_000) for n in range(RATE * 3))

MUXED: dict[str, Callable[[], Muxed]] = {
    "flac": lambda: muxers.flac(PCM, RATE, 1600),
    "ogg": lambda: muxers.ogg(PCM, RATE, 320, per_page=5),
    "webm": lambda: muxers.webm(PCM, RATE, 320, cluster_ms=1000),
    "webm, live": lambda: muxers.webm(PCM, RATE, 320, cluster_ms=1000, live=True),
    "webm, groups": lambda: muxers.webm(PCM, RATE, 320, cluster_ms=1000, grouped=True),
}


def marks_of(data: bytes, size: Optional[int] = None) -> list[Mark]:
    """Return all marks of a container that is fed in pieces of `size` bytes."""
    framing = framing_of(data[:64])
    assert framing is not None
    size = size or len(data)
    marks = [
        mark for at in range(0, len(data), size) for mark in framing.feed(data[at : at + size])
    ]
    assert not framing.is_broken
    return marks


def entries_of(data: bytes) -> list[tuple[int, int]]:
    """Return positions and times, rounded, of all entries."""
    return [(mark.position, round(mark.ms)) for mark in marks_of(data) if mark.header is not None]


@pytest.mark.parametrize("kind", MUXED)
def test_each_entry_has_its_position_time_and_header(kind: str) -> None:
    """Entries are where units with a start of their own begin, at the time of their samples."""
    muxed = MUXED[kind]()
    expected, position, samples = [], len(muxed.header), 0
    for unit in muxed.units:
        if unit.is_entry:
            expected.append((position, round(samples * 1000 / RATE)))
        position += len(unit.data)
        samples += len(unit.pcm) // 2
    assert entries_of(muxed.data) == expected
    headers = {mark.header for mark in marks_of(muxed.data)} - {None}
    assert headers == {muxed.header}


@pytest.mark.parametrize("kind", MUXED)
def test_time_goes_on_after_damage(kind: str) -> None:
    """After bytes that are no unit the next one is found, at its own time."""
    muxed = MUXED[kind]()
    whole = entries_of(muxed.data)
    cut = whole[len(whole) // 2]
    damaged = muxed.data[: cut[0] + 20] + b"\0" * 300 + muxed.data[whole[-2][0] :]
    behind = whole[-1][0] - whole[-2][0]
    assert entries_of(damaged)[-1] == (cut[0] + 320 + behind, whole[-1][1])


def test_clocks_that_start_anywhere_count_from_zero() -> None:
    """A stream that was joined in the middle starts at 0 ms, as the service counts its audio."""
    muxed = muxers.webm(PCM, RATE, 320, start_ms=5_000_000)
    assert [ms for _, ms in entries_of(muxed.data)] == [0, 1000, 2000]
    flac = muxers.flac(PCM, RATE, 1600)
    joined = flac.header + b"".join(unit.data for unit in flac.units[10:])
    assert [ms for _, ms in entries_of(joined)] == [100 * n for n in range(20)]


def test_a_jump_of_the_timestamps_is_no_audio() -> None:
    """After a jump, forth or back, time goes on where it was."""
    first = muxers.webm(PCM, RATE, 320)
    later = muxers.webm(PCM, RATE, 320, start_ms=9_000_000)
    spliced = first.data + later.data[len(later.header) :] + first.data[len(first.header) :]
    times = [ms for _, ms in entries_of(spliced)]
    assert times == [0, 1000, 2000, 2980, 3980, 4980, 5960, 6960, 7960]


@pytest.mark.parametrize("mux", [muxers.webm, muxers.ogg])
def test_a_chained_stream_has_its_own_header(mux: Callable[..., Muxed]) -> None:
    """What follows another header is entered with that one."""
    first, second = mux(PCM, RATE, 320), mux(PCM, RATE, 400)
    marks = [mark for mark in marks_of(first.data + second.data) if mark.header is not None]
    late = [mark for mark in marks if mark.position > len(first.data)]
    assert late and {mark.header for mark in late} == {second.header}
    assert 2900 < late[0].ms <= 3000


def test_a_long_cluster_can_be_entered_inside() -> None:
    """Every ten seconds of a cluster there is an entry, with a cluster of its own in its header."""
    muxed = muxers.webm(PCM * 8, RATE, 320, cluster_ms=30_000)
    marks = [mark for mark in marks_of(muxed.data) if mark.header is not None]
    assert [round(mark.ms) for mark in marks] == [0, 10_000, 20_000]
    inside = marks[1]
    assert inside.header is not None
    entered = marks_of(inside.header + muxed.data[inside.position :])
    assert entered[0].position == len(muxed.header) and len(entered) == 1200 - 500


def opus_page(position: int, packets: list[bytes], flags: int = 0) -> bytes:
    return muxers.ogg_page(packets, position, flags=flags)


OPUS = (
    opus_page(0, [b"OpusHead\1\1" + struct.pack("<HIHB", 312, 16000, 0, 0)], 2)
    + opus_page(0, [b"OpusTags" + bytes(8)])
)  # fmt: skip
OPUS_20_MS = b"\x48" + bytes(60)


def test_opus_positions_are_at_48_khz() -> None:
    """Pages of Opus start where the one before ended; the pre-skip is dropped at each start."""
    data = OPUS + b"".join(opus_page(960 * 50 * (n + 1), [OPUS_20_MS] * 50) for n in range(3))
    assert [ms for _, ms in entries_of(data)] == [0, 1000, 2000]


def test_a_live_opus_stream_that_was_joined_starts_at_its_first_page() -> None:
    """The first page is as long as its packets, wherever the stream's positions are."""
    data = OPUS + b"".join(opus_page(48000 * (n + 9000), [OPUS_20_MS] * 50) for n in range(3))
    assert [ms for _, ms in entries_of(data)] == [0, 1000, 2000]


def test_a_page_that_continues_a_packet_is_no_entry() -> None:
    """Decoding starts at a page that begins with a whole packet."""
    data = OPUS + opus_page(48000, [OPUS_20_MS] * 50) + opus_page(96000, [OPUS_20_MS] * 50, 1)
    data += opus_page(144_000, [OPUS_20_MS] * 50)
    assert [ms for _, ms in entries_of(data)] == [0, 2000]


@pytest.mark.parametrize(
    ("packet", "ms"),
    [(b"\x48", 20), (b"\x49", 40), (b"\x4b\x03", 60), (b"\x80", 2.5), (b"\x10", 40)],
)
def test_lengths_of_opus_packets(packet: bytes, ms: float) -> None:
    """The first byte says how long a frame is, and with the second how many there are."""
    assert opus_samples(packet) == ms * 48


def vorbis_stream(rate: int, packets: list[tuple[int, bytes]]) -> bytes:
    """Return a Vorbis stream of one packet to a page: its end, in samples, and its bytes."""
    head = b"\x01vorbis" + struct.pack("<IBIiiiB", 0, 1, rate, 0, 0, 0, 0xB8) + b"\1"  # 256, 2048
    data = muxers.ogg_page([head], 0, flags=2)
    data += muxers.ogg_page([b"\x03vorbis" + bytes(9), b"\x05vorbis" + bytes(99)], 0)
    return data + b"".join(muxers.ogg_page([packet], end) for end, packet in packets)


def test_vorbis_is_heard_from_the_second_packet_on() -> None:
    """The block that decoding starts with has no output: the entry is at the one after it."""
    short, long_after_short, long = b"\x00", b"\x02", b"\x06"
    data = vorbis_stream(
        16000, [(0, short), (576, long_after_short), (1600, long), (2624, long), (3200, short)]
    )
    # a long block lasts 1024 samples, one that follows a short block 576
    starts = [0, 576, 576 + 1024, 1600 + 1024, 2624 + 128]
    assert [ms for _, ms in entries_of(data)] == [round(start / 16) for start in starts]


def test_vorbis_in_webm_is_heard_from_the_second_packet_on() -> None:
    """The same, for clusters: later ones are entered a block later than the first."""
    head = b"\x01vorbis" + struct.pack("<IBIiiiB", 0, 1, 16000, 0, 0, 0, 0xB8) + b"\1"
    audio = muxers.number(0xD7, 1) + muxers.number(0x83, 2) + muxers.element(0x63A2, b"\2" + head)
    tracks = muxers.element(0x1654AE6B, muxers.element(0xAE, audio))
    data = muxers.element(0x1A45DFA3, b"") + muxers.element(0x18538067, b"", unknown=True) + tracks
    for ms, packet in [(0, b"\x00"), (1000, b"\x06"), (2000, b"\x06")]:
        block = muxers.element(0xA3, b"\x81\0\0\x80" + packet + bytes(30))
        data += muxers.element(0x1F43B675, muxers.number(0xE7, ms) + block)
    # 64 ms for a long block after a long one, instead of 8 ms for a short one
    assert [ms for _, ms in entries_of(data)] == [0, 1056, 2056]


def mp3_frame(*, continues: bool, info: bytes = b"", fill: int = 0) -> bytes:
    """Return a frame of MPEG 2, 64 kbit/s, 16 kHz: 36 ms in 288 bytes."""
    body = bytearray([fill] * 284)
    body[0] = 5 if continues else 0
    body[9 : 9 + len(info)] = info  # after the side information of a mono frame
    return b"\xff\xf3\x88\xc4" + bytes(body)


INFO = mp3_frame(continues=False, info=b"Info")
ID3 = b"ID3\4\0\0\0\0\2\x2c" + b"\xff\xf3" * 150  # 300 bytes, which look like frames


def test_mp3_starts_at_frames_of_their_own() -> None:
    """Decoding starts at a frame that needs none before it, or after half a second at any."""
    data = ID3 + b"".join(mp3_frame(continues=n not in (0, 2)) for n in range(40))
    # those that need another one start with that, silenced, a frame earlier
    expected = [(0, 0), (2, 2), (16, 15), (30, 29)]
    assert entries_of(data) == [(310 + n * 288, ms * 36) for n, ms in expected]
    assert len(marks_of(data)) == 40


def test_frames_that_an_mp3_frame_needs_are_sent_silenced() -> None:
    """Their bytes are there for the frame that continues them, but they have no audio."""
    frames = [mp3_frame(continues=n > 0, fill=n) for n in range(15)]
    mark = marks_of(b"".join(frames))[-1]
    silenced = frames[13][:4] + bytes(9) + frames[13][13:]
    assert (mark.header, round(mark.ms), round(mark.lead_ms)) == (silenced, 13 * 36, 72)


def reaching(size: int, begins: int, *, mpeg_1: bool = True, checksum: bool = False) -> bytes:
    """Return a mono frame of `size` bytes whose data begins so many bytes before its room."""
    side = bytearray(17 if mpeg_1 else 9)
    if mpeg_1:
        side[0], side[1] = begins >> 1, (begins & 1) << 7
    else:
        side[0] = begins
    head = bytes([0xFF, (0xFA if mpeg_1 else 0xF2) | (not checksum), 0x90, 0xC4])
    head += b"\1\2" * checksum
    return head + bytes(side) + b"\x55" * (size - len(head) - len(side))


def test_reservoir() -> None:
    """`Reservoir`: as many frames as are needed, each keeping the room of those before it."""
    reservoir = Reservoir()
    for _ in range(5):
        reservoir.add(reaching(221, 400))
    needs = reservoir.before(reaching(221, 300))
    assert needs == [reaching(221, 0), reaching(221, 200)]
    assert reservoir.before(reaching(221, 0)) == []
    assert [begins_before(each) for each in reservoir.before(reaching(221, 511)) or []] == [
        0,
        200,
        400,
    ]


def test_frames_that_are_not_there_or_checked_cannot_be_silenced() -> None:
    """A frame that needs others is no entry if they are missing, or have a checksum."""
    reservoir = Reservoir()
    reservoir.add(reaching(221, 0))
    assert reservoir.before(reaching(221, 201)) is None
    reservoir.add(reaching(221, 0, checksum=True))
    assert reservoir.before(reaching(221, 10)) is None
    low = Reservoir()
    low.add(reaching(113, 0, mpeg_1=False))
    assert low.before(reaching(113, 100, mpeg_1=False)) == [reaching(113, 0, mpeg_1=False)]


def test_the_info_frame_of_an_mp3_is_its_header() -> None:
    """The frame that says what to skip at the start precedes every start, and lasts no time."""
    frames = [mp3_frame(continues=False)] * 5
    marks = marks_of(ID3 + INFO + b"".join(frames))
    assert [(mark.position, round(mark.ms)) for mark in marks][:2] == [(598, 0), (886, 36)]
    assert {mark.header for mark in marks} == {INFO}


AAC_FRAME = b"\xff\xf1\x60\x40\x0c\x80\xfc" + bytes(93)  # 16 kHz, 100 bytes


def test_aac_frames() -> None:
    """Frames of AAC are 1024 samples long, and each can be the first."""
    assert entries_of(AAC_FRAME * 4) == [(0, 0), (100, 64), (200, 128), (300, 192)]


@pytest.mark.parametrize(
    "data",
    [
        b"ID3 compressed, with no version",
        b"OggS" + bytes([9]) + bytes(60),
        b"fLaC" + b"\x84\0\0\x08" + bytes(60),
        b"\x1a\x45\xdf\xa3\x80" + bytes(60),
        muxers.ogg_page([b"unknown"], 0, flags=2) + muxers.ogg_page([b"audio"], 960),
    ],
)
def test_what_only_looks_like_a_container_is_broken(data: bytes) -> None:
    """What has no times that are understood is not entered, and not kept."""
    framing = framing_of(data)
    assert framing is not None
    assert framing.feed(data) == [] and framing.is_broken


EBML = muxers.element(0x1A45DFA3, b"") + muxers.element(0x18538067, b"", unknown=True)
CLUSTER = muxers.element(0x1F43B675, b"", unknown=True)
BLOCK = muxers.element(0xA3, b"\x81\0\0\x80" + bytes(20))


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
def test_damage_is_skipped_up_to_the_next_cluster(size: int) -> None:
    """What looks like a block behind damage is none, however little of the damage has come."""
    damage = b"\x00" * 9 + BLOCK * 3
    data = EBML + CLUSTER + BLOCK + damage + CLUSTER + BLOCK
    marks = marks_of(data, size)
    clusters = [len(EBML), len(EBML + CLUSTER + BLOCK + damage)]
    assert [mark.position for mark in marks] == clusters


def test_a_time_of_more_than_eight_bytes_is_damage() -> None:
    """A number of EBML has at most eight bytes: a longer one is no time, and nothing fails."""
    time = muxers.element(0xE7, b"\xff" * 200)
    data = EBML + CLUSTER + time + BLOCK + CLUSTER + muxers.number(0xE7, 7) + BLOCK
    (mark,) = marks_of(data)
    assert mark.position == len(EBML + CLUSTER + time + BLOCK)


def test_a_unit_of_time_of_more_than_eight_bytes_is_not_understood() -> None:
    """Where the unit of the times is no number, there are no times."""
    framing = framing_of(EBML)
    assert framing is not None
    info = muxers.element(0x1549A966, muxers.element(0x2AD7B1, b"\xff" * 200))
    assert framing.feed(EBML + info + CLUSTER + BLOCK) == [] and framing.is_broken


def test_a_list_of_tracks_larger_than_a_megabyte_is_not_kept() -> None:
    """An element that is needed whole is not collected if it says it has 200 MB."""
    framing = framing_of(EBML)
    assert framing is not None
    size = (1 << 56 | 200_000_000).to_bytes(8, "big")
    assert framing.feed(EBML + b"\x16\x54\xae\x6b" + size + bytes(60)) == []
    assert framing.is_broken


def test_vorbis_at_0_hz_has_times_of_its_clusters_alone() -> None:
    """A rate of 0 in the header of Vorbis says nothing about what a start leaves out."""
    head = b"\x01vorbis" + bytes(4) + b"\x01" + bytes(4) + bytes(12) + b"\xb8\x01"
    track = muxers.number(0xD7, 1) + muxers.number(0x83, 2) + muxers.element(0x63A2, head)
    tracks = muxers.element(0x1654AE6B, muxers.element(0xAE, track))
    (mark,) = marks_of(EBML + tracks + CLUSTER + muxers.number(0xE7, 0) + BLOCK)
    assert mark.ms == 0


def test_other_containers_have_no_framing() -> None:
    """What is not understood is recognised at most."""
    assert framing_of(b"#!AMR\n") is None and kind_of(b"#!AMR\n") == "amr"
    assert framing_of(b"\0" * 64) is None


PIECES: dict[str, Callable[[], bytes]] = {
    **{kind: (lambda kind=kind: MUXED[kind]().data) for kind in MUXED},
    "opus": lambda: OPUS + b"".join(opus_page(48000 * n, [OPUS_20_MS] * 50) for n in range(1, 9)),
    "mp3": lambda: ID3 + b"".join(mp3_frame(continues=bool(n % 3)) for n in range(60)),
    "mp3 with info": lambda: ID3 + INFO + b"".join(mp3_frame(continues=n > 5) for n in range(60)),
    "aac": lambda: AAC_FRAME * 200,
}


@pytest.mark.parametrize("kind", PIECES)
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_pieces_do_not_matter(kind: str, size: int) -> None:
    """The marks are the same wherever the container is cut."""
    data = PIECES[kind]()[:20_000]
    marks = marks_of(data)
    assert marks_of(data, size) == marks and len(marks) > 5
