"""Sandboxes for the tests of the bridge."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from soniox_sync.sandbox import Sandbox


@pytest.fixture(autouse=True)
def no_exception_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test if a thread of the sandbox logs an exception."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a sandbox with tones and a script, as fast as possible."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        box.script("Hello there my friend. How are you?", ms_per_word=200, final_lag_ms=200)
        yield box


@pytest.fixture
def paced() -> Iterator[Sandbox]:
    """Provide a sandbox with tones at a pace that leaves time to interrupt."""
    with Sandbox(engines="tones", limits={"tts_pace": 5.0}) as box:
        yield box
