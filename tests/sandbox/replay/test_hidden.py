"""What a trace has redacted in part is what the client sends whole, and is not printed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.sandbox.replay.content import compare
from soniox_sync.sandbox.replay.hidden import fits, masked
from soniox_sync.sandbox.replay.script import Script
from soniox_sync.sandbox.replay.trace import read_trace
from tests.sandbox.client import RAW_STT, Client, start, text
from tests.sandbox.replay.lines import STT, TTS, Trace
from tests.sandbox.replay.test_script import cut, play

URL = "https://me.example/h?token=***&lang=en"
SECRET = "s3cr3tvalue99"
REDACTED = st.lists(st.text("ab.*(", max_size=3), min_size=1, max_size=4).map("***".join)


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (URL, URL.replace("***", SECRET), True),
        (URL, URL.replace("***", ""), False),
        (URL, URL.replace("***", SECRET).replace("en", "de"), False),
        (URL, "see " + URL.replace("***", SECRET), False),
        ("https://***@me/a.mp3?sig=***", "https://user:pass@me/a.mp3?sig=abc", True),
        ("***.wav", "key.wav", True),
        ("***.wav", "keyXwav", False),
        ("ab***ba", "aba", False),
        ("a***b***c", "a1b2b3c", True),
        ("(a+)+***$", "(a+)+x$", True),
        ("***" * 5, "x", True),
        ("a***", "a\nb", True),
        ("a***", 5, False),
    ],
)
def test_a_string_redacted_in_part_matches_what_it_was(expected: str, got: Any, same: bool) -> None:
    """At least one character is in the place of each `***`; all others are as in the trace."""
    assert (compare({"a": [expected]}, {"a": [got]}) is None) is same


@given(REDACTED, st.text("ab.*(", max_size=10))
def test_strings_fit_as_their_pattern_does(expected: str, got: str) -> None:
    """The comparison is that of the pattern with one or more characters for each `***`."""
    pattern = ".+".join(re.escape(part) for part in re.split(r"\*{3,}", expected))
    assert fits(expected, got) == (re.fullmatch(pattern, got, re.DOTALL) is not None)


def test_a_difference_does_not_print_what_the_trace_hides() -> None:
    """Only what both have before the first secret and behind the last one is printed."""
    found = compare({"a": "my key *** is old"}, {"a": f"my key {SECRET} is new"})
    assert found is not None
    assert (found.expected, found.got) == ('"my key *** is old"', '"my key ***"')


def test_a_message_of_another_kind_is_printed_without_secrets() -> None:
    """A whole message in a difference shows no more than a trace of it would."""
    trace = Trace()
    trace.socket(STT).sent(RAW_STT, "").received({"finished": True})
    url = URL.replace("***", SECRET)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        client.send(RAW_STT, {"type": "finalize", "url": url})
        client.receive_all()
        (found,) = sandbox.replay.differences
        assert "token=***&lang=en" in (found.got or "")
        assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("text_", "shown"),
    [
        ("https://me:pass@h.example/p", "https://***@h.example/p"),
        ("https://h/a?X-Amz-Signature=ab%2Fc&b=1", "https://h/a?X-Amz-Signature=***&b=1"),
        ('"{\\"api_key\\": \\"k-1\\"}"', '"{\\"api_key\\": \\"***\\"}"'),
        ("Authorization: Bearer abc.d", "Authorization: Bearer ***"),
        ("the keys of the piano", "the keys of the piano"),
    ],
)
def test_what_has_the_form_of_a_secret_is_masked(text_: str, shown: str) -> None:
    """Credentials in URLs and fields of keys are masked wherever a difference shows a text."""
    assert masked(text_) == shown


@given(st.data(), st.lists(st.text("ab ", max_size=3), min_size=1, max_size=4))
def test_text_with_secrets_may_be_cut_anywhere(data: st.DataObject, parts: list[str]) -> None:
    """The last audio comes once all of the text has come, however long its secrets are."""
    trace = Trace()
    recorded = "***".join(parts)
    trace.socket(TTS).sent(start("s"), text("s", recorded)).received(
        {"stream_id": "s", "terminated": True}
    )
    script = Script(read_trace(trace.lines).connections[0])
    script.take(start("x"))
    whole = "".join(
        part + data.draw(st.text("abc* ", min_size=1, max_size=5)) for part in parts[:-1]
    )
    whole += parts[-1]
    at = 0
    for size in cut(data, len(whole)):
        assert play(script) == []
        script.take(text("x", whole[at : at + size], end=False))
        at += size
    assert play(script) == []
    script.take(text("x", "", end=True))
    assert play(script) == [{"stream_id": "x", "terminated": True}]


@pytest.mark.parametrize(
    ("pieces", "expected", "got"),
    [
        (["say s3cr", "et, then x"], '"***, then stop."', '"***"'),
        (["tell "], '"say ***, then stop."', '"***"'),
        (["say s3cret"], '"say ***, then stop."', '"say ***"'),
    ],
)
def test_another_text_around_a_secret_is_a_difference(
    pieces: list[str], expected: str, got: str
) -> None:
    """The difference says where the text of the trace goes on, without the secret."""
    trace = Trace()
    trace.socket(TTS).sent(start("s"), text("s", "say ***, then stop.")).received(
        {"stream_id": "s", "terminated": True}
    )
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        last = len(pieces) - 1
        client.send(start("s"), *(text("s", p, end=i == last) for i, p in enumerate(pieces)))
        client.receive_all()
        (found,) = sandbox.replay.differences
        assert (found.kind, found.expected, found.got) == ("text", expected, got)


def test_streams_are_told_apart_by_the_text_around_their_secrets() -> None:
    """Of two streams alike but for their texts, each gets what is its own."""
    trace = Trace()
    socket = trace.socket(TTS)
    for name in ("a", "b"):
        socket.sent(start(name), text(name, f"*** {name}")).received(
            {"stream_id": name, "note": name}
        )
    script = Script(read_trace(trace.lines).connections[0])
    for name in ("b", "a"):
        script.take(start(f"my {name}"))
        script.take(text(f"my {name}", f"secret {name}"))
        assert play(script) == [{"stream_id": f"my {name}", "note": name}]


def test_thousands_of_streams_need_no_more_than_what_changed() -> None:
    """A message of the whole connection waits for what came since the one before it."""
    trace = Trace()
    socket = trace.socket(TTS)
    for number in range(50):
        socket.sent(start(f"s{number}"), text(f"s{number}", "Hi.")).received({"note": number})
    script = Script(read_trace(trace.lines).connections[0])
    needs = []
    for number in range(50):
        script.take(start(f"s{number}"))
        script.take(text(f"s{number}", "Hi."))
        (cue,) = script.heads()
        assert cue.ready
        needs.append(len(cue.needs))
        script.played(cue)
    assert set(needs) == {2}
