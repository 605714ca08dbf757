"""Reprs of public objects show their state, in every state, and never a key.

A repr takes no lock, calls no user code and does no I/O: a debugger may show it at any time.
"""

from __future__ import annotations

import _thread
import functools
import importlib
import inspect
import io
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from soniox_sync import (
    AudioChunk,
    AudioSourceHandlers,
    CancelToken,
    ConnectionConfig,
    DevicePermissionResolver,
    FileSource,
    IterableSource,
    JobTranscript,
    MicrophoneSource,
    PipeSource,
    Result,
    SlngClient,
    SonioxClient,
    SttConfig,
    SttEvent,
    Timestamps,
    Token,
    Transcript,
    TranscriptionConfig,
)
from soniox_sync._support.reprs import byte_size, counted, file_name, quoted, shortened
from soniox_sync.audio import WavParser, WavReader, WavSaver, WavWriter, wav_header
from soniox_sync.errors import SonioxError
from soniox_sync.rest.auth import TemporaryApiKey
from soniox_sync.rest.catalog import TtsModel
from soniox_sync.rest.files import File, FilePage
from soniox_sync.rest.stt.types import TranscriptionJob
from soniox_sync.rest.usage import UsageSummary
from soniox_sync.rest.voices import SharedVoice
from soniox_sync.sandbox import Difference, Entry, Limits, NumberedRecognizer, Sandbox, Script
from soniox_sync.transcript import (
    CaptionBuffer,
    CaptionWriter,
    SegmentBuffer,
    UtteranceBuffer,
    segment_tokens,
)
from soniox_sync.transport.latch import Latch
from tests.peers import RawPeer, close_frame, message
from tests.realtime.servers import KEY, RAW, VOICE, client_for, connected_stt, failure
from tests.sources.helpers import Collector
from tests.test_docstrings import CLASSES
from tests.waiting import WAIT, Task, drain, eventually

