"""What is passed to a replaying sandbox and to its clients is used, or refused."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from soniox_sync import ConfigurationError, SlngClient, SonioxClient
from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import Client, start, text
from tests.sandbox.replay.lines import TTS, Trace, audio

MAKERS = ["client", "slng_client"]
Make = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Provide the path of an empty trace, of which nothing is in the environment."""
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps(Trace().lines[0]) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("form", ["str", "path", "relative", "link", "file"])
def test_a_trace_is_not_recorded_into_itself(
    path: Path, maker: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose trace is the file that is replayed, under any name, is refused."""
    monkeypatch.delenv("SONIOX_SYNC_TRACE", raising=False)
    (path.parent / "link").symlink_to(path)
    relative = os.path.relpath(path)
    with Sandbox(replay=path) as sandbox, path.open("a", encoding="utf-8") as file:
        same: dict[str, Any] = {
            "str": str(path),
            "path": path,
            "relative": relative,
            "link": path.parent / "link",
            "file": file,
        }
        with pytest.raises(ConfigurationError, match=r'trace: .*t\.jsonl is the .* trace=""'):
            getattr(sandbox, maker)(trace=same[form])


@pytest.mark.parametrize("maker", MAKERS)
def test_a_variable_that_was_left_is_refused(
    path: Path, maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SONIOX_SYNC_TRACE` of the recording is named, unless the client has another trace."""
    monkeypatch.setenv("SONIOX_SYNC_TRACE", str(path))
    with Sandbox(replay=path) as sandbox:
        make: Make = getattr(sandbox, maker)
        with pytest.raises(ConfigurationError, match=r"SONIOX_SYNC_TRACE: .*unset the variable"):
            make()
        make(trace="").close()
        make(trace=path.parent / "other.jsonl").close()


@pytest.mark.parametrize("used", ["other", "absent"])
def test_another_trace_may_be_recorded(
    path: Path, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replayed program may be traced into another file, and a replay of lines into any."""
    monkeypatch.setenv("SONIOX_SYNC_TRACE", str(path.parent / used))
    (path.parent / "other").touch()
    with Sandbox(replay=path) as sandbox:
        assert isinstance(sandbox.client(), SonioxClient)
    monkeypatch.setenv("SONIOX_SYNC_TRACE", str(path))
    with Sandbox(replay=Trace().lines) as sandbox, Sandbox(engines="tones") as other:
        assert isinstance(sandbox.client(), SonioxClient)
        assert isinstance(other.slng_client(), SlngClient)


@pytest.mark.parametrize("speed", [2.0, 1.0, None])
def test_a_speed_without_a_trace_is_refused(speed: Optional[float]) -> None:
    """`replay_speed` alone, which would have no effect, is an error that names both."""
    with pytest.raises(ConfigurationError, match="replay_speed needs replay="):
        Sandbox(engines="tones", replay_speed=speed)


@pytest.mark.parametrize("make", [SonioxClient, SlngClient])
def test_audio_without_a_trace_is_refused(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`trace_audio` alone is an error that names both; the environment may name the file."""
    monkeypatch.delenv("SONIOX_SYNC_TRACE", raising=False)
    with pytest.raises(ConfigurationError, match="trace_audio needs trace="):
        make("a-key", trace_audio=True)
    make("a-key", trace_audio=True, trace="").close()
    monkeypatch.setenv("SONIOX_SYNC_TRACE", str(tmp_path / "t.jsonl"))
    make("a-key", trace_audio=True).close()


ADVICE = "; record with trace_audio=True (--trace-audio on the command line) to keep the audio"
SILENT = f"2 pieces of it will be silence of the same length{ADVICE}"


def spoken(audio_format: str, over: str) -> Trace:
    """Return a trace of 300 bytes of speech in two pieces, without the bytes."""
    trace = Trace()
    pieces = [audio(bytes(100), keep=False), audio(bytes(200), keep=False)]
    if over == "http":
        body = {"json": {"audio_format": audio_format}}
        trace.exchange("POST", "/tts", body, pieces=(*pieces, audio(b"")))
        return trace
    config = start("s", audio_format=audio_format)
    socket = trace.socket(TTS).sent(config, text("s", "Hello."))
    for piece in pieces:
        socket.received({"stream_id": "s", "audio": piece})
    return trace


@pytest.mark.parametrize("over", ["http", "websocket"])
@pytest.mark.parametrize(
    ("audio_format", "note"),
    [
        ("wav", SILENT),
        ("pcm_s16le", SILENT),
        ("pcm_mulaw", SILENT),
        ("mp3", f"2 pieces of it will be 300 zero bytes, which are no mp3{ADVICE}"),
        ("opus", f"2 pieces of it will be 300 zero bytes, which are no opus{ADVICE}"),
    ],
)
def test_notes_say_what_takes_the_place_of_audio(audio_format: str, note: str, over: str) -> None:
    """Only what is silence is called so; a container that cannot be made up is named."""
    sandbox = spoken(audio_format, over).sandbox()
    assert sandbox.replay.notes == (f"replay does not contain the audio itself: {note}",)


@pytest.mark.parametrize(("audio_format", "silence"), [("pcm_mulaw", 0xFF), ("pcm_alaw", 0xD5)])
def test_silence_is_silent_in_companded_formats(audio_format: str, silence: int) -> None:
    """Zero bytes are the loudest noise in these; their silence is another byte."""
    with spoken(audio_format, "websocket").sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(start("s", audio_format=audio_format), text("s", "Hello."))
        assert base64.b64decode(client.receive()["audio"]) == bytes([silence]) * 100
