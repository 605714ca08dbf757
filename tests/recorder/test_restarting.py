"""Containers whose times are not understood: only their source can start them again."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.errors import SonioxConnectionError
from soniox_sync.recorder.actions import Announce, Done, Finish, RestartSource, Send
from tests import muxers
from tests.recorder.driver import Driver, final

HEADER = b"#!AMR\n" + bytes(20)


def lost_after(sent: bytes = HEADER, **options: Any) -> Driver:
    """Return a recording whose first session is lost at 1500 ms, final up to 400 ms."""
    driver = Driver(container=True, auto_reconnect=True, can_restart=True, **options)
    first = driver.open()
    driver.recorder.capture(sent, 0.0)
    driver.go()
    driver.receive(first, final(" one", 0, 400), final_ms=400, total_ms=1500)
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    assert isinstance(driver.go(), Announce)
    assert driver.done.count(RestartSource()) == 1
    driver.recorder.announced(False, driver.now)
    return driver


def received(driver: Driver, number: int) -> bytes:
    return b"".join(a.data for a in driver.done if isinstance(a, Send) and a.number == number)


def first_word_at(driver: Driver, number: int) -> object:
    """Return where the first word of a session, at its 0 ms, is in the recording."""
    driver.receive(number, final(" two", 0, 300), final_ms=300, total_ms=300)
    return driver.events[-1].result.tokens[0].start_ms


def test_between_the_loss_and_the_restart_nothing_goes_out() -> None:
    """What the source delivers of the old container is dropped, also once a session is open."""
    driver = lost_after()
    driver.recorder.capture(b"of the old container")
    second = driver.open()
    driver.recorder.capture(b"and one more chunk")
    driver.go()
    assert received(driver, second) == b""
    driver.recorder.container_restarted()
    driver.recorder.capture(HEADER)
    driver.go()
    assert received(driver, second) == HEADER


def test_a_chunk_with_a_header_shows_the_restart() -> None:
    """A source that does not report its restart is followed from the next header on."""
    driver = lost_after()
    second = driver.open()
    driver.recorder.capture(b"of the old container")
    driver.recorder.capture(HEADER + b"new")
    driver.recorder.capture(b"more")
    driver.go()
    assert received(driver, second) == HEADER + b"newmore"


def test_a_page_of_an_unknown_codec_is_no_header() -> None:
    """Of Ogg only a first page of a stream is the start of a container."""
    first_page = muxers.ogg_page([b"unknown"], 0, flags=2)
    page = muxers.ogg_page([b"audio"], 960)
    driver = lost_after(first_page + page)
    second = driver.open()
    driver.recorder.capture(page)
    driver.recorder.capture(first_page)
    driver.go()
    assert received(driver, second) == first_page


def test_audio_lost_until_a_live_source_restarts_is_counted_in_times_too() -> None:
    """A live source restarts where its clock is: the words that follow are that much later."""
    driver = lost_after()
    for now in (1.0, 2.0, 3.0):
        driver.recorder.capture(b"of the old container", now)
    driver.recorder.container_restarted()
    second = driver.open()
    driver.recorder.capture(HEADER, 3.1)
    driver.go()
    assert driver.recorder.lost_ms == 2600
    assert driver.reconnected[-1].lost_ms == 2600
    assert first_word_at(driver, second) == 3000


def test_a_restart_behind_the_open_session_moves_its_start() -> None:
    """The same, when the session was open before the source had restarted."""
    driver = lost_after()
    second = driver.open()
    driver.recorder.capture(b"of the old container", 3.0)
    driver.recorder.capture(HEADER, 3.5)
    driver.go()
    assert driver.recorder.lost_ms == 3100
    assert first_word_at(driver, second) == 3500


def test_silence_of_a_live_source_and_pauses_are_no_lost_audio() -> None:
    """While a source delivers nothing for long, or is paused, no audio is lost."""
    driver = lost_after()
    driver.recorder.capture(b"old", 100.0)  # five seconds of these at most
    driver.recorder.pause()
    driver.recorder.capture(b"old", 101.0)
    driver.recorder.resume()
    driver.recorder.capture(b"old", 300.0)
    driver.recorder.container_restarted()
    assert driver.recorder.lost_ms == 4600


def test_a_source_may_say_where_its_new_container_starts() -> None:
    """What `on_restart` says is where later words are; what was delivered is not repeated."""
    driver = lost_after(can_wait=True)
    driver.recorder.container_restarted(300)
    second = driver.open()
    driver.recorder.capture(HEADER)
    driver.go()
    driver.receive(second, final(" one", 0, 100), final(" two", 200, 500), total_ms=600)
    assert [(t.text, t.start_ms) for t in driver.events[-1].result.tokens] == [(" two", 500)]


def test_a_source_that_ends_instead_of_restarting_is_an_error() -> None:
    """Without a new container the rest is missing: that is no normal end, but the loss."""
    driver = lost_after()
    second = driver.open()
    driver.recorder.source_ended()
    driver.go()
    assert Finish(second) in driver.done
    driver.recorder.finished(second, driver.now)
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, SonioxConnectionError)
    assert "restart()" in str(done.error)


def test_a_restart_that_nobody_asked_for_loses_nothing() -> None:
    """What was captured before a new container is sent before it."""
    driver = Driver(container=True, can_restart=True)
    driver.recorder.capture(HEADER)
    driver.recorder.container_restarted()
    driver.recorder.capture(HEADER)
    first = driver.open()
    assert received(driver, first) == HEADER * 2


def test_a_container_that_turns_out_to_be_another_is_only_sent() -> None:
    """What looked like FLAC and is not is passed on whole, and cannot be sent again."""
    driver = Driver(container=True, auto_reconnect=True)
    first = driver.open()
    pieces = [b"fLaC" + bytes(30), bytes(2_000_000), b"the end"]
    for piece in pieces:
        driver.recorder.capture(piece)
        driver.go()
    assert received(driver, first) == b"".join(pieces)
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    done = driver.go()
    assert isinstance(done, Done) and "container" in str(done.error)


@pytest.mark.parametrize("sent", [20, 100])
def test_a_loss_inside_the_header_sends_it_again(sent: int) -> None:
    """A container of which only a part of the header was sent starts from its beginning."""
    muxed = muxers.flac(bytes(8000), 1000)
    driver = Driver(container=True, auto_reconnect=True)
    first = driver.open()
    driver.recorder.capture(muxed.data[:sent])
    driver.go()
    driver.lose(first)
    second = driver.open()
    driver.recorder.capture(muxed.data[sent:])
    driver.go()
    assert received(driver, second) == muxed.data


def test_a_large_header_is_sent_in_pieces() -> None:
    """A header with a picture is repeated, in messages of at most 64 KiB."""
    muxed = muxers.flac(bytes(16_000), 1000)
    picture = b"\x06\x03\x0d\x40" + bytes(200_000)
    info = bytes([muxed.header[4] & 0x7F]) + muxed.header[5:]
    last = b"\x81\0\0\0"
    header = b"fLaC" + info + picture + last
    units = b"".join(unit.data for unit in muxed.units)
    driver = Driver(container=True, auto_reconnect=True, catch_up_speed=None)
    first = driver.open()
    driver.recorder.capture(header + units)
    driver.go()
    driver.receive(first, final(" one", 0, 1000), final_ms=5000, total_ms=5000)
    driver.lose(first)
    second = driver.open()
    data = received(driver, second)
    assert data.startswith(header) and units.endswith(data[len(header) :])
    sizes = [len(a.data) for a in driver.done if isinstance(a, Send) and a.number == second]
    assert max(sizes) <= 64 * 1024
