"""What `soniox-sync sandbox` prints makes the official SDKs use the sandbox."""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.helpers import TIMEOUT_SEC, end_processes, start_cli
from tests.conformance.node import run_node

# Of each area one call; both transports. Node.js has a WebSocket of its own only from 22 on.
JAVASCRIPT = """
import WebSocket from "ws";
globalThis.WebSocket ??= WebSocket;
const page = await client.files.list();
const models = await client.models.list();
const speech = await client.tts.generate({ text: "Hello.", voice: "Adrian", language: "en" });
const raw = { audio_format: "pcm_s16le", sample_rate: 16000, num_channels: 1 };
const session = client.realtime.stt({ model: "stt-rt-v6", ...raw });
await session.connect();
session.sendAudio(new Uint8Array(3200));
await session.finish();
const stream = await client.realtime.tts({
  model: "tts-rt-v2", voice: "Adrian", language: "en",
  audio_format: "pcm_s16le", sample_rate: 16000,
});
stream.sendText("Hello.", { end: true });
let bytes = 0;
for await (const chunk of stream) bytes += chunk.length;
console.log(JSON.stringify({
  files: page.files.length, models: models.length, speech: speech.length, bytes,
}));
process.exit(0);
"""


@pytest.fixture(scope="module")
def printed() -> Iterator[str]:
    """Run the command, and return all it prints."""
    process = start_cli("sandbox", "--engines", "tones")
    assert process.stdout
    text = ""
    try:
        while not text.endswith(");\n"):  # the last line is JavaScript
            line = process.stdout.readline().decode()
            assert line, f"the sandbox ended after: {text}"
            text += line
        yield text
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_SEC) == 130
    finally:
        end_processes()


def code(printed: str, package: str) -> list[str]:
    """Return the two lines of code for a package, which are comments in the shell."""
    lines = printed.partition(f"({package})")[2].splitlines()[1:3]
    assert all(line.startswith("#   ") for line in lines)
    return [line.lstrip("# ") for line in lines]


def exports(printed: str) -> dict[str, str]:
    """Return the variables as a shell would set them."""
    found = re.findall(r"^export (\w+)=(.*)$", printed, re.MULTILINE)
    return {name: shlex.split(value)[0] for name, value in found}


def test_the_lines_for_python_make_a_client(printed: str) -> None:
    """Two lines make a client of the official SDK that reaches both transports of both services."""
    from soniox.types.realtime import RealtimeSTTConfig, RealtimeTTSConfig

    names: dict[str, object] = {}
    exec("\n".join(code(printed, "soniox")), names)
    client = names["client"]
    assert client.files.list().files == []
    assert "stt-rt-v6" in [model.id for model in client.models.list().models]
    speech = {"text": "Hello.", "model": "tts-rt-v2", "language": "en", "voice": "Adrian"}
    assert client.tts.generate(**speech)[:4] == b"RIFF"
    config = RealtimeSTTConfig(
        model="stt-rt-v6", audio_format="pcm_s16le", sample_rate=16000, num_channels=1
    )
    with client.realtime.stt.connect(config=config) as session:
        session.send_byte_chunk(bytes(3200))
        session.finish()
        assert [event.finished for event in session.receive_events()][-1]
    voice = RealtimeTTSConfig(
        stream_id="s",
        model="tts-rt-v2",
        language="en",
        voice="Adrian",
        audio_format="pcm_s16le",
        sample_rate=16000,
    )
    with client.realtime.tts.connect(config=voice) as stream:
        stream.send_text_chunk("Hello.", text_end=True)
        assert len(b"".join(stream.receive_audio_chunks())) > 3200
    client.close()


def check(out: str) -> None:
    """Check what the JavaScript program has printed."""
    counts = json.loads(out.strip().splitlines()[-1])
    assert counts["files"] == 0 and counts["models"] >= 6
    assert counts["speech"] > 3200 and counts["bytes"] > 3200


def test_the_lines_for_javascript_make_a_client(printed: str, tmp_path: Path) -> None:
    """Two lines make a client of the official SDK that reaches both transports of both services."""
    lines = code(printed, "@soniox/node")
    check(run_node(tmp_path, "\n".join(lines) + JAVASCRIPT))


def test_the_variables_make_a_client_in_javascript(printed: str, tmp_path: Path) -> None:
    """With the variables, the JavaScript SDK's client without options reaches the same."""
    imported = code(printed, "@soniox/node")[0]
    source = f"{imported}\nconst client = new SonioxNodeClient();{JAVASCRIPT}"
    check(run_node(tmp_path, source, **exports(printed)))
