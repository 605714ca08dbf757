"""Correct programs of users. Type checkers must find no errors here; it is never run.

Each function is one program. `test_typing.py` checks them with strict pyright and `mypy --strict`.
"""

from __future__ import annotations

import argparse
import io
import os
import queue
import ssl
import sys
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Optional, Union

import requests

from soniox_sync import (
    AbortError,
    AudioChunk,
    AudioSource,
    AudioSourceHandlers,
    AuthError,
    CancelToken,
    ConfigContext,
    ConfigurationError,
    ConnectionConfig,
    Context,
    ContextEntry,
    Conversation,
    ConversationKeywords,
    ConversationOptions,
    ConversationState,
    FileSource,
    IterableSource,
    MicrophoneSource,
    OneWayTranslation,
    PipeSource,
    RateLimitError,
    RealtimeError,
    Reconnected,
    Reconnecting,
    Recording,
    RecordingKeywords,
    RecordingState,
    Result,
    SessionRestart,
    SlngClient,
    SonioxClient,
    SonioxError,
    SonioxHttpError,
    SonioxTimeoutError,
    Speech,
    SpeechKeywords,
    StateChange,
    SttConfig,
    SttEvent,
    SttKeywords,
    SttSession,
    SttSessionOptions,
    SttSessionState,
    Timestamps,
    Token,
    Transcript,
    Transcription,
    TranscriptionConfig,
    TranscriptionJob,
    TranslationTerm,
    TtsConnectionOptions,
    TtsKeywords,
    TtsPool,
    TtsStream,
    TtsStreamInput,
    TtsStreamState,
    TwoWayTranslation,
    WebhookSignatureError,
    is_retriable,
    speakable,
)
from soniox_sync.audio import Player, WavReader
from soniox_sync.sandbox import Caller, HangUp, Key, Limits, Line, Quiet, Sandbox
from soniox_sync.telephony import TwilioCall
from soniox_sync.transcript import Segment, SegmentBuffer, Utterance, segment_tokens
from soniox_sync.web import WebSocketAudio

# -- clients --------------------------------------------------------------------------------------


def clients(session: requests.Session, context: ssl.SSLContext) -> Iterator[SonioxClient]:
    lines: list[dict[str, object]] = []
    yield SonioxClient()
    yield SonioxClient("key", region="eu")
    yield SonioxClient(lambda: "key", auth="subprotocol", timeout_sec=10, max_retries=0)
    yield SonioxClient(api_key=os.environ["KEY"], auth="message", proxy="", verify=False)
    yield SonioxClient(verify="ca.pem", ssl_context=context, http_session=session)
    yield SonioxClient(trace="trace.jsonl", trace_audio=True)
    yield SonioxClient(trace=Path("trace.jsonl"))
    yield SonioxClient(trace=sys.stderr)
    yield SonioxClient(trace=io.BytesIO())
    yield SonioxClient(trace=lines.append)
    yield SonioxClient(config=ConnectionConfig(api_key="key", region="a-new-one"))
    yield SonioxClient(config=configured, default_session_options={"finish_timeout_sec": 5})
    yield SonioxClient(
        stt_defaults={"language_hints": ["en"]},
        tts_defaults=TtsStreamInput(voice="Adrian", language="en", audio_format="wav"),
        default_session_options=SttSessionOptions(max_buffered_events=100),
    )


def configured(context: ConfigContext) -> ConnectionConfig:
    if context.usage == "tts_rt":
        return ConnectionConfig(tts_ws_url="wss://example.com")
    return ConnectionConfig(api_key=lambda: "key")


def gateway() -> None:
    with SlngClient(world_part="na", provider_key=lambda: "key", agent_id="a") as client:
        print(client.base_url)
        client.realtime.tts.pool(max_connections=2, session_id="s").close()
        client.realtime.stt(agent_id="a", session_id=None, model="rt-v5").close()
        client.realtime.speak("Good morning.", voice="Adrian").save("morning.wav")
        for event in client.realtime.transcribe("meeting.wav", model="rt-v4"):
            print(event.text)


