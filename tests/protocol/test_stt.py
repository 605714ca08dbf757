"""Responses of the service become events, token for token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync import (
    AuthError,
    DurationLimitError,
    NetworkError,
    QuotaError,
    SonioxConnectionError,
)
from soniox_sync.protocol.stt import SttReceiver
from soniox_sync.protocol.tokens import Result, SttEvent, Token


def wire(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def token(text: str, final: bool = False, **fields: Any) -> dict[str, Any]:
    return {"text": text, "is_final": final, **fields}


def receive(*frames: bytes) -> tuple[list[SttEvent], SttReceiver]:
    receiver = SttReceiver()
    events = [event for frame in frames for event in receiver.receive(frame)]
    return events, receiver


def kinds(events: list[SttEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.text) for event in events]


def test_response_becomes_one_result() -> None:
    """A response becomes a result with its tokens, counters and all documented fields."""
    frame = (
        b'{"tokens":[{"text":"Hel","start_ms":120,"end_ms":300,"confidence":0.97,'
        b'"is_final":true,"speaker":"1","language":"en","translation_status":"original"},'
        b'{"text":"lo","start_ms":300,"end_ms":420,"confidence":0.5,"is_final":false,'
        b'"speaker":"1","language":"en","translation_status":"translation",'
        b'"source_language":"de","brand_new":[1]}],'
        b'"final_audio_proc_ms":300,"total_audio_proc_ms":480,"more":"kept"}'
    )
    (event,), receiver = receive(frame)
    assert (event.kind, event.text, event.translated_text) == ("result", "Hel", "lo")
    result = event.result
    assert (result.final_audio_proc_ms, result.total_audio_proc_ms) == (300, 480)
    assert result.finished is False
    assert result.raw["more"] == "kept"
    first, second = result.tokens
    assert first == Token("Hel", 120, 300, 0.97, True, "1", "en", "original")
    assert second == Token("lo", 300, 420, 0.5, False, "1", "en", "translation", "de")
    assert second.raw["brand_new"] == [1]
    assert (result.final_tokens, result.non_final_tokens) == ([first], [second])
    assert (receiver.error, receiver.finished) == (None, False)


@pytest.mark.parametrize(
    "frame",
    [
        wire(tokens=[], final_audio_proc_ms=60, total_audio_proc_ms=180),
        wire(tokens=[], audio_final_proc_ms=60, audio_total_proc_ms=180),
        wire(tokens=[], final_audio_proc_ms=60.0, total_audio_proc_ms=180.7),
        wire(
            tokens=[],
            final_audio_proc_ms=60,
            audio_final_proc_ms=1,
            total_audio_proc_ms=180,
            audio_total_proc_ms=2,
        ),
    ],
)
def test_counters_are_read_in_both_spellings(frame: bytes) -> None:
    """The service's spelling of the counters takes precedence over the guide's; both are ints."""
    (event,), _ = receive(frame)
    counters = (event.result.final_audio_proc_ms, event.result.total_audio_proc_ms)
    assert counters == (60, 180)
    assert all(type(value) is int for value in counters)


@pytest.mark.parametrize("value", [None, "60", True, [], 1e300])
def test_unusable_counters_keep_the_last(value: object) -> None:
    """A missing or unusable counter keeps the previous value."""
    events, _ = receive(
        wire(tokens=[], final_audio_proc_ms=60, total_audio_proc_ms=180),
        wire(tokens=[], final_audio_proc_ms=value, total_audio_proc_ms=value),
        wire(tokens=[]),
    )
    for event in events:
        assert event.result.final_audio_proc_ms == 60
        assert event.result.total_audio_proc_ms == 180


def test_empty_response_clears_the_partial_tokens() -> None:
    """A response without tokens is a result: it replaces the partial tokens before it."""
    events, _ = receive(wire(tokens=[token("maybe")]), wire(tokens=[]), wire(), wire(tokens=None))
    assert kinds(events) == [("result", "maybe"), ("result", ""), ("result", ""), ("result", "")]


@pytest.mark.parametrize(("marker", "kind"), [("<end>", "endpoint"), ("<fin>", "finalized")])
def test_markers_become_events(marker: str, kind: str) -> None:
    """`<end>` and `<fin>` are neither tokens nor text; they split the result at their position."""
    events, _ = receive(
        wire(
            tokens=[
                token("one", True),
                token(marker, True, translation_status="none"),
                token("two", False),
            ],
            final_audio_proc_ms=500,
            total_audio_proc_ms=700,
        )
    )
    assert kinds(events) == [("result", "one"), (kind, ""), ("result", "two")]
    assert all(event.result.final_audio_proc_ms == 500 for event in events)


def test_marker_alone_still_clears_the_partial_tokens() -> None:
    """A response with only a marker becomes an empty result before the marker's event."""
    events, _ = receive(wire(tokens=[token("<fin>", True)]))
    assert kinds(events) == [("result", ""), ("finalized", "")]


