"""Messages of transcription: the service's own and those of the gateway, until what users hold."""

from __future__ import annotations

from soniox_sync._support.accel import plain_json_loads
from soniox_sync.errors import RealtimeError, SonioxConnectionError, fresh, is_retriable
from soniox_sync.protocol.dialects import NATIVE_STT
from soniox_sync.protocol.messages import ParsedText
from soniox_sync.protocol.slng.dialects import SLNG_STT_BRIDGE, SLNG_STT_PASSED, SLNG_STT_RT_V3
from soniox_sync.protocol.stt import SttReceiver, explain_first_error
from soniox_sync.protocol.tokens import SttEvent
from soniox_sync.transcript.transcript import Transcript

IS_TEXT = True
TOKENS = (
    *(b'"tokens":[', b'"text":"a"', b'"is_final":true', b'"start_ms":120', b'"end_ms":240.5'),
    *(
        b'"confidence":0.9',
        b'"speaker":"1"',
        b'"speaker":2',
        b'"language":"en"',
        b'"finished":true',
    ),
    *(b'"translation_status":"translation"', b'"final_audio_proc_ms":900', b'"error_code":408'),
    *(b'"error_message":"x"', b'"error_type":"request_timeout"', b'"request_id":"r"', b"\n{", b"}"),
    *(b'"type":"final_transcript"', b'"type":"partial_transcript"', b'"transcript":" a b "'),
    *(
        b'"type":"utterance_end"',
        b'"type":"error"',
        b'"data":{',
        b'"code":"auth_error"',
        b'"ready"',
    ),
)
_DIALECTS = (NATIVE_STT, SLNG_STT_PASSED, SLNG_STT_RT_V3, SLNG_STT_BRIDGE)


def check(data: bytes) -> None:
    """Read messages, one a line, until one is malformed; use all that came before."""
    dialect = _DIALECTS[data[0] % 4 if data else 0]
    for parses in (False, True):  # with the parser that is installed, and with the plain one
        receiver, events = SttReceiver(dialect), []
        for line in data[1:].split(b"\n"):
            try:
                events += receiver.receive(_parsed(line) if parses else line)
            except SonioxConnectionError as error:
                assert error.code == "protocol_error"
                break
        last = receiver.closed(1000)
        events += [] if last is None else [last]
        if receiver.error is not None:
            _use_error(receiver.error)
        _use(events)
        assert sum(event.kind == "finished" for event in events) <= 1
        assert receiver.processed_ms is None or receiver.finished


def _parsed(line: bytes) -> bytes:
    parsed = ParsedText(line)
    try:
        parsed.value = plain_json_loads(line)
    except ValueError:
        return line
    return parsed


def _use_error(error: RealtimeError) -> None:
    repr(error)
    is_retriable(error)
    str(fresh(explain_first_error(error, None)))


def _use(events: list[SttEvent]) -> None:
    transcript = Transcript()
    for event in events:
        repr(event)
        hash(event)
        for token in event.result.tokens:
            assert token == token and hash(token) == hash(token) and repr(token)
            assert isinstance(token.start_ms, (int, type(None)))
            assert isinstance(token.end_ms, (int, type(None)))
            assert isinstance(token.confidence, (float, type(None)))
            for label in (token.speaker, token.language, token.translation_status):
                assert isinstance(label, (str, type(None)))
            assert isinstance(token.source_language, (str, type(None)))
        transcript.add(event.result)
    transcript.to_json()
    transcript.to_text()
    transcript.translation_pairs()
    for utterance in transcript.utterances():
        repr(utterance)
