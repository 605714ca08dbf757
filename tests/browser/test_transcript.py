"""The page of a transcript in a real browser: from a file, without a network."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.protocol.tokens import Result
from soniox_sync.transcript import Transcript
from tests.browser.pages import (
    SCHEMES,
    WIDTHS,
    console_errors,
    faint_texts,
    prefer,
    press,
    resize,
    tab_to,
    unnamed_controls,
    until,
)
from tests.transcript.helpers import speech, translated

Browse = Callable[..., Any]
Picture = Callable[[Any, str], None]
LIT = "return [...document.querySelectorAll('.now')].map((word) => word.textContent)"
HOSTILE = "</script><img src=x onerror='window.owned=1'><script>window.owned=1</script>"


def wav(seconds: int) -> bytes:
    """Return a WAV of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8000)
        audio.writeframes(bytes(16000 * seconds))
    return file.getvalue()


def spoken_by_two() -> Transcript:
    """Return a conversation of two, with a translation, thirty seconds long."""
    made = Transcript()
    one: dict[str, Any] = {"speaker": "1", "language": "en", "translation_status": "original"}
    for turn in range(6):
        who = {**one, "speaker": str(1 + turn % 2)}
        said = speech("Bring the ticket to the gate, please.", start=turn * 5000, **who)
        made.add(Result(tokens=said))
        made.add(Result(tokens=[translated("Traiga el billete.", source_language="en")]))
    made.total_audio_proc_ms = 30_000
    return made


@pytest.fixture
def transcript() -> Transcript:
    """Provide a conversation."""
    return spoken_by_two()


@pytest.fixture
def show(browse: Browse, tmp_path: Path) -> Callable[[str], Any]:
    """Provide a function that opens a page from a file."""

    def opened(page: str) -> Any:
        path = tmp_path / "page.html"
        path.write_text(page, encoding="utf-8")
        return browse(path.as_uri())

    return opened


def click_word(driver: Any, text: str, index: int = 0) -> None:
    words = driver.find_elements("css selector", "p [data-s]")
    [each for each in words if each.text == text][index].click()


@pytest.mark.parametrize("embedded", [True, False])
def test_a_clicked_word_plays_and_is_lit(
    show: Callable[[str], Any],
    transcript: Transcript,
    tmp_path: Path,
    picture: Picture,
    embedded: bool,
) -> None:
    """A click on a word plays from it and lights it, then the next; embedded or from a file."""
    (tmp_path / "a.wav").write_bytes(wav(30))
    driver = show(transcript.to_html(audio=wav(30) if embedded else "a.wav"))
    picture(driver, "transcript")
    click_word(driver, "gate,", 1)
    until(driver, lambda: driver.execute_script(LIT) == ["gate,"])
    until(driver, lambda: driver.execute_script(LIT) == ["please."])
    assert 6.5 < driver.execute_script("return document.querySelector('audio').currentTime") < 9
    driver.execute_script("document.querySelector('audio').pause()")
    until(
        driver, lambda: driver.execute_script("return document.querySelector('.head').style.left")
    )
    assert console_errors(driver) == []


def test_a_click_in_a_lane_plays_from_there(
    show: Callable[[str], Any], transcript: Transcript
) -> None:
    """The middle of a lane is the middle of the audio."""
    driver = show(transcript.to_html(audio=wav(30)))
    driver.find_element("class name", "track").click()
    now = "return document.querySelector('audio').currentTime"
    until(driver, lambda: 14 < driver.execute_script(now) < 20)


def test_the_page_works_with_the_keyboard(
    show: Callable[[str], Any], transcript: Transcript
) -> None:
    """Every row has a button that Tab reaches, whose focus shows, and that plays from its row."""
    driver = show(transcript.to_html(audio=wav(30)).replace("<button", '<button id="b"', 1))
    tab_to(driver, "b")
    press(driver, " ")
    until(driver, lambda: driver.execute_script(LIT) == ["Bring"])
    assert unnamed_controls(driver) == []


def test_the_page_fits_and_can_be_read(show: Callable[[str], Any], transcript: Transcript) -> None:
    """Nothing is wider than the page and no text is faint, at both widths, in both schemes."""
    driver = show(transcript.to_html(audio=wav(30), title="A" * 200, speakers={"1": "B" * 80}))
    for width in WIDTHS:
        resize(driver, width)
        for scheme in SCHEMES:
            prefer(driver, scheme)
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width
            assert faint_texts(driver) == []


def test_no_text_runs(show: Callable[[str], Any]) -> None:
    """Markup in words, names and the title is shown, and does nothing."""
    made = Transcript()
    made.add(Result(tokens=speech("x", speaker=HOSTILE, language='en"><b>')))
    made.add(Result(tokens=speech(HOSTILE.replace(" ", "\u00a0"), start=400)))
    driver = show(made.to_html(audio=wav(1), title=HOSTILE))
    assert driver.execute_script("return window.owned") is None
    assert driver.find_elements("css selector", "img") == []
    assert HOSTILE in driver.execute_script("return document.querySelector('h1').textContent")


def test_audio_that_is_gone_is_reported(show: Callable[[str], Any], transcript: Transcript) -> None:
    """If the linked file does not play, the page says so."""
    driver = show(transcript.to_html(audio="gone.wav"))
    until(driver, lambda: driver.find_element("id", "trouble").is_displayed())
