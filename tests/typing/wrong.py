"""Wrong programs of users. Type checkers must find each marked line, and nothing else.

A mark, `# wrong: ...`, names the mistake. `test_typing.py` checks this file with strict pyright
and `mypy --strict`; it is never run.
"""

from __future__ import annotations

import soniox_sync
from soniox_sync import (
    ConfigContext,
    ConnectionConfig,
    Conversation,
    Recording,
    RecordingKeywords,
    RecordingState,
    Result,
    SlngClient,
    SonioxClient,
    StateChange,
    SttConfig,
    SttSession,
    SttSessionState,
    Timestamps,
    Transcript,
    TtsConnection,
    TtsKeywords,
    TtsPool,
    TtsStream,
    TtsStreamInput,
)
from soniox_sync.sandbox import Line, Sandbox


def names() -> None:
    from soniox_sync import SonioxClinet  # noqa: F401  # wrong: a mistyped name

    print(soniox_sync.Client)  # wrong: a mistyped name


def keywords(client: SonioxClient, pool: TtsPool, connection: TtsConnection) -> None:
    client.realtime.transcribe("a.wav", language_hint=["en"])  # wrong: a mistyped keyword
    client.realtime.transcribe("a.wav", max_reconnects=3)  # wrong: a mistyped keyword
    client.realtime.record(auto_reconect=True)  # wrong: a mistyped keyword
    client.realtime.stt(audio_fromat="auto")  # wrong: a mistyped keyword
    client.realtime.speak("Hi.", voise="Adrian")  # wrong: a mistyped keyword
    client.realtime.tts(voice="Adrian", laguage="en")  # wrong: a mistyped keyword
    client.realtime.tts.multi_stream(ping_interval=5)  # wrong: a mistyped keyword
    client.realtime.tts.pool(max_connection=5)  # wrong: a mistyped keyword
    connection.stream(voice="Adrian", wait=5)  # wrong: a mistyped keyword
    pool.stream(voice="Adrian", audio_fmt="wav")  # wrong: a mistyped keyword
    pool.speak("Hi.", voice="Adrian", timestamp=True)  # wrong: a mistyped keyword
    client.realtime.stt(agent_id="a")  # wrong: a keyword of the other client
    client.realtime.tts(voice="Adrian", session_id="s")  # wrong: a keyword of the other client
    client.realtime.tts(voice="Adrian", give_up_after_sec=5)  # wrong: only speak() tries again
    client.tts.generate(text="Hi.", voice="Emma", format="wav")  # wrong: a mistyped keyword
    client.tts.generate_to_file("a.wav", text="", voice="", rate=1)  # wrong: a mistyped keyword
    client.stt.create(file="a.wav")  # wrong: a keyword of another call
    client.stt.transcribe(file="a.wav", delete_after=True)  # wrong: a keyword of another call
    client.stt.transcribe_and_wait(file="a.wav", timeout_sec=1)  # wrong: a mistyped keyword
    client.stt.translate(file="a.wav", target="es")  # wrong: a mistyped keyword
    client.files.upload("a.wav", name="b.wav")  # wrong: a mistyped keyword
    SonioxClient("key", timeout=5)  # wrong: a mistyped keyword


def of_the_gateway(client: SlngClient) -> None:
    client.realtime.stt(agentid="a")  # wrong: a mistyped keyword
    client.realtime.speak("Hi.", voice="Adrian", agent_id=5)  # wrong: a value of another type
    client.realtime.tts.pool(sesion_id="s")  # wrong: a mistyped keyword
    client.request("GET", "/files")  # wrong: no such attribute


def settings() -> None:
    first: RecordingKeywords = {"language_hint": ["en"]}  # wrong: a mistyped key
    second: TtsKeywords = {"voice": "Adrian", "speed": "fast"}  # wrong: a value of another type
    print(first, second)


