"""HTTP calls go through proxies, and errors name the proxy."""

from __future__ import annotations

import base64
from typing import Any, Callable, Optional

import pytest
import requests
import urllib3.exceptions

from soniox_sync import (
    ConfigurationError,
    SonioxClient,
    SonioxError,
    SonioxHttpError,
)
from soniox_sync.rest.exceptions import map_exception
from soniox_sync.rest.request import RequestInfo
from soniox_sync.transport.proxies import Proxy
from tests.rest.raw_http import FILE, KEY, RawHttp, reply

Serve = Callable[..., RawHttp]


def test_the_client_s_proxy_is_used(serve: Serve) -> None:
    """`proxy=` gets the request with its full URL; its password is in no error."""
    proxy = serve(reply(FILE), reply(b"{}", "500 Oops"))
    there = proxy.url.replace("http://", "http://me:pa55word@")
    options = {"api_url": "http://localhost:1/v1", "proxy": there, "max_retries": 0}
    with SonioxClient(KEY, **options) as client:  # type: ignore[arg-type]
        assert client.files.get("f1").id == "f1"
        with pytest.raises(SonioxHttpError) as caught:
            client.files.get("f1")
    assert proxy.requests[0].path == "http://localhost:1/v1/files/f1"
    assert "pa55word" not in repr(vars(caught.value)) + str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("http://me:pa55word@127.0.0.1:9", "the proxy 127.0.0.1:9 (from {}) cannot be reached: "),
        ("nonsense.invalid", "the host name of the proxy nonsense.invalid (from {}) could not be "),
        ("http://me:pa55word@127.0.0.1:99999", "proxy: the URL from {} is malformed"),
        ("foo://me:pa55word@there", "proxy: the URL from {} cannot be used"),
    ],
)
@pytest.mark.parametrize("source", ["HTTPS_PROXY", "proxy="])
def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: str, message: str, source: str
) -> None:
    """A proxy that cannot be reached is named with where it is set, without its password."""
    if source == "HTTPS_PROXY":
        monkeypatch.setenv(source, proxy)
    given = proxy if source == "proxy=" else None
    with SonioxClient(KEY, api_url="https://far.invalid", proxy=given, max_retries=0) as client:
        with pytest.raises(SonioxError) as caught:
            client.files.get("f1")
    assert message.format(source) in str(caught.value)
    assert "pa55word" not in str(caught.value)


class ProxyConnectionError(OSError):
    """Error of PySocks and of python-socks: the proxy could not be connected to."""

    socket_err = ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ProxyConnectionError("x"), "cannot be reached: Connection refused: correct or leave out"),
        (OSError("x"), "refused the connection (0x02: not allowed): check its URL"),
    ],
)
def test_errors_of_socks_are_those_of_the_proxy(raised: OSError, message: str) -> None:
    """Behind a SOCKS proxy urllib3's error names the service; ours names the proxy."""
    request = RequestInfo("GET", "https://far.invalid/v1/files", KEY)
    request.proxy = Proxy("socks5://127.0.0.1:9", "proxy=")
    said = "Failed to establish a new connection: 0x02: not allowed"
    error = urllib3.exceptions.NewConnectionError(None, said)  # type: ignore[arg-type]
    error.__context__ = raised
    told = str(map_exception(request, error, 1.0))
    assert f"the proxy 127.0.0.1:9 (from proxy=) {message}" in told


def test_environment_proxies_spare_loopback(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy from the environment is not used for addresses of this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serve(reply(FILE)).client() as client:
        assert client.files.get("f1").id == "f1"


def test_socks_without_its_package_is_a_configuration_error() -> None:
    """A SOCKS proxy needs a package; without it the error has the command to install it."""
    try:
        import socks  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        with SonioxClient(KEY, proxy="socks5://127.0.0.1:1") as client:
            with pytest.raises(ConfigurationError, match=r"requests\[socks\]"):
                client.models.list()
    else:
        pytest.skip("the package is installed")


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("environment", "https://far.invalid"),
        ("proxy=", "https://far.invalid"),
        ("session", "https://far.invalid"),
        ("proxy=", "http://localhost:1"),
        ("session", "http://localhost:1"),
    ],
)
def test_a_proxy_that_repeats_its_password_does_not_show_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, source: str, url: str
) -> None:
    """The password of a proxy is in no message, attribute or cause, whatever the proxy answers."""
    token = base64.b64encode(b"me:hunter2hunter2").decode()
    body = f'{{"message": "hunter2hunter2 {token}"}}'.encode()
    answer = reply(body, "407 Denied hunter2hunter2", {"X-Echo": token})
    there = serve(answer).url.replace("http://", "http://me:hunter2hunter2@")
    options: dict[str, Any] = {"api_url": url, "max_retries": 0}
    if source == "environment":
        monkeypatch.setenv("HTTPS_PROXY", there)
    elif source == "proxy=":
        options["proxy"] = there
    else:
        options["http_session"] = requests.Session()
        options["http_session"].proxies = {"http": there, "https": there}
    with SonioxClient(KEY, **options) as client, pytest.raises(SonioxHttpError) as caught:
        client.files.get("f1")
    error: Optional[BaseException] = caught.value
    assert "***" in str(error)
    while error is not None:
        shown = f"{error} {error!r} {vars(error)}"
        assert "hunter2hunter2" not in shown and token not in shown
        error = error.__cause__ or error.__context__
