"""The frame reader accepts exactly what RFC 6455 allows."""

from __future__ import annotations

import random
from typing import Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from soniox_sync.transport.frames import (
    MAX_MESSAGE_BYTES,
    FrameError,
    FrameReader,
    decode_close,
    decode_frames,
    encode_close,
    encode_frame,
)
from tests.peers import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, fragments, frame

Found = list[tuple[int, bytes]]


def read(
    pieces: list[bytes], reader: Optional[FrameReader] = None
) -> tuple[Found, Optional[FrameError]]:
    """Feed pieces as a socket would: never more at once than fits into the buffer."""
    reader = reader or FrameReader()
    found: Found = []
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            room = reader.room()
            assert len(room) > 0
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            rest = rest[count:]
            reader.filled(count)
            found += reader.messages()
            try:
                reader.check()
            except FrameError as error:
                return found, error
    return found, None


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)])]


# -- valid streams --------------------------------------------------------------------------------

_payloads = st.one_of(
    st.binary(max_size=40),
    st.integers(120, 135).map(bytes),
    st.sampled_from([65535, 65536, 70_000]).map(bytes),
)
_whole = st.tuples(st.sampled_from([TEXT, BINARY]), st.lists(_payloads, min_size=1, max_size=4))
_control = st.tuples(st.sampled_from([PING, PONG]), st.lists(st.binary(max_size=125), max_size=2))


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, Found]:
    """Generate a legal stream: messages of one or more frames, control frames between them."""
    wire, messages = bytearray(), []

    def controls() -> None:
        opcode, payloads = draw(_control)
        for payload in payloads:
            wire.extend(Frame(Opcode(opcode), payload).serialize(mask=False))
            messages.append((opcode, payload))

    for opcode, parts in draw(st.lists(_whole, max_size=4)):
        controls()
        for index, part in enumerate(parts):
            kind = Opcode(opcode if index == 0 else CONTINUATION)
            last = index == len(parts) - 1
            wire.extend(Frame(kind, part, fin=last).serialize(mask=False))
            if not last:
                controls()
        messages.append((opcode, b"".join(parts)))
    return bytes(wire), messages


@given(stream=streams(), cuts=st.lists(st.integers(0, 400_000), max_size=12))
def test_reader_returns_the_messages_of_any_split(
    stream: tuple[bytes, Found], cuts: list[int]
) -> None:
    """However a legal stream is split, the reader returns its messages in order."""
    wire, messages = stream
    assert read(split(wire, cuts)) == (messages, None)


@given(stream=streams())
def test_reader_accepts_single_bytes(stream: tuple[bytes, Found]) -> None:
    """A stream read byte by byte produces the same messages."""
    wire, messages = stream
    head = wire[:600]
    whole, error = read([head[i : i + 1] for i in range(len(head))])
    assert error is None
    assert whole == messages[: len(whole)]
    assert whole == read([head])[0]


def test_reader_does_not_share_its_buffer() -> None:
    """A message is unchanged when later bytes overwrite the buffer."""
    reader = FrameReader()
    first, _ = read([frame(TEXT, b"a" * 300)], reader)
    read([frame(TEXT, b"b" * 300)] * 200, reader)
    assert first == [(TEXT, b"a" * 300)]


def test_reader_survives_a_long_mixed_run() -> None:
    """A megabyte of frames of every size, read in random pieces, is returned whole."""
    chance = random.Random(7)
    messages = [(TEXT, chance.randbytes(int(2 ** chance.uniform(0, 17)))) for _ in range(150)]
    wire = b"".join(frame(opcode, payload) for opcode, payload in messages)
    pieces, at = [], 0
    while at < len(wire):
        size = int(2 ** chance.uniform(0, 19))
        pieces.append(wire[at : at + size])
        at += size
    assert read(pieces) == (messages, None)


def test_reader_grows_for_one_frame_and_shrinks_again() -> None:
    """A frame larger than the buffer is read whole; an idle reader keeps at most 256 KB."""
    reader = FrameReader()
    big = bytes(range(256)) * 8192
    assert read([frame(BINARY, big), frame(TEXT, b"x")], reader) == (
        [(BINARY, big), (TEXT, b"x")],
        None,
    )
    assert len(reader.room()) <= 256 * 1024


