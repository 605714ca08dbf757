"""Who may use a sandbox: `Host` and `Origin` of requests, preflights and upgrades."""

from __future__ import annotations

import http.client
from typing import Any, Callable, Optional

import pytest
from websockets.exceptions import InvalidStatus

from soniox_sync import ConfigurationError
from soniox_sync.errors import InputTypeError
from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import KEY, PATIENCE, RAW_STT, Client, silence

FOREIGN = "https://evil.example.org"
OURS = ("http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "http://app.localhost")

Response = tuple[int, dict[str, str], bytes]


def ask(sandbox: Sandbox, method: str = "GET", body: bytes = b"", **headers: str) -> Response:
    """Request the list of models; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, "/v1/models", body or None, {**KEY, **named})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def upgrade(sandbox: Sandbox, origin: Optional[str] = None, host: str = "") -> Optional[int]:
    """Transcribe silence; return `None` if it worked, else the status of the refusal."""
    headers = {**KEY, **({"Host": host} if host else {})}
    try:
        client = Client(sandbox.urls.stt, headers, **({"origin": origin} if origin else {}))
    except InvalidStatus as refused:
        return int(refused.response.status_code)
    with client:
        client.send(RAW_STT, silence(100), "")
        assert client.receive_all()[-1]["finished"]
    return None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:1", "a.localhost"]
)
def test_a_name_of_this_machine_is_served(sandbox: Sandbox, host: str) -> None:
    """A loopback name is served, whatever the port: it may have been forwarded."""
    assert ask(sandbox, Host=host)[0] == 200
    assert ask(sandbox)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example.org", "localhost.evil.example.org", "10.0.0.1", "0.0.0.0", "", "[::1"]
)
def test_another_name_is_refused(sandbox: Sandbox, host: str) -> None:
    """A page whose name was pointed at this machine gets 403, and no service sees its request."""
    status, headers, body = ask(sandbox, Host=host)
    assert status == 403 and b"is not a name of this machine" in body
    assert "access-control-allow-origin" not in headers
    assert sandbox.log.entries() == []


def test_another_name_in_the_request_line_is_refused(sandbox: Sandbox) -> None:
    """The name in an absolute URL counts as well."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=PATIENCE)
    connection.request("GET", "http://evil.example.org/v1/models", headers=KEY)
    assert connection.getresponse().status == 403
    connection.close()


def test_a_program_without_an_origin_is_served(sandbox: Sandbox) -> None:
    """Without an `Origin` requests and upgrades work, and responses have no CORS headers."""
    status, headers, _ = ask(sandbox)
    assert status == 200 and not [name for name in headers if name.startswith("access-control")]
    assert upgrade(sandbox) is None


@pytest.mark.parametrize("origin", OURS)
def test_pages_of_this_machine_are_served(sandbox: Sandbox, origin: str) -> None:
    """A page of any loopback origin may connect, and may read responses."""
    status, headers, _ = ask(sandbox, Origin=origin)
    assert (status, headers["access-control-allow-origin"]) == (200, origin)
    assert headers["vary"] == "Origin"
    assert upgrade(sandbox, origin) is None


def test_errors_can_be_read_by_a_page(sandbox: Sandbox) -> None:
    """The response to a refused key has the CORS headers, so that a page sees its message."""
    status, headers, body = ask(sandbox, Origin=OURS[0], Authorization="Bearer invalid-key")
    assert status == 401 and b"unauthenticated" in body
    assert headers["access-control-allow-origin"] == OURS[0]


@pytest.mark.parametrize("origin", [FOREIGN, "null", "http://localhost.evil.example.org", "x"])
def test_foreign_pages_are_refused(sandbox: Sandbox, origin: str) -> None:
    """A foreign page gets 403 for requests, preflights and upgrades, and cannot read why."""
    asked = {"Access_Control_Request_Method": "POST"}
    for response in (
        ask(sandbox, Origin=origin),
        ask(sandbox, "POST", b"x" * 300_000, Origin=origin),
        ask(sandbox, "OPTIONS", Origin=origin, **asked),
    ):
        assert response[0] == 403 and b"allow_origins" in response[2]
        assert "access-control-allow-origin" not in response[1]
    assert upgrade(sandbox, origin) == 403
    assert sandbox.log.entries() == []


def test_a_foreign_page_uses_up_no_fault(sandbox: Sandbox) -> None:
    """A fault waits for a request that is served."""
    fault = sandbox.faults.refuse(503, kind="rest")
    assert ask(sandbox, Origin=FOREIGN)[0] == 403
    assert not fault.fired.is_set()
    assert ask(sandbox)[0] == 503


def test_a_preflight_allows_what_it_asks_for(sandbox: Sandbox) -> None:
    """A preflight of an allowed page is answered without a key, and reaches no endpoint."""
    asked = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type",
        "Access_Control_Request_Private_Network": "true",
    }
    status, headers, body = ask(sandbox, "OPTIONS", Origin=OURS[0], Authorization="", **asked)
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == OURS[0]
    assert "POST" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "authorization,content-type"
    assert headers["access-control-allow-private-network"] == "true"
    assert sandbox.log.entries() == []
    plain = ask(sandbox, "OPTIONS", Origin=OURS[0])
    assert plain[0] == 405  # without the question it is an ordinary request


