"""Shared by the tests of the doctor: environments, examinations, other servers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Optional

import pytest

from soniox_sync.cli.doctor.doctor import Doctor
from soniox_sync.cli.doctor.plan import Limits, Result
from soniox_sync.cli.doctor.setup import Setup
from tests.peers import RawPeer, Remote

KEY = "a-secret-key-0123456789"
# far longer than anything on loopback takes, on a loaded machine too
AMPLE = Limits(10.0, 8.0)
# for what never comes: each call ends early, but is waited for
BRIEF = Limits(10.0, 1.5)

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def use_urls(monkeypatch: pytest.MonkeyPatch, authority: str, *, secure: bool = False) -> None:
    """Set all four URLs to one host and port."""
    s = "s" if secure else ""
    monkeypatch.setenv("SONIOX_API_BASE_URL", f"http{s}://{authority}/v1")
    monkeypatch.setenv("SONIOX_WS_URL", f"ws{s}://{authority}/transcribe-websocket")
    monkeypatch.setenv("SONIOX_TTS_API_URL", f"http{s}://{authority}")
    monkeypatch.setenv("SONIOX_TTS_WS_URL", f"ws{s}://{authority}/tts-websocket")


def use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Send all connections through a proxy; the service is not on this machine."""
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.setenv("SONIOX_BASE_DOMAIN", "far.invalid")


def examine(
    limits: Limits = AMPLE,
    *,
    region: Optional[str] = None,
    variable: Optional[str] = None,
) -> dict[str, Result]:
    """Run the checks as the environment says; return the results by name."""
    with Doctor(Setup.from_environment(region, variable), limits) as doctor:
        return {result.name: result for result in doctor.examine()}


def failed(results: Mapping[str, Result]) -> dict[str, Optional[str]]:
    """Return the checks that failed, each with the kind of its failure."""
    return {name: each.kind for name, each in results.items() if each.status == "failed"}


def skipped(results: Mapping[str, Result]) -> dict[str, Optional[str]]:
    """Return the checks that were skipped, each with the failed check that it needs."""
    return {name: each.because for name, each in results.items() if each.status == "skipped"}


def dated(**ago: Any) -> RawPeer:
    """Start an HTTP server whose clock is behind, and that has nothing."""
    date = format_datetime(datetime.now(timezone.utc) - timedelta(**ago), usegmt=True)

    def answer(remote: Remote) -> bytes:
        head = f"HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n"
        return f"{head}Connection: close\r\n\r\n".encode()

    return RawPeer(answer=answer)
