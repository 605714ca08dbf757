"""Tests of Transcript: what adds up, what is replaced, what is written down."""

from __future__ import annotations

import json
import sys
from typing import Any

from hypothesis import given
from test_transcript_segments import results_strategy
from transcript_helpers import guessed, result, said, speech, texts, translated

from soniox_sync.protocol.stt import SttReceiver
from soniox_sync.protocol.tokens import Result, SttEvent
from soniox_sync.transcript import Transcript


@given(results_strategy)
def test_final_text_is_the_sum_of_final_tokens(results: list[Result]) -> None:
    """The final text is always the concatenation of all final tokens, the rest the last guess."""
    transcript = Transcript()
    finals = ""
    for each in results:
        transcript.add(each)
        finals += "".join(texts(each.final_tokens))
        assert transcript.final_text == finals
        assert transcript.text == finals + "".join(texts(each.non_final_tokens))
        assert "".join(texts(transcript.tokens)) == transcript.text
    assert "".join(texts(transcript.segments())) == finals
    assert "".join(texts(transcript.utterances())) == finals


def test_guess_is_replaced() -> None:
    """Each result's guess replaces the one before."""
    transcript = Transcript()
    transcript.add(result(guessed("How")))
    transcript.add(result(said("How", 0, 200), guessed("'re")))
    transcript.add(result(guessed(" are you")))
    assert (transcript.final_text, transcript.text) == ("How", "How are you")
    assert texts(transcript.non_final_tokens) == [" are you"]


def test_copies_are_the_caller_s() -> None:
    """Changing a list that was given out changes nothing inside."""
    transcript = Transcript()
    transcript.add(result(said("a"), guessed("b")))
    transcript.tokens.clear()
    transcript.final_tokens.clear()
    transcript.non_final_tokens.clear()
    assert transcript.text == "ab"


def test_positions_never_go_back() -> None:
    """The positions are the furthest that any result told."""
    transcript = Transcript()
    transcript.add(result(proc=500))
    transcript.add(result(proc=200))
    assert (transcript.final_audio_proc_ms, transcript.total_audio_proc_ms) == (500, 500)


def test_marked_endpoints_part_utterances() -> None:
    """Utterances end at marked endpoints; a second mark at the same place is nothing."""
    transcript = Transcript()
    transcript.add(result(said("One.", 0, 400)))
    transcript.mark_endpoint()
    transcript.mark_endpoint()
    transcript.add(result(said(" Two", 900, 1000)))
    assert texts(transcript.utterances()) == ["One.", " Two"]


def _received(*texts_of_frame: str) -> list[SttEvent]:
    """Read a response of final tokens as a session does."""
    items = [{"text": text, "is_final": True} for text in texts_of_frame]
    return SttReceiver().receive(json.dumps({"tokens": items}).encode())


def test_endpoint_inside_a_response() -> None:
    """An endpoint between the tokens of one response parts them, also without its event."""
    by_event, by_result = Transcript(), Transcript()
    for event in _received("One.", "<end>", " Two", " three", "<fin>", "!"):
        by_event.add_event(event)
        if event.kind == "result":
            by_result.add(event.result)
    assert texts(by_event.utterances()) == ["One.", " Two three!"]
    assert texts(by_result.utterances()) == ["One.", " Two three!"]


def test_endpoint_of_a_result_that_holds_it_all() -> None:
    """A result of all tokens of a response is parted where the response has its endpoint."""
    frame = {"tokens": [{"text": "One."}, {"text": "<end>"}, {"text": " Two"}]}
    items = frame["tokens"]
    transcript = Transcript()
    tokens = [said("One.", raw=items[0]), said(" Two", raw=items[2])]
    transcript.add(Result(tokens=tokens, raw=frame))
    assert texts(transcript.utterances()) == ["One.", " Two"]


def test_endpoint_event_alone() -> None:
    """An endpoint event without tokens of its own ends the utterance."""
    transcript = Transcript()
    for event in [*_received("One."), *_received("<end>"), *_received(" Two")]:
        transcript.add_event(event)
    assert texts(transcript.utterances()) == ["One.", " Two"]


def test_finished_withdraws_the_guess() -> None:
    """After the end nothing provisional is left."""
    transcript = Transcript()
    transcript.add_event(SttEvent("result", result(said("a"), guessed("b"))))
    transcript.add_event(SttEvent("finished", result(finished=True)))
    assert transcript.text == "a"


def test_clear() -> None:
    """A cleared transcript is empty and begins a new clock."""
    transcript = Transcript()
    transcript.add(result(said("a"), guessed("b"), proc=50))
    transcript.mark_endpoint()
    transcript.clear()
    assert (transcript.text, transcript.utterances(), transcript.final_audio_proc_ms) == ("", [], 0)


def _work_of_add(transcript: Transcript, each: Result) -> int:
    """Count the lines that one `add` runs: a measure of work that no other process disturbs."""
    lines = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        transcript.add(each)
    finally:
        sys.settrace(before)
    return lines


def test_add_costs_the_same_at_any_length() -> None:
    """Adding a result takes as many steps at the hundred-thousandth token as at the first."""
    transcript = Transcript()
    first = _work_of_add(transcript, result(said("a", 0, 1), guessed("b")))
    for _ in range(100):
        transcript.add(result(*[said("word ") for _ in range(1000)]))
    last = _work_of_add(transcript, result(said("a", 0, 1), guessed("b")))
    assert len(transcript) == 100_002
    assert last <= first


def test_json_holds_everything() -> None:
    """The JSON form carries text, positions, segments and tokens, unescaped."""
    transcript = Transcript()
    transcript.add(
        result(said("Grüße", 0, 400, speaker="1", language="de", confidence=0.5), proc=400)
    )
    written = transcript.to_json()
    assert "Grüße" in written
    assert json.loads(written) == {
        "text": "Grüße",
        "final_audio_proc_ms": 400,
        "total_audio_proc_ms": 400,
        "segments": [
            {"text": "Grüße", "start_ms": 0, "end_ms": 400, "speaker": "1", "language": "de"}
        ],
        "tokens": [
            {
                "text": "Grüße",
                "start_ms": 0,
                "end_ms": 400,
                "confidence": 0.5,
                "is_final": True,
                "speaker": "1",
                "language": "de",
            }
        ],
    }


def test_plain_text() -> None:
    """Plain text has a line for each segment, with speaker and language where known."""
    transcript = Transcript()
    transcript.add(
        result(
            *speech("Good morning.", speaker="1", language="en"),
            translated("Buenos días.", speaker="1"),
            *speech("Hallo!", start=2000, speaker="2", language="de"),
        )
    )
    assert transcript.to_text() == (
        "Speaker 1 [en]: Good morning.\n  -> [es] Buenos días.\nSpeaker 2 [de]: Hallo!\n"
    )
    assert transcript.to_text(speakers={"1": "Ann"}, languages=False) == (
        "Ann: Good morning.\n  -> Buenos días.\nSpeaker 2: Hallo!\n"
    )
    assert transcript.to_text(speakers=False, languages=False) == (
        "Good morning.\n  -> Buenos días.\nHallo!\n"
    )


def test_plain_text_parts_utterances() -> None:
    """Plain text begins a line at each endpoint."""
    transcript = Transcript()
    transcript.add(result(*speech("One two")))
    transcript.mark_endpoint()
    transcript.add(result(*speech("three", start=800)))
    assert transcript.to_text() == "One two\nthree\n"
