"""Keys at the sandbox's WebSockets and REST endpoints against PROTOCOL 1."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import requests
from sandbox_talk import KEY, PATIENCE, RAW_STT, Talk, silence, start, text, tts

from soniox_sync.errors import ConfigurationError
from soniox_sync.sandbox import KeyRule, Sandbox

MakeSandbox = Callable[..., Sandbox]


def url_of(sandbox: Sandbox, kind: str) -> str:
    """Give the WebSocket of one kind."""
    return sandbox.urls.stt if kind == "stt" else sandbox.urls.tts


def refused(talk: Talk) -> dict[str, Any]:
    """Receive until the close, which must be a normal one behind one error frame."""
    heard = talk.hear_all()
    assert talk.close_code == 1000
    assert len(heard) == 1
    return heard[0]


@pytest.mark.parametrize("kind", ["stt", "tts"])
@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer invalid-key"}, {"Authorization": "Basic Z29vZDprZXk="}],
)
def test_refused_key_opens_and_then_fails(
    sandbox: Sandbox, kind: str, headers: dict[str, str]
) -> None:
    """A bad key never fails the handshake: an error frame and close 1000 follow."""
    with Talk(url_of(sandbox, kind), headers) as talk:
        frame = refused(talk)
    assert (frame["error_code"], frame["error_type"]) == (401, "unauthenticated")


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_refused_key_is_told_at_the_first_message(make_sandbox: MakeSandbox, kind: str) -> None:
    """A client that sends at once gets its 401 as the answer."""
    sandbox = make_sandbox(limits={"auth_error_delay_sec": 60.0})
    with Talk(url_of(sandbox, kind), {"Authorization": "Bearer invalid"}) as talk:
        talk.say(RAW_STT if kind == "stt" else start("s"))
        assert refused(talk)["error_code"] == 401


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_subprotocol_carries_the_key(sandbox: Sandbox, kind: str) -> None:
    """A key offered as subprotocol works, and only the marker is echoed."""
    with Talk(url_of(sandbox, kind), {}, subprotocols=["soniox-api-key", "good-key"]) as talk:
        assert talk.ws.subprotocol == "soniox-api-key"
        if kind == "stt":
            talk.say(RAW_STT, silence(100), "")
            assert talk.hear_all()[-1]["finished"]
        else:
            talk.say(start("s"), text("s", "Hi."))
            assert talk.hear_until("terminated")[-2]["audio_end"]


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_header_and_subprotocol_together_are_refused(sandbox: Sandbox, kind: str) -> None:
    """A key in two places of the handshake is 400."""
    options: Any = {"subprotocols": ["soniox-api-key", "good-key"]}
    with Talk(url_of(sandbox, kind), KEY, **options) as talk:
        assert refused(talk)["error_code"] == 400


def test_legacy_stt_key_in_the_message(sandbox: Sandbox) -> None:
    """The deprecated key in the start message is accepted, a bad one is 401, none is 401."""
    with Talk(sandbox.urls.stt, {}) as talk:
        talk.say({**RAW_STT, "api_key": "good"}, silence(100), "")
        assert talk.hear_all()[-1]["finished"]
    for bad in ({"api_key": "invalid"}, {}):
        with Talk(sandbox.urls.stt, {}) as talk:
            talk.say({**RAW_STT, **bad})
            assert refused(talk)["error_code"] == 401


def test_legacy_tts_key_in_the_message(sandbox: Sandbox) -> None:
    """The deprecated key in a config is accepted; a bad one ends its stream, not the socket."""
    with Talk(sandbox.urls.tts, {}) as talk:
        talk.say(start("bad", api_key="invalid"))
        frame, end = talk.hear(), talk.hear()
        assert (frame["stream_id"], frame["error_code"]) == ("bad", 401)
        assert end == {"stream_id": "bad", "terminated": True}
        talk.say(start("good", api_key="good"), text("good", "Hi."))
        assert talk.hear_until("terminated")[-2]["audio_end"]


def test_unauthenticated_connections_are_closed(make_sandbox: MakeSandbox) -> None:
    """A TTS socket without a key is closed after its time; keepalives do not authenticate."""
    sandbox = make_sandbox(limits={"unauthenticated_sec": 0.2})
    with Talk(sandbox.urls.tts, {}) as talk:
        talk.say({"keep_alive": True})
        assert talk.hear_all() == []
        assert talk.close_code == 1001


def test_message_keys_can_be_switched_off(make_sandbox: MakeSandbox) -> None:
    """Played after the deprecation, a socket without a key in its handshake gets 401."""
    sandbox = make_sandbox(limits={"allow_message_auth": False})
    for kind in ("stt", "tts"):
        with Talk(url_of(sandbox, kind), {}) as talk:
            assert refused(talk)["error_code"] == 401


@pytest.mark.parametrize(("second", "accepted"), [("good-key", True), ("other", False)])
def test_key_in_header_and_message(sandbox: Sandbox, second: str, accepted: bool) -> None:
    """The same key twice passes, two different keys are 400."""
    with Talk(sandbox.urls.stt) as talk:
        talk.say({**RAW_STT, "api_key": second})
        talk.say(silence(100), "") if accepted else None
        last = talk.hear_all()[-1]
    assert last.get("finished", False) is accepted
    assert accepted or last["error_code"] == 400
    with tts(sandbox) as talk:
        talk.say(start("s", api_key=second))
        talk.say(text("s", "")) if accepted else None
        assert talk.hear_until("terminated")[0].get("error_code") == (None if accepted else 400)


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
    """A temporary key of one usage type is 401 at the other service."""
    sandbox = make_sandbox(api_keys={"snx_temp_a": {"usage_type": "tts_rt"}})
    header = {"Authorization": "Bearer snx_temp_a"}
    with Talk(sandbox.urls.stt, header) as talk:
        assert refused(talk)["error_code"] == 401
    with Talk(sandbox.urls.tts, header) as talk:
        talk.say(start("s"), text("s", "Mine."))
        assert talk.hear_until("terminated")[-2]["audio_end"]


def test_single_use_key_opens_one_stream(make_sandbox: MakeSandbox) -> None:
    """The second stream of a single-use key is 401, on the same socket and on another."""
    sandbox = make_sandbox(api_keys={"once": KeyRule(single_use=True)})
    header = {"Authorization": "Bearer once"}
    with Talk(sandbox.urls.tts, header) as talk:
        talk.say(start("a"), text("a", "One."))
        talk.hear_until("terminated")
        talk.say(start("b"))
        assert talk.hear()["error_code"] == 401
    with Talk(sandbox.urls.stt, header) as talk:
        assert refused(talk)["error_code"] == 401


@pytest.mark.parametrize("kind", ["stt", "tts"])
def test_session_duration_of_a_key_ends_the_connection(
    make_sandbox: MakeSandbox, kind: str
) -> None:
    """When a key's session time is over, 403 with its own type ends the connection."""
    sandbox = make_sandbox(api_keys={"k": {"max_session_duration_seconds": 0.2}})
    with Talk(url_of(sandbox, kind), {"Authorization": "Bearer k"}) as talk:
        talk.say(RAW_STT if kind == "stt" else start("s"))
        frame = refused(talk)
    assert (frame["error_code"], frame["error_type"]) == (403, "temp_api_key_session_expired")


