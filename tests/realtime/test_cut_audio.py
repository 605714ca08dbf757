"""Truncated speech never looks complete: `read()` and `save()` after a cancel."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import AbortError
from soniox_sync.sandbox import Sandbox
from tests.peers import RawPeer
from tests.realtime.servers import audio, begin, connected_tts, terminated
from tests.waiting import WAIT, Task

TEXT = "One sentence. Another sentence. A third sentence, which is a little longer. The end."


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_save_of_a_cancelled_stream_keeps_the_old_file(
    raw_peer: RawPeer, tmp_path: Path, how: str
) -> None:
    """If another thread cancels during `save()`, it raises, and the old file stays."""
    path = tmp_path / "good.pcm"
    path.write_bytes(b"good")
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"1"))
        saving = Task(lambda: stream.save(path))
        ending = Task(getattr(stream, how))
        remote.recv_message()
        remote.send(terminated("s1"))
        with pytest.raises(AbortError):
            saving.result()
        ending.result()
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_read_of_a_cancelled_stream_raises(raw_peer: RawPeer) -> None:
    """After a cancel `read()` raises; iteration ends normally."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        reading = Task(lambda: stream.read(WAIT))
        stream.cancel()
        remote.recv_message()
        remote.send(terminated("s1"))
        with pytest.raises(AbortError):
            reading.result()
        assert list(stream) == []


@pytest.mark.parametrize("way", ["read", "save"])
def test_a_cancelled_speech_raises(tmp_path: Path, way: str) -> None:
    """If `speak()` is cancelled in the middle, `read()` and `save()` raise."""
    path = tmp_path / "good.wav"
    path.write_bytes(b"good")
    with Sandbox(engines="tones") as sandbox:
        with sandbox.client().realtime.speak(TEXT, voice="Adrian") as speech:
            chunks = iter(speech)
            next(chunks)
            speech.cancel()
            with pytest.raises(AbortError):
                speech.read() if way == "read" else speech.save(path)
            del chunks
    assert path.read_bytes() == b"good"


@pytest.mark.parametrize("what", ["stream", "speech", "rest"])
def test_a_wav_in_memory_has_the_actual_lengths(what: str) -> None:
    """The header of a WAV contains its actual length, whichever call returned it."""
    with Sandbox(engines="tones") as sandbox:
        client = sandbox.client()
        fields: Any = {"voice": "Adrian", "language": "en", "audio_format": "wav"}
        if what == "rest":
            data = client.tts.generate(text=TEXT, **fields)
        elif what == "speech":
            data = client.realtime.speak(TEXT, **fields).read()
        else:
            with client.realtime.tts(**fields) as stream:
                stream.send_text(TEXT, end=True)
                data = stream.read()
    with wave.open(io.BytesIO(data)) as file:
        frames = file.getnframes()
        assert len(file.readframes(frames)) == frames * 2
    assert len(data) == frames * 2 + 44
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
