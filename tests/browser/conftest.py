"""Fixtures: a headless browser, a microphone that plays a WAV, and the example site."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from contextlib import ExitStack
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

# what a site imports, its command, and the line that it prints once it serves
FLASK = (("flask", "flask_sock"), ("app.py", "--port", "0"), r"on http://127\.0\.0\.1:(\d+)")
SITES = {
    "flask_app": FLASK,
    "flask_agent": FLASK,
    "django_site": (
        ("django", "simple_websocket"),
        ("manage.py", "runserver", "--noreload", "127.0.0.1:0"),
        r"server at http://127\.0\.0\.1:(\d+)",
    ),
}

Browse = Callable[..., Any]
Serve = Callable[[str], ServerProcess]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="save pictures of the pages to DIR")


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """Provide the browser and its driver."""
    pytest.importorskip("selenium", reason="the browser tests are driven by selenium")
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium or its driver is missing (Debian: chromium, chromium-driver)")
    return browser, driver


@pytest.fixture
def serve(chromium: tuple[str, str], soniox_sandbox: Sandbox) -> Iterator[Serve]:
    """Provide `serve(name)`, which runs an example with the test's sandbox as its service."""
    with ExitStack() as running:

        def run(name: str) -> ServerProcess:
            modules, arguments, ready = SITES[name]
            for module in modules:
                pytest.importorskip(module, reason="the site needs the extra examples")
            program = str(EXAMPLES / name / arguments[0])
            environment = service_environment(soniox_sandbox)
            server = ServerProcess([program, *arguments[1:]], environment, ready=ready)
            return running.enter_context(server)

        yield run


@pytest.fixture
def site(serve: Serve) -> ServerProcess:
    """Run the Flask example."""
    return serve("flask_app")


def write_wav(path: Path, samples: bytes) -> Path:
    """Write 16-bit samples as a file that a microphone plays."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples)
    return path


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    """Write a microphone's audio in which nobody speaks."""
    return write_wav(tmp_path / "silence.wav", bytes(RATE * 2 * 30))


@pytest.fixture
def voice(soniox_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Write the microphone's audio: half a second of silence, speech, silence."""
    spoken = soniox_sandbox.client().realtime.speak(
        SPOKEN, voice="Emma", audio_format="pcm_s16le", sample_rate=RATE
    )
    return write_wav(tmp_path / "voice.wav", bytes(RATE) + spoken.read() + bytes(RATE * 2 * 20))


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
