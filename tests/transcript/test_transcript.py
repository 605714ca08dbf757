"""Tests of Transcript: what adds up, what is replaced, what is written."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given

from soniox_sync.protocol.stt import SttReceiver
from soniox_sync.protocol.tokens import Result, SttEvent, Token, join_said
from soniox_sync.transcript import Transcript
from tests.transcript.helpers import final, partial, result, speech, steps_of, texts, translated
from tests.transcript.test_segments import results_strategy


@given(results_strategy)
def test_final_text_is_the_sum_of_final_tokens(results: list[Result]) -> None:
    """The final text is always what was said in all final tokens; the rest is partial."""
    transcript = Transcript()
    finals = ""
    for each in results:
        transcript.add(each)
        finals += each.final_text
        assert transcript.final_text == finals
        assert transcript.text == finals + join_said(each.non_final_tokens)
        assert join_said(transcript.tokens) == transcript.text
    assert "".join(texts(transcript.segments())) == finals
    assert "".join(texts(transcript.utterances())) == finals


def test_partial_tokens_are_replaced() -> None:
    """The partial tokens of each result replace those before."""
    transcript = Transcript()
    transcript.add(result(partial("How")))
    transcript.add(result(final("How", 0, 200), partial("'re")))
    transcript.add(result(partial(" are you")))
    assert (transcript.final_text, transcript.text) == ("How", "How are you")
    assert texts(transcript.non_final_tokens) == [" are you"]


def test_a_read_during_an_add_sees_whole_results() -> None:
    """While a result is added on another thread, the text is what it was before."""
    transcript = Transcript()
    transcript.add(result(partial("How")))
    seen: list[str] = []

    class Watched(list[Token]):
        """Tokens between which another thread reads."""

        def __iter__(self) -> Iterator[Token]:
            for token in super().__iter__():
                yield token
                seen.append(transcript.text)

    transcript.add(Result(tokens=Watched([final("How"), partial(" are")])))
    assert seen == ["How", "How"]
    assert transcript.text == "How are"


def test_an_add_during_a_read_is_not_lost() -> None:
    """A result that is added while another thread joins the text is in the next text."""
    transcript = Transcript()

    class Slow(Token):
        """Token during whose reading another thread adds a result."""

        @property
        def is_translation(self) -> bool:
            if len(transcript) == 1:
                transcript.add(result(final(" two")))
            return False

    transcript.add(result(Slow("One", is_final=True)))
    assert transcript.final_text == "One"
    assert transcript.final_text == "One two"


def test_lists_are_copies() -> None:
    """Changing a returned list does not change the transcript."""
    transcript = Transcript()
    transcript.add(result(final("a"), partial("b")))
    transcript.tokens.clear()
    transcript.final_tokens.clear()
    transcript.non_final_tokens.clear()
    assert transcript.text == "ab"


def test_positions_never_go_back() -> None:
    """The positions are the furthest of any result."""
    transcript = Transcript()
    transcript.add(result(proc=500))
    transcript.add(result(proc=200))
    assert (transcript.final_audio_proc_ms, transcript.total_audio_proc_ms) == (500, 500)


def test_marked_endpoints_separate_utterances() -> None:
    """Utterances end at marked endpoints; a second mark at the same place has no effect."""
    transcript = Transcript()
    transcript.add(result(final("One.", 0, 400)))
    transcript.mark_endpoint()
    transcript.mark_endpoint()
    transcript.add(result(final(" Two", 900, 1000)))
    assert texts(transcript.utterances()) == ["One.", " Two"]


def _received(*texts_of_frame: str) -> list[SttEvent]:
    """Read a response of final tokens as a session does."""
    items = [{"text": text, "is_final": True} for text in texts_of_frame]
    return SttReceiver().receive(json.dumps({"tokens": items}).encode())


def test_endpoint_inside_a_response() -> None:
    """An endpoint between the tokens of one response separates them, also without its event."""
    by_event, by_result = Transcript(), Transcript()
    for event in _received("One.", "<end>", " Two", " three", "<fin>", "!"):
        by_event.add_event(event)
        if event.kind == "result":
            by_result.add(event.result)
    assert texts(by_event.utterances()) == ["One.", " Two three!"]
    assert texts(by_result.utterances()) == ["One.", " Two three!"]


def test_endpoint_of_a_result_that_holds_it_all() -> None:
    """A result with all tokens of a response is divided where the response has its endpoint."""
    frame = {"tokens": [{"text": "One."}, {"text": "<end>"}, {"text": " Two"}]}
    items = frame["tokens"]
    transcript = Transcript()
    tokens = [final("One.", raw=items[0]), final(" Two", raw=items[2])]
    transcript.add(Result(tokens=tokens, raw=frame))
    assert texts(transcript.utterances()) == ["One.", " Two"]


def test_endpoint_event_alone() -> None:
    """An endpoint event without tokens of its own ends the utterance."""
    transcript = Transcript()
    for event in [*_received("One."), *_received("<end>"), *_received(" Two")]:
        transcript.add_event(event)
    assert texts(transcript.utterances()) == ["One.", " Two"]


def test_finished_drops_partial_tokens() -> None:
    """After the end nothing partial is left."""
    transcript = Transcript()
    transcript.add_event(SttEvent("result", result(final("a"), partial("b"))))
    transcript.add_event(SttEvent("finished", result(finished=True)))
    assert transcript.text == "a"


def test_clear() -> None:
    """A cleared transcript is empty and its clock starts over."""
    transcript = Transcript()
    transcript.add(result(final("a"), partial("b"), proc=50))
    transcript.mark_endpoint()
    transcript.clear()
    assert (transcript.text, transcript.utterances(), transcript.final_audio_proc_ms) == ("", [], 0)


def test_add_costs_the_same_at_any_length() -> None:
    """Adding a result takes as many steps at the hundred-thousandth token as at the first."""
    transcript = Transcript()
    one = result(final("a", 0, 1), partial("b"))
    first = steps_of(lambda: transcript.add(one))
    for _ in range(100):
        transcript.add(result(*[final("word ") for _ in range(1000)]))
    last = steps_of(lambda: transcript.add(one))
    assert len(transcript) == 100_002
    assert last <= first


def test_json_holds_everything() -> None:
    """The JSON form has text, positions, segments and tokens, unescaped."""
    transcript = Transcript()
    transcript.add(
        result(final("Grüße", 0, 400, speaker="1", language="de", confidence=0.5), proc=400)
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


def test_plain_text_separates_utterances() -> None:
    """Plain text begins a new line at each endpoint."""
    transcript = Transcript()
    transcript.add(result(*speech("One two")))
    transcript.mark_endpoint()
    transcript.add(result(*speech("three", start=800)))
    assert transcript.to_text() == "One two\nthree\n"
