"""Which pages of several Ogg Opus streams are kept, and which time stands on them."""

from __future__ import annotations

from soniox_sync.realtime.speech.ogg import OggJoiner, ogg_page
from tests.realtime.speech.test_joiner import opus_stream, pages_of

PACKET = b"\x08a"  # 20 ms: 960 samples
HEADERS = opus_stream(7, [])


def page(table: bytes, data: bytes, flags: int = 0, granule: int = 5) -> bytes:
    return ogg_page(flags, granule, 7, 2, table, data)


def granules(*audio_pages: bytes) -> list[int]:
    """Return the granules of one stream's pages behind its headers, without the last, empty one."""
    joiner = OggJoiner()
    joiner.begin()
    pages = pages_of(joiner.feed(HEADERS + b"".join(audio_pages)) + joiner.finish())
    assert pages[-1][0] == 4
    assert [number for _, _, _, number, _ in pages] == list(range(len(pages)))
    return [granule for _, granule, *_ in pages[2:-1]]


def test_all_packets_of_a_page_count() -> None:
    """Two packets that end on one page are twice the time."""
    assert granules(page(b"\2\2", PACKET * 2), page(b"\2", PACKET)) == [1920, 2880]


def test_a_packet_of_one_byte_has_no_frames_to_count() -> None:
    """A packet whose second byte would say how many there are is silent without it."""
    assert granules(page(b"\1\2", b"\xfb" + PACKET)) == [960]


def test_a_long_packet_counts_by_its_own_first_byte() -> None:
    """The rest of a packet, on its page or on the next one, is not looked at as a packet."""
    long = b"\x08" + b"\xfb\x06" * 200  # 401 bytes
    assert granules(page(b"\xff\x92\2", long + PACKET)) == [1920]
    split = (page(b"\2\xff", PACKET + long[:255]), page(b"\x92\2", long[255:] + PACKET, flags=1))
    assert granules(*split) == [960, 2880]


def test_a_page_without_the_end_of_a_packet_has_no_time() -> None:
    """Its granule is -1, whatever the stream had written."""
    long = b"\x08" + bytes(600)
    pages = (page(b"\xff\xff", long[:510]), page(b"\x5b", long[510:], flags=1))
    assert granules(*pages) == [-1, 960]


def test_headers_alone_are_no_time() -> None:
    """A stream without audio ends at 0, and a decoder's lead-in is not subtracted from it."""
    joiner = OggJoiner()
    joiner.begin()
    pages = pages_of(joiner.feed(HEADERS) + joiner.finish())
    assert [(flags, granule) for flags, granule, *_ in pages] == [(2, 0), (0, 0), (4, 0)]
    assert joiner.seconds == 0.0


def test_the_lead_in_of_the_first_stream_is_no_time() -> None:
    """312 samples at 48 kHz are dropped by a decoder, once."""
    joiner = OggJoiner()
    for packets in ([PACKET] * 2, [PACKET]):
        joiner.begin()
        joiner.feed(opus_stream(7, packets))
    assert joiner.seconds == (3 * 960 - 312) / 48000


def test_comments_over_several_pages_are_kept_once() -> None:
    """All pages before the first audio are headers: only those of the first stream remain."""
    head, tags = opus_stream(7, [])[:47], page(b"\4", b"Opus", granule=0)
    more = page(b"\4", b"Tags", flags=1, granule=0)
    joiner = OggJoiner()
    kept = b""
    for _ in range(2):
        joiner.begin()
        kept += joiner.feed(head + tags + more + page(b"\2", PACKET))
    data = [content for *_, content in pages_of(kept)]
    assert data[0][:8] == b"OpusHead"
    assert data[1:] == [b"Opus", b"Tags", PACKET, PACKET]


def test_a_stream_without_a_whole_page_is_not_the_first() -> None:
    """The headers come from the first stream that has them."""
    joiner = OggJoiner()
    joiner.begin()
    assert joiner.feed(HEADERS[:40]) == b""
    joiner.begin()
    pages = pages_of(joiner.feed(opus_stream(9, [PACKET])))
    assert [(serial, content[:8]) for _, _, serial, _, content in pages] == [
        (9, b"OpusHead"),
        (9, b"OpusTags"),
        (9, PACKET),
    ]


def test_from_other_bytes_on_all_is_passed_on() -> None:
    """Behind them nothing is a page any more, nothing ends the stream, and its time is unknown."""
    joiner = OggJoiner()
    joiner.begin()
    other = b"OggZ" + bytes(60)
    assert joiner.feed(HEADERS + other) == HEADERS + other
    later = page(b"\2", PACKET)
    assert joiner.feed(later[:30]) + joiner.feed(later[30:]) == later
    assert joiner.finish() == b""
    assert joiner.seconds is None


def test_few_other_bytes_are_not_held_back() -> None:
    """What cannot become a page is passed on at once, however short; what can is kept."""
    joiner = OggJoiner()
    joiner.begin()
    assert joiner.feed(b"Og") == b""
    assert joiner.feed(b"gX") == b"OggX"
    assert joiner.feed(b"OggS") == b"OggS"


def test_nothing_ends_a_stream_that_never_began() -> None:
    """No end without a page."""
    joiner = OggJoiner()
    joiner.begin()
    assert joiner.finish() == b""
