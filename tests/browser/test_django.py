"""The Django example's page in a real browser: the microphone, and an uploaded recording."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.browser.conftest import RATE, SPOKEN, Browse, Serve
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

Picture = Callable[[Any, str], None]

CUES = "return [...document.querySelectorAll('#cues span')].map((cue) => cue.textContent)"
LIT = "return document.querySelector('#cues [aria-current] span')?.textContent ?? ''"


@pytest.fixture
def site(serve: Serve) -> ServerProcess:
    """Run the site."""
    return serve("django_site")


def cues(driver: Any) -> str:
    """Return the captions of the recording."""
    return " ".join(" ".join(driver.execute_script(CUES)).split())


def upload(driver: Any, path: Path) -> None:
    """Choose a file and send it."""
    driver.find_element("id", "file").send_keys(str(path))
    driver.find_element("id", "send").click()


# -- microphone -----------------------------------------------------------------------------------


def test_captions_appear_on_the_page(
    site: ServerProcess,
    browse: Browse,
    voice: Path,
    soniox_sandbox: Sandbox,
    picture: Picture,
) -> None:
    """Words from the microphone appear while they are spoken; the connection closes cleanly."""
    driver = browse(site.url, microphone=voice)
    picture(driver, "django-idle")
    driver.find_element("id", "toggle").click()
    until(driver, lambda: "train" in text(driver, "captions"))
    assert text(driver, "status") == "Listening."
    until(driver, lambda: "ticket" in text(driver, "captions"))
    picture(driver, "django-listening")
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == "Not listening.")
    assert text(driver, "log") == SPOKEN  # exactly, although the browser has resampled it
    assert text(driver, "line") == ""  # no partial text is left
    assert not is_shown(driver, "error")
    assert console_errors(driver) == []
    assert soniox_sandbox.log.wait_until_idle()
    assert "Traceback" not in site.output


def test_a_closed_tab_is_no_error(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox
) -> None:
    """A page that goes away while it listens leaves no traceback in the server's output."""
    driver = browse(site.url, microphone=voice)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: "train" in text(driver, "captions"))
    driver.get(site.url + "/")
    assert text(driver, "status") == "Not listening."
    assert console_errors(driver) == []
    assert soniox_sandbox.log.wait_until_idle()
    assert "Traceback" not in site.output


# -- recording ------------------------------------------------------------------------------------


def test_an_upload_is_captioned(
    site: ServerProcess, browse: Browse, voice: Path, picture: Picture
) -> None:
    """The captions have the words exactly; one that is clicked plays, and is marked."""
    driver = browse(site.url)
    upload(driver, voice)
    until(driver, lambda: is_shown(driver, "result"))
    assert cues(driver) == SPOKEN
    count = len(driver.execute_script(CUES))
    assert text(driver, "upload-status") == f"Captions: {count}."
    picture(driver, "django-uploaded")
    last = driver.find_elements("css selector", "#cues button")[-1]
    last.click()
    until(driver, lambda: driver.execute_script(LIT) == last.find_element("tag name", "span").text)
    assert console_errors(driver) == []


def test_the_captions_are_downloaded(site: ServerProcess, browse: Browse, voice: Path) -> None:
    """The link has the WebVTT, under the name of the recording."""
    driver = browse(site.url)
    upload(driver, voice)
    until(driver, lambda: is_shown(driver, "download"))
    link = driver.find_element("id", "download")
    assert link.get_attribute("download") == "voice.vtt"
    read = "fetch(arguments[0]).then((file) => file.text()).then(arguments[1])"
    captions = driver.execute_async_script(read, link.get_attribute("href"))
    assert captions.startswith("WEBVTT")
    assert "-->" in captions


def test_another_upload_replaces_the_first(
    site: ServerProcess, browse: Browse, voice: Path, silence: Path
) -> None:
    """Nothing of the first recording stays; silence has no words."""
    driver = browse(site.url)
    upload(driver, voice)
    until(driver, lambda: cues(driver) == SPOKEN)
    upload(driver, silence)
    until(driver, lambda: text(driver, "upload-status") == "No words were heard.")
    assert cues(driver) == ""
    assert not is_shown(driver, "upload-error")


