"""Traces of what users call: recordings, speech and pools, across their reconnects and threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.runtime.trace.lines import lines_of, of_kind, said
from tests.waiting import WAIT, eventually

SAID = "Hello there my friend. How are you? I am fine, thank you very much indeed."
SPEECH: dict[str, Any] = {
    "voice": "Adrian",
    "language": "en",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
}
PCM = bytes(16000 * 2 * 4)
RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a sandbox that speaks tones and recognises a script."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as sandbox:
        sandbox.script(SAID, ms_per_word=200, final_lag_ms=200)
        yield sandbox


def connections(lines: list[dict[str, Any]]) -> dict[int, list[str]]:
    """Return the kinds of the lines of each connection, in order."""
    found: dict[int, list[str]] = {}
    for line in lines:
        if "connection" in line:
            found.setdefault(line["connection"], []).append(line["kind"])
    return found


def ended(path: Path, count: int) -> list[dict[str, Any]]:
    """Wait until `count` connections have ended, and return the lines of the trace.

    A speech or a recording is over before the reader of its connection has recorded the end.
    """
    eventually(lambda: len(of_kind(lines_of(path), "end")) == count)
    return lines_of(path)


def test_a_recording_that_reconnects(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each connection of a recording is traced from connect to end; the transcript is in it."""
    sandbox.faults.drop(kind="stt", after_audio_ms=2000)
    path = tmp_path / "trace.jsonl"
    with sandbox.client(trace=path) as client:
        transcript = client.realtime.transcribe(
            PCM, **RAW, reconnect_base_delay_sec=0.0, pace=False, catch_up_speed=None
        ).read()
    lines = ended(path, 2)
    kinds = connections(lines)
    assert len(kinds) == 2
    assert all(each[:2] == ["connect", "open"] and each[-1] == "end" for each in kinds.values())
    first, second = of_kind(lines, "end")
    assert first["error"] is not None and second["error"] is None
    results = said(lines, "received")
    words = {token["text"].strip() for result in results for token in result["tokens"]}
    # the transcript may have a space more where the second session begins
    assert transcript.text and {token.text.strip() for token in transcript.tokens} <= words
    assert sandbox.api_key not in path.read_text()


def test_speech_over_several_streams(sandbox: Sandbox, tmp_path: Path) -> None:
    """`speak()` is traced with the id of each stream, its text and the length of its audio."""
    path = tmp_path / "trace.jsonl"
    with sandbox.client(trace=path) as client:
        audio = client.realtime.speak("Hello there. How are you?", **SPEECH).read()
    lines = lines_of(path)
    streams = {line["stream"] for line in of_kind(lines, "message") if "stream" in line}
    assert streams
    texts = [line["json"].get("text", "") for line in of_kind(lines, "message")]
    assert "Hello there." in "".join(texts)
    received = [
        message["audio"]["bytes"] for message in said(lines, "received") if message.get("audio")
    ]
    assert sum(received) == len(audio)


def test_speech_that_reconnects(sandbox: Sandbox, tmp_path: Path) -> None:
    """A lost connection of `speak()` and the one that replaces it are both traced."""
    sandbox.faults.drop(kind="tts", after_frames_in=2)
    sandbox.faults.delay(0.3, kind="tts")  # the connection is to be lost before any audio
    path = tmp_path / "trace.jsonl"
    with sandbox.client(trace=path) as client:
        assert client.realtime.speak("Hello there.", **SPEECH).read()
    ends = of_kind(ended(path, 2), "end")
    assert len(ends) == 2 and ends[0]["error"] is not None


def test_a_pool_of_several_threads(sandbox: Sandbox, tmp_path: Path) -> None:
    """Streams of a pool are traced on their connections, each in order, in whole lines."""
    path = tmp_path / "trace.jsonl"
    with sandbox.client(trace=path, trace_audio=True) as client:
        with client.realtime.tts.pool(max_connections=2, max_streams=6) as pool:
            # all six at once: the first connection has room for five
            together = threading.Barrier(6, timeout=WAIT)

            def speak() -> None:
                with pool.stream(**SPEECH) as stream:
                    together.wait()
                    stream.send_text("Hello.", end=True)
                    for _ in stream:
                        pass

            threads = [threading.Thread(target=speak) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    lines = ended(path, 2)
    kinds = connections(lines)
    assert len(kinds) == 2 and all(each[-1] == "end" for each in kinds.values())
    by_stream: dict[str, list[dict[str, Any]]] = {}
    for line in of_kind(lines, "message"):
        if "stream" in line:
            by_stream.setdefault(line["stream"], []).append(line)
    assert len(by_stream) == 6
    for each in by_stream.values():
        assert len({line["connection"] for line in each}) == 1
        assert "voice" in each[0]["json"] and each[-1]["json"].get("terminated") is True
    clocks = [line["clock"] for line in lines]
    assert clocks == sorted(clocks)


def test_the_gateway_is_traced(sandbox: Sandbox, tmp_path: Path) -> None:
    """A gateway's messages are traced in its own words, without its key."""
    path = tmp_path / "trace.jsonl"
    with sandbox.slng_client(trace=path, region=None) as client:
        audio = client.realtime.speak("Hello.", **SPEECH).read()
    lines = lines_of(path)
    (connect,) = of_kind(lines, "connect")
    assert "/v1/tts/soniox/" in connect["url"]
    assert connect["headers"]["Authorization"] == "Bearer ***"
    assert audio and sandbox.api_key not in path.read_text()
    assert '"audio":"' not in path.read_text().replace('"audio":""', "")
