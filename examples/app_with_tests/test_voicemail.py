"""Tests of the voicemail without a key or a network: `python -m pytest examples/app_with_tests`.

The fixtures `soniox_client` and `soniox_sandbox` are part of the library; no set-up is needed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from voicemail import read_message, record_greeting

from soniox_sync import BadRequestError, SonioxClient
from soniox_sync.sandbox import Sandbox


def test_the_greeting_names_the_owner(soniox_client: SonioxClient, tmp_path: Path) -> None:
    """Transcribing the greeting returns its text."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")
    path = tmp_path / "greeting.wav"
    record_greeting(soniox_client, "Bruno", path)
    assert read_message(soniox_client, path) == (
        "Hello, you have reached Bruno. Please leave a message after the tone."
    )


def test_messages_are_transcribed(
    soniox_sandbox: Sandbox, soniox_client: SonioxClient, tmp_path: Path
) -> None:
    """A scripted sandbox recognises the words of the script, whatever the audio is."""
    record_greeting(soniox_client, "Bruno", tmp_path / "message.wav")
    soniox_sandbox.script("It is me. Call back!", ms_per_word=100)
    assert read_message(soniox_client, tmp_path / "message.wav") == "It is me. Call back!"


def test_no_incomplete_greeting_is_left_when_the_service_fails(
    soniox_sandbox: Sandbox, soniox_client: SonioxClient, tmp_path: Path
) -> None:
    """A failure in the middle is raised, and leaves no incomplete file."""
    soniox_sandbox.faults.error_frame("invalid_request", kind="tts", after_audio_ms=500)
    with pytest.raises(BadRequestError):
        record_greeting(soniox_client, "Bruno", tmp_path / "greeting.wav")
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_never_in_a_message(
    soniox_sandbox: Sandbox, soniox_client: SonioxClient, tmp_path: Path
) -> None:
    """The sandbox logs every message that it received, and none contains the key."""
    record_greeting(soniox_client, "Bruno", tmp_path / "greeting.wav")
    texts = [message["text"] for message in soniox_sandbox.log.messages() if "text" in message]
    assert "".join(texts).startswith("Hello, you have reached Bruno.")
    assert not any("api_key" in message for message in soniox_sandbox.log.messages())
