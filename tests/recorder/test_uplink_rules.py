"""Rules of outgoing audio: what is lost, when the next chunk may go, what a message holds."""

from __future__ import annotations

import pytest

from soniox_sync.audio.formats import RawAudio
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.recorder.actions import Send, Wait
from soniox_sync.recorder.merging import Merger
from soniox_sync.recorder.replay import ContainerBuffer, Pacer, ReplayBuffer
from soniox_sync.recorder.restarting import ContainerRestart
from soniox_sync.recorder.uplink import LostAudio, Uplink
from tests.recorder.driver import Driver
from tests.recorder.world import AUDIO, BYTES_PER_MS


def uplink_with(ms: int = 0, *, can_wait: bool = False, **options: object) -> Uplink:
    """Return an uplink that has captured so much audio."""
    made = Uplink(RecordingOptions(**options), can_wait=can_wait)  # type: ignore[arg-type]
    made.set_audio_format(AUDIO)
    if ms:
        made.capture(bytes(ms * BYTES_PER_MS))
    return made


# -- lost audio ----------------------------------------------------------------------------------


def test_an_earlier_gap_leaves_a_later_one_alone() -> None:
    """Gaps may be found in any order: each millisecond counts once."""
    lost = LostAudio()
    lost.add(9000, 9500)
    lost.add(0, 5000)
    assert lost.ms == 5500
    lost.add(9000, 9500)
    lost.add(1000, 2000)
    assert lost.ms == 5500
    lost.add(4000, 9200)
    assert lost.ms == 9500


def test_gaps_that_touch_are_one() -> None:
    """The end of one is the beginning of the next."""
    lost = LostAudio()
    lost.add(0, 1000)
    lost.add(1000, 2000)
    lost.add(500, 1500)
    assert lost.ms == 2000


@pytest.mark.parametrize("end_ms", [1000, 500])
def test_nothing_is_no_gap(end_ms: int) -> None:
    """A gap has a length: its end is later than its beginning."""
    lost = LostAudio()
    lost.add(1000, end_ms)
    assert lost.ms == 0


# -- pace ----------------------------------------------------------------------------------------


def test_a_catch_up_says_when_it_goes_on() -> None:
    """After the burst each next quarter of a second is sent as soon as it is allowed."""
    driver = Driver(rotate_after_sec=None, catch_up_burst_sec=1.0, catch_up_speed=2.0)
    number = driver.open()
    driver.recorder.capture(bytes(1400 * BYTES_PER_MS))
    assert driver.go() == Wait(pytest.approx(0.125))
    assert driver.sent(number) == 1000
    driver.now = 0.125
    assert driver.go() == Wait(pytest.approx(0.2))
    assert driver.sent(number) == 1250
    driver.now = 0.2
    assert driver.go() == Wait()
    assert driver.sent(number) == 1400


