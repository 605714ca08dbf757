"""Tests of the example site in a real browser: captions, audio, keyboard use, error messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.browser.conftest import SPOKEN
from tests.browser.pages import (
    SCHEMES,
    WIDTHS,
    console_errors,
    faint_texts,
    is_shown,
    prefer,
    press,
    resize,
    tab_to,
    text,
    unnamed_controls,
    until,
)
from tests.serving import ServerProcess

LONG = "This is a sentence of some length, and it goes on until it is over. " * 8

Browse = Callable[..., Any]
Picture = Callable[[Any, str], None]


# -- captions -------------------------------------------------------------------------------------


def test_captions_appear_on_the_page(
    site: ServerProcess, browse: Browse, voice: Path, picture: Picture
) -> None:
    """Words from the microphone appear while they are spoken, and stay."""
    driver = browse(f"{site.url}/captions", microphone=voice)
    picture(driver, "captions-idle")
    driver.find_element("id", "toggle").click()
    until(driver, lambda: "train" in text(driver, "captions"))
    assert text(driver, "status") == "Listening."
    assert driver.find_element("id", "toggle").text == "Stop listening"
    until(driver, lambda: "ticket" in text(driver, "captions"))
    picture(driver, "captions-listening")
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == "Not listening.")
    assert text(driver, "log") == SPOKEN  # exactly, although the browser has resampled it
    assert text(driver, "line") == ""  # no partial text is left
    assert not is_shown(driver, "error")
    assert console_errors(driver) == []


def test_captions_work_with_the_keyboard(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox
) -> None:
    """Tab reaches every control and the focus is visible; Space and Enter start and stop."""
    from selenium.webdriver.common.keys import Keys

    soniox_sandbox.script("Hands are free.", ms_per_word=100, repeat=True)
    driver = browse(f"{site.url}/captions", microphone=voice)
    press(driver, Keys.TAB)
    skip = driver.switch_to.active_element
    assert skip.text == "Skip to the content"
    tab_to(driver, "language")
    tab_to(driver, "toggle")
    press(driver, Keys.SPACE)
    until(driver, lambda: "Hands" in text(driver, "captions"))
    press(driver, Keys.ENTER)
    until(driver, lambda: text(driver, "status") == "Not listening.")
    tab_to(driver, "clear")
    press(driver, Keys.ENTER)
    assert text(driver, "log") == ""
    assert is_shown(driver, "empty")
    assert driver.switch_to.active_element.get_attribute("id") == "toggle"


def test_listening_again_adds_to_the_captions(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox
) -> None:
    """A second session writes below the first."""
    driver = browse(f"{site.url}/captions", microphone=voice)
    for words in ("First sentence.", "Second sentence."):
        soniox_sandbox.script(words, ms_per_word=100)
        driver.find_element("id", "toggle").click()
        until(driver, lambda words=words: words in text(driver, "captions"))
        driver.find_element("id", "toggle").click()
        until(driver, lambda: text(driver, "status") == "Not listening.")
    lines = driver.find_elements("css selector", "#log p")
    assert [line.text for line in lines] == ["First sentence.", "Second sentence."]


def test_the_newest_words_stay_visible(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox, picture: Picture
) -> None:
    """A long text scrolls by itself, unless the reader has scrolled up."""
    soniox_sandbox.script(LONG * 3 + "At last.", ms_per_word=10)
    driver = browse(f"{site.url}/captions", microphone=voice)
    resize(driver, 375)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "captions").endswith("At last."))
    above, below = hidden_pixels(driver)
    assert above > 100
    assert below < 2
    picture(driver, "captions-long")
    driver.execute_script("document.getElementById('captions').scrollTop = 0")
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == "Not listening.")
    assert hidden_pixels(driver)[0] == 0


def hidden_pixels(driver: Any) -> tuple[float, float]:
    """Return the pixels of captions above and below the visible part."""
    above, below = driver.execute_script(
        "const box = document.getElementById('captions');"
        "return [box.scrollTop, box.scrollHeight - box.scrollTop - box.clientHeight]"
    )
    return float(above), float(below)


def test_a_forbidden_microphone_is_explained(
    site: ServerProcess, browse: Browse, picture: Picture
) -> None:
    """Without permission the page says what to do, and lets the user try again."""
    driver = browse(f"{site.url}/captions", allowed=False)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "may not use the microphone" in text(driver, "error")
    assert text(driver, "status") == "Not listening."
    assert driver.find_element("id", "toggle").text == "Start listening"
    picture(driver, "captions-forbidden")


def test_a_lost_server_is_reported(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox, picture: Picture
) -> None:
    """If the server ends while the page listens, the page reports it and keeps the captions."""
    soniox_sandbox.script("Keep these words.", ms_per_word=100)
    driver = browse(f"{site.url}/captions", microphone=voice)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: "these words." in text(driver, "captions"))
    site.close()
    until(driver, lambda: is_shown(driver, "error"))
    assert "The connection to the server was lost" in text(driver, "error")
    assert "Keep these words." in text(driver, "captions")
    picture(driver, "captions-gone")
    driver.find_element("id", "toggle").click()
    until(driver, lambda: "cannot be reached" in text(driver, "error"))


def test_an_error_of_the_service_is_shown(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox
) -> None:
    """A refusal of the service is shown with its own reason."""
    soniox_sandbox.faults.error_frame("invalid_request", kind="stt", after_audio_ms=300)
    driver = browse(f"{site.url}/captions", microphone=voice)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "invalid_request" in text(driver, "error") or "400" in text(driver, "error")
    assert text(driver, "status") == "Not listening."


# -- speech ---------------------------------------------------------------------------------------


def write(driver: Any, words: str) -> None:
    """Replace the text in the field."""
    field = driver.find_element("id", "text")
    field.clear()
    field.send_keys(words)


def played(driver: Any) -> tuple[float, float, bool]:
    """Return the audio element's position, duration, and whether it reached the end."""
    found = driver.execute_script(
        "const a = document.getElementById('audio');"
        "return [a.currentTime, Number.isFinite(a.duration) ? a.duration : -1, a.ended]"
    )
    return float(found[0]), float(found[1]), bool(found[2])


