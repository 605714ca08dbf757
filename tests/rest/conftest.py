"""Fixtures of the HTTP tests: sandboxes that play tones, raw servers, and clients of both."""

from __future__ import annotations

import io
import math
import struct
import wave
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import RawHttp

SAID = "Hello there my friend. How are you?"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies and certificates of the machine out of the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes that speak tones as fast as possible, and close them."""
    made: list[Sandbox] = []

    def make(limits: Any = None, **options: Any) -> Sandbox:
        options.setdefault("engines", "tones")
        limits = {"tts_pace": None, "rest_voice_sec": 0.0, **(limits or {})}
        made.append(Sandbox(limits=limits, **options).start())
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Provide a sandbox that recognises a known sentence."""
    sandbox = make_sandbox()
    sandbox.script(SAID, ms_per_word=200, final_lag_ms=200)
    return sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SonioxClient]:
    """Provide a client of the sandbox."""
    with sandbox.client() as client:
        yield client


@pytest.fixture
def serve() -> Iterator[Callable[..., RawHttp]]:
    """Start raw servers, and close them."""
    made: list[RawHttp] = []

    def start(*acts: Any, **options: Any) -> RawHttp:
        made.append(RawHttp(*acts, **options))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture
def wav() -> bytes:
    """Make a WAV of 2.1 seconds, long enough for all seven words."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        tone = (int(9000 * math.sin(n / 20)) for n in range(33600))
        file.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return out.getvalue()
