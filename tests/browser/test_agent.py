"""The voice agent's page in a real browser: it answers, is interrupted, and answers again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.browser.conftest import RATE, Serve, write_wav
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

Browse = Callable[..., Any]
Picture = Callable[[Any, str], None]

QUESTION, INTERRUPTION = "How do the tides work?", "Stop, thank you."
# the page is connected before the question begins; the answer begins some five seconds into the
# audio, and lasts for more than ten
QUESTION_AT_SEC, INTERRUPTED_AT_SEC = 1.5, 10.5
ANSWER = "The moon pulls the water towards it, and leaves some behind on the far side."


@pytest.fixture
def site(serve: Serve) -> ServerProcess:
    """Run the example."""
    return serve("flask_agent")


@pytest.fixture
def caller(soniox_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Write the microphone's audio: a question, and an interruption of the answer."""
    pytest.importorskip("espeakng_loader", reason="real speech needs the extra sandbox")
    client = soniox_sandbox.client()

    def spoken(words: str) -> bytes:
        speech = client.realtime.speak(
            words, voice="Emma", audio_format="pcm_s16le", sample_rate=RATE
        )
        return speech.read()

    audio = bytes(int(QUESTION_AT_SEC * RATE) * 2) + spoken(QUESTION)
    audio = audio.ljust(int(INTERRUPTED_AT_SEC * RATE) * 2, b"\0")
    audio += spoken(INTERRUPTION) + bytes(RATE * 2 * 30)
    return write_wav(tmp_path / "caller.wav", audio)


def lines(driver: Any) -> list[tuple[str, str]]:
    """Return who said what, as the page shows it."""
    script = (
        "return [...document.querySelectorAll('#log p')].map((p) => [p.className, p.innerText])"
    )
    found = driver.execute_script(script)
    return [(who, " ".join(said.split()).partition(" ")[2]) for who, said in found]


def test_the_agent_answers_is_interrupted_and_answers_again(
    site: ServerProcess, browse: Browse, caller: Path, picture: Picture
) -> None:
    """Speech in, speech out; the user's words stop the agent, and what was heard is shown."""
    driver = browse(site.url, microphone=caller)
    picture(driver, "agent-idle")
    driver.find_element("id", "headset").click()
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == "Listening.")
    assert driver.find_element("id", "toggle").text == "End"
    until(driver, lambda: text(driver, "status").startswith("Speaking."))
    assert driver.find_element("id", "interrupt").is_enabled()
    picture(driver, "agent-speaking")
    until(driver, lambda: len(lines(driver)) >= 2)
    until(driver, lambda: len(lines(driver)) >= 4)
    picture(driver, "agent-talked")
    found = lines(driver)
    assert found[0] == ("user", QUESTION)
    who, heard = found[1]
    assert (who, heard.endswith("… interrupted")) == ("agent", True)
    assert heard.startswith("The moon pulls the water")
    assert heard.count(ANSWER) < 3
    assert found[2:] == [("user", INTERRUPTION), ("agent", "Of course. What else?")]
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == "Not connected.")
    assert not is_shown(driver, "error")
    assert console_errors(driver) == []
    assert "Traceback" not in site.output


def test_the_agent_works_with_the_keyboard(
    site: ServerProcess, browse: Browse, silence: Path
) -> None:
    """Tab reaches what can be used, with a visible focus; text is typed; Escape interrupts."""
    from selenium.webdriver.common.keys import Keys

    driver = browse(site.url, microphone=silence)
    press(driver, Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to the content"
    tab_to(driver, "toggle")
    tab_to(driver, "headset")
    press(driver, Keys.SPACE)
    assert driver.find_element("id", "headset").is_selected()
    tab_to(driver, "talk")
    driver.find_element("id", "toggle").send_keys(Keys.ENTER)
    until(driver, lambda: text(driver, "status") == "Listening.")
    tab_to(driver, "text")
    press(driver, "How do the tides work?", Keys.ENTER)
    until(driver, lambda: text(driver, "status").startswith("Speaking."))
    press(driver, Keys.ESCAPE)
    until(driver, lambda: len(lines(driver)) == 2)
    assert lines(driver)[0] == ("user", "How do the tides work?")
    assert lines(driver)[1][1].endswith("interrupted")
    until(driver, lambda: text(driver, "status") == "Listening.")
    assert driver.find_element("id", "text").get_attribute("value") == ""
    driver.find_element("id", "toggle").send_keys(Keys.SPACE)
    until(driver, lambda: text(driver, "status") == "Not connected.")
    assert console_errors(driver) == []


def test_the_page_fits_and_can_be_read(site: ServerProcess, browse: Browse) -> None:
    """On a phone nothing is cut off; every control has a name; texts have enough contrast."""
    driver = browse(site.url)
    # as after a conversation, with an error
    driver.execute_script(
        "const log = document.getElementById('log');"
        "log.innerHTML = '<p class=user><b>You</b> Why?</p><p class=agent><b>Agent</b> So<i> … "
        "interrupted</i></p>'; const e = document.getElementById('error');"
        "e.textContent = 'It failed.'; e.hidden = false"
    )
    for width in WIDTHS:
        resize(driver, width)
        script = "return document.documentElement.scrollWidth - window.innerWidth"
        assert driver.execute_script(script) <= 0
        for scheme in SCHEMES:
            prefer(driver, scheme)
            assert faint_texts(driver) == []
    assert unnamed_controls(driver) == []
    labels = {each: driver.find_element("id", each).accessible_name for each in ("text", "headset")}
    assert labels["text"] == "Type instead of speaking"
    assert labels["headset"].startswith("I wear headphones")


def test_a_forbidden_microphone_is_explained(site: ServerProcess, browse: Browse) -> None:
    """The page says what to do, and lets the user try again."""
    driver = browse(site.url, allowed=False)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "may not use the microphone" in text(driver, "error")
    assert text(driver, "status") == "Not connected."
    assert driver.find_element("id", "toggle").text == "Start talking"


def test_a_refusal_of_the_service_is_shown(
    site: ServerProcess, browse: Browse, silence: Path, soniox_sandbox: Sandbox
) -> None:
    """The reason stands on the page, and the conversation is over."""
    soniox_sandbox.faults.error_frame("unauthenticated", "No such key", kind="stt", times=None)
    driver = browse(site.url, microphone=silence)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert "No such key" in text(driver, "error")
    assert text(driver, "status") == "Not connected."


def test_a_lost_server_is_reported(site: ServerProcess, browse: Browse, silence: Path) -> None:
    """If the server ends, the page says so."""
    driver = browse(site.url, microphone=silence)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == "Listening.")
    site.close()
    until(driver, lambda: is_shown(driver, "error"))
    assert text(driver, "error") == "The connection to the server was lost."
    assert text(driver, "status") == "Not connected."