# -- two lines ------------------------------------------------------------------------------------


def two_lines(client: SonioxClient, tokens: Iterable[str], raw: bytes) -> None:
    for utterance in client.realtime.transcribe("meeting.wav").utterances():
        print(utterance.text, utterance.speaker or "", utterance.translated_text)
    print(client.realtime.transcribe("meeting.wav").read().to_srt())
    for event in client.realtime.transcribe("meeting.wav", language_hints=["en"]):
        print(event.text, event.final_text, event.kind)
    for chunk in client.realtime.speak(tokens, voice="Adrian", audio_format="pcm_s16le"):
        sys.stdout.buffer.write(chunk)
    client.realtime.transcribe(Path("meeting.wav"), pace=False)
    client.realtime.transcribe(raw, pace=2.0, audio_format="pcm_s16le", sample_rate=16000)
    client.realtime.transcribe(io.BytesIO(raw), pace=None)
    client.realtime.transcribe(sys.stdin.buffer)
    with open("meeting.wav", "rb") as file, tempfile.TemporaryFile() as other:
        client.realtime.transcribe(file)
        client.realtime.transcribe(other)
    client.realtime.transcribe(iter([raw]))
    client.realtime.transcribe([raw, bytearray(raw), memoryview(raw)])
    client.realtime.transcribe(array("h", [0, 1]), audio_format="pcm_s16le")
    client.realtime.transcribe(MicrophoneSource(chunk_ms=40), session_options={})
    transcription: Transcription = client.realtime.transcribe(
        "meeting.wav",
        auto_reconnect=False,
        max_reconnect_attempts=5,
        translation=OneWayTranslation("es"),
        context=Context(general=[ContextEntry("domain", "Healthcare")]),
        translation_watchdog=True,
        extra={"newer": 1},
    )
    with transcription:
        for event in transcription:
            if event.kind == "endpoint":
                break
    recording: Recording = transcription.recording
    transcript: Transcript = transcription.transcript
    print(recording.state is RecordingState.RECORDING, transcript.to_srt())


def one_event_at_a_time(session: SttSession, recording: Recording) -> Optional[str]:
    while (event := session.next_event(timeout_sec=5)) is not None:
        if event.kind == "finalized":
            return event.final_text
    transcript: Transcript = recording.read(timeout_sec=60)
    lines: list[Utterance] = list(recording.utterances())
    return transcript.text if lines else None


def options_from_the_command_line(client: SonioxClient, args: argparse.Namespace) -> None:
    options: RecordingKeywords = {"language_hints": ["en"], "rotate_after_sec": None}
    if args.translate:
        options["translation"] = {"type": "one_way", "target_language": "es"}
    client.realtime.transcribe(args.file, **options)
    voice: SpeechKeywords = {"voice": "Adrian", "ping_timeout_sec": 5}
    speech: Speech = client.realtime.speak("Hello.", timestamps=True, max_quiet_sec=2, **voice)
    client.realtime.speak("Hello.", give_up_after_sec=5, max_reconnect_attempts=None).cancel()
    speech.cancel()
    only: TtsKeywords = {"voice": "Nina", "audio_format": "wav"}
    with client.realtime.tts(**only) as stream:
        stream.send_text("Hi.", end=True)
    hints: Optional[list[str]] = None
    rate: Optional[int] = None
    model: Optional[str] = None
    client.realtime.transcribe("x.wav", language_hints=hints, sample_rate=rate, model=model)


# -- sessions -------------------------------------------------------------------------------------


