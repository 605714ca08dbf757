"""Recordings of containers over real connections that are cut: no decoder on our side."""

from __future__ import annotations

import functools
import io
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from soniox_sync import SonioxClient
from soniox_sync.errors import SonioxConnectionError
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.audio import containers
from soniox_sync.sandbox.engines.numbered import numbered_audio
from soniox_sync.sources import AudioSourceHandlers, contents
from tests import muxers
from tests.muxers import Muxed, StrictDecoder

RATE = 16000
FAST: dict[str, Any] = {"catch_up_speed": None, "reconnect_base_delay_sec": 0.05}
WORDS = 40
WAIT = 30.0
# more on demand
SCHEDULES = int(os.environ.get("SONIOX_SYNC_SCHEDULES", "1000")) // 50
PCM = numbered_audio(0, WORDS)

MUXED: dict[str, Callable[[], Muxed]] = {
    "flac": functools.partial(muxers.flac, PCM, RATE, 4096),
    "flac, small blocks": functools.partial(muxers.flac, PCM, RATE, 576),
    "flac, streamed": functools.partial(muxers.flac, PCM, RATE, 4096, known=False),
    "ogg": functools.partial(muxers.ogg, PCM, RATE, 320, per_page=50),
    "ogg, a page for each packet": functools.partial(muxers.ogg, PCM, RATE, 960, per_page=1),
    "webm": functools.partial(muxers.webm, PCM, RATE, 320, cluster_ms=5000),
    "webm, short clusters": functools.partial(muxers.webm, PCM, RATE, 320, cluster_ms=1000),
    "webm, one cluster": functools.partial(muxers.webm, PCM, RATE, 320, cluster_ms=30_000),
    "webm, live": functools.partial(muxers.webm, PCM, RATE, 960, live=True, start_ms=70_000),
    "webm, groups": functools.partial(muxers.webm, PCM, RATE, 320, grouped=True),
}


class Hearing:
    """Decoders of the sandbox: one for each session, which hears only whole, entered units."""

    def __init__(self, muxed: Muxed) -> None:
        self.muxed = muxed
        self.opened: list[StrictDecoder] = []
        self.errors: list[AssertionError] = []

    def open(self, name: str, head: bytes) -> containers.Decoder:
        decoder = StrictDecoder(self.muxed)
        self.opened.append(decoder)
        return _SandboxDecoder(decoder, self.errors)


class _SandboxDecoder:
    sample_rate = RATE

    def __init__(self, decoder: StrictDecoder, errors: list[AssertionError]) -> None:
        self._decoder = decoder
        self._errors = errors

    def feed(self, data: bytes) -> bytes:
        try:
            return self._decoder.feed(data)
        except AssertionError as error:
            self._errors.append(error)
            raise

    def finish(self) -> bytes:
        self._decoder.end()
        return b""

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def hear(monkeypatch: pytest.MonkeyPatch) -> Callable[[Muxed], Hearing]:
    """Let the sandbox decode a container of ours, and files be sent as they are."""
    monkeypatch.setattr(contents, "open_decoded", lambda *_: None)

    def hear(muxed: Muxed) -> Hearing:
        hearing = Hearing(muxed)
        monkeypatch.setattr(containers, "_open", hearing.open)
        return hearing

    return hear


def expected(count: int) -> list[str]:
    return [f"w{number}" for number in range(count)]


def check_times(transcript: Any) -> None:
    for token in transcript.final_tokens:
        if token.text.startswith(" w") and len(token.text) > 2:
            assert abs(token.start_ms - int(token.text[2:]) * 200) <= 1


def as_path(data: bytes, folder: Path) -> Any:
    path = folder / "audio"
    path.write_bytes(data)
    return path


class Pipe(io.BytesIO):
    """A stream that cannot seek."""

    def seekable(self) -> bool:
        return False


