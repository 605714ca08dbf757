"""An environment without proxies and CA files, and with a key."""

from __future__ import annotations

import pytest

from tests.cli.doctor.helpers import KEY, PROXIES

CA_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
ADDRESSES = ("REGION", "BASE_DOMAIN", "API_BASE_URL", "WS_URL", "TTS_API_URL", "TTS_WS_URL")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what the machine that runs the tests may have set."""
    for name in (*PROXIES, *CA_FILES, *(f"SONIOX_{each}" for each in ADDRESSES)):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SONIOX_API_KEY", KEY)