def test_both_markers_in_one_response() -> None:
    """Several markers become several events, in order."""
    events, _ = receive(wire(tokens=[token("a", True), token("<end>", True), token("<fin>", True)]))
    assert kinds(events) == [("result", "a"), ("endpoint", ""), ("finalized", "")]


def test_text_that_only_looks_like_a_marker_is_text() -> None:
    """Only the exact marker is one."""
    events, _ = receive(wire(tokens=[token(" <end>"), token("<END>"), token("<fin> ")]))
    assert kinds(events) == [("result", " <end><END><fin> ")]


def test_finished_comes_after_its_tokens() -> None:
    """The tokens of a last response are delivered before the end."""
    events, receiver = receive(
        wire(
            tokens=[token("last", True)],
            finished=True,
            final_audio_proc_ms=900,
            total_audio_proc_ms=900,
        )
    )
    assert kinds(events) == [("result", "last"), ("finished", "")]
    assert receiver.finished
    assert events[-1].result.finished is True
    assert events[-1].result.final_audio_proc_ms == 900
    assert receiver.receive(wire(tokens=[token("late")])) == []


def test_finished_without_tokens_is_one_event() -> None:
    """The usual last response is only the finished event."""
    events, _ = receive(wire(tokens=[], finished=True))
    assert kinds(events) == [("finished", "")]


@pytest.mark.parametrize("value", [False, None, 0, 1, "true", "yes"])
def test_only_true_is_finished(value: object) -> None:
    """Nothing truncated looks complete: only a JSON `true` means finished."""
    events, receiver = receive(wire(tokens=[], finished=value))
    assert not receiver.finished
    assert kinds(events) == [("result", "")]


def test_error_frame_is_an_error_and_no_result() -> None:
    """An error frame sets the mapped error, with all its fields; its tokens are no result."""
    events, receiver = receive(
        wire(tokens=[token("kept", True)]),
        wire(
            tokens=[],
            error_code=503,
            error_type="service_unavailable",
            error_message="Cannot continue request (code 1).",
            more_info="https://soniox.com/docs/api-reference/errors#service-unavailable",
            request_id="req-1",
        ),
        wire(tokens=[token("late")]),
    )
    assert kinds(events) == [("result", "kept")]
    error = receiver.error
    assert isinstance(error, NetworkError)
    assert (error.status_code, error.error_type) == (503, "service_unavailable")
    assert error.request_id == "req-1"


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (wire(error_code=401, error_message="bad key"), AuthError),
        (wire(error_code="429", error_message="slow down"), QuotaError),
        (wire(error_code=413, error_type="max_duration_reached"), DurationLimitError),
        (wire(tokens=[], finished=True, error_code=503, error_message="no"), NetworkError),
    ],
)
def test_old_error_frames_are_errors(frame: bytes, expected: type) -> None:
    """Error frames without a type, with a code as string, or with `finished` are errors."""
    events, receiver = receive(frame)
    assert isinstance(receiver.error, expected)
    assert not receiver.finished
    assert events == []


def test_error_frame_with_tokens_delivers_them_first() -> None:
    """Tokens in an error frame are not lost."""
    events, receiver = receive(wire(tokens=[token("kept", True)], error_code=500))
    assert kinds(events) == [("result", "kept")]
    assert receiver.error is not None


