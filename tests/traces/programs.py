"""The programs whose traces are kept: what is set up at the sandbox, and what the client does.

A program returns what it got, as JSON. It gets the same from the replay of its trace.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable

from soniox_sync import RealtimeError, SlngClient, SonioxClient
from soniox_sync.protocol.tokens import Token
from soniox_sync.sandbox import NumberedRecognizer, Sandbox, Script, numbered_audio

# small: a second of audio is 8 KB, and 11 KB of a trace
RAW: dict[str, Any] = {"audio_format": "pcm_mulaw", "sample_rate": 8000, "num_channels": 1}
VOICE: dict[str, Any] = {
    "language": "en",
    "voice": "Adrian",
    "audio_format": "pcm_mulaw",
    "sample_rate": 8000,
}
# digital silence of mu-law
SILENCE = b"\xff"
# as long as the words of a script take
SPOKEN = SILENCE * 5600
CHUNK = 960

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A program with a trace. `limits` and `prepare` are of the sandbox of the recording."""

    run: Callable[[Any], Outcome]
    limits: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Sandbox], object] = bool
    gateway: bool = False

    def client(self, sandbox: Sandbox, **options: Any) -> Any:
        """Return the client that the program needs."""
        return (sandbox.slng_client if self.gateway else sandbox.client)(**options)


def script(words: str) -> Callable[[Sandbox], object]:
    """Return what makes a sandbox recognise these words, one every 120 ms."""
    return lambda sandbox: sandbox.script(Script(words, ms_per_word=120, final_lag_ms=120))


def said(tokens: Any) -> list[Any]:
    """Return the final tokens as JSON."""
    return [_token(token) for token in tokens if token.is_final]


def _token(token: Token) -> list[Any]:
    return [token.text, token.start_ms, token.end_ms, token.language, token.translation_status]


def heard(audio: bytes) -> list[Any]:
    """Return the size and digest of audio as JSON."""
    return [len(audio), hashlib.sha256(audio).hexdigest()]


def failure(error: RealtimeError) -> list[Any]:
    """Return what identifies an error as JSON."""
    return [type(error).__name__, error.status_code, error.error_type, error.request_id]


# -- transcription --------------------------------------------------------------------------------


def session(client: SonioxClient) -> Outcome:
    """Transcribe in one session."""
    with client.realtime.stt(**RAW) as stt:
        stt.send_stream(_chunks(SPOKEN), finish=True)
        transcript = stt.read()
    return {"text": transcript.final_text, "tokens": said(transcript.tokens)}


def _chunks(audio: bytes) -> Iterator[bytes]:
    for at in range(0, len(audio), CHUNK):
        yield audio[at : at + CHUNK]


def endpoints(client: SonioxClient) -> Outcome:
    """Wait for an endpoint, then finalize what was said after it."""
    kinds = []
    with client.realtime.stt(**RAW, enable_endpoint_detection=True) as stt:
        stt.send_audio(SPOKEN)
        while (event := stt.next_event(10)) is not None:
            kinds.append(event.kind)
            if event.kind == "endpoint" and kinds.count("endpoint") == 1:
                stt.send_audio(SPOKEN[:2400])
                stt.finalize()
            elif event.kind == "finalized":
                stt.end_audio()
        transcript = stt.transcript
    utterances = [each.text for each in transcript.utterances()]
    ends = [kind for kind in kinds if kind != "result"]
    return {"text": transcript.final_text, "ends": ends, "utterances": utterances}


def translation(client: SonioxClient) -> Outcome:
    """Transcribe and translate."""
    one_way = {"type": "one_way", "target_language": "es"}
    with client.realtime.stt(**RAW, translation=one_way) as stt:
        stt.send_stream(_chunks(SPOKEN), finish=True)
        transcript = stt.read()
    return {
        "text": transcript.final_text,
        "translated": transcript.final_translated_text,
        "tokens": said(transcript.tokens),
    }


def error_frame(client: SonioxClient) -> Outcome:
    """Get an error in the middle of a session."""
    stt = client.realtime.stt(**RAW)
    texts = []
    try:
        with stt:
            stt.send_stream(_chunks(SPOKEN))
            for event in stt:
                texts.append(event.final_text)
    except RealtimeError as error:
        return {"text": "".join(texts), "error": failure(error)}
    return {}


def recording(client: SonioxClient) -> Outcome:
    """Transcribe a recording whose connection is lost in the middle."""
    audio = numbered_audio(1, 6, sample_rate=8000)
    transcription = client.realtime.transcribe(
        audio, audio_format="pcm_s16le", sample_rate=8000, num_channels=1, pace=4.0
    )
    transcript = transcription.read(30)
    return {
        "text": transcript.final_text,
        "tokens": said(transcript.tokens),
        "sessions": sorted({token.session for token in transcript.tokens}),
    }


# -- speech ---------------------------------------------------------------------------------------


def stream(client: SonioxClient) -> Outcome:
    """Speak with timestamps."""
    with client.realtime.tts(**VOICE, return_timestamps=True) as tts:
        tts.send_text("Good ")
        tts.send_text("day.", end=True)
        return {"audio": heard(tts.read())}