WAYS: dict[str, Callable[[bytes, Path], Any]] = {
    "path": as_path,
    "bytes": lambda data, folder: data,
    "pipe": lambda data, folder: Pipe(data),
    "iterable": lambda data, folder: (data[at : at + 997] for at in range(0, len(data), 997)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MUXED)
def test_a_container_survives_drops_like_samples(
    sandbox: Sandbox,
    client: SonioxClient,
    hear: Callable[[Muxed], Hearing],
    tmp_path: Path,
    kind: str,
    way: str,
) -> None:
    """Cut again and again, unpaced: every word once, at its time; nothing is lost."""
    muxed = MUXED[kind]()
    hearing = hear(muxed)
    sandbox.faults.drop(kind="stt", after_audio_ms=1700, times=3)
    transcription = client.realtime.transcribe(
        WAYS[way](muxed.data, tmp_path), pace=False, stable_after_sec=0.0, **FAST
    )
    for _ in transcription:
        pass
    assert transcription.transcript.final_text.split() == expected(WORDS)
    check_times(transcription.transcript)
    assert transcription.recording.lost_ms == 0
    assert hearing.errors == [] and len(hearing.opened) == 4


def random_drops(sandbox: Sandbox, rng: random.Random, times: int) -> None:
    """Cut the next connections, each in its own way, at its own moment."""
    for skip in range(times):
        cut = rng.choice([sandbox.faults.drop, sandbox.faults.fin])
        cut(kind="stt", after_audio_ms=rng.randint(1, 4000), skip=skip)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_random_drops_of_random_containers(
    sandbox: Sandbox,
    client: SonioxClient,
    hear: Callable[[Muxed], Hearing],
    tmp_path: Path,
    seed: int,
) -> None:
    """However it is muxed, read, paced and cut: each word once, at its time, and nothing lost."""
    rng = random.Random(seed)
    muxed = MUXED[rng.choice(list(MUXED))]()
    hearing = hear(muxed)
    random_drops(sandbox, rng, rng.randint(1, 4))
    transcription = client.realtime.transcribe(
        WAYS[rng.choice(list(WAYS))](muxed.data, tmp_path),
        pace=rng.choice([False, 8.0, 30.0]),
        stable_after_sec=0.0,
        replay_window_sec=rng.choice([3.0, 120.0]),
        **FAST,
    )
    for _ in transcription:
        pass
    assert transcription.transcript.final_text.split() == expected(WORDS)
    check_times(transcription.transcript)
    assert transcription.recording.lost_ms == 0
    assert hearing.errors == [] and len(hearing.opened) > 1


def ffmpeg_flac(pcm: bytes) -> bytes:
    """Return FLAC as ffmpeg writes it into a pipe."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    raw = f"ffmpeg -v error -f s16le -ar {RATE} -ac 1 -i - -f flac -"
    return subprocess.run(raw.split(), input=pcm, capture_output=True, timeout=60).stdout


@pytest.mark.parametrize(
    "write", [lambda pcm: muxers.flac(pcm, RATE, 4096).data, ffmpeg_flac], ids=["ours", "ffmpeg"]
)
def test_flac_that_a_real_decoder_hears_survives_drops(
    sandbox: Sandbox,
    client: SonioxClient,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[bytes], bytes],
) -> None:
    """Frames from the middle, behind the header, are what a decoder of others takes."""
    pytest.importorskip("miniaudio")
    monkeypatch.setattr(contents, "open_decoded", lambda *_: None)
    sandbox.faults.drop(kind="stt", after_audio_ms=1700, times=3)
    transcription = client.realtime.transcribe(write(PCM), pace=False, stable_after_sec=0.0, **FAST)
    for _ in transcription:
        pass
    assert transcription.transcript.final_text.split() == expected(WORDS)
    check_times(transcription.transcript)
    assert transcription.recording.lost_ms == 0


def test_a_file_whose_source_has_ended_is_sent_again(
    sandbox: Sandbox, client: SonioxClient, hear: Callable[[Muxed], Hearing]
) -> None:
    """Cut when all was sent and the file is closed: the next session gets the rest again."""
    muxed = MUXED["ogg"]()
    hear(muxed)
    sandbox.faults.drop(kind="stt", after_audio_ms=WORDS * 200)
    transcription = client.realtime.transcribe(muxed.data, pace=False, **FAST)
    for _ in transcription:
        pass
    assert transcription.transcript.final_text.split() == expected(WORDS)
    assert max(token.session for token in transcription.transcript.final_tokens) == 1


class Encoder:
    """A live source of the user's whose format is not understood; `restart` starts a new file."""

    is_live = True

    def __init__(self) -> None:
        self._handlers: Optional[AudioSourceHandlers] = None
        self.restarts = threading.Semaphore(0)

    def start(self, handlers: AudioSourceHandlers) -> None:
        self._handlers = handlers

    def stop(self) -> None:
        """Do nothing: the test delivers."""

    def restart(self) -> None:
        self.restarts.release()

    def deliver(self, data: bytes) -> None:
        assert self._handlers is not None
        self._handlers.on_data(data)


def test_a_live_container_that_is_not_understood_restarts_as_its_source_can(
    sandbox: Sandbox, client: SonioxClient, hear: Callable[[Muxed], Hearing]
) -> None:
    """Nothing of the old container reaches the new session, and what is missing is counted."""
    header = b"#!AMR\n" + bytes(26)
    units = muxers.flac(PCM, RATE, 3200).units
    hearing = hear(Muxed(header, units))
    handle = sandbox.faults.drop(kind="stt", after_audio_ms=1900)
    source = Encoder()
    recording = client.realtime.record(source=source, auto_reconnect=True, **FAST)
    source.deliver(header)
    for unit in units[:10]:
        source.deliver(unit.data)
    assert handle.fired.wait(WAIT) and source.restarts.acquire(timeout=WAIT)
    source.deliver(units[10].data)
    source.deliver(header)
    for unit in units[15:]:
        source.deliver(unit.data)
    recording.stop(WAIT)
    for _ in recording:
        pass
    words = recording.transcript.final_text.split()
    assert words[-25:] == expected(WORDS)[15:]
    assert recording.lost_ms > 0 and recording.state == "stopped"
    assert hearing.errors == [] and [each.first for each in hearing.opened] == [0, 15]


def test_a_live_container_that_is_not_understood_ends_with_the_loss(
    sandbox: Sandbox, client: SonioxClient, hear: Callable[[Muxed], Hearing]
) -> None:
    """Without `restart()` the loss is the error, with advice; it never looks like the end."""
    header = b"#!AMR\n" + bytes(26)
    muxed = Muxed(header, muxers.flac(PCM, RATE, 3200).units)
    hear(muxed)
    sandbox.faults.drop(kind="stt", after_audio_ms=1900)
    pieces = (muxed.data[at : at + 997] for at in range(0, len(muxed.data), 997))
    with pytest.raises(SonioxConnectionError, match=r"restart\(\)"):
        for _ in client.realtime.transcribe(pieces, **FAST):
            pass
