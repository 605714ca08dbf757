"""Tests of the voicemail without a key or a network: `python -m pytest examples/app_with_tests`.

`soniox_client` and `soniox_sandbox` come with the library; nothing has to be set up.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from voicemail import read_message, record_greeting

from soniox_sync import BadRequestError, SonioxClient
from soniox_sync.sandbox import Sandbox


def test_the_greeting_names_the_owner(soniox_client: SonioxClient, tmp_path: Path) -> None:
    """The greeting, heard again, is what was to be said."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")
    path = tmp_path / "greeting.wav"
    record_greeting(soniox_client, "Bruno", path)
    assert read_message(soniox_client, path) == (
        "Hello, you have reached Bruno. Please leave a message after the tone."
    )


def test_what_callers_say_is_read(
    soniox_sandbox: Sandbox, soniox_client: SonioxClient, tmp_path: Path
) -> None:
    """A scripted sandbox hears what the test wants, whatever the audio."""
    record_greeting(soniox_client, "Bruno", tmp_path / "message.wav")
    soniox_sandbox.script("It is me. Call back!", ms_per_word=100)
    assert read_message(soniox_client, tmp_path / "message.wav") == "It is me. Call back!"


def test_no_half_greeting_is_left_when_the_service_fails(
    soniox_sandbox: Sandbox, soniox_client: SonioxClient, tmp_path: Path
) -> None:
    """A failure in the middle reaches the caller, and no file pretends to be whole."""
    soniox_sandbox.faults.error_frame("invalid_request", kind="tts", after_audio_ms=500)
    with pytest.raises(BadRequestError):
        record_greeting(soniox_client, "Bruno", tmp_path / "greeting.wav")
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_never_in_what_was_sent(
    soniox_sandbox: Sandbox, soniox_client: SonioxClient, tmp_path: Path
) -> None:
    """The sandbox logs everything it received: two texts, and an end."""
    record_greeting(soniox_client, "Bruno", tmp_path / "greeting.wav")
    texts = [message["text"] for message in soniox_sandbox.log.messages() if "text" in message]
    assert "".join(texts).startswith("Hello, you have reached Bruno.")
    assert not any("api_key" in message for message in soniox_sandbox.log.messages())