def test_an_allowed_origin_is_served(make_sandbox: Callable[..., Sandbox]) -> None:
    """Origins in `allow_origins` are allowed for everything, and their host as the name."""
    app = "https://App.example.org:8443"
    sandbox = make_sandbox(allow_origins=[app, "null"])
    for origin in (app, app.lower(), "null", OURS[0]):
        assert ask(sandbox, Origin=origin)[1]["access-control-allow-origin"] == origin
        assert upgrade(sandbox, origin) is None
    assert ask(sandbox, Host="app.example.org")[0] == 200
    for origin in (FOREIGN, "https://app.example.org", "http://app.example.org:8443"):
        assert ask(sandbox, Origin=origin)[0] == upgrade(sandbox, origin) == 403
    assert ask(sandbox, Host="other.example.org")[0] == 403


def test_every_origin_can_be_allowed(make_sandbox: Callable[..., Sandbox]) -> None:
    """`"*"` allows every page and every name."""
    sandbox = make_sandbox(allow_origins=["*"])
    assert ask(sandbox, Origin=FOREIGN)[1]["access-control-allow-origin"] == FOREIGN
    assert ask(sandbox, Host="evil.example.org")[0] == 200
    assert upgrade(sandbox, FOREIGN) is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("https://a.example.org", InputTypeError),
        ([5], InputTypeError),
        ([""], ConfigurationError),
        (["a.example.org"], ConfigurationError),
        (["https://a.example.org/page"], ConfigurationError),
        (["https://u@a.example.org/"], ConfigurationError),
        (["https://[::1"], ConfigurationError),
        (["https://[::1::2]"], ConfigurationError),
        (["http://."], ConfigurationError),
        (["https://a..example"], ConfigurationError),
        (["https://a.example:"], ConfigurationError),
        (["https://a.example:x"], ConfigurationError),
        (["https://a.example:0"], ConfigurationError),
        (["https://a.example:65536"], ConfigurationError),
        ([" https://a.example"], ConfigurationError),
        (["https://a.example\n"], ConfigurationError),
        (["https://a b.example"], ConfigurationError),
    ],
)
def test_what_is_no_origin_is_refused(value: Any, error: type[Exception]) -> None:
    """A path, a bare name or a plain str is refused at once, by name."""
    with pytest.raises(error, match="allow_origins"):
        Sandbox(allow_origins=value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("https://*.example.org", "got 'https://*.example.org'; list each origin, or pass '*'"),
        (
            "https://b\u00fccher.example",
            "write the host in its ASCII form, which begins with 'xn--'",
        ),
        ("https://me:pa55word@a.example", "got 'https://a.example'; leave out user and password"),
        ("https://a.example/page", "leave out what follows the host"),
        ("https://a.example:70000", "ports are from 1 to 65535"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_with_the_fix(value: str, told: str) -> None:
    """What could never match is refused, with the value, without a password, and with the fix."""
    with pytest.raises(ConfigurationError, match=r"allow_origins\[0\]") as caught:
        Sandbox(allow_origins=[value])
    assert told in str(caught.value)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("https://A.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://[2001:DB8:0::1]:8080", "http://[2001:db8::1]:8080"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_what_browsers_make_of_it(
    make_sandbox: Callable[..., Sandbox], value: str, origin: str
) -> None:
    """A default port, capitals and another spelling of an address are no other origin."""
    sandbox = make_sandbox(allow_origins=[value])
    assert ask(sandbox, Origin=origin)[1]["access-control-allow-origin"] == origin