def test_new_reader_is_small() -> None:
    """A new reader has a buffer of 4 KB: many connections are idle."""
    assert len(FrameReader().room()) == 4 * 1024


@pytest.mark.parametrize(("size", "room"), [(2_000, 64), (12_900, 256), (100_000, 256)])
def test_reads_grow_up_to_enough_messages(size: int, room: int) -> None:
    """A flood of messages is read in pieces of some dozens, and large ones 256 KB at a time."""
    reader = FrameReader()
    messages = [(TEXT, bytes(size))] * (3_000_000 // size)
    wire = b"".join(frame(opcode, payload) for opcode, payload in messages)
    assert read([wire], reader) == (messages, None)
    assert len(reader.room()) == room * 1024


# -- violations -----------------------------------------------------------------------------------

_GOOD = frame(TEXT, b"before")
_VIOLATIONS = {
    "masked": (frame(TEXT, b"hello", mask=b"abcd"), 1002),
    "masked, empty": (frame(TEXT, b"", mask=b"\0\0\0\0"), 1002),
    "masked, 16 bit": (frame(TEXT, b"h" * 200, mask=b"abcd"), 1002),
    "masked, 64 bit": (frame(TEXT, b"h" * 70_000, mask=b"abcd"), 1002),
    "masked ping": (frame(PING, b"", mask=b"abcd"), 1002),
    "rsv1": (frame(TEXT, b"x", rsv=4), 1002),
    "rsv2": (frame(TEXT, b"x", rsv=2), 1002),
    "rsv3": (frame(BINARY, b"x", rsv=1), 1002),
    "rsv on control": (frame(PING, b"x", rsv=4), 1002),
    "rsv on continuation": (frame(TEXT, b"x", fin=False) + frame(0, b"y", rsv=1), 1002),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "fragmented pong": (frame(PONG, b"", fin=False), 1002),
    "fragmented close": (frame(CLOSE, b"", fin=False), 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "long close": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    "control with 64 bit length": (frame(PONG, b"x", length_bytes=8), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "continuation after the end": (fragments(TEXT, b"a", b"b") + frame(0, b"c"), 1002),
    "message inside a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "binary inside a text": (frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"), 1002),
    "begun twice": (frame(TEXT, b"a", fin=False) * 2, 1002),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1002),
    "zeros": (bytes(64), 1002),
    "too long": (frame(TEXT)[:1] + b"\x7f" + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big"), 1009),
    "absurdly long": (frame(BINARY)[:1] + b"\x7f" + b"\xff" * 8, 1009),
    **{f"opcode {n}": (frame(n, b"x"), 1002) for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
}


@pytest.mark.parametrize("name", _VIOLATIONS)
@pytest.mark.parametrize("dripping", [False, True])
def test_reader_refuses_what_the_rfc_forbids(name: str, dripping: bool) -> None:
    """A violation is raised with its close code, after the good messages before it."""
    bad, code = _VIOLATIONS[name]
    wire = _GOOD + bad[:400]
    found, error = read([bytes((byte,)) for byte in wire] if dripping else [wire])
    assert error is not None
    assert error.code == code
    assert found[0] == (TEXT, b"before")
    assert b"".join(p for _, p in found) in (b"before", b"beforeab")


@pytest.mark.parametrize("first", [0xC1, 0x41, 0x83, 0x8B, 0x09, 0x00, 0x80])
def test_reader_does_not_wait_for_an_illegal_frame(first: int) -> None:
    """A frame illegal by its first byte is refused before its announced body arrives."""
    found, error = read([bytes((first, 100))])
    assert found == []
    assert error is not None


def test_the_text_of_a_violation_has_no_code() -> None:
    """The code is for the close frame, the text for whoever reads the error."""
    _, error = read([b"\x82\x7f" + (1 << 40).to_bytes(8, "big")])
    assert error is not None and error.code == 1009
    assert str(error).startswith("the server sent a frame of 1099511627776 bytes")


def test_reader_stops_at_a_violation() -> None:
    """After a violation nothing more is read, even if it is legal."""
    reader = FrameReader()
    _, error = read([frame(3)], reader)
    assert error is not None
    found, again = read([frame(TEXT, b"good")], reader)
    assert found == []
    assert again is not None


def test_nothing_is_read_behind_a_message_that_was_too_large() -> None:
    """Not even a control frame, although all of the message has been received."""
    reader = FrameReader(256)
    _, error = read([fragments(BINARY, bytes(200), bytes(57))], reader)
    assert error is not None
    found, _ = read([frame(PING, b"")], reader)
    assert found == []


def test_a_message_may_have_sixteen_megabytes() -> None:
    """A larger one is refused by its header alone."""
    for size, is_legal in ((16 * 1024 * 1024, True), (16 * 1024 * 1024 + 1, False)):
        _, error = read([b"\x82\x7f" + size.to_bytes(8, "big")])
        assert (error is None) is is_legal


@pytest.mark.parametrize("cap", [1000, 70_000])
def test_reader_caps_messages(cap: int) -> None:
    """A message of exactly the limit passes; one byte more is refused, in one frame or several."""
    assert read([frame(TEXT, b"x" * cap)], FrameReader(cap)) == ([(TEXT, b"x" * cap)], None)
    halves = fragments(TEXT, b"x" * (cap - 10), b"x" * 10)
    assert read([halves], FrameReader(cap)) == ([(TEXT, b"x" * cap)], None)
    for wire in (frame(TEXT, b"x" * (cap + 1)), fragments(TEXT, b"x" * cap, b"x")):
        found, error = read([wire], FrameReader(cap))
        assert found == []
        assert error is not None
        assert error.code == 1009


def test_reader_caps_endless_empty_fragments() -> None:
    """A message of endless empty fragments is refused."""
    reader = FrameReader(64 * 100)
    _, error = read([frame(TEXT, b"", fin=False)], reader)
    assert error is None
    _, error = read([frame(CONTINUATION, b"", fin=False) * 200], reader)
    assert error is not None
    assert error.code == 1009


# -- against another implementation ---------------------------------------------------------------


def reference(wire: bytes) -> tuple[Found, bool]:
    """Read with `websockets`: messages, joined here from frames, and whether it refused."""
    protocol = Protocol(CLIENT, state=OPEN, max_size=2**16)
    protocol.receive_data(wire)
    found: Found = []
    parts: list[bytes] = []
    opcode = 0
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            found.append((int(event.opcode), bytes(event.data)))
            continue
        opcode = int(event.opcode) or opcode
        parts.append(bytes(event.data))
        if event.fin:
            found.append((opcode, b"".join(parts)))
            parts = []
    return found, protocol.parser_exc is not None


_odd_frames = st.builds(
    frame,
    st.sampled_from([0, 1, 2, 9, 10, 1, 2, 0, 3, 11]),
    st.one_of(st.binary(max_size=6), st.sampled_from([124, 125, 126, 127, 300]).map(bytes)),
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0] * 12 + [1, 2, 4]),
    mask=st.sampled_from([None] * 12 + [b"abcd"]),
)


