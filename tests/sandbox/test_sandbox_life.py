"""Life of a sandbox: start, close, addresses, log, scripts, engines, the pytest plugin."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any, Callable

import pytest
from sandbox_talk import (
    PATIENCE,
    Talk,
    final_text,
    raw_socket,
    silence,
    start,
    stt,
    text,
    tts,
    upgrade_bytes,
)

from soniox_sync.errors import ConfigurationError
from soniox_sync.sandbox import (
    Engines,
    Limits,
    NumberedRecognizer,
    Sandbox,
    Script,
    numbered_audio,
)
from soniox_sync.sandbox.scripted import ScriptedRecognizer
from soniox_sync.sandbox.tones import ToneSynthesizer

MakeSandbox = Callable[..., Sandbox]


def sandbox_threads() -> list[str]:
    """Name the living threads of any sandbox."""
    return [t.name for t in threading.enumerate() if t.name.startswith("soniox-sandbox")]


def test_nothing_starts_before_start() -> None:
    """A sandbox that was only made has no thread and no port."""
    sandbox = Sandbox(engines="tones")
    assert sandbox_threads() == []
    sandbox.close()


def test_close_is_idempotent_and_cuts_everything() -> None:
    """Closing in the middle of all kinds of work leaves no thread, and twice is once."""
    sandbox = Sandbox(engines="tones", limits={"tts_pace": 1}).start()
    talks = [stt(sandbox), tts(sandbox)]
    talks[0].say(silence(500))
    talks[1].say(start("s"), text("s", "A long story. " * 20))
    talks[1].hear()
    sandbox.faults.half_open(kind="tts")
    frozen = raw_socket(sandbox)
    frozen.sendall(upgrade_bytes("/tts-websocket"))
    idle = raw_socket(sandbox)
    assert sandbox.log.wait_for(lambda entry: entry.connection == 3, timeout_sec=PATIENCE)
    sandbox.close()
    sandbox.close()
    assert sandbox_threads() == []
    for talk in talks:
        talk.hear_all()
        assert talk.close_code == 1006
        talk.__exit__()
    frozen.close()
    idle.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.com", ""])
def test_only_loopback_is_served(host: str) -> None:
    """Any other host than loopback is refused."""
    with pytest.raises(ConfigurationError):
        Sandbox(host=host)


def test_urls_are_those_of_one_port(sandbox: Sandbox) -> None:
    """All addresses share host and port, and have the documented paths."""
    base = f"127.0.0.1:{sandbox.port}"
    urls = sandbox.urls
    assert urls.api == f"http://{base}/v1"
    assert urls.tts_api == f"http://{base}"
    assert urls.stt == f"ws://{base}/transcribe-websocket"
    assert urls.tts == f"ws://{base}/tts-websocket"
    assert urls.slng == f"ws://{base}"


def test_a_taken_port_is_an_os_error(sandbox: Sandbox) -> None:
    """A fixed port that is taken raises when the sandbox starts, and leaves nothing."""
    with pytest.raises(OSError):
        Sandbox(port=sandbox.port, engines="tones").start()


@pytest.mark.parametrize(
    "options",
    [
        {"engines": "festival"},
        {"limits": {"tts_idle": 1}},
        {"limits": {"time_scale": 0}},
        {"limits": {"tts_pace": -1}},
    ],
)
def test_bad_options_are_configuration_errors(options: dict[str, Any]) -> None:
    """A misspelt or senseless option is refused, at the latest with the first use."""
    with pytest.raises(ConfigurationError):
        _ = Sandbox(**options).engines


def test_documented_limits_include_the_account() -> None:
    """The documented limits switch the account's on; the default has them off."""
    assert (Limits().tts_max_streams, Limits.documented().tts_max_streams) == (None, 3)
    assert Limits.documented(stt_max_streams=2).stt_max_streams == 2


def test_engines_can_be_given() -> None:
    """An Engines object is used as it is."""
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(Script("given words")), "mine")
    with Sandbox(engines=engines) as sandbox, stt(sandbox) as talk:
        talk.say(silence(600), "")
        assert final_text(talk.hear_all()) == "given words"


