"""Mutants that no test can kill, each with its reason.

They are no wrong programs: they do the same, or differ only in speed. `python -m tests.mutation`
counts them apart, and a test fails when one no longer exists.
"""

from __future__ import annotations

from typing import NamedTuple

from .live import LIVE


class Equivalent(NamedTuple):
    """One of them, as it is printed: its module and scope, the line before and after."""

    module: str
    scope: str
    before: str
    after: str
    reason: str

    @property
    def identity(self) -> str:
        """The same as of `Mutant`."""
        return f"{self.module}:{self.scope}: {self.before} -> {self.after}"


_RECORDER = "soniox_sync/recorder/"
_PROTOCOL = "soniox_sync/protocol/"
_TRANSPORT = "soniox_sync/transport/"
_BEGUN = "declares the field: begin() sets it before anything reads it"
_SWITCH = "an option that is on or off: any number but 0 turns it on"

EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        _RECORDER + "container_replay.py",
        "ContainerReplay.__init__",
        "self._leads = [0.0]",
        "self._leads = [1.0]",
        "the lead of the first mark is never read: there is nothing before it to start at",
    ),
    Equivalent(
        _RECORDER + "container_replay.py",
        "ContainerReplay._entry",
        "while mark > 0 and self._headers[mark] is None:",
        "while mark >= 0 and self._headers[mark] is None:",
        "the first mark is an entry and has a header: the loop ends there anyway",
    ),
    Equivalent(
        _RECORDER + "merging.py",
        "Merger.__init__",
        "self._offset_ms = 0",
        "pass",
        _BEGUN,
    ),
    Equivalent(
        _RECORDER + "merging.py",
        "Merger.__init__",
        "self._floor_ms = -1  # originals up to here were delivered by earlier sessions",
        "pass  # originals up to here were delivered by earlier sessions",
        _BEGUN,
    ),
    Equivalent(
        _RECORDER + "merging.py",
        "Merger.__init__",
        "self._session_final_ms = 0  # its own counter: behind `final_ms` during a replay",
        "self._session_final_ms = 1  # its own counter: behind `final_ms` during a replay",
        _BEGUN,
    ),
    Equivalent(
        _RECORDER + "merging.py",
        "Merger.__init__",
        "self._translated_last = False  # the last token was a translation, not an original",
        "pass  # the last token was a translation, not an original",
        "declares the field: it is read only behind an original, which sets it",
    ),
    Equivalent(
        _RECORDER + "events.py",
        "EventMerger.accept_late",
        'if event.kind != "result":',
        "if False:",
        "only faster: other events have no tokens, and so nothing to merge",
    ),
    Equivalent(
        _RECORDER + "intake.py",
        "Intake.__init__",
        "RawAudio(stt_format_name(audio_format), sample_rate or 0, num_channels or 0)",
        "RawAudio(stt_format_name(audio_format), ((sample_rate)), num_channels or 0)",
        "for type checkers: raw audio always has a sample rate (config/stt.py)",
    ),
    Equivalent(
        _RECORDER + "intake.py",
        "Intake.finish",
        "if held and held[:4] not in _RIFF:",
        "if ((held[:4] not in _RIFF)):",
        "no bytes are checked without a complaint",
    ),
    Equivalent(
        _PROTOCOL + "states.py",
        "",
        "**{(state, K.FAIL): T.ERROR for state in T if not state.is_over},",
        "**{(state, K.FAIL): T.ERROR for state in T if True},",
        "the last line of the table replaces what this adds for states that are over",
    ),
    Equivalent(
        _PROTOCOL + "states.py",
        "",
        "**{(state, K.CLOSE): T.CLOSED for state in T if not state.is_over},",
        "**{(state, K.CLOSE): T.CLOSED for state in T if True},",
        "the last line of the table replaces what this adds for states that are over",
    ),
    Equivalent(
        _PROTOCOL + "states.py",
        "",
        "**{(state, K.CANCEL): T.CANCELED for state in T if not state.is_over},",
        "**{(state, K.CANCEL): T.CANCELED for state in T if True},",
        "the last line of the table replaces what this adds for states that are over",
    ),
    Equivalent(
        _PROTOCOL + "stt.py",
        "SttReceiver.receive",
        "if self._dialect.ends_by_closing:",
        "if True:",
        "only faster: other dialects never ask",
    ),
    Equivalent(
        _PROTOCOL + "tokens.py",
        "Token.start_ms",
        "return value if type(value) is int else milliseconds(value)",
        "return value if False else milliseconds(value)",
        "only faster: an int is returned as it is either way",
    ),
    Equivalent(
        _PROTOCOL + "slng/transcripts.py",
        "_usable_tokens",
        "return []",
        "return None",
        "only its truth counts, and that is the same",
    ),
    Equivalent(
        _PROTOCOL + "tts.py",
        "",
        '_PLACEHOLDER = b"~" + secrets.token_hex(8).encode() + b"~"',
        "_PLACEHOLDER = b'XX~' + secrets.token_hex(8).encode() + b\"~\"",
        "any text does that is random and needs no escapes in JSON",
    ),
    Equivalent(
        _PROTOCOL + "tts.py",
        "",
        '_PLACEHOLDER = b"~" + secrets.token_hex(8).encode() + b"~"',
        '_PLACEHOLDER = b"~" + secrets.token_hex(9).encode() + b"~"',
        "any text does that is random and needs no escapes in JSON",
    ),
    Equivalent(
        _PROTOCOL + "tts.py",
        "",
        '_PLACEHOLDER = b"~" + secrets.token_hex(8).encode() + b"~"',
        "_PLACEHOLDER = b\"~\" + secrets.token_hex(8).encode() + b'XX~'",
        "any text does that is random and needs no escapes in JSON",
    ),
    Equivalent(
        _PROTOCOL + "tts.py",
        "_slice_audio",
        "quote = payload.find(b'\"', start, start + 8) + 1",
        "quote = payload.find(b'\"', start, start + 9) + 1",
        "only faster: with more blanks than that the frame is parsed as a whole",
    ),
    Equivalent(
        _PROTOCOL + "tts.py",
        "_slice_audio",
        'if end < 0 or payload.find(b"\\\\", quote, end) >= 0:',
        'if end < 1 or payload.find(b"\\\\", quote, end) >= 0:',
        "what is found is behind the opening quote: never 0",
    ),
    Equivalent(
        _PROTOCOL + "tts.py",
        "_slice_audio",
        'if end < 0 or payload.find(b"\\\\", quote, end) >= 0:',
        'if end < 0 or payload.find(b"\\\\", quote, end) >= 1:',
        "what is found is behind the opening quote: never 0",
    ),
    Equivalent(
        _PROTOCOL + "slng/dialects.py",
        "_typed_start",
        'known = {"model", "audio_format", "sample_rate", "num_channels", "language_hints"}',
        'known = {"model", "audio_format", \'XXsample_rate\', "num_channels", "language_hints"}',
        "both routes have that field, and what is passed on has the same value",
    ),
    Equivalent(
        _PROTOCOL + "slng/dialects.py",
        "_typed_start",
        'known |= {"enable_speaker_diarization", *_UNSUPPORTED}',
        "known |= {'XXenable_speaker_diarization', *_UNSUPPORTED}",
        "one route has that field with the same value, the other refuses it",
    ),
    Equivalent(
        _RECORDER + "uplink.py",
        "LostAudio.add",
        "while self._spans and self._spans[-1][1] >= begin_ms:",
        "while self._spans and self._spans[-1][1] > begin_ms:",
        "gaps that touch add up to the same, as one or as two",
    ),
    Equivalent(
        _TRANSPORT + "connect.py",
        "_check_response",
        'chosen = (ws.getheaders() or {}).get("sec-websocket-protocol")',
        'chosen = (((ws.getheaders()))).get("sec-websocket-protocol")',
        "for type checkers: after a response there are headers, if only an empty dict",
    ),
    Equivalent(
        _TRANSPORT + "connect.py",
        "_open_direct",
        'host = parts.hostname or ""',
        "host = ((parts.hostname))",
        "for type checkers: a URL without a host has been refused",
    ),
    Equivalent(
        _TRANSPORT + "connect.py",
        "_open_direct",
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 2)",
        _SWITCH,
    ),
    Equivalent(
        _TRANSPORT + "sockets.py",
        "",
        "_POLL_MAX = 2_000_000.0",
        "_POLL_MAX = 2000001.0",
        "any limit does that fits into 32 bits: the wait goes on after it",
    ),
    Equivalent(
        _TRANSPORT + "sockets.py",
        "wrap",
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 2)",
        _SWITCH,
    ),
    Equivalent(
        _TRANSPORT + "deadline.py",
        "take_from",
        "if not items.empty():  # fast path: the stream is ahead of its consumer",
        "if True:  # fast path: the stream is ahead of its consumer",
        "only faster: what follows takes the same item",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader.room",
        "if len(self._buffer) != wanted and (self._end == 0 or wanted > len(self._buffer)):",
        "if len(self._buffer) != wanted and (self._end == 0 or wanted >= len(self._buffer)):",
        "the condition before it has excluded that they are equal",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader._move",
        "if target is not self._buffer:",
        "if True:",
        "only faster: another view of the same buffer is the same",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "encode_frame",
        'head = struct.pack("!BBQ", _FIN | opcode, 0x80 | 127, size)',
        'head = struct.pack("!BBQ", _FIN | opcode, 129 | 127, size)',
        "127 has that bit already",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader.filled",
        "if is_full and self._size < _LARGEST_BUFFER and self._found < _ENOUGH_MESSAGES:",
        "if ((is_full) and (self._found < _ENOUGH_MESSAGES)):",
        "only faster: the next line never makes it larger",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader._parse",
        "if first != 0x81 or self._parts_opcode:",
        "if first != 130 or self._parts_opcode:",
        "only faster: the first byte of a whole text passes the check as well",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader.room",
        "elif len(self._buffer) - self._end < _LEAST_ROOM and self._start:",
        "elif ((len(self._buffer) - self._end < _LEAST_ROOM)):",
        "only faster: what is at the front already is moved to where it is",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader._parse",
        "if first != 0x81 or self._parts_opcode:",
        "if True:",
        "only faster: the first byte of a whole text passes the check as well",
    ),
    Equivalent(
        _TRANSPORT + "frames.py",
        "FrameReader.__init__",
        "self._need = 0  # size of the frame that is still incomplete",
        "self._need = 1  # size of the frame that is still incomplete",
        "any size below that of the buffer asks for no more room",
    ),
    Equivalent(
        _TRANSPORT + "sender.py",
        "Sender.send",
        "if not (self._lock.acquire(blocking=False) or acquire(self._lock, deadline)):",
        "if not (((acquire(self._lock, deadline)))):",
        "only faster: what is called acquires a free lock as well",
    ),
    Equivalent(
        _TRANSPORT + "latch.py",
        "Latch.clear",
        "self._gate.acquire(blocking=False)",
        "pass",
        "only faster: the first wait after it closes the gate, and then waits",
    ),
    Equivalent(
        _TRANSPORT + "sender.py",
        "Sender.try_send",
        "if self._pong is not None or self._ping is not None:",
        "if True:",
        "only faster: what is called looks again",
    ),
    *(Equivalent(*each) for each in LIVE),
)
