"""Fixtures: a headless browser, a microphone that plays a WAV, and the example site."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.browser.pages import SCHEMES, WIDTHS, prefer, resize
from tests.serving import EXAMPLES, ServerProcess, service_environment

SPOKEN = "The train to London leaves at noon. Please bring your ticket."
# another than that of Chromium's fake devices, 44.1 kHz: the browser resamples, as for a microphone
RATE = 24000
FLAGS = (
    "--headless",
    "--no-sandbox",  # for root; the pages are all on loopback
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=user-gesture-required",  # the default of a normal browser
    "--use-fake-device-for-media-stream",
)

Browse = Callable[..., Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="save pictures of the pages to DIR")


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """Provide the browser and its driver."""
    pytest.importorskip("selenium", reason="the browser tests are driven by selenium")
    for name in ("flask", "flask_sock"):
        pytest.importorskip(name, reason="the site needs the extra examples")
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium or its driver is missing (Debian: chromium, chromium-driver)")
    return browser, driver


@pytest.fixture
def site(chromium: tuple[str, str], soniox_sandbox: Sandbox) -> Iterator[ServerProcess]:
    """Run the example site with the test's sandbox as its service."""
    app = str(EXAMPLES / "flask_app" / "app.py")
    with ServerProcess([app, "--port", "0"], service_environment(soniox_sandbox)) as server:
        yield server


@pytest.fixture
def voice(soniox_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Write the microphone's audio: half a second of silence, speech, silence."""
    spoken = soniox_sandbox.client().realtime.speak(
        SPOKEN, voice="Emma", audio_format="pcm_s16le", sample_rate=RATE
    )
    path = tmp_path / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(RATE) + spoken.read() + bytes(RATE * 2 * 20))
    return path


@pytest.fixture
def browse(chromium: tuple[str, str], tmp_path: Path) -> Iterator[Browse]:
    """Provide a function that opens a page: `browse(url, microphone=None, allowed=True)`.

    Every browser is closed after the test.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    opened: list[Any] = []

    def open_page(url: str, *, microphone: Path | None = None, allowed: bool = True) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium[0]
        for flag in (*FLAGS, f"--user-data-dir={tmp_path}/profile{len(opened)}"):
            options.add_argument(flag)
        if microphone is not None:
            options.add_argument(f"--use-file-for-fake-audio-capture={microphone}%noloop")
        options.add_argument(
            "--use-fake-ui-for-media-stream" if allowed else "--deny-permission-prompts"
        )
        driver = webdriver.Chrome(options=options, service=Service(chromium[1]))
        opened.append(driver)
        driver.get(url)
        return driver

    yield open_page
    for driver in opened:
        driver.quit()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """Provide `take(driver, name)`, which saves pictures in two widths with `--screenshots`."""
    where = request.config.getoption("--screenshots")

    def take(driver: Any, name: str) -> None:
        if where is None:
            return
        Path(where).mkdir(parents=True, exist_ok=True)
        for width in WIDTHS:
            resize(driver, width)
            for scheme in SCHEMES:
                prefer(driver, scheme)
                driver.save_screenshot(str(Path(where) / f"{name}-{scheme}-{width}.png"))

    return take