def low_level_session(client: SonioxClient, chunks: Iterable[bytes], cancel: CancelToken) -> str:
    audio: SttKeywords = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
    text = ""
    with client.realtime.stt(options={"ping_timeout_sec": None}, cancel=cancel, **audio) as session:
        handle = session.start_sending(chunks, pace_sec=0.12, finish=True)
        for event in session:
            if event.kind == "result":
                text += "".join(token.text for token in event.result.final_tokens)
            ran: Optional[str] = event.result.model
            print(ran)
        handle.join(1.0)
    agent = SttConfig(model="stt-rt-v6", enable_agent_text_input=True)
    with client.realtime.stt(agent, options=SttSessionOptions()) as other:
        other.send_audio(b"\0\0")
        other.send_audio(bytearray(2))
        other.send_audio(memoryview(b"\0\0"))
        other.send_audio(array("h", [1]))
        other.finalize(trailing_silence_ms=200)
        other.send_message({"type": "newer", "at": [1, None]})
        other.pause(finalize=False, drop=True)
        other.resume()
        other.keep_alive()
        results: list[Result] = list(other.results())
        other.finish(timeout_sec=5)
    state: SttSessionState = session.state
    return text + state.value + str(len(results))


def handlers_of_a_session(session: SttSession, name: str) -> None:
    texts: queue.Queue[str] = queue.Queue()
    results: queue.SimpleQueue[Result] = queue.SimpleQueue()
    seen: list[object] = []
    over = threading.Event()
    session.on("result", lambda result: texts.put(result.text))
    session.on("result", results.put)
    session.on("result", seen.append).once("result", print)
    session.on("result", over.set)
    session.on("token", lambda token: print(token.speaker or "", token.start_ms or 0))
    session.on("endpoint", lambda: print("."))
    session.on("finalized", over.set).on("finished", over.set).on("connected", over.set)
    session.on("disconnected", lambda reason: print(reason.upper() if reason else ""))
    session.on("disconnected", over.set)
    session.on("error", lambda error: print(f"failed: {error}", error.args))
    session.on("error", logged(name))
    session.on("state_change", lambda change: print(change.old_state.is_over, change.new_state))
    session.on("state_change", partial(changed, name))
    session.once("token", lambda: None)

    def on_result(result: Result) -> None:
        print(result.text)

    def on_result_or_none(result: Optional[Result] = None) -> bool:
        return result is None

    session.on("result", on_result).off("result", on_result).off("token")
    session.on("result", on_result_or_none)


def logged(name: str) -> Callable[[Exception], None]:
    return lambda error: print(name, error)


def changed(name: str, change: StateChange[SttSessionState]) -> None:
    if change.new_state is SttSessionState.FINISHED:
        print(name, change.reason)


class Captions:
    """Handlers as methods."""

    def __init__(self, session: SttSession) -> None:
        self.lines: list[str] = []
        session.on("result", self.on_result)
        session.on("error", self.on_error)
        session.on("endpoint", self.on_endpoint)

    def on_result(self, result: Result) -> None:
        self.lines.append(result.text)

    def on_error(self, error: Exception) -> None:
        print(error)

    def on_endpoint(self) -> None:
        self.lines.append("")


# -- recordings -----------------------------------------------------------------------------------