def test_a_file_without_sound_is_explained(
    site: ServerProcess, browse: Browse, tmp_path: Path, picture: Picture
) -> None:
    """The service's reason is shown, and another file can be chosen."""
    path = tmp_path / "letter.wav"
    path.write_bytes(b"Dear Anna, this is no audio at all.")
    driver = browse(site.url)
    upload(driver, path)
    until(driver, lambda: is_shown(driver, "upload-error"))
    assert text(driver, "upload-error")
    assert text(driver, "upload-status") == "No captions."
    assert not is_shown(driver, "result")
    assert driver.find_element("id", "send").is_enabled()
    picture(driver, "django-refused")


def test_an_unreachable_server_is_explained(
    site: ServerProcess, browse: Browse, voice: Path
) -> None:
    """If the server does not respond, both parts of the page report it."""
    driver = browse(site.url, microphone=voice)
    site.close()
    upload(driver, voice)
    until(driver, lambda: "cannot be reached" in text(driver, "upload-error"))
    driver.find_element("id", "toggle").click()
    until(driver, lambda: "cannot be reached" in text(driver, "error"))


def test_an_upload_can_be_cancelled(
    site: ServerProcess, browse: Browse, tmp_path: Path, soniox_sandbox: Sandbox
) -> None:
    """While the file is on a slow way to the server, Cancel ends that; nothing is transcribed."""
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(RATE * 2 * 120))
    driver = browse(site.url)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    upload(driver, path)
    until(driver, lambda: text(driver, "upload-status").startswith("Uploading"))
    assert not driver.find_element("id", "send").is_enabled()
    driver.find_element("id", "cancel").click()
    until(driver, lambda: text(driver, "upload-status") == "Cancelled.")
    assert driver.switch_to.active_element.get_attribute("id") == "send"
    assert not is_shown(driver, "upload-error")
    assert soniox_sandbox.log.totals["stt.sessions"] == 0


# -- both -----------------------------------------------------------------------------------------


def test_the_page_works_with_the_keyboard(
    site: ServerProcess, browse: Browse, voice: Path, soniox_sandbox: Sandbox
) -> None:
    """Tab reaches every control and the focus is visible; captions play with Enter."""
    from selenium.webdriver.common.keys import Keys

    driver = browse(site.url, microphone=voice)
    press(driver, Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to the content"
    tab_to(driver, "language")
    tab_to(driver, "toggle")
    press(driver, Keys.SPACE)
    until(driver, lambda: "noon." in text(driver, "captions"))
    press(driver, Keys.ENTER)
    until(driver, lambda: text(driver, "status") == "Not listening.")
    tab_to(driver, "clear")
    press(driver, Keys.ENTER)
    assert text(driver, "log") == ""
    for name in ("captions", "upload-language", "file"):
        tab_to(driver, name)
    driver.find_element("id", "file").send_keys(str(voice))  # the system's dialog is not the page's
    tab_to(driver, "send")
    press(driver, Keys.ENTER)
    until(driver, lambda: is_shown(driver, "result"))
    tab_to(driver, "player")
    driver.execute_script("document.querySelector('#cues button').id = 'first'")
    tab_to(driver, "first")
    press(driver, Keys.ENTER)
    until(driver, lambda: driver.execute_script(LIT).startswith("The train"))
    tab_to(driver, "download")
    assert console_errors(driver) == []


def test_the_page_fits_and_can_be_read(site: ServerProcess, browse: Browse, voice: Path) -> None:
    """Nothing is wider than the page, every control has a name, no text is faint."""
    driver = browse(site.url)
    upload(driver, voice)
    until(driver, lambda: is_shown(driver, "result"))
    backgrounds = set()
    for width in WIDTHS:
        resize(driver, width)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        for scheme in SCHEMES:
            prefer(driver, scheme)
            assert faint_texts(driver) == []
            body = driver.find_element("tag name", "body")
            backgrounds.add(body.value_of_css_property("background-color"))
    assert len(backgrounds) == 2
    assert unnamed_controls(driver) == []
    outside = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    loaded = driver.execute_script(outside)
    assert all(name.startswith((site.url, "data:", "blob:" + site.url)) for name in loaded)