PROVIDER_KEY = "snx-Provider9Key"
SECRET = "Whsec-Do-Not-Show"
PASSWORD = "pa55word"
HIDDEN = (KEY, PROVIDER_KEY, SECRET, PASSWORD)
NAMESPACES = (
    *("tts", "stt", "files", "models", "tts_models", "voices", "auth", "usage", "usage_logs"),
    *("concurrency_limits", "webhooks", "realtime"),
)
# more would bury the rest of a log line
LONGEST = 1000


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a sandbox that plays tones as fast as it can, and waits for audio without end."""
    limits = {"tts_pace": None, "stt_first_audio_timeout_sec": None}
    with Sandbox(engines="tones", limits=limits) as sandbox:
        sandbox.script("One two three.", ms_per_word=200, final_lag_ms=200)
        yield sandbox


# -- every class ----------------------------------------------------------------------------------


def public_classes() -> dict[str, type]:
    """Return the public classes, and those that users get from them, by path."""
    found = {each.path: each.thing for each in CLASSES}
    config = importlib.import_module("soniox_sync.config")
    found.update({f"soniox_sync.config.{name}": getattr(config, name) for name in config.__all__})
    return {
        path: thing
        for path, thing in found.items()
        if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False)
    }


def test_every_public_class_has_a_repr() -> None:
    """No public class, namespace or handle shows nothing but its address."""
    classes = public_classes()
    names = {cls.__name__ for cls in classes.values()}
    assert {
        "FileSource",
        "TtsFactory",
        "FilesApi",
        "SttApi",
        "SendHandle",
        "ConfigContext",
    } <= names
    assert [path for path, cls in classes.items() if cls.__repr__ is object.__repr__] == []


@pytest.mark.parametrize("name", NAMESPACES)
def test_every_namespace_shows_its_url(name: str) -> None:
    """A namespace shows its name on the client; all but one show a URL as well."""
    shown = repr(getattr(SonioxClient(KEY, region="eu"), name))
    assert shown.startswith(f"<client.{name}")
    assert "://" in shown or name == "webhooks"


# -- examples -------------------------------------------------------------------------------------

HELLO = Token("Hello", 0, 400, is_final=True, speaker="1", language="en")
HOLA = Token("Hola", is_final=True, language="es", translation_status="translation")
RESULT = Result([HELLO, HOLA], 400, 500)
WAV = wav_header("pcm_s16le", sample_rate=8000, num_channels=2, data_bytes=3200) + bytes(3200)
LONG = "never ending " * 1000
AT = datetime(2026, 1, 31, 12, 30, tzinfo=timezone.utc)


def added(buffer: Any, method: str = "add") -> Any:
    """Return a transcript buffer that contains one result."""
    getattr(buffer, method)(RESULT)
    return buffer


def fed(data: bytes) -> WavParser:
    parser = WavParser()
    parser.feed(data)
    return parser


def cancelled(reason: Optional[str] = None) -> CancelToken:
    token = CancelToken()
    token.cancel(reason)
    return token


def caption_writer() -> CaptionWriter:
    writer = CaptionWriter(io.StringIO(), format="vtt")
    writer.add(RESULT)
    writer.close()
    return writer


def saver(kind: Callable[..., WavSaver], **options: Any) -> WavSaver:
    with kind(io.BytesIO(), **options) as made:
        made.write(bytes(41200))
    return made


def job(**fields: Any) -> TranscriptionJob:
    return TranscriptionJob("j1", "completed", AT, "stt-async-v4", **fields)


def ignore(*_: object) -> None:
    """Do nothing."""


EXAMPLES: list[tuple[Callable[[], Any], str]] = [
    # clients and namespaces
    (lambda: SonioxClient(KEY), "<SonioxClient wss://stt-rt.soniox.com/transcribe-websocket>"),
    (lambda: SonioxClient(KEY).files, "<client.files of https://api.soniox.com/v1>"),
    (lambda: SonioxClient(KEY).stt, "<client.stt of https://api.soniox.com/v1>"),
    (lambda: SonioxClient(KEY).tts, "<client.tts of https://tts-rt.soniox.com>"),
    (
        lambda: SonioxClient(KEY, region="eu").realtime,
        "<client.realtime of wss://stt-rt.eu.soniox.com/transcribe-websocket>",
    ),
    (
        lambda: SonioxClient(KEY).realtime.tts,
        "<client.realtime.tts of wss://tts-rt.soniox.com/tts-websocket>",
    ),
    (
        lambda: SonioxClient(KEY).webhooks,
        "<client.webhooks X-Soniox-Webhook-Secret, no secret set>",
    ),
    (lambda: SlngClient(KEY, world_part="eu").realtime, "<client.realtime of wss://api.slng.ai>"),
    # sources
    (lambda: FileSource("/home/anna/talks/call.wav"), "<FileSource 'call.wav' not started>"),
    (
        lambda: FileSource(Path("a.raw"), **RAW),
        "<FileSource 'a.raw' pcm_s16le 16000 Hz not started>",
    ),
    (lambda: FileSource(io.BytesIO(WAV)), "<FileSource BytesIO not started>"),
    (lambda: IterableSource([b"a"]), "<IterableSource list auto not started>"),
    (
        lambda: PipeSource(io.BytesIO(), **{**RAW, "num_channels": 2}),
        "<PipeSource BytesIO pcm_s16le 16000 Hz 2 channels not started>",
    ),
    (MicrophoneSource, "<MicrophoneSource default device pcm_s16le 16000 Hz not started>"),
    (
        lambda: DevicePermissionResolver(device="usb"),
        "<DevicePermissionResolver device 'usb'>",
    ),
    (lambda: AudioSourceHandlers(ignore, ignore), "<AudioSourceHandlers on_data on_error>"),
    # what a transcription delivers
    (lambda: HELLO, "<Token 'Hello' 0-400 ms final>"),
    (lambda: RESULT, "<Result 'Hello' -> 'Hola' final 400 ms>"),
    (lambda: SttEvent("result", RESULT), "<SttEvent result 'Hello' -> 'Hola'>"),
    (lambda: SttEvent("endpoint", RESULT), "<SttEvent endpoint>"),
    (lambda: segment_tokens([HELLO])[0], "<Segment 'Hello' 0-400 ms speaker 1 en>"),
    (lambda: segment_tokens([HOLA])[0], "<Segment -> 'Hola' es>"),
    (lambda: added(Transcript()), "<Transcript 2 final tokens, 0 partial>"),
    (lambda: added(SegmentBuffer()), "<SegmentBuffer 1 token held>"),
    (
        lambda: added(UtteranceBuffer(), "add_result"),
        "<UtteranceBuffer 1 complete segment, 1 token held>",
    ),
    (
        lambda: added(UtteranceBuffer(), "add_result").mark_endpoint(),
        "<Utterance 'Hello' -> 'Hola' 0-400 ms>",
    ),
    (CaptionBuffer, "<CaptionBuffer original 42x2, 0 words in the next cue>"),
    (caption_writer, "<CaptionWriter vtt StringIO 1 cue closed>"),
    # speech and audio
    (lambda: AudioChunk(bytes(1920), None, True), "<AudioChunk 1.9 KB end>"),
    (lambda: Timestamps(("H", "i"), (0.0, 0.1), (0.1, 0.2)), "<Timestamps 'Hi' 0.00 to 0.20 s>"),
    (lambda: fed(WAV[:20]), "<WavParser header incomplete after 20 bytes>"),
    (lambda: fed(WAV), "<WavParser pcm_s16le 8000 Hz 2 channels>"),
    (lambda: WavReader(WAV), "<WavReader BytesIO pcm_s16le 8000 Hz 2 channels 3.2 KB left>"),
    (lambda: saver(WavSaver), "<WavSaver BytesIO 41.2 KB closed>"),
    (
        lambda: saver(WavWriter, sample_rate=24000),
        "<WavWriter BytesIO pcm_s16le 24000 Hz 41.2 KB closed>",
    ),
    (CancelToken, "<CancelToken open>"),
    (lambda: cancelled("shutting down"), "<CancelToken cancelled: 'shutting down'>"),
    # what HTTP calls return
    (
        lambda: File("f1", "call.wav", 41200, AT),
        "File(id='f1', filename='call.wav', size=41.2 KB, created_at=2026-01-31T12:30:00Z)",
    ),
    (
        lambda: FilePage((File("f1", "call.wav", 1, AT),) * 7, "next"),
        "FilePage(files=<7 File>, next_page_cursor='next')",
    ),
    (
        lambda: SharedVoice("Adrian", use_case=("news", "story")),
        "SharedVoice(id='Adrian', use_case=('news', 'story'))",
    ),
    (
        lambda: JobTranscript("j1", "Hello", (HELLO,)),
        "JobTranscript(id='j1', text='Hello', tokens=<1 Token>)",
    ),
    (lambda: TemporaryApiKey(KEY, AT), "TemporaryApiKey(expires_at=2026-01-31T12:30:00Z)"),
    (
        lambda: job(audio_url=f"https://me:{PASSWORD}@host/a.wav?token={SECRET}"),
        (
            "TranscriptionJob(id='j1', status='completed', created_at=2026-01-31T12:30:00Z, "
            "model='stt-async-v4', audio_url='https://host/a.wav?...')"
        ),
    ),
    (
        lambda: TranscriptionConfig(
            webhook_url=f"https://host/hook?token={SECRET}", webhook_auth_header_value=SECRET
        ),
        "TranscriptionConfig(webhook_url='https://host/hook?...', webhook_auth_header_value='...')",
    ),
    # the sandbox
    (Sandbox, "<Sandbox not started>"),
    (lambda: Sandbox().log, "<TrafficLog 0 entries, 0 open connections>"),
    (lambda: Sandbox().faults, "<Faults 0 pending>"),
    (lambda: Sandbox().faults.drop(), "<Fault drop fired 0 times>"),
    (lambda: Sandbox(engines="tones").engines, "Engines(name='tones', missing=())"),
    (lambda: Limits(time_scale=0.01), "Limits(time_scale=0.01)"),
    (Script, "<Script 30 words 'The quick brown fox jumps over ...' repeated>"),
    (NumberedRecognizer, "<NumberedRecognizer final after 400 ms>"),
    (
        lambda: Entry("stt", 1, "in", {"type": "finalize"}, 20, 0.0),
        "<Entry stt 1 in: {'type': 'finalize'} 20 bytes>",
    ),
    (lambda: Entry("stt", 1, "in", None, 41200, 0.0), "<Entry stt 1 in: audio 41.2 KB>"),
    (
        lambda: Sandbox(replay=[{"kind": "trace", "version": 1}]),
        "<Sandbox not started replays replay>",
    ),
    (
        lambda: Sandbox(replay=[{"kind": "trace", "version": 1}]).replay,
        "<Replay replay 0 differences>",
    ),
    (
        lambda: Difference("text", "connection 1, /tts-websocket", 7, None, '"Hi"', None),
        (
            "<Difference text: connection 1, /tts-websocket, line 7 of the trace: "
            'expected "Hi", got nothing>'
        ),
    ),
]


@pytest.mark.parametrize(("make", "shown"), EXAMPLES, ids=[shown for _, shown in EXAMPLES])
def test_a_repr_identifies_its_object(
    make: Callable[[], Any], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example shows what distinguishes it from other objects of its class."""
    for name in [name for name in os.environ if name.startswith("SONIOX_")]:
        monkeypatch.delenv(name)
    assert repr(make()) == shown


