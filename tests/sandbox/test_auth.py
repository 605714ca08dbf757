"""Keys at the sandbox's WebSockets and REST endpoints (PROTOCOL 1)."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import requests

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sandbox import KeyRule, Sandbox
from tests.sandbox.client import KEY, PATIENCE, RAW_STT, Client, silence, start, text, tts

MakeSandbox = Callable[..., Sandbox]


def url_of(sandbox: Sandbox, kind: str) -> str:
    """Return the WebSocket URL of one kind."""
    return sandbox.urls.stt if kind == "stt" else sandbox.urls.tts


def refused(client: Client) -> dict[str, Any]:
    """Return the only message of a server that then closes normally."""
    received = client.receive_all()
    assert client.close_code == 1000
    assert len(received) == 1
    return received[0]


@pytest.mark.parametrize("kind", ["stt", "tts"])
@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer invalid-key"}, {"Authorization": "Basic Z29vZDprZXk="}],
)
def test_refused_key_opens_and_then_fails(
    sandbox: Sandbox, kind: str, headers: dict[str, str]
) -> None:
    """A bad key never fails the handshake: an error frame and close 1000 follow."""
    with Client(url_of(sandbox, kind), headers) as client:
        frame = refused(client)
    assert (frame["error_code"], frame["error_type"]) == (401, "unauthenticated")


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_refused_key_is_reported_at_the_first_message(make_sandbox: MakeSandbox, kind: str) -> None:
    """A client that sends at once gets a 401 in response."""
    sandbox = make_sandbox(limits={"auth_error_delay_sec": 60.0})
    with Client(url_of(sandbox, kind), {"Authorization": "Bearer invalid"}) as client:
        client.send(RAW_STT if kind == "stt" else start("s"))
        assert refused(client)["error_code"] == 401


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_key_as_subprotocol(sandbox: Sandbox, kind: str) -> None:
    """A key offered as a subprotocol works, and only the marker is echoed."""
    with Client(url_of(sandbox, kind), {}, subprotocols=["soniox-api-key", "good-key"]) as client:
        assert client.ws.subprotocol == "soniox-api-key"
        if kind == "stt":
            client.send(RAW_STT, silence(100), "")
            assert client.receive_all()[-1]["finished"]
        else:
            client.send(start("s"), text("s", "Hi."))
            assert client.receive_until("terminated")[-2]["audio_end"]


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_header_and_subprotocol_together_are_refused(sandbox: Sandbox, kind: str) -> None:
    """A key in two places of the handshake is 400."""
    options: Any = {"subprotocols": ["soniox-api-key", "good-key"]}
    with Client(url_of(sandbox, kind), KEY, **options) as client:
        assert refused(client)["error_code"] == 400


def test_legacy_stt_key_in_the_message(sandbox: Sandbox) -> None:
    """The deprecated key in the start message is accepted; a bad or missing one is a 401."""
    with Client(sandbox.urls.stt, {}) as client:
        client.send({**RAW_STT, "api_key": "good"}, silence(100), "")
        assert client.receive_all()[-1]["finished"]
    for bad in ({"api_key": "invalid"}, {}):
        with Client(sandbox.urls.stt, {}) as client:
            client.send({**RAW_STT, **bad})
            assert refused(client)["error_code"] == 401


def test_legacy_tts_key_in_the_message(sandbox: Sandbox) -> None:
    """The deprecated key in a config is accepted; a bad one ends its stream, not the connection."""
    with Client(sandbox.urls.tts, {}) as client:
        client.send(start("bad", api_key="invalid"))
        frame, end = client.receive(), client.receive()
        assert (frame["stream_id"], frame["error_code"]) == ("bad", 401)
        assert end == {"stream_id": "bad", "terminated": True}
        client.send(start("good", api_key="good"), text("good", "Hi."))
        assert client.receive_until("terminated")[-2]["audio_end"]


def test_unauthenticated_connections_are_closed(make_sandbox: MakeSandbox) -> None:
    """A TTS connection without a key is closed in time; keepalives do not authenticate."""
    sandbox = make_sandbox(limits={"unauthenticated_sec": 0.2})
    with Client(sandbox.urls.tts, {}) as client:
        client.send({"keep_alive": True})
        assert client.receive_all() == []
        assert client.close_code == 1001


def test_message_keys_can_be_switched_off(make_sandbox: MakeSandbox) -> None:
    """Without keys in messages, a connection without one in its handshake gets 401."""
    sandbox = make_sandbox(limits={"allow_message_auth": False})
    for kind in ("stt", "tts"):
        with Client(url_of(sandbox, kind), {}) as client:
            assert refused(client)["error_code"] == 401


@pytest.mark.parametrize(("second", "accepted"), [("good-key", True), ("other", False)])
def test_key_in_header_and_message(sandbox: Sandbox, second: str, accepted: bool) -> None:
    """The same key twice is accepted, two different keys are a 400."""
    with Client(sandbox.urls.stt) as client:
        client.send({**RAW_STT, "api_key": second})
        client.send(silence(100), "") if accepted else None
        last = client.receive_all()[-1]
    assert last.get("finished", False) is accepted
    assert accepted or last["error_code"] == 400
    with tts(sandbox) as client:
        client.send(start("s", api_key=second))
        client.send(text("s", "")) if accepted else None
        assert client.receive_until("terminated")[0].get("error_code") == (
            None if accepted else 400
        )


def test_listed_keys_only(make_sandbox: MakeSandbox) -> None:
    """A sandbox with a list of keys refuses all others and offers the first."""
    sandbox = make_sandbox(api_keys=["alpha", "beta"])
    assert sandbox.api_key == "alpha"
    url = f"{sandbox.urls.api}/models"
    codes = [
        requests.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE).status_code
        for key in ("alpha", "beta", "gamma")
    ]
    assert codes == [200, 200, 401]


def test_temporary_keys_are_for_one_service(make_sandbox: MakeSandbox) -> None:
    """A temporary key of one usage type is a 401 at the other service."""
    sandbox = make_sandbox(api_keys={"snx_temp_a": {"usage_type": "tts_rt"}})
    header = {"Authorization": "Bearer snx_temp_a"}
    with Client(sandbox.urls.stt, header) as client:
        assert refused(client)["error_code"] == 401
    with Client(sandbox.urls.tts, header) as client:
        client.send(start("s"), text("s", "Mine."))
        assert client.receive_until("terminated")[-2]["audio_end"]


def test_single_use_key_opens_one_stream(make_sandbox: MakeSandbox) -> None:
    """The second stream of a single-use key is a 401, on the same connection and on another."""
    sandbox = make_sandbox(api_keys={"once": KeyRule(single_use=True)})
    header = {"Authorization": "Bearer once"}
    with Client(sandbox.urls.tts, header) as client:
        client.send(start("a"), text("a", "One."))
        client.receive_until("terminated")
        client.send(start("b"))
        assert client.receive()["error_code"] == 401
    with Client(sandbox.urls.stt, header) as client:
        assert refused(client)["error_code"] == 401


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_session_duration_of_a_key_ends_the_connection(
    make_sandbox: MakeSandbox, kind: str
) -> None:
    """When a key's session expires, a 403 with its own error type ends the connection."""
    sandbox = make_sandbox(api_keys={"k": {"max_session_duration_seconds": 0.2}})
    with Client(url_of(sandbox, kind), {"Authorization": "Bearer k"}) as client:
        client.send(RAW_STT if kind == "stt" else start("s"))
        frame = refused(client)
    assert (frame["error_code"], frame["error_type"]) == (403, "temp_api_key_session_expired")


