"""Fixtures for the tests of servers and workers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.serving import service_environment

TEXT = "The train to London leaves at noon."


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*modules): skip unless all are installed")


@pytest.fixture(autouse=True)
def skip_without_frameworks(request: pytest.FixtureRequest) -> None:
    """Skip a test whose framework is not installed."""
    for mark in request.node.iter_markers("needs"):
        missing = [name for name in mark.args if importlib.util.find_spec(name) is None]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[examples]'")


@pytest.fixture
def environment(soniox_sandbox: Sandbox) -> dict[str, str]:
    """Provide the environment of a server that uses the test's sandbox."""
    return service_environment(soniox_sandbox)


@pytest.fixture
def text() -> str:
    """Provide the sentence of `recording`."""
    return TEXT


@pytest.fixture
def recording(soniox_sandbox: Sandbox, text: str) -> bytes:
    """Provide a WAV of the sentence; without a recogniser the sandbox gets a script of it."""
    if importlib.util.find_spec("pocketsphinx") is None:
        soniox_sandbox.script(text, ms_per_word=100, final_lag_ms=200)
    speech = soniox_sandbox.client().realtime.speak(text, voice="Emma", audio_format="wav")
    return speech.read()


@pytest.fixture
def web() -> Iterator[Any]:
    """Provide a `requests` session that is closed after the test."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        yield session
