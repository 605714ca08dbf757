"""The life cycle of a sandbox, its addresses, log, scripts, engines, and the pytest plugin."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any, Callable

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError, StateError
from soniox_sync.sandbox import Engines, Limits, NumberedRecognizer, Sandbox, Script, numbered_audio
from soniox_sync.sandbox.engines.scripted import ScriptedRecognizer
from soniox_sync.sandbox.engines.tones import ToneSynthesizer
from tests.sandbox.client import (
    PATIENCE,
    Client,
    final_text,
    raw_socket,
    silence,
    start,
    stt,
    text,
    tts,
    upgrade_bytes,
)

MakeSandbox = Callable[..., Sandbox]


def sandbox_threads() -> list[str]:
    """Return the names of the threads of all sandboxes."""
    return [t.name for t in threading.enumerate() if t.name.startswith("soniox-sandbox")]


def test_nothing_starts_before_start() -> None:
    """A sandbox that was not started has no thread and no port."""
    sandbox = Sandbox(engines="tones")
    assert sandbox_threads() == []
    sandbox.close()


@pytest.mark.parametrize("was_started", [True, False])
def test_a_closed_sandbox_does_not_start(was_started: bool) -> None:
    """Starting after `close()` is refused; the addresses of a started one stay known."""
    sandbox = Sandbox(engines="tones")
    urls = sandbox.start().urls if was_started else None
    sandbox.close()
    for begin in (sandbox.start, sandbox.__enter__):
        with pytest.raises(StateError, match="closed: make a new one"):
            begin()
    if was_started:
        assert sandbox.urls == urls
    else:
        with pytest.raises(StateError, match="closed: make a new one"):
            sandbox.client()
    assert sandbox_threads() == []


def test_close_is_idempotent_and_ends_everything() -> None:
    """Closing in the middle of all kinds of work leaves no thread; closing again does nothing."""
    sandbox = Sandbox(engines="tones", limits={"tts_pace": 1}).start()
    clients = [stt(sandbox), tts(sandbox)]
    clients[0].send(silence(500))
    clients[1].send(start("s"), text("s", "A long story. " * 20))
    clients[1].receive()
    sandbox.faults.half_open(kind="tts")
    frozen = raw_socket(sandbox)
    frozen.sendall(upgrade_bytes("/tts-websocket"))
    idle = raw_socket(sandbox)
    assert sandbox.log.wait_for(lambda entry: entry.connection == 3, timeout_sec=PATIENCE)
    sandbox.close()
    sandbox.close()
    assert sandbox_threads() == []
    for client in clients:
        client.receive_all()
        assert client.close_code == 1006
        client.__exit__()
    frozen.close()
    idle.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.com", ""])
def test_only_loopback_is_served(host: str) -> None:
    """A host other than loopback is refused."""
    with pytest.raises(ConfigurationError):
        Sandbox(host=host)


def test_urls_are_those_of_one_port(sandbox: Sandbox) -> None:
    """All URLs share host and port, and have the documented paths."""
    base = f"127.0.0.1:{sandbox.port}"
    urls = sandbox.urls
    assert urls.api == f"http://{base}/v1"
    assert urls.tts_api == f"http://{base}"
    assert urls.stt == f"ws://{base}/transcribe-websocket"
    assert urls.tts == f"ws://{base}/tts-websocket"
    assert urls.slng == f"ws://{base}"


def test_a_taken_port_is_an_os_error(sandbox: Sandbox) -> None:
    """A fixed port in use raises when the sandbox starts, and nothing is left open."""
    with pytest.raises(OSError):
        Sandbox(port=sandbox.port, engines="tones").start()


@pytest.mark.parametrize(
    "options",
    [
        {"engines": "festival"},
        {"limits": {"tts_idle": 1}},
        {"limits": {"time_scale": 0}},
        {"limits": {"tts_pace": -1}},
        {"limits": {"tts_chunk_ms": 0}},
        {"limits": {"tts_idle_sec": -1}},
        {"port": -1},
        {"speech_cache": ""},
        {"speech_cache": "a\0b"},
    ],
)
def test_bad_options_are_configuration_errors(options: dict[str, Any]) -> None:
    """An unknown option, or an invalid value, is refused."""
    with pytest.raises(ConfigurationError):
        Sandbox(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"engines": 5},
        {"speech_cache": 5},
        {"speech_cache": True},
        {"limits": []},
        {"limits": {"tts_pace": "fast"}},
        {"limits": {"tts_chunk_ms": 0.5}},
        {"limits": {"tts_chunk_ms": None}},
        {"limits": {"allow_message_auth": 1}},
    ],
)
def test_options_of_wrong_types_are_refused(options: dict[str, Any]) -> None:
    """An option of the wrong type is refused, limits included."""
    with pytest.raises(InputTypeError):
        Sandbox(**options)


def test_documented_limits_include_the_account() -> None:
    """The documented limits include those of the account, which are off by default."""
    assert (Limits().tts_max_streams, Limits.documented().tts_max_streams) == (None, 3)
    assert Limits.documented(stt_max_streams=2).stt_max_streams == 2


def test_engines_can_be_given() -> None:
    """An `Engines` object is used as passed."""
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(Script("given words")), "mine")
    with Sandbox(engines=engines) as sandbox, stt(sandbox) as client:
        client.send(silence(600), "")
        assert final_text(client.receive_all()) == "given words"


def test_script_applies_to_new_sessions(sandbox: Sandbox) -> None:
    """A script is recognised by sessions that start while it is set."""
    for words in ("first thing", "second thing"):
        sandbox.script(words, ms_per_word=100)
        with stt(sandbox) as client:
            client.send(silence(300), "")
            assert final_text(client.receive_all()) == words
    sandbox.hear_with(None)
    with stt(sandbox) as client:
        client.send(silence(300), "")
        assert final_text(client.receive_all()) == "The"


def test_numbered_words_are_recognised_at_their_times(sandbox: Sandbox) -> None:
    """Numbered audio is recognised exactly, from any offset, in chunks of any size."""
    sandbox.hear_with(NumberedRecognizer())
    audio = numbered_audio(5, 20)
    for offset, step in ((0, 3840), (6400 * 3, 999), (6400 * 3 + 2000, 100_000)):
        with stt(sandbox) as client:
            for at in range(offset, len(audio), step):
                client.send(audio[at : at + step])
            client.send("")
            received = client.receive_all()
        first = 5 + offset // 6400
        assert final_text(received) == " ".join(f"w{n}" for n in range(first, 25))


def test_numbered_audio_has_endpoints_at_pauses(sandbox: Sandbox) -> None:
    """A pause of the endpoint delay ends an utterance once."""
    sandbox.hear_with(NumberedRecognizer(final_lag_ms=100))
    config = {"enable_endpoint_detection": True, "max_endpoint_delay_ms": 500}
    with stt(sandbox, **config) as client:
        client.send(numbered_audio(0, 2) + silence(2000) + numbered_audio(2, 1) + silence(1000), "")
        assert final_text(client.receive_all()) == "w0 w1<end> w2<end>"


def test_log_has_both_directions_and_can_be_waited_for(sandbox: Sandbox) -> None:
    """The log contains what was received and sent, decoded; audio is a number of bytes."""
    with stt(sandbox) as client:
        client.send(silence(100), {"type": "keepalive"}, "")
        client.receive_all()
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    received = sandbox.log.messages(kind="stt")
    assert received[0]["model"] == "stt-rt-v6"
    assert received[1:] == [{"type": "keepalive"}, {"end": True}]
    assert sandbox.log.audio_bytes() == 3200
    assert sandbox.log.messages(direction="out")[-1]["finished"]
    events = [m["event"] for m in sandbox.log.messages(direction="event")]
    assert events[:2] == ["upgrade", "open"] and events[-1] == "closed"
    assert sandbox.log.wait_for(lambda e: e.kind == "rest", timeout_sec=0.01) is None


def test_spoken_audio_is_logged_as_its_size(sandbox: Sandbox) -> None:
    """Sent audio is a number of bytes in the log."""
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Hi."))
        client.receive_until("terminated")
    sent = [m for m in sandbox.log.messages(direction="out") if "audio" in m]
    assert all(isinstance(message["audio"], int) for message in sent)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x01x", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 1009),
        (b"\x80\x80\0\0\0\0", 1002),
    ],
)
def test_broken_frames_close_with_their_code(sandbox: Sandbox, frame: bytes, code: int) -> None:
    """Unmasked frames, reserved bits, bad UTF-8 and the like close with the proper code."""
    with raw_socket(sandbox) as sock:
        sock.sendall(upgrade_bytes("/tts-websocket"))
        while not (data := sock.recv(4096)).endswith(b"\r\n\r\n"):
            continue
        sock.sendall(frame)
        data = b""
        while piece := sock.recv(4096):
            data += piece
    assert data[0] == 0x88
    assert int.from_bytes(data[2:4], "big") == code


def test_client_close_is_answered_with_its_code(sandbox: Sandbox) -> None:
    """A client's close frame is echoed, then the TCP connection ends."""
    with Client(sandbox.urls.tts) as client:
        client.ws.close(4100, "bye")
        assert client.close_code == 4100
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)


