"""No page breaks a rule of accessibility, in any of its states."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.browser.axe import axe_script, violations
from tests.browser.conftest import Browse, Serve
from tests.browser.pages import SCHEMES, WIDTHS, is_shown, prefer, resize, text, until
from tests.browser.test_transcript import spoken_by_two, wav

WORDS = "Everyone can read this."


def assert_accessible(driver: Any) -> None:
    """Check the page as it is, at both widths and in both schemes."""
    for width in WIDTHS:
        resize(driver, width)
        for scheme in SCHEMES:
            prefer(driver, scheme)
            assert violations(driver) == [], f"{width} px, {scheme}"


def test_a_fault_is_found(browse: Browse) -> None:
    """A picture without a text for those who do not see it is a fault."""
    axe_script()
    driver = browse("data:text/html,<html lang=en><title>A</title><h1>A</h1><img src='data:,'>")
    assert any(each.startswith("image-alt: ") for each in violations(driver))


def start_and_stop(driver: Any, sandbox: Sandbox, idle: str) -> None:
    """Listen until words stand on the page; check that, and the page after it."""
    sandbox.script(WORDS, ms_per_word=100)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: WORDS in driver.execute_script("return document.body.innerText"))
    assert_accessible(driver)
    driver.find_element("id", "toggle").click()
    until(driver, lambda: text(driver, "status") == idle)
    assert_accessible(driver)


@pytest.mark.parametrize(
    ("site", "path", "idle"),
    [
        ("flask_app", "/captions", "Not listening."),
        ("django_site", "/", "Not listening."),
        ("flask_agent", "/", "Not connected."),
    ],
)
def test_a_page_that_listens(
    serve: Serve,
    browse: Browse,
    voice: Path,
    soniox_sandbox: Sandbox,
    site: str,
    path: str,
    idle: str,
) -> None:
    """Idle, with words on it while it listens, afterwards, and with an error."""
    axe_script()
    server = serve(site)
    driver = browse(server.url + path, microphone=voice)
    assert_accessible(driver)
    start_and_stop(driver, soniox_sandbox, idle)
    server.close()
    driver.find_element("id", "toggle").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert_accessible(driver)


def test_the_page_of_speech(serve: Serve, browse: Browse) -> None:
    """Idle, with audio, and with an error."""
    axe_script()
    server = serve("flask_app")
    driver = browse(f"{server.url}/speech")
    assert_accessible(driver)
    driver.find_element("id", "speak").click()
    until(driver, lambda: text(driver, "status") == "Finished.")
    assert_accessible(driver)
    server.close()
    driver.execute_script("document.getElementById('text').value = 'Something else.'")
    driver.find_element("id", "speak").click()
    until(driver, lambda: is_shown(driver, "error"))
    assert_accessible(driver)


def test_the_captions_of_an_upload(serve: Serve, browse: Browse, voice: Path) -> None:
    """With a recording and its captions, then with an error."""
    axe_script()
    server = serve("django_site")
    driver = browse(server.url)
    driver.find_element("id", "file").send_keys(str(voice))
    driver.find_element("id", "send").click()
    until(driver, lambda: is_shown(driver, "result"))
    assert_accessible(driver)
    server.close()
    driver.find_element("id", "send").click()
    until(driver, lambda: is_shown(driver, "upload-error"))
    assert_accessible(driver)


@pytest.mark.parametrize("audio", [None, b"embedded", "gone.wav"])
def test_the_page_of_a_transcript(
    browse: Browse, tmp_path: Path, audio: Any, picture: Callable[[Any, str], None]
) -> None:
    """Without audio, with its audio, and with audio that is gone."""
    axe_script()
    path = tmp_path / "page.html"
    page = spoken_by_two().to_html(audio=wav(30) if audio == b"embedded" else audio)
    path.write_text(page, encoding="utf-8")
    driver = browse(path.as_uri())
    if audio == "gone.wav":
        until(driver, lambda: is_shown(driver, "trouble"))
    picture(driver, f"transcript-{'silent' if audio is None else 'audio'}")
    assert_accessible(driver)
