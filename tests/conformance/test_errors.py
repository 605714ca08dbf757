"""Failures of transcription: the official SDK and ours get the same errors (PROTOCOL 2.6)."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import RAW, Kit, Received, silence

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def failed(received: Received) -> tuple[Any, Any]:
    """Return code and type of the failure that ended a session."""
    assert received.kinds[-1] == "failure" and "finished" not in received.kinds
    assert received.failure is not None
    return received.failure.status, received.failure.error_type


def test_a_refused_key_is_reported_by_a_frame(make_kit: MakeKit, sandbox: Sandbox) -> None:
    """A bad key opens the socket and then fails with 401 `unauthenticated`."""
    kit = make_kit(sandbox, api_key="invalid-key")
    with kit.listen(**RAW) as session:
        assert failed(session.receive()) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("rule", "status", "kind"),
    [
        ({"usage_type": "tts_rt"}, 401, "unauthenticated"),
        ({"permissions": ["tts"]}, 403, "permission_denied"),
        ({"error_type": "organization_balance_exhausted"}, 402, "organization_balance_exhausted"),
        ({"error_type": "limit_exceeded"}, 429, "limit_exceeded"),
    ],
)
def test_a_key_without_permission_is_refused(
    make_kit: MakeKit, make_sandbox: MakeSandbox, rule: dict[str, Any], status: int, kind: str
) -> None:
    """A key of another service, or without permission or budget, fails with its documented type."""
    kit = make_kit(make_sandbox(api_keys={"limited": rule}), api_key="limited")
    with kit.listen(**RAW) as session:
        assert failed(session.receive()) == (status, kind)


@pytest.mark.parametrize("missing", ["sample_rate", "num_channels"])
def test_an_incomplete_raw_format_is_refused_before_sending(
    kit: Kit, sandbox: Sandbox, missing: str
) -> None:
    """Both clients name the missing field before anything is sent."""
    config = {name: value for name, value in RAW.items() if name != missing}
    with pytest.raises(kit.refusals, match=missing):
        kit.listen(**config)
    assert sandbox.log.entries(kind="stt") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint_sensitivity", 1.5),
        ("max_endpoint_delay_ms", 100),
        ("client_reference_id", "x" * 257),
    ],
)
def test_values_out_of_range_are_refused_before_sending(
    kit: Kit, sandbox: Sandbox, field: str, value: Any
) -> None:
    """Both clients refuse values that the service would refuse."""
    with pytest.raises(kit.refusals, match=field):
        kit.listen(**RAW, **{field: value})
    assert sandbox.log.entries(kind="stt") == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"model": "stt-rt-v99"}, "model_not_available"),
        ({"language_hints": ["xx"]}, "invalid_request"),
        ({"translation": {"type": "one_way", "target_language": "xx"}}, "invalid_request"),
        ({"context": {"text": "x" * 10_001}}, "invalid_request"),
    ],
)
def test_a_config_the_service_refuses_fails_with_400(
    kit: Kit, change: dict[str, Any], kind: str
) -> None:
    """Values that only the service can check fail with 400 and their error type."""
    with kit.listen(**{**RAW, **change}) as session:
        assert failed(session.receive()) == (400, kind)


def test_a_session_without_audio_ends_with_408(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """A session that never gets audio fails with 408 `request_timeout`."""
    kit = make_kit(make_sandbox({"stt_first_audio_timeout_sec": 0.2}))
    with kit.listen(**RAW) as session:
        assert failed(session.receive()) == (408, "request_timeout")


def test_headerless_audio_with_auto_ends_with_408(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """Raw audio in a session that expects a container is never recognised."""
    kit = make_kit(make_sandbox({"stt_decode_timeout_sec": 0.2}))
    with kit.listen(audio_format="auto") as session:
        session.send(b"\1\2" * 2000)
        assert failed(session.receive()) == (408, "request_timeout")


def test_the_longest_duration_ends_with_413(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """Audio beyond the limit fails with 413 after the words before it."""
    kit = make_kit(make_sandbox({"stt_max_duration_sec": 2.0}))
    with kit.listen(**RAW) as session:
        session.send(silence(1900))
        session.send(silence(300))
        received = session.receive()
    assert failed(received) == (413, "max_duration_reached")
    assert received.text.startswith("The quick")


def test_a_session_over_the_limit_ends_with_429(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """A session over the limit fails with 429; after another one ended it is accepted."""
    sandbox = make_sandbox({"stt_max_streams": 1})
    kit = make_kit(sandbox)
    with kit.listen(**RAW) as first:
        first.send(silence(600))
        first.finalize()
        first.receive(until="finalized")
        with kit.listen(**RAW) as second:
            assert failed(second.receive()) == (429, "limit_exceeded")
        first.finish()
        assert first.receive().marks == ["finished"]
    assert sandbox.log.wait_until_idle()
    with kit.listen(**RAW) as third:
        third.send(silence(300))
        third.finish()
        assert third.receive().marks == ["finished"]


def test_a_503_follows_the_words_before_it(kit: Kit, sandbox: Sandbox) -> None:
    """A 503 in the middle fails with its type, after the final words before it."""
    sandbox.faults.error_frame(kind="stt", after_audio_ms=3000)
    with kit.listen(**RAW) as session:
        session.send(silence(3500))
        received = session.receive()
    assert failed(received) == (503, "service_unavailable")
    assert received.text.startswith("The quick")


@pytest.mark.parametrize("fault", ["drop", "fin", "close"])
def test_a_lost_connection_never_looks_finished(kit: Kit, sandbox: Sandbox, fault: str) -> None:
    """However a connection is lost, the client reports neither `finished` nor a server error."""
    getattr(sandbox.faults, fault)(kind="stt", after_frames_out=3)
    with kit.listen(**RAW) as session:
        session.send(silence(3000))
        received = session.receive()
    assert failed(received) == (None, None)
    assert received.marks == ["failure"]


def test_unknown_fields_and_null_errors_are_ignored(kit: Kit, sandbox: Sandbox) -> None:
    """A response with unknown fields and with null error fields is a normal response."""
    sandbox.faults.message(
        '{"tokens": [{"text": "new", "is_final": true, "mood": "good"}], "error_code": null, '
        '"error_type": null, "error_message": null, "weather": {"sun": 1}, '
        '"final_audio_proc_ms": 0, "total_audio_proc_ms": 0}',
        kind="stt",
        after_frames_in=1,
    )
    sandbox.script("")
    with kit.listen(**RAW) as session:
        session.send(silence(300))
        session.finish()
        received = session.receive()
    assert received.text == "new"
    assert received.marks == ["finished"]