def test_the_answer_to_a_close_frame_is_awaited_briefly(make_sandbox: MakeSandbox) -> None:
    """After its close frame the server waits for the answer for a bounded time."""
    sandbox = make_sandbox(limits={"tts_idle_sec": 0.05, "close_timeout_sec": 0.1})
    with raw_socket(sandbox) as sock:
        sock.sendall(upgrade_bytes("/tts-websocket"))
        data = b""
        while piece := sock.recv(4096):
            data += piece
    assert data.endswith(b"\x88\x09\x03\xe9Timeout")


def test_client_is_one_of_this_sandbox(soniox_sandbox: Sandbox, soniox_client: Any) -> None:
    """The client of a sandbox uses that sandbox for speech and for transcription."""
    soniox_sandbox.script("heard by the sandbox")
    with soniox_client.realtime.stt(
        audio_format="pcm_s16le", sample_rate=16000, num_channels=1
    ) as session:
        session.send_audio(silence(1500))
        session.finish()
        assert "heard by the sandbox" in "".join(event.text for event in session)
    voice = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le"}
    with soniox_client.realtime.tts(**voice) as stream:
        stream.send_text("Hi.", end=True)
        assert len(b"".join(stream)) > 1000


def test_plugin_and_package_import_little() -> None:
    """Importing the pytest plugin or the package loads no server and no engines."""
    code = (
        "import sys, soniox_sync.sandbox.pytest_plugin, soniox_sync.sandbox\n"
        "heavy = {'numpy', 'websocket', 'requests', 'miniaudio', 'pocketsphinx', 'http.server',"
        " 'soniox_sync.sandbox.server.server'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_plugin_serves_a_running_sandbox(soniox_sandbox: Sandbox) -> None:
    """The fixture is a running sandbox."""
    with stt(soniox_sandbox) as client:
        client.send("")
        assert client.receive_all()[-1]["error_code"] == 400