def test_null_error_fields_are_no_error() -> None:
    """A response may carry its error fields as null."""
    events, receiver = receive(
        wire(tokens=[], error_code=None, error_type=None, error_message=None, request_id=None)
    )
    assert receiver.error is None
    assert kinds(events) == [("result", "")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"hello",
        b"[]",
        b"null",
        b'"text"',
        b"17",
        b"\xff\xfe",
        b'{"tokens":',
        b'{"tokens":{}}',
        b'{"tokens":"none"}',
        b'{"tokens":[5]}',
        b'{"tokens":[{}]}',
        b'{"tokens":[{"text":null}]}',
        b'{"tokens":[{"text":5}]}',
        b'{"tokens":NaN}',
        b"<html><body>502 Bad Gateway</body></html>",
    ],
)
def test_malformed_responses_are_refused(payload: bytes) -> None:
    """A message that is not a response raises a protocol error."""
    with pytest.raises(SonioxConnectionError) as caught:
        SttReceiver().receive(payload)
    assert caught.value.code == "protocol_error"


def test_unexpected_token_fields_are_tolerated() -> None:
    """Fields of unexpected types count as absent; speaker numbers become strings."""
    (event,), _ = receive(
        wire(
            tokens=[
                token(
                    "x",
                    start_ms="1",
                    end_ms=20.9,
                    confidence="high",
                    speaker=2,
                    language=[],
                    translation_status=True,
                ),
                {"text": "y", "is_final": 1, "confidence": 1},
                {"text": "z", "confidence": 10**400},
            ]
        )
    )
    x, y, z = event.result.tokens
    assert (x.start_ms, x.end_ms, x.confidence, x.speaker, x.language) == (
        None,
        20,
        None,
        "2",
        None,
    )
    assert x.translation_status is None
    assert y.is_final is False
    assert y.confidence == 1.0
    assert z.confidence in (None, float("inf"))  # what a JSON parser may make of it


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["a", "b ", "<end>", "<fin>", "é"]), st.booleans()),
            max_size=6,
        ),
        max_size=5,
    )
)
def test_nothing_is_lost_or_reordered(responses: list[list[tuple[str, bool]]]) -> None:
    """Tokens and markers are returned in order, none twice, none missing, in any mix."""
    frames = [wire(tokens=[token(text, final) for text, final in one]) for one in responses]
    events, _ = receive(*frames)
    names = {"endpoint": "<end>", "finalized": "<fin>"}
    seen = []
    for event in events:
        if event.kind == "result":
            seen += [(t.text, t.is_final) for t in event.result.tokens]
        else:
            seen.append((names[event.kind], None))
    expected = [
        (text, None if text in names.values() else final)
        for one in responses
        for text, final in one
    ]
    assert seen == expected
    assert sum(event.kind == "result" for event in events) >= len(responses)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "tokens",
                        "text",
                        "is_final",
                        "start_ms",
                        "finished",
                        "error_code",
                        "error_message",
                        "final_audio_proc_ms",
                        "x",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=10,
    )
)
def test_random_json_is_accepted_or_refused(value: Any) -> None:
    """Any JSON produces events or a protocol error, never another exception."""
    receiver = SttReceiver()
    try:
        events = receiver.receive(json.dumps(value).encode())
    except SonioxConnectionError as error:
        assert error.code == "protocol_error"
        return
    for event in events:
        assert isinstance(event.text, str)
        assert type(event.result.final_audio_proc_ms) is int


def test_tokens_and_results_are_constructible_by_keyword() -> None:
    """Tokens need only a text, results only tokens."""
    one = Token(text="hi")
    assert (one.is_final, one.start_ms, one.session, one.is_translation) == (False, None, 0, False)
    result = Result(tokens=[one])
    assert result.model is None
    assert (result.text, result.finished, result.raw) == ("hi", False, {})
    assert result == Result(tokens=(Token(text="hi"),))
    assert result != Result(tokens=[Token(text="ho")])
    assert hash(result) == hash(Result(tokens=[Token(text="hi")]))
    assert "hi" in repr(result)
    assert Token(text="x", translation_status="translation").is_translation


def test_a_result_names_the_model_that_ran():
    """`model` is the name that the response gives, `None` without one or for anything else."""
    for said, shown in (("m-6", "m-6"), (None, None), ([1], None)):
        result = Result(tokens=[], raw={"model": said})
        assert result.model == shown
    assert Result(raw={}).model is None