def test_a_message_has_a_quarter_of_a_second_at_most() -> None:
    """Longer audio is sent in several messages."""
    uplink = uplink_with(600, catch_up_speed=None)
    sizes = [len(uplink.next_chunk(0.0)[0]) // BYTES_PER_MS for _ in range(4)]
    assert sizes == [250, 250, 100, 0]


def test_a_wait_for_the_pace_is_never_zero() -> None:
    """Whoever waits for no time at all would spin."""
    uplink = uplink_with(600, catch_up_burst_sec=1.0, catch_up_speed=2.0)
    assert uplink.wait_sec() == 0.001
    while uplink.next_chunk(0.0)[0]:
        pass
    assert uplink.wait_sec() is None


def test_a_chunk_waits_for_its_whole_allowance() -> None:
    """Half of it would make tiny messages; exactly enough is enough."""
    uplink = uplink_with(500, catch_up_burst_sec=0.25, catch_up_speed=1.0)
    assert len(uplink.next_chunk(0.0)[0]) == 250 * BYTES_PER_MS
    assert uplink.next_chunk(0.125) == (b"", 0.0)
    assert len(uplink.next_chunk(0.25)[0]) == 250 * BYTES_PER_MS


def test_a_new_session_has_its_burst_again() -> None:
    """The service counts by session."""
    uplink = uplink_with(500, catch_up_burst_sec=0.25, catch_up_speed=1.0)
    assert uplink.next_chunk(0.0)[1] == 0.25
    uplink.begin_session()
    assert uplink.next_chunk(0.0)[1] == 0.25


def test_an_allowance_grows_up_to_a_burst() -> None:
    """Silence before does not allow more at once than a session's beginning."""
    pacer = Pacer(2.0, 10.0)
    pacer.spend(10.0)
    assert pacer.allowed_sec(0.0) == 0.0
    assert pacer.allowed_sec(1.0) == 2.0
    assert pacer.allowed_sec(100.0) == 10.0
    assert pacer.try_spend(10.5, 100.0) is False
    assert pacer.try_spend(10.0, 100.0) is True
    assert pacer.allowed_sec(100.0) == 0.0


def test_without_a_speed_there_is_no_allowance_to_keep() -> None:
    """Any amount may be sent, at once."""
    pacer = Pacer(None, 10.0)
    assert pacer.allowed_sec(0.0) is None
    assert pacer.try_spend(1000.0, 0.0)
    assert pacer.wait_sec(1000.0) == 0.0


# -- a finalize ----------------------------------------------------------------------------------


def test_a_chunk_ends_where_a_finalize_is_due() -> None:
    """Sent later it would cut the word behind it."""
    uplink = uplink_with(600, catch_up_speed=None)
    until = 100 * BYTES_PER_MS
    assert len(uplink.next_chunk(0.0, until)[0]) == until
    assert len(uplink.next_chunk(0.0, until)[0]) == 250 * BYTES_PER_MS


# -- kept audio ----------------------------------------------------------------------------------


def test_trimming_keeps_five_seconds_behind_what_is_final() -> None:
    """The resume point may still move back: to the start of a word."""
    uplink = uplink_with(20_000, catch_up_speed=None)
    while uplink.next_chunk(0.0)[0]:
        pass
    uplink.trim(12_000, lambda: 12_000)
    assert uplink.held_bytes == 13_000 * BYTES_PER_MS
    uplink.trim(12_999, lambda: 12_999)  # less than a second later: not yet
    assert uplink.held_bytes == 13_000 * BYTES_PER_MS
    uplink.trim(13_000, lambda: 13_000)
    assert uplink.held_bytes == 12_000 * BYTES_PER_MS


def test_a_small_window_keeps_half_of_it_behind() -> None:
    """Or it would be full with what is final."""
    uplink = uplink_with(4000, catch_up_speed=None, replay_window_sec=4.0)
    while uplink.next_chunk(0.0)[0]:
        pass
    uplink.trim(3000, lambda: 3000)
    assert uplink.held_bytes == 3000 * BYTES_PER_MS


def test_what_was_not_sent_is_kept() -> None:
    """However far the service says it is."""
    uplink = uplink_with(20_000, catch_up_speed=None)
    uplink.next_chunk(0.0)
    uplink.trim(20_000, lambda: 20_000)
    assert uplink.held_bytes == 19_750 * BYTES_PER_MS


def sent(ms: int, *, can_wait: bool = False, window_sec: float = 4.0) -> Uplink:
    """Return an uplink that has captured and sent so much audio."""
    uplink = uplink_with(ms, can_wait=can_wait, catch_up_speed=None, replay_window_sec=window_sec)
    uplink.begin_session()
    while uplink.next_chunk(0.0)[0]:
        pass
    return uplink


def test_the_first_second_that_is_final_is_trimmed() -> None:
    """Not the first word."""
    for final_ms, held_ms in [(999, 3900), (1000, 2900)]:
        uplink = sent(3900)
        uplink.trim(final_ms, lambda: 3000)
        assert uplink.held_bytes == held_ms * BYTES_PER_MS


@pytest.mark.parametrize(
    ("ms", "can_wait", "held_ms"), [(4000, True, 3500), (3900, True, 3900), (4000, False, 4000)]
)
def test_a_source_that_waits_is_trimmed_for_at_once(ms: int, can_wait: bool, held_ms: int) -> None:
    """It is held back as long as the window is full; a live one is not."""
    uplink = sent(ms, can_wait=can_wait)
    uplink.trim(500, lambda: 2500)
    assert uplink.held_bytes == held_ms * BYTES_PER_MS


@pytest.mark.parametrize(
    ("ms", "can_wait", "passes"),
    [(4000, False, True), (3749, True, True), (3750, True, False), (100, True, True)],
)
def test_audio_passes_through_unless_it_fills_the_window_of_a_source_that_waits(
    ms: int, can_wait: bool, passes: bool
) -> None:
    """Of a live one the oldest is dropped."""
    uplink = sent(ms, can_wait=can_wait)
    found = uplink.pass_through(bytes(250 * BYTES_PER_MS), 0.0)
    assert found == (0.25 if passes else None)
    assert uplink.end == (ms + (250 if passes else 0)) * BYTES_PER_MS


def test_losses_are_reported_once() -> None:
    """Each `reconnected` tells what was lost since the one before."""
    uplink = uplink_with(1500, replay_window_sec=1.0)
    assert (uplink.lost_ms, uplink.newly_lost_ms(), uplink.newly_lost_ms()) == (500, 500, 0)


def test_a_buffer_is_full_with_its_whole_window() -> None:
    """Not before; and with two windows once it has grown."""
    buffer = ReplayBuffer(AUDIO, 1.0, can_drop=False)
    buffer.append(bytes(999 * BYTES_PER_MS))
    assert not buffer.is_full
    assert not buffer.would_fill(BYTES_PER_MS - 1)
    assert buffer.would_fill(BYTES_PER_MS)
    buffer.append(bytes(BYTES_PER_MS))
    assert buffer.is_full
    buffer.grow()
    assert not buffer.is_full
    buffer.append(bytes(1000 * BYTES_PER_MS))
    assert buffer.is_full


def test_audio_is_read_in_whole_frames_except_for_its_end() -> None:
    """Half a frame would shift all that follows; a source may cut its last one off."""
    buffer = ReplayBuffer(RawAudio("pcm_s16le", 16_000, 2), 1.0)
    buffer.append(bytes(11))
    assert len(buffer.read(0, 7)) == 4
    assert len(buffer.read(8, 100)) == 3
    assert buffer.length_of(0, 0.0) == 4
    assert not buffer.append_whole(bytes(4))
    assert not ReplayBuffer(RawAudio("pcm_s16le", 16_000, 2), 1.0).append_whole(bytes(3))


def test_a_queue_is_full_with_its_last_chunk() -> None:
    """`buffer_queue_size` chunks fit, and not one more."""
    queue = ContainerBuffer(2)
    queue.append(b"one")
    assert not queue.is_full
    queue.append(b"two")
    assert queue.is_full and queue.held_bytes == 6
    assert queue.take() == b"one"
    assert (queue.start, queue.end, queue.held_bytes, queue.is_full) == (3, 6, 3, False)
    queue.clear()
    assert (queue.start, queue.end, queue.held_bytes) == (6, 6, 0)


def test_a_container_knows_no_pace() -> None:
    """Chunks of an unknown format go out as they come; their seconds are not known."""
    uplink = Uplink(RecordingOptions())
    assert not uplink.has_audio_format and uplink.end == 0 and uplink.held_bytes == 0
    uplink.set_audio_format(None)
    assert uplink.has_audio_format and uplink.end == 0
    assert uplink.capture(b"#!AMR\n")
    assert not uplink.is_caught_up and uplink.wait_sec() is None
    assert uplink.next_chunk(0.0) == (b"#!AMR\n", 0.0)
    assert uplink.next_chunk(0.0) == (b"", 0.0)
    assert uplink.is_caught_up and uplink.ahead_sec == 0.0
    assert uplink.replayed_ms(0) == 0


# -- a source that starts a new container --------------------------------------------------------


def restarting(head: bytes) -> ContainerRestart:
    """Return a restart that waits for a new container like the one that began with `head`."""
    uplink, merger = Uplink(RecordingOptions()), Merger()
    uplink.set_audio_format(None)
    restart = ContainerRestart(uplink, merger, is_live=True)
    merger.begin(0)
    assert restart.captured(head, 0.0)
    restart.request()
    return restart


@pytest.mark.parametrize(("flags", "starts"), [(0, False), (1, False), (2, True), (6, True)])
def test_a_page_that_starts_a_stream_starts_an_ogg(flags: int, starts: bool) -> None:
    """Every page begins with `OggS`: its flags tell which one is the first."""
    page = b"OggS\0%c" % flags + bytes(22)
    assert restarting(b"OggS\0\2" + bytes(22)).captured(page, 1.0) is starts


@pytest.mark.parametrize(("chunk", "starts"), [(b"abcdZZ", True), (b"abcZZZ", False), (b"", False)])
def test_an_unknown_container_starts_as_the_first_one_did(chunk: bytes, starts: bool) -> None:
    """With the same four bytes."""
    assert restarting(b"abcdef").captured(chunk, 1.0) is starts


def test_half_a_page_starts_nothing() -> None:
    """Without its flags nobody knows."""
    assert not restarting(b"OggS\0\2" + bytes(22)).captured(b"OggS\0", 1.0)


def test_a_long_silence_of_a_source_is_no_audio() -> None:
    """A gap of more than five seconds counts as five: it was not capturing."""
    for gap_sec, start_ms in [(5.0, 5000), (60.0, 5000), (4.9, 4900)]:
        restart = restarting(b"#!AMR\n")
        restart.captured(b"....", gap_sec)
        assert restart.started(None) == start_ms


def test_a_pause_is_no_audio_either() -> None:
    """The clock of a live source stands still while it is paused."""
    restart = restarting(b"#!AMR\n")
    restart.captured(b"....", 1.0)
    restart.paused()
    restart.captured(b"....", 4.0)
    restart.captured(b"....", 4.5)
    assert restart.started(None) == 1500


def test_a_restart_is_pending_until_it_is_seen() -> None:
    """Only then an end of the source means that it owed a new container."""
    restart = restarting(b"#!AMR\n")
    cause = OSError("gone")
    assert restart.why_missed(cause) is cause
    assert restart.why_missed(None) is None
    assert restart.captured(b"#!AMR\n", 1.0)
    assert restart.why_missed(cause) is None


def test_a_send_carries_what_was_captured() -> None:
    """Bytes go out as they were captured."""
    driver = Driver()
    number = driver.open()
    driver.recorder.capture(b"\1\0\2\0")
    assert driver.recorder.next(0.0) == Send(number, b"\1\0\2\0")
