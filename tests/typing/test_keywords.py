"""The keywords declared for editors and type checkers are those that the calls accept."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from soniox_sync import SlngClient, SonioxClient
from soniox_sync.config import (
    ConversationOptions,
    SttConfig,
    TtsConnectionOptions,
    TtsStreamConfig,
    TtsStreamInput,
    keywords,
)
from soniox_sync.config.patience import Patience
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.rest import TranscriptionConfig
from soniox_sync.rest import keywords as of_http
from soniox_sync.rest.stt.api import SttApi
from soniox_sync.rest.stt.jobs import Waiting
from soniox_sync.rest.tts import TtsApi
from soniox_sync.sandbox import Limits, Script
from soniox_sync.sandbox import keywords as of_the_sandbox
from soniox_sync.sandbox.faults import KEYWORDS
from soniox_sync.transcript.captions import CaptionOptions
from soniox_sync.transcript.keywords import CaptionKeywords

# Keywords that differ from their field: `None` means a default that the field does not have, or
# the keyword is in the signatures because its default depends on the call.
_MODEL = {"model": "Optional[str]"}
_STT = {**_MODEL, "audio_format": "Optional[str]"}
_RECORDING = {**_STT, "buffer_queue_size": "Optional[int]", "auto_reconnect": None}
_SPOKEN = {
    "text": "str",
    "cancel": "Optional[CancelToken]",
    "stream_id": None,
    "return_timestamps": None,
}
_OF_SINK = dict.fromkeys(
    ("audio_format", "sample_rate", "bitrate", "return_timestamps", "stream_id")
)
_CHOICES = {
    "duplex": "Optional[Literal['full', 'half']]",
    "turn_end": "Literal['endpoint', 'manual']",
}
_JOB = {
    "model": "str",
    "client_reference_id": "Optional[str]",
    "config": "ConfigLike",
    "cancel": "Optional[CancelToken]",
}
_AUDIO = dict.fromkeys(("file_id", "audio_url"), "Optional[str]")
_UPLOAD = {
    "file": "Optional[Upload]",
    "filename": "Optional[str]",
    "on_upload_progress": "Optional[OnProgress]",
}
_CREATE = {**_JOB, **_AUDIO}
_HOOK = dict.fromkeys(("webhook_auth_header_name", "webhook_auth_header_value"))
_CALLED = {**_UPLOAD, "file": "Upload", "webhook_url": "str", "webhook_auth": "WebhookAuth"}
CASES = [
    (keywords.SttKeywords, [SttConfig], _STT),
    (keywords.PatienceKeywords, [Patience], {}),
    (keywords.RecordingKeywords, [SttConfig, Patience, RecordingOptions], _RECORDING),
    (keywords.TtsKeywords, [TtsStreamInput], _MODEL),
    (keywords.TtsConnectionKeywords, [TtsConnectionOptions], {}),
    (keywords.StreamKeywords, [TtsStreamInput, TtsConnectionOptions], _MODEL),
    (
        keywords.SpeechKeywords,
        [TtsStreamInput, TtsConnectionOptions, Patience],
        _MODEL,
    ),
    (keywords.VoiceKeywords, [TtsStreamInput], {**_MODEL, **_OF_SINK}),
    (keywords.ConversationOptionKeywords, [ConversationOptions], _CHOICES),
    (
        keywords.ConversationKeywords,
        [TtsStreamInput, TtsConnectionOptions, Patience, ConversationOptions],
        {**_MODEL, **_CHOICES, "max_quiet_sec": "float", "timestamps": "bool"},
    ),
    (keywords.PooledSpeechKeywords, [TtsStreamInput, Patience], _MODEL),
    (of_http.CreateKeywords, [TranscriptionConfig], _CREATE),
    (of_http.TranscribeKeywords, [TranscriptionConfig], {**_CREATE, **_UPLOAD}),
    (
        of_http.TranscribeAndWaitKeywords,
        [TranscriptionConfig, Waiting],
        {**_CREATE, **_UPLOAD},
    ),
    (of_http.WebhookKeywords, [TranscriptionConfig], {**_JOB, **_HOOK, **_CALLED}),
    (of_http.GenerateKeywords, [TtsStreamConfig], _SPOKEN),
    (CaptionKeywords, [CaptionOptions], {}),
    (of_the_sandbox.LimitsKeywords, [Limits], {}),
]


def annotated(cls: type) -> dict[str, str]:
    """Return each field's annotation as written."""
    written = cls.__annotations__.items()
    return {name: getattr(kind, "__forward_arg__", kind) for name, kind in written}


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (TtsApi.generate, of_http.GenerateKeywords),
        (TtsApi.generate_stream, of_http.GenerateKeywords),
        (TtsApi.generate_to_file, of_http.GenerateKeywords),
        (SttApi.create, of_http.CreateKeywords),
        (SttApi.transcribe, of_http.TranscribeKeywords),
    ],
)
def test_help_names_every_keyword(call: Any, shown: Any) -> None:
    """The docstring lists exactly the keywords, each with its default or as required."""
    listed = re.findall(r"`(\w+)`(?: \(|, required)", call.__doc__)
    assert sorted(listed) == sorted(shown.__annotations__)


@pytest.mark.parametrize(("shown", "classes", "other"), CASES)
def test_keywords_are_the_fields(shown: Any, classes: list[type], other: dict[str, Any]) -> None:
    """Names and types are those of the fields."""
    fields: dict[str, Any] = {}
    for cls in classes:
        fields.update(annotated(cls))
    expected = {name: kind for name, kind in {**fields, **other}.items() if kind is not None}
    assert annotated(shown) == expected


@pytest.mark.parametrize(
    ("shown", "cls", "left_out"),
    [
        (of_the_sandbox.ClientKeywords, SonioxClient, ()),
        (of_the_sandbox.SlngClientKeywords, SlngClient, ()),
        (of_the_sandbox.ScriptKeywords, Script, ("words",)),
    ],
)
def test_keywords_are_the_parameters(shown: Any, cls: Any, left_out: tuple[str, ...]) -> None:
    """Names and types are those of the constructor's parameters."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    expected = {each.name: each.annotation for each in parameters if each.name not in left_out}
    assert annotated(shown) == expected


def test_keywords_of_a_fault_are_those_it_accepts() -> None:
    """Faults check their keywords one by one; the names are the same."""
    assert sorted(annotated(of_the_sandbox.FaultKeywords)) == sorted(KEYWORDS)