def test_the_text_is_spoken_to_the_end(
    site: ServerProcess, browse: Browse, picture: Picture
) -> None:
    """The audio plays to its end, and its duration is known."""
    driver = browse(f"{site.url}/speech")
    picture(driver, "speech-idle")
    driver.find_element("id", "speak").click()
    until(driver, lambda: text(driver, "status") == "Speaking.")
    picture(driver, "speech-speaking")
    until(driver, lambda: text(driver, "status") == "Finished.")
    position, duration, ended = played(driver)
    assert ended
    assert 1.0 < duration < 10.0
    assert position == pytest.approx(duration, abs=0.2)
    assert not is_shown(driver, "error")
    assert not driver.find_element("id", "stop").is_enabled()
    assert console_errors(driver) == []


def test_speech_is_played_while_it_arrives(
    site: ServerProcess, browse: Browse, soniox_sandbox: Sandbox
) -> None:
    """The audio plays while the service still holds back the rest."""
    soniox_sandbox.faults.stall(kind="tts", after_audio_ms=5000)
    driver = browse(f"{site.url}/speech")
    write(driver, LONG)
    driver.find_element("id", "speak").click()
    until(driver, lambda: text(driver, "status") == "Speaking.")
    until(driver, lambda: played(driver)[0] > 0)
    driver.find_element("id", "stop").click()
    assert text(driver, "status") == "Stopped."
    assert not is_shown(driver, "audio")


def test_the_speech_can_be_played_again(
    site: ServerProcess, browse: Browse, soniox_sandbox: Sandbox
) -> None:
    """Playing again needs no second request: the browser has kept the audio."""
    driver = browse(f"{site.url}/speech")
    write(driver, "Once more.")
    for _ in range(2):
        driver.execute_script("document.getElementById('status').textContent = ''")
        if played(driver)[2]:
            driver.execute_script("document.getElementById('audio').play()")
        else:
            driver.find_element("id", "speak").click()
        until(driver, lambda: text(driver, "status") == "Finished.")
    assert soniox_sandbox.log.totals["tts.streams"] == 1