def low_level_recording(client: SonioxClient, raw: bytes) -> None:
    recording = client.realtime.record(
        source=IterableSource([raw], pace=True, audio_format="pcm_s16le", sample_rate=16000),
        auto_reconnect=True,
        reconnect_base_delay_sec=0.5,
        max_reconnect_delay_sec=10,
        give_up_after_sec=None,
        stable_after_sec=5.0,
        replay_window_sec=60,
        enable_endpoint_detection=True,
        session_options=SttSessionOptions(connect_timeout_sec=5),
    )
    recording.on("state_change", lambda change: print(change.new_state, change.reason or ""))
    recording.on("state_change", recording_changed)
    recording.on("reconnecting", lambda event: print(event.attempt, event.delay_sec))
    recording.on("reconnecting", give_up).on("reconnected", reconnected)
    recording.on("reconnected", lambda event: print(event.lost_ms + event.replayed_ms))
    recording.on("session_restart", lambda event: print(event.session, event.reset_transcript))
    recording.on("session_restart", restarted)
    recording.on("source_muted", lambda: print("muted")).on("source_unmuted", lambda: None)
    recording.on("token", print).on("connected", lambda: None).once("finished", lambda: None)
    recording.on("error", lambda error: print(is_retriable(error)))
    with recording:
        recording.pause()
        recording.resume()
        recording.finalize()
        recording.reconnect()
        for event in recording:
            show(event)
        recording.stop(timeout_sec=30)
    recording.wait(1.0)
    print(recording.lost_ms, recording.source)
    client.realtime.record(source=FileSource("x.wav", pace=2.0))
    client.realtime.record(source=PipeSource(sys.stdin.buffer), session_config={"model": "m"})
    client.realtime.record(source=Tone(), session_config=lambda resolved: SttConfig())


def recording_changed(change: StateChange[RecordingState]) -> None:
    print(change.old_state.is_over, change)


def give_up(event: Reconnecting) -> None:
    if event.attempt > 2 and event.max_attempts is None:
        event.prevent_default()


def reconnected(event: Reconnected) -> None:
    print(event)


def restarted(event: SessionRestart) -> None:
    print(event)


def show(event: SttEvent) -> None:
    token: Token
    for token in event.result.tokens:
        print(token.text, token.confidence, token.is_final, token.session, token.raw.get("x"))


class Tone:
    """`AudioSource` by its methods, without a base class."""

    is_live = False
    audio = None

    def start(self, handlers: AudioSourceHandlers) -> None:
        handlers.on_data(b"\0\0")
        if handlers.on_restart is not None:
            handlers.on_restart(1500)

    def stop(self) -> None:
        pass


def source_of(name: str) -> AudioSource:
    return FileSource(name) if name else Tone()


# -- speech ---------------------------------------------------------------------------------------


def streams(client: SonioxClient, pool: TtsPool) -> None:
    with client.realtime.tts(
        model="tts-rt-v2",
        voice="Adrian",
        language="en",
        audio_format="pcm_s16le",
        sample_rate=16000,
        speed=1.1,
        return_timestamps=True,
        connect_timeout_sec=5,
    ) as stream:
        stream.send_text("Hello. ")
        stream.send_stream(iter(["How ", "are you?"]))
        for chunk in stream.events():
            spoken(chunk)
        print(stream.state is TtsStreamState.ENDED, stream.metrics.time_to_first_audio_sec)
    with client.realtime.tts(TtsStreamInput(voice="Nina"), language="de") as second:
        second.send_text("Hallo.", end=True)
        print(len(second.read(timeout_sec=10)), second.config.voice, second.stream_id)
    with client.realtime.tts.multi_stream(keepalive_interval_sec=4) as connection:
        connection.on("error", lambda error: print(error.args)).on("close", lambda: None)
        connection.once("error", print).off("error")
        third = connection.stream(voice="Emma", wait_sec=1.0, audio_format="mp3", bitrate=64000)
        third.save("third.mp3")
        third.save(io.BytesIO())
        third.save(Path("third.mp3"))
    with pool, pool.stream(voice="Emma", language="en", audio_format="wav", wait_sec=5) as fourth:
        fourth.send_text("Hi.", end=True)
        audio: bytes = b"".join(fourth)
    pool.speak("Long text.", voice="Adrian", timestamps=True, wait_sec=2).read()
    pool.speak("Text.", voice="Adrian", give_up_after_sec=None, max_reconnect_delay_sec=5).read()
    client.realtime.tts.pool(max_connections=2, max_streams=3, ping_interval_sec=None).warm(1)
    print(audio)