def values(client: SonioxClient, session: SttSession, stream: TtsStream) -> None:
    client.realtime.transcribe(5)  # wrong: a value of another type
    client.realtime.transcribe(["text"])  # wrong: a value of another type
    client.realtime.transcribe("a.wav", sample_rate="16000")  # wrong: a value of another type
    client.realtime.transcribe("a.wav", pace="fast")  # wrong: a value of another type
    client.realtime.transcribe("a.wav", language_hints=[1])  # wrong: a value of another type
    client.realtime.stt(enable_agent_text_input="yes")  # wrong: a value of another type
    client.tts.generate(text="Hi.", voice="Emma", extra=5)  # wrong: a value of another type
    client.realtime.stt(options=5)  # wrong: a value of another type
    client.realtime.speak(b"Hi.", voice="Adrian")  # wrong: a value of another type
    client.realtime.tts(voice="Adrian", speed="1.0")  # wrong: a value of another type
    client.request("GET", "/files", params=["limit"])  # wrong: a value of another type
    client.request("FETCH", "/files")  # wrong: no such choice
    client.request("GET", "/files", service="stt")  # wrong: no such choice
    client.request("GET", "/files", timeout=5)  # wrong: a mistyped keyword
    client.request("POST", "/files", data={"a": 1})  # wrong: a value of another type
    client.tts.generate(text="Hi.", voice=None)  # wrong: a value of another type
    client.stt.transcribe(file=5)  # wrong: a value of another type
    client.stt.wait("id", on_progress=lambda job: job.stats)  # wrong: no such attribute
    session.send_audio("audio")  # wrong: a value of another type
    session.send_message("finalize")  # wrong: a value of another type
    session.start_sending(b"\0\0", pace_sec=0.1)  # wrong: a chunk instead of an iterable
    stream.send_text(b"Hi.")  # wrong: a value of another type
    stream.save(5)  # wrong: a value of another type
    text: str = stream.read()  # wrong: audio is not text
    print(text)


def positions(client: SonioxClient) -> None:
    client.tts.generate("Hi.", voice="Emma")  # wrong: a positional argument
    client.stt.transcribe("a.wav")  # wrong: a positional argument
    client.stt.translate_and_wait("a.wav", to="es")  # wrong: a positional argument
    client.tts.generate(voice="Emma")  # wrong: a keyword is missing


def choices(client: SonioxClient, transcript: Transcript, sandbox: Sandbox) -> None:
    SonioxClient("key", auth="headers")  # wrong: no such choice
    SonioxClient("key", trace=True)  # wrong: neither a path, a file object nor a callable
    Sandbox(engines="espeak")  # wrong: no such choice
    transcript.to_srt(show="translated")  # wrong: no such choice
    transcript.to_vtt(max_line=32)  # wrong: a mistyped keyword
    transcript.segments(group_by=["speakers"])  # wrong: no such choice
    sandbox.faults.drop(kind="http")  # wrong: no such choice
    sandbox.faults.drop(after_ms=5)  # wrong: a mistyped keyword
    sandbox.client(timeout=5)  # wrong: a mistyped keyword
    sandbox.caller([5])  # wrong: no line
    sandbox.caller(["Hello."], pace=2)  # wrong: no such keyword
    Line("Hello.", at=2.0)  # wrong: a mistyped field
    client.auth.create_temporary_api_key(usage_type="stt")  # wrong: no such choice


def events(session: SttSession, recording: Recording, stream: TtsStream) -> None:
    session.on("reslut", lambda: None)  # wrong: a mistyped event
    session.once("finish", lambda: None)  # wrong: a mistyped event
    session.off("results")  # wrong: a mistyped event
    recording.on("reconnect", lambda: None)  # wrong: a mistyped event
    recording.on("disconnected", lambda: None)  # wrong: an event of another class
    stream.on("audioEnd", lambda: None)  # wrong: a mistyped event
    stream.on("result", lambda: None)  # wrong: an event of another class


