"""What is passed on as it came: the results of the first session, which need no correction."""

from __future__ import annotations

from soniox_sync.protocol.tokens import Result, SttEvent, Token
from tests.recorder.driver import Driver, final, partial


def received(driver: Driver, number: int, event: SttEvent) -> list[SttEvent]:
    """Receive an event; return what came of it."""
    before = len(driver.events)
    driver.recorder.received(number, event, driver.now)
    return driver.events[before:]


def result(*tokens: Token, final_ms: int = 0, total_ms: int = 0) -> SttEvent:
    return SttEvent("result", Result(list(tokens), final_ms, total_ms))


def test_the_first_session_is_not_copied() -> None:
    """Events, results and tokens of the first session are the very objects that were received."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(1000)
    event = result(final("One", 0, 300), partial(" two", 300, 500), final_ms=300, total_ms=600)
    (delivered,) = received(driver, number, event)
    assert delivered is event


def test_counters_that_go_back_are_corrected_in_a_copy() -> None:
    """A result whose counters are behind those before gets theirs; the received one keeps its."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(1000)
    received(driver, number, result(final("One", 0, 300), final_ms=300, total_ms=600))
    event = result(partial(" two", 300, 500), final_ms=200, total_ms=500)
    (delivered,) = received(driver, number, event)
    assert (delivered.result.final_audio_proc_ms, delivered.result.total_audio_proc_ms) == (
        300,
        600,
    )
    assert event.result.final_audio_proc_ms == 200
    assert delivered.result.tokens == event.result.tokens


def test_what_was_not_copied_counts_for_the_next_session() -> None:
    """Words and partials of the first session are known when the second repeats them."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(2000)
    received(
        driver,
        number,
        result(final("One", 0, 300), partial(" two", 300, 500), final_ms=300, total_ms=600),
    )
    driver.lose(number)
    assert driver.events[-1].result.tokens == []  # the partial is withdrawn
    following = driver.open()
    (delivered,) = received(
        driver, following, result(final("two", 0, 200), final_ms=200, total_ms=300)
    )
    (token,) = delivered.result.tokens
    assert (token.text, token.start_ms, token.session) == (" two", 300, 1)


def test_audio_is_forgotten_a_second_at_a_time() -> None:
    """The buffer is trimmed for each second that becomes final, not for each word."""
    driver = Driver(auto_reconnect=True, replay_window_sec=30.0)
    number = driver.open()
    driver.capture(10_000)
    held = []
    for ms in range(5000, 9000, 500):
        word = final(f" w{ms}", ms - 100, ms)
        received(driver, number, result(word, final_ms=ms, total_ms=ms))
        held.append(driver.recorder.held_bytes)
    steps = [before - after for before, after in zip(held, held[1:])]
    assert steps == [0, 2000, 0, 2000, 0, 2000, 0]