def spoken(chunk: AudioChunk) -> None:
    times: Optional[Timestamps] = chunk.timestamps
    if times is not None:
        for character, start, end in zip(
            times.characters,
            times.character_start_times_seconds,
            times.character_end_times_seconds,
        ):
            print(character, round(end - start, 3))
    print(len(chunk.audio), chunk.audio_end)


def handlers_of_a_stream(stream: TtsStream, session: SttSession) -> None:
    stream.on("audio", lambda audio, times: print(len(audio), times.characters if times else ""))
    stream.on("audio", lambda audio: session.send_audio(audio))
    stream.on("audio", session.send_audio)
    stream.on("audio", lambda: None).on("terminated", lambda: None).once("audio_end", print)
    stream.on("error", lambda error: print(error)).off("error")

    def pass_on(audio: bytes, times: Optional[Timestamps]) -> None:
        session.send_audio(audio)

    stream.once("audio", pass_on).off("audio", pass_on)


def long_speech(client: SonioxClient, tokens: Iterator[str]) -> None:
    speech = client.realtime.speak(tokens, voice="Adrian", language="en", sample_rate=16000)
    for chunk in speech.events():
        spoken(chunk)
    speech = client.realtime.speak(["One. ", "Two."], voice="Adrian", extra={"newer": True})
    total: int = speech.save("speech.wav")
    print(total, speech.metrics.audio_sec, speech.spoken_text)


# -- HTTP -----------------------------------------------------------------------------------------


def http(client: SonioxClient, raw: bytes) -> None:
    audio: bytes = client.tts.generate(text="Hi.", voice="Emma", audio_format="mp3", speed=1.0)
    for piece in client.tts.generate_stream(text="Hi.", voice="Emma", cancel=CancelToken()):
        print(len(piece), len(audio))
    size: int = client.tts.generate_to_file("x.wav", text="Hi.", voice="Emma", extra={"new": [1]})
    client.voices.delete_all(limit=10)
    client.tts.generate_to_file(io.BytesIO(), text="Hi.", voice="Emma", language="de")
    job: TranscriptionJob = client.stt.create(file_id="f", language_hints=["en"])
    client.stt.create(audio_url="https://example.com/a.mp3", config=TranscriptionConfig())
    client.stt.transcribe(file=raw, filename="a.wav", enable_speaker_diarization=True)
    client.stt.transcribe(file="a.wav", on_upload_progress=lambda sent, total: print(sent, total))
    job = client.stt.wait(job.id, interval_sec=1, on_progress=lambda job: print(job.status))
    client.stt.transcribe_and_wait(file=Path("a.wav"), delete_after=True, wait_timeout_sec=60)
    text = client.stt.transcribe_and_wait_with_tokens(
        file=io.BytesIO(raw),
        wait_interval_sec=1.0,
        on_progress=lambda job: print(job.id),
        translation=TwoWayTranslation("en", "es"),
        context={"terms": ["Soniox"]},
        client_reference_id="mine",
    )
    print(text.text, [token.start_ms for token in text.tokens], size)
    client.stt.transcribe_file_with_webhook(
        file="a.wav", webhook_url="https://example.com", webhook_auth=("X-Secret", "s")
    )
    client.stt.translate(file="a.wav", to="es", source="en", language_hints=["en"])
    client.stt.translate_and_wait(file="a.wav", between=("en", "es"), delete_after=True)
    client.stt.translate_and_wait_with_tokens(audio_url="https://example.com", to="es")
    for each in client.stt.list_all(limit=10):
        print(each.created_at.isoformat(), each.status)
    print(client.stt.get_or_none("id") is None, client.stt.count())
    print(client.request("GET", "/files", params={"limit": 5, "each": ["a", 1]})["files"])
    client.request("POST", "/newer", json=[1, None], timeout_sec=5, cancel=CancelToken())
    client.request("PUT", "/newer", data=b"x", service="tts", headers={"Content-Type": "a/b"})
    with open("a.wav", "rb") as file:
        client.request("PUT", "/newer", data=file)
    client.files.upload("a.wav", filename="b.wav", on_progress=lambda sent, total: None)
    print([file.filename for file in client.files.list_all()])
    client.voices.create("clip.wav", name="mine")
    client.voices.list_shared("tts-rt-v2", gender="female", use_case=["news"])
    print([model.id for model in client.models.list().models])
    key = client.auth.create_temporary_api_key(
        usage_type="transcribe_websocket", expires_in_seconds=60
    )
    print(key.api_key)