@given(st.lists(_odd_frames, max_size=8).map(b"".join), st.lists(st.integers(0, 2500), max_size=5))
def test_reader_agrees_with_websockets(wire: bytes, cuts: list[int]) -> None:
    """On random legal and illegal frames the reader and `websockets` return the same messages."""
    found, error = read(split(wire, cuts))
    expected, refused = reference(wire)
    assert found == expected
    assert (error is not None) == refused


@given(st.binary(max_size=40))
@example(b"\x88\x01\x00")
@example(b"\x88\x02\x03\xe8\x81\x01a")
@example(b"\x88\x02\x03\xe8\xff")
def test_reader_never_fails_otherwise(wire: bytes) -> None:
    """Random bytes produce messages or a `FrameError`, nothing else, and `websockets` agrees."""
    found, error = read([wire])
    expected, refused = reference(wire)
    for index, (opcode, payload) in enumerate(found):
        if opcode == CLOSE:  # nothing after it is read, and its payload has rules of its own
            try:
                decode_close(payload)
            except FrameError:
                found, refused_here = found[:index], True
            else:
                found, refused_here = found[: index + 1], False
            assert (found, refused_here) == (expected, refused)
            return
    assert found[: len(expected)] == expected
    if error is None:
        assert found == expected
        assert not refused


