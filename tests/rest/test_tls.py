"""When the TLS context of HTTP calls is made, and what is wrong with its certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync import ConfigurationError, SonioxClient
from tests.rest.raw_http import FILE, KEY, RawHttp, reply

Serve = Callable[..., RawHttp]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record how often a client's TLS context is made."""
    from soniox_sync.runtime import tls

    make, calls = tls._make, []

    def record(verify: Any) -> Any:
        calls.append(verify)
        return make(verify)

    monkeypatch.setattr(tls, "_make", record)
    return calls


def test_plain_http_loads_no_certificates(serve: Serve, made: list[Any]) -> None:
    """A client that only speaks plain HTTP makes no TLS context."""
    with serve(reply(FILE), reply(FILE)).client() as client:
        assert client.files.get("f1").id == client.files.get("f1").id == "f1"
    assert made == []


def test_certificates_are_loaded_once(
    serve: Serve, authority: Any, tmp_path: Path, made: list[Any]
) -> None:
    """The first call over TLS makes the context of all calls, from the CA file in `verify`."""
    ca = tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(ca))
    server = serve(reply(FILE), reply(FILE), tls=authority.server)
    with server.client(verify=ca) as client:
        assert made == []
        assert client.files.get("f1").id == client.files.get("f1").id == "f1"
    assert made == [ca]


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_an_unusable_ca_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Any
) -> None:
    """Every call over TLS, also through a proxy, names the file; nothing is connected."""
    monkeypatch.chdir(tmp_path)
    Path("ca.pem").write_text("no certificate")
    url = "https://127.0.0.1:9/v1"
    with SonioxClient(KEY, api_url=url, verify="ca.pem", proxy=proxy) as client:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"verify: expected .* got 'ca.pem'"):
                client.files.get("f1")