def test_budgets_show_with_the_first_request(make_sandbox: MakeSandbox) -> None:
    """An exhausted budget opens the socket and fails the first request with 402."""
    slug = "organization_balance_exhausted"
    sandbox = make_sandbox(api_keys={"poor": {"error_type": slug}})
    header = {"Authorization": "Bearer poor"}
    with Talk(sandbox.urls.stt, header) as talk:
        talk.say(RAW_STT)
        frame = refused(talk)
        assert (frame["error_code"], frame["error_type"]) == (402, slug)
    with Talk(sandbox.urls.tts, header) as talk:
        talk.say(start("s"))
        assert talk.hear()["error_code"] == 402
    assert (
        requests.get(f"{sandbox.urls.api}/models", headers=header, timeout=PATIENCE).status_code
        == 402
    )


def test_permissions_are_403(make_sandbox: MakeSandbox) -> None:
    """A key without the right for a service gets 403 permission_denied."""
    sandbox = make_sandbox(api_keys={"k": {"permissions": ["tts"]}})
    with Talk(sandbox.urls.stt, {"Authorization": "Bearer k"}) as talk:
        assert refused(talk)["error_type"] == "permission_denied"


def test_unknown_key_property_is_refused() -> None:
    """A misspelt property of a key is a configuration error."""
    with pytest.raises(ConfigurationError):
        Sandbox(api_keys={"k": {"usage": "tts_rt"}})


def test_no_key_ends_up_in_the_log(sandbox: Sandbox) -> None:
    """No entry of the log, and no repr, holds a key that was sent, wherever it was."""
    secret = "very-secret-key"
    with Talk(sandbox.urls.stt, {}, subprotocols=["soniox-api-key", secret]) as talk:
        talk.say({**RAW_STT, "api_key": secret}, silence(100), "")
        talk.hear_all()
    with Talk(sandbox.urls.tts, {"Authorization": f"Bearer {secret}"}) as talk:
        talk.say(start("s", api_key=secret), text("s", ""))
        talk.hear_until("terminated")
    header = {"Authorization": f"Bearer {secret}"}
    requests.get(f"{sandbox.urls.api}/models", headers=header, timeout=PATIENCE)
    assert secret not in repr(sandbox.log.entries())
    assert secret not in repr(sandbox)
    assert len(sandbox.log) > 5
