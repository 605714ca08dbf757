"""Recordings of containers: what a new session receives, and what is lost."""

from __future__ import annotations

import functools
import random
from typing import Any, Callable

import pytest

from soniox_sync.config.recording import RecordingOptions
from soniox_sync.protocol.states import StateChange
from soniox_sync.recorder.actions import Reconnected, Send
from soniox_sync.recorder.uplink import Uplink
from tests import muxers
from tests.audio.framing.test_framing import reaching
from tests.muxers import Muxed, StrictDecoder
from tests.recorder.driver import Driver, final
from tests.recorder.test_schedules import BLOCKS, SEEDS, faults_for, options_for
from tests.recorder.world import BYTES_PER_MS, World

# of the audio of a `World`: Hz
RATE = 1000


def muxes(rng: random.Random) -> Callable[[bytes], Muxed]:
    """Return a way to mux samples, with units of random lengths."""
    block = rng.choice([20, 100, 400])
    return rng.choice(
        [
            functools.partial(muxers.flac, rate=RATE, block=block, known=rng.random() < 0.5),
            functools.partial(muxers.ogg, rate=RATE, block=block, per_page=rng.randint(1, 5)),
            functools.partial(
                muxers.webm,
                rate=RATE,
                block=block,
                cluster_ms=rng.choice([400, 1000, 5000]),
                live=rng.random() < 0.5,
                grouped=rng.random() < 0.3,
                start_ms=rng.choice([0, 7, 3_600_000]),
            ),
        ]
    )


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_faults_lose_and_repeat_no_word_of_a_container(block: int) -> None:
    """Every session gets the header and whole units; each word is delivered once, at its time."""
    for seed in range(block * SEEDS // BLOCKS, (block + 1) * SEEDS // BLOCKS):
        rng = random.Random(seed)
        faults: dict[str, Any] = faults_for(rng)
        faults.update(mux=muxes(rng), can_wait=rng.random() < 0.5)
        world = World(seed, options_for(rng), rng.choice([3, 8, 20]), **faults)
        try:
            world.run()
            world.check_complete()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def check_losses(world: World) -> None:
    """Check that each word is whole and at its time, or lies in audio that was counted as lost."""
    assert world.outcome is not None and world.outcome.error is None
    spans = {number: (start, end) for number, start, end in world.speech.words}
    starts = [t.start_ms for t in world.finals if t.text.startswith(" ")]
    words = dict(zip(starts, world.words()))
    # what was cut by a gap is recognised as something else
    numbers = [int(word[1:]) for word in words.values() if word[1:].isdigit() and word[0] == "w"]
    assert numbers == sorted(set(numbers)) and len(words) == len(starts)
    for start_ms, word in words.items():
        each = word[1:]
        if word == f"w{each}" and each.isdigit():
            assert start_ms is not None and abs(start_ms - spans[int(each)][0]) <= 1
    lengths = {each: end - start for each, (start, end) in spans.items()}
    delivered_ms = sum(lengths[each] for each in numbers)
    missing_ms = sum(lengths.values()) - delivered_ms
    lost_ms = world.recorder.lost_ms
    gaps = sum(1 for n in world.notices if isinstance(n, Reconnected) and n.lost_ms)
    # a gap cuts at most two words, of up to 700 ms
    assert missing_ms <= lost_ms + gaps * 2 * 700
    assert lost_ms <= len(world.speech.pcm) // BYTES_PER_MS - delivered_ms


def outage(rng: random.Random, **faults: Any) -> World:
    """Return a live recording whose connections are refused for longer than audio is kept."""
    options = RecordingOptions(
        auto_reconnect=True,
        max_reconnect_attempts=1000,
        reconnect_base_delay_sec=0.5,
        replay_window_sec=4.0,
        rotate_after_sec=None,
    )
    faults = {"drop": 0.8, "refuse": 0.7, "lag": 0.05, "every_ms": 60, **faults}
    return World(rng.randrange(1 << 30), options, 25, mux=muxes(rng), **faults)


def test_what_a_live_container_loses_is_counted_and_later_times_are_right() -> None:
    """In outages longer than the window the oldest units are lost, and only those."""
    lost = 0
    for seed in range(SEEDS // 20):
        world = outage(random.Random(seed))
        try:
            world.run()
            check_losses(world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        lost += world.recorder.lost_ms > 0
    assert lost > SEEDS // 100  # or nothing was tested


def test_a_container_that_can_wait_loses_nothing_in_an_outage() -> None:
    """A source that can wait is held back while a window of it is not final."""
    for seed in range(SEEDS // 50):
        world = outage(random.Random(seed), can_wait=True, final_lag_ms=3000, pace=5.0)
        try:
            world.run()
            world.check_complete()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def lost_at(muxed: Muxed, final_ms: int, total_ms: int) -> tuple[Driver, StrictDecoder, int]:
    """Lose a session after a word up to `final_ms`; return what the next one is sent."""
    driver = Driver(container=True, auto_reconnect=True, catch_up_speed=None)
    first = driver.open()
    driver.recorder.capture(muxed.data)
    driver.go()
    word = final(" one", final_ms - 300, final_ms)
    driver.receive(first, word, final_ms=final_ms, total_ms=total_ms)
    driver.lose(first)
    second = driver.open()
    decoder = StrictDecoder(muxed)
    for action in driver.done:
        if isinstance(action, Send) and action.number == second:
            decoder.feed(action.data)
    decoder.end()
    return driver, decoder, second


@pytest.mark.parametrize(
    ("final_ms", "cluster"), [(12_000, 2), (9_900, 1), (10_000, 2), (19_000, 3)]
)
def test_a_session_begins_with_the_last_cluster_before_the_first_word_missing(
    final_ms: int, cluster: int
) -> None:
    """Clusters at 0, 5, 10 and 15 s: the last one before the end of the last final word."""
    muxed = muxers.webm(bytes(2 * 20_000), RATE, cluster_ms=5000)
    driver, decoder, second = lost_at(muxed, final_ms, final_ms + 200)
    assert decoder.first == cluster * 50
    driver.receive(second, final(" two", 4900, 5000), final_ms=5000, total_ms=5000)
    start_ms = cluster * 5000 + 4900
    words = [(t.text, t.start_ms) for t in driver.events[-1].result.tokens]
    assert words == ([(" two", start_ms)] if start_ms >= final_ms else [])
    assert driver.recorder.lost_ms == 0


def test_words_of_a_cluster_that_were_delivered_are_dropped_by_time() -> None:
    """A session that begins before the last final word does not deliver it again."""
    muxed = muxers.webm(bytes(2 * 20_000), RATE, cluster_ms=5000)
    driver, _, second = lost_at(muxed, 12_000, 12_200)
    again, new = final(" one", 1700, 2000), final(" two", 2100, 2400)
    driver.receive(second, again, new, final_ms=2400, total_ms=2400)
    words = [(t.text, t.start_ms, t.end_ms) for t in driver.events[-1].result.tokens]
    assert words == [(" two", 12_100, 12_400)]


def test_a_long_cluster_is_entered_inside() -> None:
    """Of one cluster of 30 s only what may be missing is kept and sent, as a cluster of its own."""
    muxed = muxers.webm(bytes(2 * 30_000), RATE, cluster_ms=30_000)
    driver = Driver(container=True, auto_reconnect=True, catch_up_speed=None)
    first = driver.open()
    driver.recorder.capture(muxed.data)
    driver.go()
    driver.receive(first, final(" one", 26_000, 26_300), final_ms=26_300, total_ms=26_500)
    assert driver.recorder.held_bytes < len(muxed.data) / 2
    driver.lose(first)
    second = driver.open()
    data = b"".join(a.data for a in driver.done if isinstance(a, Send) and a.number == second)
    assert data.startswith(muxed.header + b"\x1f\x43\xb6\x75")
    assert data.endswith(b"".join(unit.data for unit in muxed.units[200:]))
    driver.receive(second, final(" two", 7000, 7300), final_ms=7300, total_ms=7300)
    assert driver.events[-1].result.tokens[0].start_ms == 27_000


def test_a_container_is_sent_at_the_pace_of_a_catch_up() -> None:
    """A burst of ten seconds, then twice real time, as for samples."""
    muxed = muxers.ogg(bytes(2 * 30_000), RATE)
    driver = Driver(container=True, auto_reconnect=True)
    first = driver.open()
    driver.recorder.capture(muxed.data)
    sent = []
    for now in (0.0, 2.0, 5.0):
        driver.now = now
        driver.go()
        done = [len(a.data) for a in driver.done if isinstance(a, Send) and a.number == first]
        sent.append(sum(done) / len(muxed.data) * 30)
        assert len(done) >= sent[-1] * 3.5  # messages of a quarter of a second
    assert sent == pytest.approx([10, 14, 20], abs=0.6)


def test_a_rotation_gives_a_container_its_header_again() -> None:
    """A recording of a container rotates like any other, so that it can be endless."""
    options = RecordingOptions(auto_reconnect=True, rotate_after_sec=8.0)
    for seed in range(9):
        world = World(seed, options, 40, mux=muxes(random.Random(seed)), lag=0.05)
        world.run()
        world.check_complete()
        reasons = [each.reason for each in world.notices if isinstance(each, StateChange)]
        assert reasons.count("rotated") >= 2


def test_audio_that_was_final_is_not_lost_with_its_cluster() -> None:
    """Of a cluster that is dropped only what was not final counts, not what was heard before."""
    muxed = muxers.webm(bytes(2 * 12_000), RATE)
    driver = Driver(container=True, auto_reconnect=True, catch_up_speed=None, replay_window_sec=4.0)
    first = driver.open()
    sizes = [len(unit.data) for unit in muxed.units]
    sent = len(muxed.header) + sum(sizes[:50])
    for at in range(0, sent, 50):
        driver.recorder.capture(muxed.data[at : min(sent, at + 50)])
        driver.go()
    driver.receive(first, final(" one", 4100, 4458), final_ms=4458, total_ms=5000)
    driver.lose(first)
    for at in range(sent, len(muxed.data), 50):
        driver.recorder.capture(muxed.data[at : at + 50])
    assert driver.recorder.lost_ms == 7000 - 4458


def test_a_window_shorter_than_a_cluster_holds_no_source_back_once_all_is_final() -> None:
    """What is kept only because decoding starts there is no part of the window."""
    muxed = muxers.webm(bytes(2 * 4500), RATE, cluster_ms=5000)
    uplink = Uplink(RecordingOptions(replay_window_sec=3.0, catch_up_speed=None), can_wait=True)
    uplink.set_audio_format(None)
    uplink.capture(muxed.data)
    assert uplink.is_window_full
    while uplink.next_chunk(0.0)[0]:
        pass
    uplink.trim(4400, lambda: 4400)
    assert not uplink.is_window_full and uplink.held_bytes == len(muxed.data) - len(muxed.header)


def test_a_session_that_starts_after_a_gap_starts_with_what_precedes_its_frame() -> None:
    """Audio left the window unsent: the time is that of the silenced frames in front."""
    frames = [reaching(417, 500 if n else 0) for n in range(150)]  # of 26 ms
    uplink = Uplink(RecordingOptions(replay_window_sec=1.0))
    uplink.set_audio_format(None)
    for each in frames:
        uplink.capture(each)
    frame = uplink.cursor // len(frames[0])
    start_ms = round((frame - 2) * 1152 / 44.1)
    assert frame > 80 and uplink.cursor_ms == start_ms == uplink.lost_ms


def test_messages_of_a_container_have_a_limit() -> None:
    """A quarter of a second of a dense container is sent in several messages."""
    muxed = muxers.webm(bytes(2 * 400_000), 400_000, block=20_000)
    driver = Driver(container=True, catch_up_speed=None)
    driver.recorder.capture(muxed.data)
    driver.open()
    sizes = [len(action.data) for action in driver.done if isinstance(action, Send)]
    assert sum(sizes) == len(muxed.data) and max(sizes) <= 64 * 1024