def webhook(client: SonioxClient, body: bytes, headers: dict[str, str]) -> str:
    try:
        event = client.webhooks.unwrap(body, headers)
    except WebhookSignatureError:
        return "refused"
    return client.stt.get_transcript(event.id).text if event.status == "completed" else "failed"


# -- transcripts ----------------------------------------------------------------------------------


def transcripts(transcript: Transcript, result: Result) -> None:
    transcript.add(result)
    print(transcript.text, transcript.final_text, transcript.translated_text)
    print(transcript.to_srt(max_line_length=32, max_lines=1, show="translation"))
    print(transcript.to_vtt(speakers={"1": "Anna"}, chars_per_sec=15))
    print(transcript.to_html(audio=b"RIFF", title="Meeting"), transcript.to_html(audio="a.wav"))
    segments: list[Segment] = transcript.segments(group_by=("speaker",))
    utterances: list[Utterance] = transcript.utterances(group_by=["speaker", "language"])
    buffer = SegmentBuffer(group_by=("speaker", "language"), max_ms=1000)
    segments += buffer.add(result) + buffer.flush_all() + segment_tokens(transcript.tokens)
    print([(each.text, each.speaker) for each in segments], utterances[0].segments)
    terms = [TranslationTerm("a", "b")]
    print(Context(terms=["Soniox"], translation_terms=terms).replace(text="More."))


# -- errors ---------------------------------------------------------------------------------------


def errors(client: SonioxClient) -> Union[str, int, None]:
    try:
        client.realtime.transcribe("meeting.wav")
    except (ConfigurationError, SonioxTimeoutError, AbortError) as error:
        return error.code
    except (AuthError, RateLimitError) as error:
        return str(error)
    except RealtimeError as error:
        return error.status_code
    except SonioxHttpError as error:
        return error.body_text
    except SonioxError as error:
        print(is_retriable(error), error.code)
    return None


# -- configs --------------------------------------------------------------------------------------


def configs(path: str) -> SttConfig:
    with WavReader(path) as wav:
        config = SttConfig(audio_format=wav.audio_format, sample_rate=wav.sample_rate)
        chunks: Iterator[bytes] = wav.chunks(120)
    print(sum(map(len, chunks)), TtsConnectionOptions(ping_interval_sec=None))
    return config.replace(language_hints=["en", "de"], model="stt-rt-v6")


# -- tests of the user's program ------------------------------------------------------------------


def calls_and_pages(client: SonioxClient, socket: object, sandbox: Sandbox) -> None:
    call = TwilioCall(socket)
    page = WebSocketAudio(socket, input_rate=48000, sample_rate=24000, echo_free=False)
    caller = sandbox.caller(
        ["Hello.", Line("Stop!", after="the moon", over=True), Key("5"), Quiet(1.5), HangUp()],
        audio_format="mulaw",
        sample_rate=8000,
        speed=4,
    )

    @page.on_event
    def typed(message: dict[str, object]) -> None:
        page.send_event("typed", text=message["text"])

    for source in (call, page, caller):
        with client.realtime.converse(source, lambda text, _: text, source) as conversation:
            source.on_dtmf(conversation.user_said)
            for turn in conversation:
                print(turn.user_text, source.played_ms, typed)
    print(call.call_sid, call.parameters["language"], caller.heard, *caller.said)
    with WebSocketAudio(socket) as closed:
        closed.write(b"".join(client.realtime.speak(speakable("**Hi**"), voice="Nina")))
        closed.clear()
    player = Player()
    player.clear()
    print(player.played_ms + 1.5, player.audio_format, player.sample_rate)