def test_sizes_and_names_are_readable() -> None:
    """Bytes are shown with three digits and a unit, files by the last part of their path."""
    sizes = {0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 KB", 41_234: "41.2 KB"}
    sizes.update({999_949: "999.9 KB", 999_999: "1.0 MB", 5_000_000_000: "5.0 GB"})
    sizes[10**18] = "1000000.0 TB"
    assert {number: byte_size(number) for number in sizes} == sizes
    assert [counted(n, "stream") for n in (0, 1, 2)] == ["0 streams", "1 stream", "2 streams"]
    assert shortened("abcdef", 5) == "ab..." and shortened("abcde", 5) == "abcde"
    assert len(quoted(LONG)) < 100

    class Detached:
        @property
        def name(self) -> str:
            raise ValueError("raw stream has been detached")

    class Descriptor:
        name = 3

    names = {"/home/anna/call.wav": "'call.wav'", "C:\\talks\\a.mp3": "'a.mp3'", b"/x/y": "'y'"}
    assert {path: file_name(path) for path in names} == names
    assert file_name(Path("/a/b")) == "'b'" and file_name(open) == "builtin_function_or_method"
    assert [file_name(Detached()), file_name(Descriptor())] == ["Detached", "Descriptor"]


# -- length ---------------------------------------------------------------------------------------


def test_no_repr_floods() -> None:
    """Long texts, lists, contexts and received data are shortened."""
    raw = {"text": LONG, "tokens": [{"text": LONG}] * 1000}
    token = Token(LONG, 0, 1, is_final=True, raw=raw)
    result = Result([token] * 1000, raw=raw)
    model = {"id": "m", "name": LONG, "languages": [{"code": "en"}] * 60}
    entry = {"days": ["2026-01-31"] * 366, "total_cost_usd": "1.5", "num_requests": [1] * 366}
    things = [
        token,
        result,
        SttEvent("result", result),
        segment_tokens([token] * 1000)[0],
        Timestamps(tuple(LONG), (0.0,) * len(LONG), (1.0,) * len(LONG)),
        AudioChunk(bytes(10**6)),
        JobTranscript.from_raw({"id": "j", **raw}),
        TtsModel.from_raw({**model, "voices": [{"id": LONG}] * 100}),
        UsageSummary.from_raw({"total": entry, "models": [entry] * 20}),
        job(audio_url=f"https://host/{LONG}", filename=LONG, error_message=LONG),
        SttConfig(context=LONG[:9000], extra={"more": LONG}),
        Entry("stt", 1, "in", raw, 10**6, 0.0),
        Limits(),
        Script(LONG),
        cancelled(LONG),
        IterableSource([bytes(1000)] * 1000),
        AudioSourceHandlers(functools.partial(ignore, raw), ignore),
    ]
    for thing in things:
        assert len(repr(thing)) < LONGEST, repr(thing)[:2000]


# -- secrets --------------------------------------------------------------------------------------


def never_called(*_: object) -> Any:
    raise AssertionError("a repr must not ask for a key or a config")


def everything_of(client: Any) -> list[str]:
    """Return the reprs of a client and all its namespaces."""
    found = [client, client.realtime, client.realtime.tts, client.realtime.tts.pool()]
    if isinstance(client, SonioxClient):
        found += [getattr(client, name) for name in NAMESPACES]
        found += [client._http_layer]
    return [form(thing) for thing in found for form in (repr, str)]


CLIENTS: dict[str, Callable[[], Any]] = {
    "header": lambda: SonioxClient(KEY),
    "subprotocol": lambda: SonioxClient(KEY, auth="subprotocol"),
    "message": lambda: SonioxClient(KEY, auth="message"),
    "key callable": lambda: SonioxClient(never_called),
    "config": lambda: SonioxClient(config=ConnectionConfig(api_key=KEY, region="eu")),
    "mapping": lambda: SonioxClient(config={"api_key": KEY}),
    "config callable": lambda: SonioxClient(config=never_called),
    "query": lambda: SonioxClient(KEY, stt_ws_url=f"wss://h/x?key={SECRET}"),
    "environment": SonioxClient,
    "gateway": lambda: SlngClient(KEY, provider_key=PROVIDER_KEY),
    "gateway callables": lambda: SlngClient(never_called, provider_key=never_called),
}


@pytest.mark.parametrize("kind", CLIENTS)
def test_no_client_shows_a_secret(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither client nor namespaces show a key, a webhook's secret or a proxy's password."""
    monkeypatch.setenv("SONIOX_API_KEY", KEY)
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", SECRET)
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://me:{PASSWORD}@127.0.0.1:9")
    client = CLIENTS[kind]()
    shown = everything_of(client)
    client.close()
    shown += everything_of(client)
    assert not [text for text in shown for secret in HIDDEN if secret in text]
    assert ("config callable" in shown[0]) == (kind == "config callable")


def test_a_proxy_shows_nowhere() -> None:
    """The client's proxy, with its password, is in no repr."""
    proxy = f"http://me:{PASSWORD}@127.0.0.1:9"
    clients = [SonioxClient(KEY, proxy=proxy), SlngClient(KEY, proxy=proxy)]
    assert PASSWORD not in "".join(text for each in clients for text in everything_of(each))


def test_an_invalid_config_is_shown_as_such() -> None:
    """A mapping that became invalid after the client was made does not make the repr raise."""
    config: dict[str, Any] = {"region": "eu"}
    client = SonioxClient(KEY, config=config)
    config["region"] = "/"
    assert repr(client) == "<SonioxClient unusable config>"
    assert repr(client.files) == "<client.files of unusable config>"


def test_a_closed_client_says_so() -> None:
    """A client closed for HTTP shows that, and so do its namespaces."""
    client = SonioxClient(KEY)
    files = client.files
    client.close()
    assert repr(client).endswith("/transcribe-websocket closed>")
    assert repr(files) == "<client.files of https://api.soniox.com/v1, closed>"


# -- states ---------------------------------------------------------------------------------------


def test_a_session_in_every_state(raw_peer: RawPeer) -> None:
    """A session shows its state, its model, its format, and a pause."""
    config = "stt-rt-v6 pcm_s16le 16000 Hz"
    with connected_stt(raw_peer, model="stt-rt-v6") as (session, remote):
        assert repr(session) == f"<SttSession connected {config}>"
        session.pause()
        assert repr(session) == f"<SttSession connected {config} paused>"
        session.resume()
        session.send_audio(bytes(320))
        session.end_audio()
        assert repr(session) == f"<SttSession finishing {config}>"
        remote.send(message(tokens=[], finished=True), close_frame(1000))
        assert [repr(event) for event in session][-1] == "<SttEvent finished>"
        assert repr(session) == f"<SttSession finished {config}>"
    for ends, state in [("close", "closed"), ("fail", "error")]:
        session = client_for(raw_peer.url).realtime.stt(**RAW)
        remote = raw_peer.accept()
        if ends == "close":
            session.close()
        else:
            remote.send(failure(401, "unauthenticated"), close_frame(1000))
            assert isinstance(drain(session)[-1], SonioxError)
        assert repr(session).startswith(f"<SttSession {state} ")
        session.close()


def test_a_feeding_thread_in_every_state(sandbox: Sandbox) -> None:
    """A handle of `start_sending()` shows whether it sends, has sent, or failed and with what."""
    go = threading.Event()

    def chunks() -> Iterator[bytes]:
        go.wait(WAIT)
        yield bytes(320)

    with sandbox.client().realtime.stt(**RAW) as session:
        handle = session.start_sending(chunks())
        assert repr(handle) == "<SendHandle sending>"
        go.set()
        assert handle.join(WAIT)
        assert repr(handle) == "<SendHandle done>"
    session = sandbox.client().realtime.stt(**RAW)
    handle = session.start_sending([KEY])  # type: ignore[list-item]
    assert handle.join(WAIT)
    assert repr(handle) == "<SendHandle failed: InputTypeError>"
    session.close()


def test_speech_in_every_state(sandbox: Sandbox) -> None:
    """Streams, connections and pools show state and amounts."""
    tts = sandbox.client().realtime.tts
    with tts.multi_stream() as connection:
        assert repr(connection) == "<TtsConnection connected 0 streams>"
        stream = connection.stream(**VOICE, stream_id="s1")
        assert repr(stream) == "<TtsStream s1 active 0 bytes>"
        assert repr(connection) == "<TtsConnection connected 1 stream>"
        stream.send_text("Hello.", end=True)
        audio = stream.read(WAIT)
        stream.wait(WAIT)
        assert repr(stream) == f"<TtsStream s1 ended {byte_size(len(audio))}>"
        shown = repr(stream.metrics)
        assert shown.startswith(f"<TtsMetrics {byte_size(len(audio))} of ")
        assert " s first after 0." in shown
        lost = connection.stream(**VOICE, stream_id="s2")
        lost.send_text("Hello")
    assert repr(connection) == "<TtsConnection closed 0 streams>"
    assert repr(lost).startswith("<TtsStream s2 error ")
    with tts.pool() as pool:
        assert repr(pool) == "<TtsPool 0 streams on 0 connections>"
        with pool.stream(**VOICE):
            assert repr(pool) == "<TtsPool 1 stream on 1 connection>"
    assert repr(pool).startswith("<TtsPool closed ")


def test_a_speech_in_every_state(sandbox: Sandbox) -> None:
    """A speech shows whether it speaks, has finished, failed or was cancelled."""
    realtime = sandbox.client().realtime
    with realtime.speak("Hello.", **VOICE) as speech:
        assert repr(speech).endswith(" speaking 0 bytes>")
        size = byte_size(len(speech.read(WAIT)))
        assert repr(speech).endswith(f" finished {size}>")
        assert repr(speech.metrics).startswith(f"<SpeechMetrics {size} of ")
    speech = realtime.speak("Hello.", **VOICE)
    speech.cancel()
    assert repr(speech).endswith(" cancelled 0 bytes>")
    speech.close()
    speech = realtime.speak("Hello.", **{**VOICE, "voice": "Nobody"})
    assert isinstance(drain(speech)[-1], SonioxError)
    assert repr(speech).endswith(" failed 0 bytes>")
    speech.close()


def test_a_recording_in_every_state(sandbox: Sandbox) -> None:
    """Recordings and transcriptions show their state from the start to the end."""
    source = IterableSource([bytes(32000)], **RAW)
    recording = sandbox.client().realtime.record(source=source)
    assert repr(recording).startswith("<Recording ") and repr(recording).endswith(" kept>")
    assert drain(recording)
    assert repr(recording).startswith(f"<Recording {recording.state} ")
    assert repr(source) == "<IterableSource list pcm_s16le 16000 Hz ended>"
    recording.close()
    with sandbox.client().realtime.transcribe([bytes(32000)], **RAW) as transcription:
        assert repr(transcription).startswith("<Transcription ")
        assert repr(transcription.transcript).startswith("<Transcript ")


def test_a_source_in_every_state(tmp_path: Path) -> None:
    """A source shows whether it runs, is paused, was stopped, has ended or failed."""
    path = tmp_path / "call.wav"
    path.write_bytes(WAV)
    entered, go = threading.Event(), threading.Event()

    def hold(_: bytes) -> None:
        entered.set()
        go.wait(WAIT)

    collector = Collector(hold)
    source = FileSource(path, pace=False)
    source.start(collector.handlers)
    assert entered.wait(WAIT)
    known = "<FileSource 'call.wav' pcm_s16le 8000 Hz 2 channels"
    assert repr(source) == f"{known} running>"
    source.pause()
    assert repr(source) == f"{known} paused>"
    source.resume()
    go.set()
    collector.wait_over()
    eventually(lambda: repr(source) == f"{known} ended>", "the end")
    source.start(Collector(lambda _: source.stop()).handlers)
    eventually(lambda: repr(source) == f"{known} stopped>", "the stop")
    with pytest.raises(FileNotFoundError):
        (missing := FileSource("missing.wav")).start(collector.handlers)
    assert repr(missing) == "<FileSource 'missing.wav' failed>"
    collector = Collector()
    broken = IterableSource([KEY])
    broken.start(collector.handlers)
    collector.wait_over()
    assert repr(broken) == "<IterableSource list auto failed>"


def test_a_body_in_every_state(sandbox: Sandbox) -> None:
    """Speech by HTTP shows how much was read, and whether it has ended or was closed."""
    with sandbox.client() as client:
        body = client.tts.generate_stream(text="Hello.", voice="Adrian")
        assert repr(body) == "<SpeechBody open 0 bytes>"
        total = sum(map(len, body))
        assert repr(body) == f"<SpeechBody ended {byte_size(total)}>"
        body = client.tts.generate_stream(text="Hello.", voice="Adrian")
        body.close()
        assert repr(body) == "<SpeechBody closed 0 bytes>"


def test_a_sandbox_in_every_state() -> None:
    """A sandbox shows its address, and that it was closed; its log counts."""
    with Sandbox(engines="tones") as sandbox:
        where = f"127.0.0.1:{sandbox.port}"
        assert repr(sandbox) == f"<Sandbox {where}>"
        fault = sandbox.faults.stall(kind="tts")
        assert repr(sandbox.faults) == "<Faults 1 pending>"
        with sandbox.client().realtime.tts.multi_stream():
            assert fault.fired.wait(WAIT)
            assert repr(fault) == "<Fault stall fired 1 time>"
            assert repr(sandbox.faults) == "<Faults 0 pending>"
            assert repr(sandbox.log).endswith(" entries, 1 open connection>")
    assert repr(sandbox) == f"<Sandbox {where} closed>"


# -- locks and forks ------------------------------------------------------------------------------

LOCKS = (type(_thread.allocate_lock()), type(threading.RLock()))
# A thread may wait for one of these locks with another of them in its hands; the test would wait
# for it in turn. What somebody else holds for that long is as held as the test needs it.
TAKEN_SEC = 0.1


def locks_of(thing: Any, seen: Optional[dict[int, Any]] = None) -> list[Any]:
    """Return the locks of an object and of all objects of this package reachable from it."""
    seen = {} if seen is None else seen
    found: list[Any] = []
    if id(thing) in seen or isinstance(thing, Latch):  # a latch is a lock that waits to be released
        return found
    seen[id(thing)] = thing
    if isinstance(thing, LOCKS):
        return [thing]
    if isinstance(thing, threading.Condition):
        return locks_of(thing._lock, seen)  # type: ignore[attr-defined]
    if isinstance(thing, (tuple, list, set, frozenset)):
        parts = list(thing)
    elif type(thing).__module__.startswith("soniox_sync"):
        parts = list(getattr(thing, "__dict__", {}).values())
        parts += [getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ())]
    else:
        return found
    for part in parts:
        found += locks_of(part, seen)
    return found


def live_objects(sandbox: Sandbox, stack: ExitStack) -> list[Any]:
    """Return one open object of each kind that a client makes; `stack` closes them."""
    client = stack.enter_context(sandbox.client())
    realtime = client.realtime
    session = stack.enter_context(realtime.stt(**RAW))
    connection = stack.enter_context(realtime.tts.multi_stream())
    stream = stack.enter_context(connection.stream(**VOICE))
    stream.send_text("Hello")
    pool = stack.enter_context(realtime.tts.pool())
    pooled = stack.enter_context(pool.stream(**VOICE))
    speech = stack.enter_context(realtime.speak("Hello.", **VOICE))
    source = IterableSource([bytes(32000)] * 3, pace=True, **RAW)
    recording = realtime.record(source=source)
    stack.callback(recording.close)
    body = stack.enter_context(client.tts.generate_stream(text="Hello.", voice="Adrian"))
    objects = [client, session, connection, stream, stream.metrics, pool, pooled, speech, body]
    objects += [speech.metrics, source, recording, recording.transcript, CancelToken()]
    objects += [getattr(client, name) for name in NAMESPACES]
    return [*objects, sandbox, sandbox.log, sandbox.faults]


def test_no_repr_waits_for_a_lock(sandbox: Sandbox) -> None:
    """The repr returns at once even if every reachable lock is held."""
    with ExitStack() as stack:
        for thing in live_objects(sandbox, stack):
            held = [lock for lock in locks_of(thing) if lock.acquire(timeout=TAKEN_SEC)]
            task = Task(lambda thing=thing: repr(thing))
            try:
                assert task.result().startswith("<")
            finally:
                for lock in held:
                    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_reprs_of_forked_copies(sandbox: Sandbox) -> None:
    """In a forked child the copies of open objects still have a repr."""
    with ExitStack() as stack:
        objects = live_objects(sandbox, stack)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writer, "\n".join(map(repr, objects)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, encoding="utf-8") as pipe:
            shown = pipe.read().splitlines()
        os.waitpid(child, 0)
        assert len(shown) == len(objects), shown
        assert not [text for text in shown if sandbox.api_key in text]
        (speech,) = [text for text in shown if text.startswith("<Speech ")]
        assert "of the parent process" in speech