@pytest.mark.parametrize("spoken_ms", [1000, 4000])
def test_incomplete_speech_is_explained(
    spoken_ms: int, site: ServerProcess, browse: Browse, soniox_sandbox: Sandbox, picture: Picture
) -> None:
    """An incomplete speech never looks complete, and is not requested again and again."""
    soniox_sandbox.faults.error_frame("internal_error", kind="tts", after_audio_ms=spoken_ms)
    driver = browse(f"{site.url}/speech")
    write(driver, LONG)
    driver.find_element("id", "speak").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "cut off" in text(driver, "error")
    assert text(driver, "status") == "Not speaking."
    assert soniox_sandbox.log.wait_until_idle()
    # the speech, and the request that asked for the reason
    assert soniox_sandbox.log.totals["tts.streams"] == 2
    picture(driver, "speech-broken")
    driver.find_element("id", "speak").click()
    until(driver, lambda: text(driver, "status") == "Speaking.")


def test_a_text_without_words_is_explained(site: ServerProcess, browse: Browse) -> None:
    """A text with only punctuation gets an error message."""
    driver = browse(f"{site.url}/speech")
    write(driver, "...")
    driver.find_element("id", "speak").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert text(driver, "error") == "The text has no words."


def test_speaking_works_with_the_keyboard(site: ServerProcess, browse: Browse) -> None:
    """Tab reaches every control; Ctrl+Enter in the text speaks, Stop stops."""
    from selenium.webdriver.common.keys import Keys

    driver = browse(f"{site.url}/speech")
    tab_to(driver, "text")
    field = driver.switch_to.active_element
    field.send_keys(Keys.CONTROL, Keys.END, Keys.NULL, " And this goes on for a while." * 5)
    assert "characters" in text(driver, "count")
    field.send_keys(Keys.CONTROL, Keys.ENTER)
    until(driver, lambda: text(driver, "status") == "Speaking.")
    tab_to(driver, "speak")
    tab_to(driver, "stop")
    press(driver, Keys.ENTER)
    assert text(driver, "status") == "Stopped."
    assert not is_shown(driver, "error")
    assert driver.switch_to.active_element.get_attribute("id") == "speak"


def test_a_refused_text_is_explained(
    site: ServerProcess, browse: Browse, soniox_sandbox: Sandbox, picture: Picture
) -> None:
    """A refusal of the service is shown with its own reason."""
    soniox_sandbox.faults.error_frame("invalid_request", kind="tts", times=10)
    driver = browse(f"{site.url}/speech")
    driver.find_element("id", "speak").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "400" in text(driver, "error") or "invalid_request" in text(driver, "error")
    assert text(driver, "status") == "Not speaking."
    picture(driver, "speech-refused")


def test_an_unreachable_server_is_explained(site: ServerProcess, browse: Browse) -> None:
    """If the server does not respond, the page reports it."""
    driver = browse(f"{site.url}/speech")
    site.close()
    driver.find_element("id", "speak").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "cannot be reached" in text(driver, "error")


# -- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["captions", "speech"])
def test_a_page_is_accessible(page: str, site: ServerProcess, browse: Browse) -> None:
    """No sideways scrolling at 375 and 1280 pixels, every control named, enough contrast."""
    driver = browse(f"{site.url}/{page}")
    for width in WIDTHS:
        resize(driver, width)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert unnamed_controls(driver) == []
    backgrounds = set()
    for scheme in SCHEMES:
        prefer(driver, scheme)
        assert faint_texts(driver) == []
        body = driver.find_element("tag name", "body")
        backgrounds.add(body.value_of_css_property("background-color"))
    assert len(backgrounds) == 2
    outside = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert all(name.startswith((site.url, "data:")) for name in driver.execute_script(outside))