def handlers(session: SttSession, recording: Recording, stream: TtsStream) -> None:
    session.on("result", lambda result: result.txt)  # wrong: no such attribute
    session.once("token", lambda token: token.start)  # wrong: no such attribute
    session.on("endpoint", lambda result: None)  # wrong: no such argument
    session.on("result", lambda result, more: None)  # wrong: no such argument
    session.on("result", on_text)  # wrong: a handler of another event
    session.on("state_change", on_recording_change)  # wrong: a handler of another class
    session.on("result", on_result("x"))  # wrong: called instead of passed
    recording.on("state_change", lambda c: c["new_state"])  # wrong: an object is not a mapping
    recording.on("reconnected", lambda e: e.lost)  # wrong: no such attribute
    recording.on("reconnecting", lambda e: e.cancel())  # wrong: no such attribute
    stream.on("audio", lambda audio, times: times.characters)  # wrong: it may be None
    stream.on("audio", on_text)  # wrong: a handler of another event
    stream.on("error", lambda a, b: None)  # wrong: no such argument


def on_text(text: str) -> None:
    print(text)


def on_result(result: str) -> None:
    print(result)


def on_recording_change(change: StateChange[RecordingState]) -> None:
    change.reason = "mine"  # wrong: it is immutable
    print(change)


def results(session: SttSession, times: Timestamps, result: Result) -> None:
    for event in session:
        print(event.kind == "results")  # wrong: no such kind
        print(event.tokens)  # wrong: no such attribute
    print(times["characters"])  # wrong: an object is not a mapping
    times.characters += ("x",)  # wrong: it is immutable
    print(result.final_txt)  # wrong: no such attribute
    print(session.state is RecordingState.RECORDING)  # wrong: a state of another class
    print(SttSessionState.RUNNING)  # wrong: no such state


def loops(client: SonioxClient, session: SttSession) -> None:
    for utterance in client.realtime.transcribe("a.wav").utterances():
        print(utterance.kind)  # wrong: no such attribute
    print(client.realtime.transcribe("a.wav").read().upper())  # wrong: a transcript is not text
    print(session.next_event(1).text)  # wrong: it may be None
    session.read(timeout=1)  # wrong: a mistyped keyword


def configured(context: ConfigContext) -> ConnectionConfig:
    ConnectionConfig(reggion="eu")  # wrong: a mistyped keyword
    print(context.usage == "stt")  # wrong: no such usage
    return ConnectionConfig(api_key=5)  # wrong: a value of another type


async def key() -> str:
    return "key"


def clients() -> None:
    SonioxClient(key)  # wrong: an async function
    SonioxClient(config=lambda: ConnectionConfig())  # wrong: a callable without its argument


def configs(config: SttConfig, voice: TtsStreamInput) -> None:
    config.replace(language_hint=["en"])  # wrong: a mistyped keyword
    voice.replace(voice=5)  # wrong: a value of another type
    SttConfig(sample_rate="16000")  # wrong: a value of another type
    config.model = "stt-rt-v6"  # wrong: it is immutable


def agent(client: SonioxClient, conversation: Conversation) -> None:
    def number(text: str, conversation: Conversation) -> int:
        return 5

    client.realtime.converse(b"", number, None, voice="Emma")  # wrong: a reply is text
    client.realtime.converse(b"", lambda text: text, None)  # wrong: reply takes two arguments
    client.realtime.converse(b"", lambda text, _: text, 5)  # wrong: not a sink
    client.realtime.converse(
        b"",
        lambda text, _: text,
        None,
        duplex="both",  # wrong: no such choice
    )
    conversation.say(b"Hello")  # wrong: a text is a str
    conversation.set_voice(voise="Nina")  # wrong: a mistyped keyword
    conversation.on("silent")  # wrong: no such event
    conversation.on("dtmf", lambda key: key.upper())  # wrong: a key is an object
    for turn in conversation:
        print(turn.text)  # wrong: no such attribute
        turn.agent_text = ""  # wrong: it is immutable
