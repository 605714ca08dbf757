"""`python -m tests.fuzz.make`: the corpus before anything was found, small and made here."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy
import soundfile

from soniox_sync.audio.wav.header import wav_header
from soniox_sync.transport.frames import BINARY, CLOSE, PING, TEXT
from tests import muxers
from tests.fuzz.engine import CORPUS
from tests.peers import close_frame, fragments, frame

_TRACES = Path(__file__).parents[1] / "traces"
_RATE = 8000
_PCM = b"".join(struct.pack("<h", int(9000 * math.sin(n / 9))) for n in range(_RATE // 5))
# the first byte of an input says how it is cut, or which call it answers
_CUT = b"\x07"


def _encoded(**how: Any) -> bytes:
    file = io.BytesIO()
    samples = numpy.frombuffer(_PCM[: 2 * 1600], dtype="<i2").astype("float32") / 32768
    soundfile.write(file, samples, _RATE, **how)
    return file.getvalue()


def _adts(count: int) -> bytes:
    body = bytes(40)
    size = 7 + len(body)
    head = bytes((0xFF, 0xF1, 0x6C, 0x40 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC))
    return (head + body) * count


def _containers() -> dict[str, bytes]:
    pcm = _PCM[:800]
    return {
        "flac": muxers.flac(pcm, _RATE, 100).data,
        "ogg-muxed": muxers.ogg(pcm, _RATE, 50, per_page=3).data,
        "webm": muxers.webm(pcm, _RATE, 50, cluster_ms=25).data,
        "webm-live": muxers.webm(pcm, _RATE, 50, cluster_ms=25, live=True).data,
        "webm-groups": muxers.webm(pcm, _RATE, 50, cluster_ms=25, grouped=True).data,
        "ogg-opus": _encoded(format="OGG", subtype="OPUS"),
        "ogg-vorbis": _encoded(format="OGG", subtype="VORBIS")[:4096],
        "mp3": b"ID3\x04\0\0\0\0\0\x0aTXXX\0\0\0\0\0\0" + _encoded(format="MP3"),
        "aac": _adts(9),
        "mp4": b"\0\0\0\x18ftypM4A \0\0\0\0isomM4A ",
        "text": b"<!DOCTYPE html><html><body>Not found</body></html>",
    }


def _wavs() -> dict[str, bytes]:
    samples = _PCM[:60]
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 2, 48000, 192000, 4, 16, 22, 16, 3) + bytes.fromhex(
        "0100000000001000800000aa00389b71"
    )
    chunks = (
        struct.pack("<4sI", b"LIST", 5) + b"INFOx\0" + struct.pack("<4sI", b"fmt ", len(fmt)) + fmt
    )
    extensible = b"RIFF\xff\xff\xff\xffWAVE" + chunks + struct.pack("<4sI", b"data", 0) + samples
    long = struct.pack("<4sIQQQI", b"ds64", 28, 1000, len(samples), 100, 0)
    plain = wav_header(sample_rate=_RATE, data_bytes=len(samples)) + samples
    return {
        "plain": plain,
        "mulaw": wav_header("mulaw", sample_rate=8000) + samples,
        "float": wav_header("pcm_f32le", sample_rate=16000, num_channels=2) + samples,
        "extensible": extensible,
        "rf64": b"RF64\xff\xff\xff\xffWAVE"
        + long
        + plain[12:36]
        + b"data\xff\xff\xff\xff"
        + samples,
        "odd-chunk": plain[:12] + b"bext\x03\0\0\0abcdata\0\0\0\0" + plain[12:],
    }


def _frames() -> dict[str, bytes]:
    return {
        "messages": frame(TEXT, b"{}") + frame(BINARY, bytes(130)) + frame(PING, b"x"),
        "fragments": fragments(TEXT, b"a", b"b", b"c") + close_frame(1000, "bye"),
        "between": frame(TEXT, b"a", fin=False) + frame(PING) + frame(0, b"b") + frame(CLOSE),
        "masked": frame(TEXT, b"a") + frame(TEXT, b"hello", mask=b"abcd"),
        "long": frame(BINARY, bytes(900)) + frame(BINARY, bytes(1001)),
    }


def _lines(*messages: Any) -> bytes:
    return b"\n".join(json.dumps(each, ensure_ascii=False).encode() for each in messages)


def _stt() -> dict[str, bytes]:
    token = {"text": "Hel", "start_ms": 60, "end_ms": 180, "confidence": 0.9, "is_final": True}
    said = {**token, "speaker": "1", "language": "en", "translation_status": "original"}
    told = {"text": "Hola", "is_final": True, "language": "es", "source_language": "en"}
    results = _lines(
        {"tokens": [token, {"text": "lo", "is_final": False}], "final_audio_proc_ms": 180},
        {"tokens": [said, {**told, "translation_status": "translation"}], "total_audio_proc_ms": 9},
        {"tokens": [{"text": "<end>", "is_final": True}, {"text": "<fin>", "is_final": True}]},
        {"tokens": [], "finished": True, "total_audio_proc_ms": 900},
    )
    error = {"error_code": 408, "error_type": "request_timeout", "error_message": "No audio."}
    gateway = _lines(
        {"type": "ready"},
        {"type": "partial_transcript", "transcript": "hello wor", "language": "en"},
        {"type": "final_transcript", "transcript": "Hello", "tokens": [{**token, "text": "Hello"}]},
        {"type": "utterance_end"},
        {"type": "error", "data": {"code": "auth_error", "message": "Invalid key."}},
    )
    return {
        "results": b"\0" + results,
        "error": b"\0"
        + _lines({"tokens": [], **error, "request_id": "r", "more_info": "https://x"}),
        "passed": b"\1" + results,
        "gateway": b"\2" + gateway,
        "bridge": b"\3" + gateway,
    }


def _tts() -> dict[str, bytes]:
    times = {"characters": ["H", "i"], "character_start_times_seconds": [0, 0.1]}
    times["character_end_times_seconds"] = [0.1, 0.2]
    audio = base64.b64encode(bytes(range(256)) * 2).decode()
    messages = (
        {"stream_id": "a", "audio": "AAAA", "timestamps": times},
        {"stream_id": "b", "audio": audio},
        {"stream_id": "a", "audio": "", "audio_end": True},
        {"stream_id": "a", "terminated": True},
        {"stream_id": "b", "error_code": 408, "error_message": "Too late.", "terminated": True},
    )
    gateway = (
        {"type": "audio_chunk", "data": "AAAA", "stream_id": "a"},
        {"type": "AUDIO_END", "data": {"stream_id": "a"}},
        {"type": "terminated", "stream_id": "a"},
        {"type": "error", "error": {"code": "invalid_request", "message": "no"}},
    )
    return {"stream": b"\0" + _lines(*messages), "gateway": b"\1" + _lines(*gateway)}


def _captions() -> dict[str, bytes]:
    words = [
        "Hello",
        ", ",
        "world",
        ". ",
        "你好",
        "שלום",
        "-->",
        "<b>&",
        "e\u0301",
        "\n\n",
        "end",
        ".",
    ]
    made = b""
    for number, word in enumerate(words):
        text = word.encode()
        made += bytes((number * 37 & 255, number * 5 & 255 & 0xFB, number % 20, len(text))) + text
    return {f"options-{flags}": bytes((flags,)) + made for flags in (0, 0x0A, 0x17, 0xF4)}


def _rest() -> dict[str, bytes]:
    def reply(call: int, value: Any, status: str = "200 OK", more: str = "") -> bytes:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        return bytes((call,)) + head.encode() + body

    job = {"id": "a", "status": "completed", "created_at": "2026-01-31T12:00:00.5Z", "model": "m"}
    job.update(filename="x.wav", audio_duration_ms=900, language_hints=["en"], error_type=None)  # type: ignore[call-overload]
    token = {"text": "Hi", "start_ms": 0, "end_ms": 90, "confidence": 0.9, "speaker": "1"}
    file = {"id": "f", "filename": "x", "size": 3, "created_at": "2026-01-31T12:00:00Z"}
    model = {"id": "m", "name": "M", "languages": [{"code": "en", "name": "English"}]}
    model.update(context_version=2, transcription_mode="async", translation_targets=[])  # type: ignore[call-overload]
    speech = {"id": "t", "name": "T", "languages": [{"code": "en", "name": "English"}]}
    speech.update(voices=[{"id": "v"}], speed_min=0.7, supports_timestamps=True)  # type: ignore[call-overload]
    problem = {
        "status_code": 400,
        "error_type": "invalid_request",
        "message": "bad",
        "request_id": "r",
    }
    problem["validation_errors"] = [{"location": "body.model", "message": "unknown"}]
    wav = wav_header(sample_rate=8000) + bytes(64)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (wav[:50], wav[50:]))
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: audio/wav\r\n\r\n" + chunks
    )
    return {
        "models": reply(0, {"models": [model]}),
        "speech-models": reply(1, {"models": [speech]}),
        "job": reply(2, job),
        "transcript": reply(3, {"id": "a", "text": "Hi", "tokens": [token]}),
        "files": reply(4, {"files": [file], "next_page_cursor": "c"}),
        "all-files": reply(15, {"files": [file], "next_page_cursor": None}),
        "usage": reply(7, {"total": {"cost_usd": "0.012345678901234567"}, "items": []}),
        "limits": reply(9, {"limits": [{"name": "x", "limit": 5, "used": 2.0}]}),
        "invalid": reply(2, problem, "400 Bad Request", "x-request-id: r\r\n"),
        "too-many": reply(5, {"error": {"message": "slow down"}}, "429 No", "Retry-After: 3\r\n"),
        "page": reply(0, b"<html>502</html>", "502 Bad Gateway"),
        "moved": reply(0, b"", "301 Moved", "Location: https://other.example/\r\n"),
        "gone": reply(14, b"", "404 Not Found"),
        "speech": b"\x0a" + chunked + b"0\r\n\r\n",
        "speech-cut": b"\x0b" + chunked,
        "speech-failed": b"\x0b"
        + chunked
        + b"0\r\nx-tts-error-code: 500\r\nx-tts-error-message: no\r\n\r\n",
        "to-the-end": b"\x0cHTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[1]",
    }


def _short_trace(name: str, lines: int) -> bytes:
    return b"\n".join((_TRACES / f"{name}.jsonl").read_bytes().split(b"\n")[:lines])[:2000]


def _replays() -> dict[str, bytes]:
    names = {
        "session": 9,
        "stream": 10,
        "pool": 12,
        "job": 8,
        "gateway_speech": 9,
        "error_frame": 9,
    }
    head = {"kind": "trace", "version": 1, "clock": 0.0}

    def message(connection: int, direction: str, value: Any) -> dict[str, Any]:
        what = {"connection": connection, "direction": direction, "json": value}
        return {"kind": "message", "clock": 1.0, **what}

    config = {"model": "m", "voice": "v", "audio_format": "wav", "stream_id": "a"}
    sound = {"bytes": 3, "sha256": "x", "data": "AAAA"}
    small = _lines(
        head,
        {"kind": "connect", "connection": 1, "url": "wss://x/tts-websocket", "clock": 0.5},
        {"kind": "open", "connection": 1, "clock": 0.6},
        message(1, "sent", config),
        message(1, "sent", {"text": "Hi", "text_end": True, "stream_id": "a"}),
        message(1, "received", {"stream_id": "a", "audio": sound, "audio_end": True}),
        message(1, "received", {"stream_id": "a", "terminated": True}),
        {"kind": "close", "connection": 1, "direction": "sent", "code": 1000, "clock": 2},
        {"kind": "end", "connection": 1, "error": None, "clock": 2.5},
    )
    web = _lines(
        head,
        {
            "kind": "request",
            "exchange": 1,
            "method": "GET",
            "url": "https://x/v1/files",
            "clock": 1,
        },
        {"kind": "response", "exchange": 1, "status": 200, "headers": {}, "clock": 2},
        {"kind": "body", "exchange": 1, "json": {"files": []}, "last": True, "clock": 3},
    )
    return {"small": small, "web": web, **{n: _short_trace(n, c) for n, c in names.items()}}


def _traces() -> dict[str, bytes]:
    messages = (
        b'\0{"tokens":[{"text":"a","is_final":true}],"final_audio_proc_ms":5}',
        b'\0{"stream_id":"a","audio":"QUJDRA==","timestamps":{"characters":["a"]}}',
        b'\1{"api_key":"secret+key/0123","context":{"text":"secret%2Bkey%2F0123"}}',
        b"\2not json, Authorization: Bearer secret+key/0123",
        b"\3" + bytes(range(40)),
        b"\4\x03\xe8bye secret+key/0123",
        b"\5ping",
    )
    return {"mixed": b"\0" + b"\x1e".join(messages), "audio": b"\1" + b"\x1e".join(messages)}


def _states() -> dict[str, bytes]:
    items = [
        {"key": "/a/b.wav", "reference": "r", "is_named": True, "status": "submitted", "size": 5},
        {"key": "https://a/b", "status": "failed", "error": "no", "since": 1.5, "job_id": "j"},
        {"key": "id:x", "status": "completed", "file_id": "f", "output": "o.srt"},
    ]
    whole = {"version": 1, "options": {}, "items": items}
    return {
        "items": _lines(whole),
        "empty": _lines({**whole, "items": []}),
        "newer": b'{"version":2}',
    }


def main() -> None:
    """Write the corpus; what was found before stays."""
    wavs, containers = _wavs(), _containers()
    flacs = {"muxed": containers["flac"], "streamed": _flac()}
    cut = {"frames": _frames(), "wav": wavs, "containers": containers, "flac": flacs}
    made = {name: {n: _CUT + d for n, d in files.items()} for name, files in cut.items()}
    made.update(stt=_stt(), tts=_tts(), captions=_captions(), rest=_rest(), replay=_replays())
    made.update(traces=_traces(), state=_states())
    for target, files in made.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (CORPUS / target / name).write_bytes(data)


def _flac() -> bytes:
    """Return a FLAC whose header does not count its samples, as of a stream."""
    audio = bytearray(_encoded(format="FLAC", subtype="PCM_16"))
    audio[21] &= 0xF0
    audio[22:26] = bytes(4)
    return bytes(audio)


if __name__ == "__main__":
    main()
