"""The worked examples in the recorder's docstrings are correct."""

from __future__ import annotations

from typing import Optional

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.audio.formats import RawAudio
from soniox_sync.audio.framing.base import Framing, Mark
from soniox_sync.audio.framing.choose import framing_of
from soniox_sync.config.patience import Patience
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.tokens import Result, Token
from soniox_sync.recorder.container_replay import ContainerReplay
from soniox_sync.recorder.finalizing import FinalizeRequests
from soniox_sync.recorder.intake import Intake
from soniox_sync.recorder.merging import Merger
from soniox_sync.recorder.outage import Outage
from soniox_sync.recorder.replay import Pacer
from soniox_sync.recorder.restarting import ContainerRestart
from soniox_sync.recorder.rotation import Rotation
from soniox_sync.recorder.seam import Seam
from soniox_sync.recorder.sessions import Session
from soniox_sync.recorder.translation_dedup import TranslationDedup
from soniox_sync.recorder.uplink import LostAudio, Uplink
from tests import muxers
from tests.recorder.driver import final, partial
from tests.recorder.world import AUDIO, BYTES_PER_MS


def texts(tokens: object) -> list[str]:
    return [token.text for token in tokens]  # type: ignore[attr-defined]


def translation(text: str) -> Token:
    return Token(text, is_final=True, translation_status="translation")


def test_merging_a_word_that_two_sessions_share() -> None:
    """`merging`: the rest of a partly delivered word is new, and gets the rest of its time."""
    merger = Merger()
    merger.begin(0)
    tokens = [final(" The", 0, 90), final(" bl", 100, 300), partial("ack", 300, 420)]
    merger.accept(Result(tokens, 310, 420))
    assert merger.last_end_ms == 300
    assert merger.resume_ms() == 100
    merger.begin(100)
    result = merger.accept(Result([final("black", 0, 330), final(" cat", 350, 600)], 600, 600))
    moved = [(token.text, token.start_ms, token.end_ms) for token in result.tokens]
    assert moved == [("ack", 300, 430), (" cat", 450, 700)]


def test_merging_settles_translations_by_their_age() -> None:
    """`Merger`: an original 11 s old must have been translated, one of 7 s may still be."""
    merger = Merger()
    merger.begin(0)
    old = final(" old", 2000, 14_000, translation_status="original")
    young = final(" young", 16_000, 18_000, translation_status="original")
    merger.accept(Result([old, young, translation(" alt")], 25_000, 25_000))
    assert merger.awaits_translation
    assert merger.resume_ms() == 16_000


@pytest.mark.parametrize(
    ("before", "mid_word", "after", "joined"),
    [
        (["Hello", " dear"], False, "world", " world"),
        (["Hello", " dear"], False, ".", "."),
        (["今日"], False, "は", "は"),
        (["Hel"], True, "lo", "lo"),
    ],
)
def test_seam(before: list[str], mid_word: bool, after: str, joined: str) -> None:
    """`seam`: a space is added where words need one, and nowhere else."""
    seam = Seam()
    for text in before:
        seam.delivered(text)
    seam.begin(mid_word=mid_word)
    assert seam.join(after) == joined


@pytest.mark.parametrize(
    ("delivered", "received"),
    [
        ("The| black| cat", [(" black", []), (" cat", []), (None, [])]),
        ("The| black| cat", [(" black", []), (" dog", [" black", " dog"])]),
        (
            "The| black| cat| sleeps",
            [(" black", []), (" cat", []), (" dreams", [" dreams"])],
        ),
    ],
)
def test_translation_dedup(delivered: str, received: list[tuple[Optional[str], list[str]]]) -> None:
    """`translation_dedup`: what a new session's translations deliver (`None`: inactive)."""
    dedup = TranslationDedup()
    for number, text in enumerate(delivered.split("|"), 1):
        dedup.delivered(translation(text), number * 100)
    dedup.begin(0)
    for text, new in received:
        if text is None:
            assert not dedup.is_active
        else:
            assert texts(dedup.accept(translation(text))) == new


