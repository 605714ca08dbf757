"""A browser without a screen, a microphone that is a WAV, and the example site."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from pages import SCHEMES, WIDTHS, prefer, resize
from serving import EXAMPLES, ServerProcess, service_environment

from soniox_sync.sandbox import Sandbox

SPOKEN = "The train to London leaves at noon. Please bring your ticket."
# of Chromium's fake devices: so the samples arrive as they were spoken, and are recognised
RATE = 44100
FLAGS = (
    "--headless",
    "--no-sandbox",  # it is root here, and sees nothing but loopback
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=user-gesture-required",  # as people have it
    "--use-fake-device-for-media-stream",
)

Browse = Callable[..., Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="keep pictures of the pages there")


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """Give the browser and its driver."""
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
    """Serve the example site in front of the test's sandbox."""
    app = str(EXAMPLES / "flask_app" / "app.py")
    with ServerProcess([app, "--port", "0"], service_environment(soniox_sandbox)) as server:
        yield server


@pytest.fixture
def voice(soniox_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Write what the microphone hears: half a second of quiet, speech, quiet."""
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
    """Give a function that opens a page: `browse(url, microphone=None, allowed=True)`.

    Every browser ends with the test.
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
    """Give a function that takes pictures: two widths, dark and light, if `--screenshots` is given.

    `take(driver, "captions-idle")`
    """
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
