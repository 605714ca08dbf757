"""Wrong arguments have one outcome at every public entry point, and one form of message.

`ENTRIES` is the table of configurations and HTTP calls; a new entry point is added there, or in the
table of its folder. Every option of an entry point is in its row, either with its kind or under
`others`, so that none is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import (
    ConfigurationError,
    FileSource,
    MicrophoneSource,
    SlngClient,
    SonioxClient,
)
from soniox_sync import config as configs
from soniox_sync.errors import InputTypeError
from soniox_sync.rest import TranscriptionConfig
from tests.arguments import (
    CONVERSATION,
    SAY,
    SPEECH,
    STREAM,
    TIMES,
    TRANSCRIPTION,
    Entry,
    check_complete,
    check_refusals,
    entry,
    made,
    options_of,
    unreachable_client,
)

JOB_FIELDS = {
    "language_hints": "list",
    "language_hints_strict": "bool",
    "enable_speaker_diarization": "bool",
    "enable_language_identification": "bool",
    "webhook_url": "name",
    "webhook_auth_header_name": "name",
    "webhook_auth_header_value": "name",
    "extra": "extra",
}

IN_TRANSLATION = {"extra": r"translation\.extra"}

ENTRIES: list[Entry] = [
    made(
        configs.SttSessionOptions,
        {
            **TIMES,
            "finish_timeout_sec": "seconds",
            "max_buffered_events": "int",
            "api_key": "secret",
        },
    ),
    made(configs.TtsConnectionOptions, TIMES),
    made(configs.ConversationOptions, CONVERSATION),
    made(configs.SttConfig, TRANSCRIPTION, others=("context", "translation")),
    made(configs.TtsStreamInput, STREAM),
    made(configs.TtsStreamConfig, STREAM, needs={**SAY, "model": "m", "stream_id": "s"}),
    made(
        configs.OneWayTranslation,
        {"target_language": "name", "extra": "extra"},
        needs={"target_language": "es"},
        shown_as=IN_TRANSLATION,
    ),
    made(
        configs.TwoWayTranslation,
        {"language_a": "name", "language_b": "name", "extra": "extra"},
        needs={"language_a": "en", "language_b": "es"},
        shown_as=IN_TRANSLATION,
    ),
    made(configs.ContextEntry, {"key": "str", "value": "str"}, needs={"key": "k", "value": "v"}),
    made(
        configs.TranslationTerm,
        {"source": "str", "target": "str"},
        needs={"source": "a", "target": "b"},
    ),
    made(
        configs.ConnectionConfig,
        {
            "region": "str",
            "base_domain": "str",
            "api_url": "str",
            "stt_ws_url": "str",
            "tts_api_url": "str",
            "tts_ws_url": "str",
            "stt_defaults": "mapping",
            "tts_defaults": "mapping",
        },
        others=("api_key",),
    ),
    made(configs.ConfigContext, {"usage": "choice"}),
    made(TranscriptionConfig, JOB_FIELDS, others=("context", "translation")),
]

# -- HTTP -----------------------------------------------------------------------------------------

PAGE = {"limit": "int", "cursor": "str"}
FILTERS = {
    "model": "name",
    "gender": "name",
    "age": "name",
    "accent": "name",
    "use_case": "list",
    "style": "list",
}
UPLOAD = {"filename": "str", "on_progress": "callable", "cancel": "cancel"}
REQUEST = {"model": "name", "client_reference_id": "str", "cancel": "cancel"}
URL = {"audio_url": "name", "file_id": "name", **REQUEST, **JOB_FIELDS}
TRANSCRIBE = {**URL, "on_upload_progress": "callable"}
WAIT = {
    "delete_after": "bool",
    "wait_interval_sec": "seconds",
    "wait_timeout_sec": "limit",
    "on_progress": "callable",
}
SOURCE = {"audio_url": "https://example.com/a.mp3"}
# only one source may be passed, or an error would be about having two
NO_FILE = {name: kind for name, kind in TRANSCRIBE.items() if name != "file_id"}
STRUCTURED = ("config", "context", "translation", "file", "filename", "file_id")
WINDOW = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-02T00:00:00Z"}
TIMES_OF_DAY = {"start_time": "time", "end_time": "time"}
WEBHOOK = {"secret": "secret", "header": "name", "allow_unsigned": "bool"}


def rest_entries() -> Iterator[Entry]:
    """Yield the entry points of the HTTP namespaces."""
    speech = {**SPEECH, "extra": "extra", "text": "name", "cancel": "cancel"}
    say = {"text": "Hi.", "voice": "Adrian"}
    yield entry(
        "request",
        {
            "method": "choice",
            "path": "name",
            "params": "mapping",
            "headers": "mapping",
            "service": "choice",
            "timeout_sec": "seconds",
            "cancel": "cancel",
        },
        needs={"method": "GET", "path": "/files"},
        others=("json", "data"),  # see tests/rest/test_request.py
    )
    yield entry("tts.generate", speech, needs=say)
    yield entry("tts.generate_stream", speech, needs=say)
    yield entry(
        "tts.generate_to_file", {**speech, "output": "output"}, needs={**say, "output": "x.wav"}
    )
    yield from list_entries()
    yield from account_entries()
    yield from stt_entries()


def list_entries() -> Iterator[Entry]:
    """Yield the entry points of the collections: files, voices, jobs."""
    for name in ("get", "get_or_none", "delete", "delete_if_exists"):
        yield entry(f"files.{name}", {"file_id": "name"})
        yield entry(f"voices.{name}", {"voice_id": "name"})
        yield entry(f"stt.{name}", {"transcription_id": "name"})
    for space in ("files", "voices", "stt"):
        yield entry(f"{space}.list", PAGE)
        yield entry(f"{space}.list_all", {"limit": "int"})
    for path in ("files.delete_all", "voices.delete_all", "stt.delete_all", "stt.destroy_all"):
        yield entry(path, {"limit": "int"})
    yield entry(
        "files.upload",
        {**UPLOAD, "client_reference_id": "str"},
        needs={"file": b"x"},
        others=("file",),
    )
    yield entry(
        "voices.create",
        {**UPLOAD, "name": "name"},
        needs={"file": b"x", "name": "n"},
        others=("file",),
    )
    yield entry("voices.recompute", {"voice_id": "name", "model": "name"}, needs={"voice_id": "v"})
    yield entry("voices.list_shared", {**FILTERS, **PAGE}, needs={"model": "m"})
    yield entry("voices.list_all_shared", {**FILTERS, "limit": "int"}, needs={"model": "m"})


def account_entries() -> Iterator[Entry]:
    """Yield the entry points of keys, usage and webhooks."""
    yield entry(
        "auth.create_temporary_api_key",
        {
            "usage_type": "choice",
            "expires_in_seconds": "int",
            "client_reference_id": "str",
            "single_use": "bool",
            "max_session_duration_seconds": "int",
        },
    )
    yield entry("usage.summary", TIMES_OF_DAY, needs=WINDOW)
    yield entry("usage_logs.list", {**TIMES_OF_DAY, **PAGE, "sort": "choice"}, needs=WINDOW)
    yield entry(
        "usage_logs.list_all", {**TIMES_OF_DAY, "limit": "int", "sort": "choice"}, needs=WINDOW
    )
    yield entry(
        "concurrency_limits.history",
        {**TIMES_OF_DAY, "period_sec": "int", "kind": "choice"},
        needs={**WINDOW, "period_sec": 60, "kind": "stt"},
    )
    yield entry(
        "webhooks.verify", WEBHOOK, needs={"headers": {}, "secret": "s"}, others=("headers",)
    )
    yield entry(
        "webhooks.unwrap",
        WEBHOOK,
        needs={"headers": {}, "body": b"", "secret": "s"},
        others=("headers", "body"),
    )
    yield entry(
        "webhooks.fields", {"url": "name", "secret": "secret", "header": "name"}, needs={"url": "u"}
    )


def stt_entries() -> Iterator[Entry]:
    """Yield the entry points of `client.stt` that make or watch jobs."""
    create = {name: kind for name, kind in URL.items() if name != "file_id"}
    structured = ("config", "context", "translation")
    yield entry("stt.create", create, needs=SOURCE, others=(*structured, "file_id"))
    yield entry("stt.create", {"file_id": "name"}, others=(*structured, *create))
    yield entry(
        "stt.wait",
        {
            "transcription_id": "name",
            "interval_sec": "seconds",
            "timeout_sec": "limit",
            "on_progress": "callable",
            "cancel": "cancel",
        },
        needs={"transcription_id": "j1"},
    )
    yield entry("stt.get_transcript", {"transcription_id": "name"})
    yield entry("stt.destroy", {"transcription_id": "name"})
    yield entry("stt.transcribe", NO_FILE, needs=SOURCE, others=STRUCTURED)
    for name in ("transcribe_and_wait", "transcribe_and_wait_with_tokens"):
        yield entry(f"stt.{name}", {**NO_FILE, **WAIT}, needs=SOURCE, others=STRUCTURED)
    webhook = {name: kind for name, kind in NO_FILE.items() if not name.startswith("webhook_auth")}
    del webhook["audio_url"]
    yield entry(
        "stt.transcribe_file_with_webhook",
        {**webhook, "filename": "str"},
        needs={"file": b"x", "webhook_url": "https://example.com/hook"},
        others=(*STRUCTURED, "webhook_auth"),
    )
    languages = {"to": "name", "source": "name"}
    to = {**SOURCE, "to": "es"}
    yield entry(
        "stt.translate", {**NO_FILE, **languages}, needs=to, others=("between", *STRUCTURED)
    )
    for name in ("translate_and_wait", "translate_and_wait_with_tokens"):
        yield entry(
            f"stt.{name}",
            {**NO_FILE, **WAIT, **languages},
            needs=to,
            others=("between", *STRUCTURED),
        )


ENTRIES += rest_entries()


@pytest.fixture(scope="module")
def client() -> Iterator[SonioxClient]:
    """Provide a client whose requests would fail."""
    with unreachable_client() as made_client:
        yield made_client


@pytest.mark.parametrize(("where", "name"), options_of(ENTRIES))
def test_wrong_arguments_are_refused(client: SonioxClient, where: Entry, name: str) -> None:
    """A wrong type is an `InputTypeError`, a wrong value another `ConfigurationError`, by name."""
    check_refusals(client, where, name)


@pytest.mark.parametrize("where", ENTRIES, ids=lambda each: each.name)
def test_no_option_is_forgotten(client: SonioxClient, where: Entry) -> None:
    """Every parameter of an entry point has its row in the table."""
    check_complete(client, where)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda client: client.tts.generate("Hi."), "text"),
        (lambda client: client.tts.generate_stream("Hi.", voice="Emma"), "text"),
        (lambda client: client.tts.generate_to_file("x.wav", "Hi."), "text"),
        (lambda client: client.stt.create("id"), "file_id"),
        (lambda client: client.stt.transcribe("a.wav"), "file"),
        (lambda client: client.stt.transcribe_and_wait("a.wav", delete_after=True), "file"),
        (lambda client: client.stt.transcribe_and_wait_with_tokens("a.wav"), "file"),
        (lambda client: client.stt.transcribe_file_with_webhook("a.wav"), "file"),
        (lambda client: client.stt.translate("a.wav", to="es"), "file"),
        (lambda client: client.stt.translate_and_wait("a.wav", to="es"), "file"),
        (lambda client: client.stt.translate_and_wait_with_tokens("a.wav", to="es"), "file"),
    ],
)
def test_a_positional_argument_is_answered_with_its_keyword(
    client: SonioxClient, call: Callable[[Any], Any], name: str
) -> None:
    """Calls that accept only keywords name the one that was probably meant."""
    message = f"^{name}: expected a keyword, got a positional str; write {name}=...$"
    with pytest.raises(InputTypeError, match=message):
        call(client)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda client: client.tts.generate(text="Hi.", voise="Emma"),
            "speech has no field 'voise'; did you mean 'voice'?",
        ),
        (
            lambda client: client.tts.generate(text="Hi.", voice="Emma", return_timestamps=True),
            "speech has no field 'return_timestamps'",
        ),
        (
            lambda client: client.stt.transcribe(file="a.wav", language_hint=["en"]),
            "a transcription has no field 'language_hint'; did you mean 'language_hints'?",
        ),
        (
            lambda client: client.stt.transcribe(file="a.wav", wait_timeout_sec=1),
            "a transcription has no field 'wait_timeout_sec'",
        ),
        (
            lambda client: client.stt.transcribe_file_with_webhook(file="a.wav"),
            "webhook_url: expected a str, got None",
        ),
        (lambda client: client.tts.generate(voice="Emma"), "speech needs text: pass text=..."),
        (lambda client: client.tts.generate(text="Hi."), "speech needs voice: pass voice=..."),
        (
            lambda client: client.tts.generate_to_file("a.wav"),
            "speech needs text, voice: pass text=... and voice=...",
        ),
        (
            lambda client: client.realtime.speak("Hi."),
            "speech needs voice: pass voice=... here or in tts_defaults",
        ),
        (
            lambda client: client.realtime.speak("Hi.", timestamp=True),
            "speak() has no field 'timestamp'; did you mean 'timestamps'? A field",
        ),
        (
            lambda client: client.realtime.stt(option={}),
            "stt() has no field 'option'; did you mean 'options'?",
        ),
        (
            lambda client: client.realtime.record(sources=[]),
            "record() has no field 'sources'; did you mean 'source'?",
        ),
        (
            lambda client: client.realtime.record(sesion_config={}),
            "record() has no field 'sesion_config'; did you mean 'session_config'?",
        ),
        (
            lambda client: client.realtime.transcribe("a.wav", language_hint=["en"]),
            "transcribe() has no field 'language_hint'; did you mean 'language_hints'? A",
        ),
        (
            lambda client: client.realtime.tts(voise="Emma"),
            "speech has no field 'voise'; did you mean 'voice'? A",
        ),
    ],
)
def test_an_unknown_or_missing_keyword_is_named(
    client: SonioxClient, call: Callable[[Any], Any], message: str
) -> None:
    """A mistyped keyword is answered with the nearest one, a missing one by its name."""
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        call(client)


def test_messages_stay_short_and_can_be_made() -> None:
    """A long value is cut in the message; a number too long to be printed is described."""
    with pytest.raises(ConfigurationError, match=r"^region: expected .*, got 'x{56}\.\.\.; for "):
        configs.resolve_connection_config({"region": "x" * 100}, environ={})
    with pytest.raises(ConfigurationError, match=r"from 500 to 3000 ms, got a huge int$"):
        configs.SttConfig(max_endpoint_delay_ms=10**5000)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SonioxClient("a-key", regoin="eu"),  # type: ignore[call-arg]
            "SonioxClient has no field 'regoin'; did you mean 'region'?",
        ),
        (
            lambda: SonioxClient("a-key", ws_base_url="wss://x"),  # type: ignore[call-arg]
            "SonioxClient has no field 'ws_base_url'; here it is 'stt_ws_url'",
        ),
        (
            lambda: SlngClient("a-key", wold_part="eu"),  # type: ignore[call-arg]
            "SlngClient has no field 'wold_part'; did you mean 'world_part'?",
        ),
        (
            lambda: FileSource("a.wav", chunk=20),  # type: ignore[call-arg]
            "FileSource has no field 'chunk'; did you mean 'chunk_ms'?",
        ),
        (
            lambda: MicrophoneSource(rate=8000),  # type: ignore[call-arg]
            "MicrophoneSource has no field 'rate'; did you mean 'sample_rate'?",
        ),
    ],
)
def test_constructors_suggest_the_nearest_keyword(make: Callable[[], Any], message: str) -> None:
    """A mistyped keyword of a client or source is answered with the nearest one."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


def test_other_wrong_calls_raise_python_s_own_errors() -> None:
    """Too many arguments, or a wrong type, are not mistaken for a wrong keyword."""
    with pytest.raises(TypeError, match="positional"):
        SonioxClient("a-key", "another")  # type: ignore[misc]
    with pytest.raises(InputTypeError, match="region: expected a str"):
        SonioxClient("a-key", region=5)  # type: ignore[arg-type]