def test_finalize_requests() -> None:
    """`FinalizeRequests`: a request is sent after its audio, and again in a new session."""
    requests = FinalizeRequests()
    requests.request(4000)
    assert not requests.take_due(3200)
    assert requests.take_due(4000)
    requests.session_changed()
    assert not requests.take_due(2000)
    assert requests.take_due(4000)
    requests.answered()
    requests.session_changed()
    assert not requests.take_due(4000)


def test_lost_audio() -> None:
    """`LostAudio`: each millisecond counts once."""
    lost = LostAudio()
    sums = []
    for begin_ms, end_ms in [(0, 5000), (1000, 6000), (9000, 9500)]:
        lost.add(begin_ms, end_ms)
        sums.append(lost.ms)
    assert sums == [5000, 6000, 6500]


def test_replay() -> None:
    """`ReplayBuffer`: the cursor moves back, the window forward, and what drops out is lost."""
    options = RecordingOptions(replay_window_sec=10.0, catch_up_speed=None)
    uplink = Uplink(options)
    uplink.set_audio_format(AUDIO)

    def capture_until(ms: int) -> None:
        uplink.capture(b"\1\0" * (ms - uplink.end // BYTES_PER_MS))

    def send_all() -> None:
        while uplink.next_chunk(0.0)[0]:
            pass

    capture_until(8000)
    send_all()
    uplink.trim(6000, lambda: 6000)
    assert (uplink.cursor_ms, uplink.held_bytes // BYTES_PER_MS) == (8000, 7000)
    assert uplink.rewind(6000) == 6000
    capture_until(14_000)
    assert (uplink.cursor_ms, uplink.held_bytes // BYTES_PER_MS) == (6000, 10_000)
    capture_until(17_000)
    assert (uplink.cursor_ms, uplink.lost_ms) == (7000, 1000)
    send_all()
    assert uplink.cursor_ms == 17_000


def test_a_rewound_cursor_is_not_rounded_twice() -> None:
    """`Uplink.cursor_ms`: for a frame between two milliseconds the value from rewind() is kept."""
    uplink = Uplink(RecordingOptions())
    uplink.set_audio_format(RawAudio("pcm_s16le", 44_100, 1))
    uplink.capture(bytes(2 * 44_100 * 2))
    uplink.rewind(1234)
    assert uplink.cursor_ms == 1234


def test_pacer() -> None:
    """`Pacer`: a burst of 10 s, then twice real time."""
    pacer = Pacer(2.0, 10.0)
    assert pacer.allowed_sec(0.0) == 10.0
    pacer.spend(10.0)
    assert pacer.wait_sec(10.0) == 5.0
    assert pacer.allowed_sec(5.0) == 10.0


def test_outage() -> None:
    """`Outage`: the first attempt at once, then delays that double, the last when patience ends."""
    outage = Outage(Patience(give_up_after_sec=60.0, max_reconnect_attempts=None), lambda: 1.0)
    now, made = 0.0, []
    while (delay := outage.next_delay(SonioxConnectionError("lost"), now)) is not None:
        made.append((outage.attempt, now, delay))
        now += delay
    assert made == [
        (1, 0.0, 0.0),
        (2, 0.0, 1.0),
        (3, 1.0, 2.0),
        (4, 3.0, 4.0),
        (5, 7.0, 8.0),
        (6, 15.0, 16.0),
        (7, 31.0, 29.0),
    ]
    assert now == 60.0


def test_rotation() -> None:
    """`Rotation`: due after 270 minutes, in a pause, and in a word only 20 minutes later."""
    rotation, session, merger = Rotation(16_200.0), Session(0), Merger()
    merger.begin(0)
    merger.accept(Result([final(" one", 0, 400), partial(" tw", 450, 500)], 400, 500))
    assert not rotation.is_due(session, 16_199.0)
    assert rotation.is_due(session, 16_200.0)
    rotation.standby_failed(16_200.0)
    assert not rotation.may_open_standby(16_204.0)
    assert rotation.may_open_standby(16_205.0)

    def may_switch(now: float, in_segment: bool = True) -> bool:
        return rotation.may_switch(merger, now, paused=False, in_segment=in_segment)

    assert not may_switch(16_206.0)
    assert may_switch(17_400.0)
    merger.accept(Result([final(" two", 450, 700)], 900, 900))
    assert not may_switch(16_206.0)  # 200 ms of silence are not a pause
    assert may_switch(16_206.0, in_segment=False)
    merger.accept(Result([], 1200, 1200))
    assert may_switch(16_206.0)


def test_intake() -> None:
    """`Intake`: a WAV loses its header and what follows its samples; containers stay unchanged."""
    header = wav_header(sample_rate=16_000, data_bytes=4)
    intake = Intake("auto", None, None)
    assert intake.accept(header[:2]) == b""
    assert intake.accept(header[2:20]) == b""
    assert intake.accept(header[20:] + b"abcd" + b"LIST") == b"abcd"
    assert intake.audio == RawAudio("pcm_s16le", 16_000, 1)
    assert intake.accept(b"more") == b""
    container = Intake("auto", None, None)
    assert container.accept(b"OggS....") == b""
    assert container.accept(b"........") == b"OggS............"
    assert container.is_known and container.audio is None


def test_container_replay() -> None:
    """`ContainerReplay`: sessions start at a cluster, and earlier ones are dropped."""
    muxed = muxers.webm(bytes(2 * 20_000), 1000, cluster_ms=5000)
    framing = framing_of(muxed.data)
    assert framing is not None
    replay = ContainerReplay(framing, 120.0)
    replay.append(muxed.data)
    sizes = [len(unit.data) for unit in muxed.units]
    third = len(muxed.header) + sum(sizes[:100])
    assert replay.entry_at(12_200) == (third, 10_000)
    assert replay.header_at(third) == muxed.header
    replay.release(12_200, third + sum(sizes[100:150]))
    assert (replay.start, replay.held_bytes) == (third, sum(sizes[100:]))
    assert replay.entry_at(0) == (third, 10_000)


def test_container_replay_begins_early_enough_to_be_heard() -> None:
    """`ContainerReplay`: where decoding starts distorted, the entry before that is taken."""

    class Distorted(Framing):
        def feed(self, data: bytes) -> list[Mark]:
            self.end_ms = 4000.0
            return [Mark(10 * n, 1000.0 * n, b"", lead_ms=150.0) for n in range(4)]

    replay = ContainerReplay(Distorted(), 120.0)
    replay.append(bytes(40))
    assert replay.entry_at(2150) == (20, 2000)
    assert replay.entry_at(2149) == (10, 1000)


def test_container_replay_keeps_the_time_of_an_entry_that_starts_before_its_frame() -> None:
    """`ContainerReplay`: what precedes an entry takes time, which a session starts earlier by."""

    class Preceded(Framing):
        def feed(self, data: bytes) -> list[Mark]:
            self.end_ms = 1200.0
            return [Mark(10, 1000.0, None), Mark(20, 980.0, b"silent", lead_ms=60.0)]

    replay = ContainerReplay(Preceded(), 120.0)
    replay.append(bytes(30))
    assert replay.entry_at(1040) == (20, 980)
    assert replay.entry_at(1039) == (0, 0)
    assert replay.header_at(20) == b"silent"


def test_container_restart() -> None:
    """`ContainerRestart`: a live source restarts where its clock is; nothing goes out before."""
    uplink, merger = Uplink(RecordingOptions()), Merger()
    uplink.set_audio_format(None)
    restart = ContainerRestart(uplink, merger, is_live=True)
    merger.begin(0)
    assert restart.captured(b"#!AMR", 0.0)
    uplink.capture(b"#!AMR")
    merger.accept(Result([], 2400, 3000))
    restart.request()
    assert uplink.lost_ms == 600
    assert not restart.captured(b"....", 3.5)
    assert restart.started(None) == 3500
    assert uplink.lost_ms == 1100
    assert restart.captured(b"#!AMR", 3.6)
