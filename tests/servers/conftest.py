"""What the tests of servers and workers share."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from serving import service_environment

from soniox_sync.sandbox import Sandbox

TEXT = "The train to London leaves at noon."


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*modules): is skipped where one is not installed")


@pytest.fixture(autouse=True)
def what_it_needs(request: pytest.FixtureRequest) -> None:
    """Skip with a reason where a framework is not installed."""
    for mark in request.node.iter_markers("needs"):
        missing = [name for name in mark.args if importlib.util.find_spec(name) is None]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[examples]'")


@pytest.fixture
def environment(soniox_sandbox: Sandbox) -> dict[str, str]:
    """Give the environment of a server whose service is the test's sandbox."""
    return service_environment(soniox_sandbox)


@pytest.fixture
def text() -> str:
    """Give a sentence."""
    return TEXT


@pytest.fixture
def recording(soniox_sandbox: Sandbox, text: str) -> bytes:
    """Give a WAV of the sentence; a sandbox without an ear is told what it will hear."""
    if importlib.util.find_spec("pocketsphinx") is None:
        soniox_sandbox.script(text, ms_per_word=100, final_lag_ms=200)
    speech = soniox_sandbox.client().realtime.speak(text, voice="Emma", audio_format="wav")
    return speech.read()


@pytest.fixture
def web() -> Iterator[Any]:
    """Give a `requests` session that ends with the test."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        yield session