def test_of_an_agent(soniox_client: SonioxClient, soniox_caller: Callable[..., Caller]) -> None:
    caller = soniox_caller(["Hello."], speed=4)
    soniox_client.realtime.transcribe(caller).read()


def test_of_a_user(soniox_client: SonioxClient, soniox_sandbox: Sandbox) -> None:
    soniox_sandbox.faults.drop(kind="stt", after_audio_ms=1000, times=2)
    soniox_sandbox.faults.error_frame("request_timeout", after_sec=1.5, kind="tts")
    soniox_sandbox.script("hello there", ms_per_word=100)
    with soniox_client.realtime.tts(voice="Adrian", language="en", audio_format="wav") as stream:
        stream.send_text("Please call Anna.", end=True)
        audio = stream.read()
    for event in soniox_client.realtime.transcribe(audio, pace=False):
        print(event)
    limits = Limits.documented(tts_max_streams=2)
    with Sandbox(engines="tones", limits=limits, allow_origins=["null"]) as sandbox:
        sandbox.client(timeout_sec=5, tts_defaults={"voice": "Nina"}).close()
        sandbox.slng_client(world_part="eu").close()
    records: list[dict[str, object]] = []
    for trace in ("trace.jsonl", Path("trace.jsonl"), io.BytesIO(), io.StringIO(), records):
        with Sandbox(
            speech_cache=os.path.join("a", "b"), replay=trace, replay_speed=None
        ) as sandbox:
            for each in sandbox.replay.differences:
                print(each.kind, each.where, each.line, each.field, each.expected, each.got)
            print(*sandbox.replay.notes)
            print(*sandbox.replay.remaining, sandbox.replay.name)


def many(client: SonioxClient, names: list[str]) -> list[str]:
    def text_of(name: str) -> str:
        transcription = client.realtime.transcribe(name, pace=False)
        for _ in transcription:
            pass
        return transcription.transcript.final_text

    with ThreadPoolExecutor(5) as workers:
        return list(workers.map(text_of, names))


def agent(client: SonioxClient, source: AudioSource) -> None:
    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        print(conversation.messages()[-1]["content"], conversation.reply_cancel.cancelled)
        yield text

    def lower(texts: Iterable[str]) -> Iterator[str]:
        yield from (text.lower() for text in texts)

    options = ConversationOptions(min_barge_in_words=2, backchannels=["mhm"])
    with client.realtime.converse(
        source, reply, Player(), voice="Adrian", duplex="half", options=options, text_filter=lower
    ) as conversation:
        conversation.say("Hello!", barge_in=False, remember=False)
        conversation.set_voice(voice="Nina", language="de")
        conversation.barge_in = False
        conversation.on("turn", lambda turn: print(turn.user_text)).off("turn")
        conversation.on("silence", lambda silence: print(silence.count))
        conversation.on("state_change", lambda change: print(change.reason, change.new_state))
        conversation.once("dtmf", lambda key: conversation.user_said(key.digit))
        conversation.on("user_partial", lambda text: print(text.upper()))

        @conversation.on("error")
        def failed(error: Exception) -> None:
            print(error)

        for turn in conversation:
            print(turn.latency.total_sec, turn.interrupted, turn.language)
        print(conversation.metrics.p95.total_sec, conversation.ended_by)
        print(conversation.state is ConversationState.ENDED)
    settings: ConversationKeywords = {"voice": "Emma", "patience_sec": 0.5}
    with client.realtime.converse(b"", lambda text, _: None, print, **settings) as conversation:
        conversation.stop("Good bye.", timeout_sec=5)
    client.realtime.converse(source, lambda text, _: text, None, tts={"voice": "Emma"}).close()