def test_script_applies_to_new_sessions(sandbox: Sandbox) -> None:
    """A script is heard by sessions that start after it was set, until it is taken away."""
    for words in ("first thing", "second thing"):
        sandbox.script(words, ms_per_word=100)
        with stt(sandbox) as talk:
            talk.say(silence(300), "")
            assert final_text(talk.hear_all()) == words
    sandbox.hear_with(None)
    with stt(sandbox) as talk:
        talk.say(silence(300), "")
        assert final_text(talk.hear_all()) == "The"


def test_numbered_words_are_heard_where_they_are(sandbox: Sandbox) -> None:
    """Numbered audio is heard exactly, from any offset, at any chunking."""
    sandbox.hear_with(NumberedRecognizer())
    audio = numbered_audio(5, 20)
    for offset, step in ((0, 3840), (6400 * 3, 999), (6400 * 3 + 2000, 100_000)):
        with stt(sandbox) as talk:
            for at in range(offset, len(audio), step):
                talk.say(audio[at : at + step])
            talk.say("")
            heard = talk.hear_all()
        first = 5 + offset // 6400
        assert final_text(heard) == " ".join(f"w{n}" for n in range(first, 25))


def test_numbered_audio_has_endpoints_at_pauses(sandbox: Sandbox) -> None:
    """A pause of the endpoint delay ends an utterance once."""
    sandbox.hear_with(NumberedRecognizer(final_lag_ms=100))
    config = {"enable_endpoint_detection": True, "max_endpoint_delay_ms": 500}
    with stt(sandbox, **config) as talk:
        talk.say(numbered_audio(0, 2) + silence(2000) + numbered_audio(2, 1) + silence(1000), "")
        assert final_text(talk.hear_all()) == "w0 w1<end> w2<end>"


def test_log_has_both_directions_and_can_be_waited_for(sandbox: Sandbox) -> None:
    """The log holds what was received and sent, decoded, audio as its size."""
    with stt(sandbox) as talk:
        talk.say(silence(100), {"type": "keepalive"}, "")
        talk.hear_all()
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    received = sandbox.log.messages(kind="stt")
    assert received[0]["model"] == "stt-rt-v5"
    assert received[1:] == [{"type": "keepalive"}, {"end": True}]
    assert sandbox.log.audio_bytes() == 3200
    assert sandbox.log.messages(direction="out")[-1]["finished"]
    events = [m["event"] for m in sandbox.log.messages(direction="event")]
    assert events[:2] == ["upgrade", "open"] and events[-1] == "closed"
    assert sandbox.log.wait_for(lambda e: e.kind == "rest", timeout_sec=0.01) is None


def test_spoken_audio_is_logged_as_its_size(sandbox: Sandbox) -> None:
    """Audio that was sent stands in the log as a number of bytes."""
    with tts(sandbox) as talk:
        talk.say(start("s"), text("s", "Hi."))
        talk.hear_until("terminated")
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
    """No mask, reserved bits, bad UTF-8, monsters and stray continuations close properly."""
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
    """A client's close frame is echoed, then TCP ends."""
    with Talk(sandbox.urls.tts) as talk:
        talk.ws.close(4100, "bye")
        assert talk.close_code == 4100
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)


def test_a_peer_that_never_answers_close_is_cut(make_sandbox: MakeSandbox) -> None:
    """After its close frame the server waits for the answer only so long."""
    sandbox = make_sandbox(limits={"tts_idle_sec": 0.05, "close_timeout_sec": 0.1})
    with raw_socket(sandbox) as sock:
        sock.sendall(upgrade_bytes("/tts-websocket"))
        data = b""
        while piece := sock.recv(4096):
            data += piece
    assert data.endswith(b"\x88\x09\x03\xe9Timeout")


def test_client_is_one_of_this_sandbox(soniox_sandbox: Sandbox, soniox_client: Any) -> None:
    """The client of a sandbox speaks and hears there, and nowhere else."""
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


def test_plugin_and_package_import_light() -> None:
    """Importing the pytest plugin or the package loads no server and no engine."""
    code = (
        "import sys, soniox_sync.sandbox.pytest_plugin, soniox_sync.sandbox\n"
        "heavy = {'numpy', 'websocket', 'requests', 'miniaudio', 'pocketsphinx', 'http.server',"
        " 'soniox_sync.sandbox.server'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_plugin_gives_a_running_sandbox(soniox_sandbox: Sandbox) -> None:
    """The fixture serves a sandbox of its own for one test."""
    with stt(soniox_sandbox) as talk:
        talk.say("")
        assert talk.hear_all()[-1]["error_code"] == 400