# -- encoding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
def test_encoder_builds_what_a_server_reads(size: int) -> None:
    """An encoded frame is final, masked with its own key, and with the shortest length field."""
    payload = (bytes(range(256)) * 300)[:size]
    wire = encode_frame(BINARY, payload)
    assert wire[0] == 0x82
    assert wire[1] & 0x80
    extended = 0 if size < 126 else 2 if size < 65536 else 8
    assert wire[1] & 0x7F == (size if not extended else 126 if extended == 2 else 127)
    if extended:
        assert int.from_bytes(wire[2 : 2 + extended], "big") == size
    key = wire[2 + extended : 6 + extended]
    assert wire == frame(BINARY, payload, mask=key)


def test_encoder_masks_with_fresh_keys() -> None:
    """Two frames of the same content do not look the same on the wire."""
    assert len({encode_frame(TEXT, b"hello") for _ in range(20)}) == 20


def test_a_close_frame_holds_its_code_alone() -> None:
    """Our close frames have a code and no reason, which could exceed a control frame."""
    wire = encode_close(1001)
    assert wire[:2] == b"\x88\x82"
    assert decode_close(bytes(b ^ wire[2 + i % 4] for i, b in enumerate(wire[6:]))) == (1001, "")


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]
)
def test_close_codes_that_may_be_sent_are_read(code: int) -> None:
    """A close frame with a registered or private code is read with code and reason."""
    assert decode_close(close_frame(code, "wäs")[2:]) == (code, "wäs")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535])
def test_close_codes_that_must_not_be_sent_are_refused(code: int) -> None:
    """A close frame with a code reserved for local use is a violation."""
    with pytest.raises(FrameError) as caught:
        decode_close(close_frame(code)[2:])
    assert caught.value.code == 1002


def test_close_without_a_code_is_legal() -> None:
    """An empty close frame reads as 1005; half a code and a truncated reason are violations."""
    assert decode_close(b"") == (1005, "")
    with pytest.raises(FrameError):
        decode_close(b"\x03")
    with pytest.raises(FrameError) as caught:
        decode_close(b"\x03\xe8\xff")
    assert caught.value.code == 1007


# -- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "is_legal"), [(256, True), (257, False)])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_message_may_be_as_large_as_the_limit(size: int, is_legal: bool, is_whole: bool) -> None:
    """And not one byte larger, in one frame or in several: 1009 is the code for that."""
    data = bytes(size)
    wire = frame(BINARY, data) if is_whole else fragments(BINARY, data[:200], data[200:])
    found, error = read([wire], FrameReader(256))
    assert found == ([(BINARY, data)] if is_legal else [])
    assert (error is None) is is_legal
    assert error is None or error.code == 1009


@pytest.mark.parametrize(("count", "is_legal"), [(4, True), (5, False)])
def test_a_message_may_have_as_many_parts_as_its_limit_has_64_bytes(
    count: int, is_legal: bool
) -> None:
    """Empty parts cost memory, too."""
    found, error = read([fragments(TEXT, *[b""] * count)], FrameReader(256))
    assert found == ([(TEXT, b"")] if is_legal else [])
    assert (error is None) is is_legal


def test_what_was_encoded_is_decoded() -> None:
    """Frames of every length, one after another."""
    messages = [(TEXT, b"a" * size) for size in (0, 1, 125, 126, 65_535, 65_536)]
    wire = b"".join(encode_frame(opcode, payload) for opcode, payload in messages)
    assert list(decode_frames(wire)) == messages
    assert list(decode_frames(b"")) == []