def test_budgets_are_checked_with_the_first_request(make_sandbox: MakeSandbox) -> None:
    """With an exhausted budget the connection opens, and the first request fails with 402."""
    slug = "organization_balance_exhausted"
    sandbox = make_sandbox(api_keys={"poor": {"error_type": slug}})
    header = {"Authorization": "Bearer poor"}
    with Client(sandbox.urls.stt, header) as client:
        client.send(RAW_STT)
        frame = refused(client)
        assert (frame["error_code"], frame["error_type"]) == (402, slug)
    with Client(sandbox.urls.tts, header) as client:
        client.send(start("s"))
        assert client.receive()["error_code"] == 402
    assert (
        requests.get(f"{sandbox.urls.api}/models", headers=header, timeout=PATIENCE).status_code
        == 402
    )


def test_permissions_are_403(make_sandbox: MakeSandbox) -> None:
    """A key without permission for a service gets 403 permission_denied."""
    sandbox = make_sandbox(api_keys={"k": {"permissions": ["tts"]}})
    with Client(sandbox.urls.stt, {"Authorization": "Bearer k"}) as client:
        assert refused(client)["error_type"] == "permission_denied"


def test_keys_that_share_a_rule_are_independent(make_sandbox: MakeSandbox) -> None:
    """Use of one key does not affect another one with the same rule."""
    rule = KeyRule(single_use=True)
    sandbox = make_sandbox(api_keys={"one": rule, "two": rule})
    for key in ("one", "two"):
        with Client(sandbox.urls.tts, {"Authorization": f"Bearer {key}"}) as client:
            client.send(start("s"), text("s", "Hi."))
            assert client.receive_until("terminated")[-2]["audio_end"]


@pytest.mark.parametrize(
    "keys",
    [
        {"k": {"usage": "tts_rt"}},
        {"k": {"usage_type": "tts"}},
        {"k": {"permissions": ["speech"]}},
        {"k": {"expires_in_sec": -1}},
        [""],
    ],
)
def test_bad_rules_of_keys_are_refused(keys: Any) -> None:
    """An unknown field of a key's rule, or an invalid value, is refused."""
    with pytest.raises(ConfigurationError):
        Sandbox(api_keys=keys)


@pytest.mark.parametrize("keys", [5, [5], {"k": {"permissions": "tts"}}, {"k": {"single_use": 1}}])
def test_keys_of_wrong_types_are_refused(keys: Any) -> None:
    """Keys and fields of a rule of the wrong type are refused."""
    with pytest.raises(InputTypeError):
        Sandbox(api_keys=keys)


def test_the_log_contains_no_key(sandbox: Sandbox) -> None:
    """No entry of the log, and no repr, contains a key, in whatever place it was sent."""
    secret = "very-secret-key"
    with Client(sandbox.urls.stt, {}, subprotocols=["soniox-api-key", secret]) as client:
        client.send({**RAW_STT, "api_key": secret}, silence(100), "")
        client.receive_all()
    with Client(sandbox.urls.tts, {"Authorization": f"Bearer {secret}"}) as client:
        client.send(start("s", api_key=secret), text("s", ""))
        client.receive_until("terminated")
    header = {"Authorization": f"Bearer {secret}"}
    requests.get(f"{sandbox.urls.api}/models", headers=header, timeout=PATIENCE)
    assert secret not in repr([vars(entry) for entry in sandbox.log.entries()])
    assert secret not in repr(sandbox)
    assert len(sandbox.log) > 5