def rolled(client: SonioxClient) -> Outcome:
    """Speak a text that comes slowly, so that each sentence is a stream."""
    first_spoken = threading.Event()

    def texts() -> Iterator[str]:
        yield "One. "
        first_spoken.wait(10)
        yield "Two."

    chunks = []
    try:
        with client.realtime.speak(texts(), **VOICE, max_quiet_sec=0.2) as speech:
            for chunk in speech:
                chunks.append(chunk)
                if sum(map(len, chunks)) >= ONE_SPOKEN:
                    first_spoken.set()
    finally:
        first_spoken.set()
    return {"audio": heard(b"".join(chunks))}


# audio of the first sentence, in bytes: 5 characters of 65 ms, and a pause
ONE_SPOKEN = 4000


def cancelled(client: SonioxClient) -> Outcome:
    """Cancel a stream after its first audio."""
    with client.realtime.tts.multi_stream() as connection:
        tts = connection.stream(**VOICE)
        tts.send_text("Never to be spoken in full.", end=True)
        first = next(iter(tts))
        tts.cancel()
        tts.wait(10)
        other = connection.stream(**VOICE)
        other.send_text("Yes.", end=True)
        return {"first": heard(first), "other": heard(other.read())}


def pool(client: SonioxClient) -> Outcome:
    """Speak with two streams of a pool at once, then with another."""
    with client.realtime.tts.pool(max_connections=2) as streams:
        one, two = streams.stream(**VOICE), streams.stream(**VOICE)
        two.send_text("Two.", end=True)
        one.send_text("One.", end=True)
        found = {"one": heard(one.read()), "two": heard(two.read())}
        three = streams.stream(**{**VOICE, "voice": "Nina"})
        three.send_text("Three.", end=True)
        return {**found, "three": heard(three.read())}


def threads(client: SonioxClient) -> Outcome:
    """Speak in four threads over a pool, which decides which connection carries whose stream."""
    with client.realtime.tts.pool(max_connections=2) as streams:
        streams.warm(2)

        def speak(number: int) -> list[Any]:
            with streams.stream(**VOICE, wait_sec=10) as tts:
                for piece in ("A", f"{number}."):
                    tts.send_text(piece)
                tts.finish()
                return heard(tts.read())

        with ThreadPoolExecutor(4) as workers:
            return {"audio": list(workers.map(speak, range(4)))}


# -- HTTP -----------------------------------------------------------------------------------------


def job(client: SonioxClient) -> Outcome:
    """Upload a file, transcribe it, and clean up."""
    file = client.files.upload(_wav(), filename="a.wav")
    job = client.stt.transcribe(file_id=file.id)
    client.stt.wait(job.id, interval_sec=0.05)
    transcript = client.stt.get_transcript(job.id)
    client.stt.destroy(job.id)
    return {"text": transcript.text, "left": [each.id for each in client.files.list_all()]}


def _wav() -> bytes:
    from soniox_sync.audio import wav_header

    pcm = bytes(4000)
    header = wav_header("pcm_s16le", sample_rate=8000, num_channels=1, data_bytes=len(pcm))
    return header + pcm


def temporary_key(client: SonioxClient) -> Outcome:
    """Create a temporary key, and look at the limits."""
    made = client.auth.create_temporary_api_key(usage_type="tts_rt", expires_in_seconds=60)
    limits = client.concurrency_limits.get().project.limits
    return {"expires": str(made.expires_at), "limits": str(limits)}


def generated(client: SonioxClient) -> Outcome:
    """Generate speech over HTTP."""
    audio = client.tts.generate(text="Hi.", voice="Adrian", sample_rate=8000)
    return {"audio": heard(audio), "header": audio[:4].decode("ascii")}


# -- through the gateway --------------------------------------------------------------------------


def gateway_speech(client: SlngClient) -> Outcome:
    """Speak through the gateway."""
    with client.realtime.tts(**VOICE) as tts:
        tts.send_text("Good day.", end=True)
        return {"audio": heard(tts.read())}


def gateway_session(client: SlngClient) -> Outcome:
    """Transcribe through the gateway, in its own messages."""
    with client.realtime.stt(model="rt-v3", **{**RAW, "audio_format": "pcm_s16le"}) as stt:
        stt.send_stream(_chunks(bytes(9600)), finish=True)
        return {"text": stt.read().final_text}


PROGRAMS: dict[str, Program] = {
    "session": Program(session, prepare=script("One two three. Four five.")),
    "endpoints": Program(endpoints, prepare=script("One two. Three four five.")),
    "translation": Program(translation, prepare=script("One two three. Four five.")),
    "error_frame": Program(
        error_frame,
        prepare=lambda sandbox: (
            script("One two three. Four five.")(sandbox),
            sandbox.faults.error_frame(after_audio_ms=480),
        ),
    ),
    "recording": Program(
        recording,
        prepare=lambda sandbox: (
            sandbox.hear_with(NumberedRecognizer()),
            sandbox.faults.drop(after_audio_ms=900),
        ),
    ),
    "stream": Program(stream, {"tts_pace": None}),
    "rolled": Program(rolled, {"tts_pace": None}),
    "cancelled": Program(cancelled, {"tts_pace": 2.0}),
    "pool": Program(pool, {"tts_pace": None}),
    "threads": Program(threads, {"tts_pace": None}),
    "job": Program(job, {"rest_job_sec": 0.2}, script("One two three.")),
    "temporary_key": Program(temporary_key),
    "generated": Program(generated, {"tts_pace": None}),
    "gateway_speech": Program(gateway_speech, {"tts_pace": None}, gateway=True),
    "gateway_session": Program(gateway_session, prepare=script("One two. Three."), gateway=True),
}
