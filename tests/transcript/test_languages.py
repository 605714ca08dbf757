"""With translation on, no text mixes languages: what was said and its translation stay apart."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.transcript import (
    Transcript,
    UtteranceBuffer,
    event_to_json,
    segment_tokens,
    translation_pairs,
)
from tests.transcript.helpers import final, partial, result, translated


def original(text: str, **fields: Any) -> Token:
    """Make a final token of English speech that will be translated."""
    return final(text, language="en", translation_status="original", **fields)


MORNING = (original("Good"), original(" morning."), translated("Buenos"), translated(" días."))
PARTIAL = (
    partial(" How", translation_status="original"),
    partial(" ¿Cómo", translation_status="translation"),
)


def test_a_result_tells_both_apart() -> None:
    """The text of a result is what was said, final or not; its translation has its own."""
    each = result(*MORNING, *PARTIAL)
    assert each.text == "Good morning. How"
    assert each.final_text == "Good morning."
    assert each.translated_text == "Buenos días. ¿Cómo"
    assert len(each.tokens) == 6


def test_an_event_has_the_texts_of_its_result() -> None:
    """A `result` has its result's texts, the other kinds have none."""
    each = result(*MORNING, *PARTIAL)
    event = SttEvent("result", each)
    assert (event.text, event.final_text) == (each.text, each.final_text)
    assert event.translated_text == each.translated_text
    marker = SttEvent("endpoint", each)
    assert (marker.text, marker.final_text, marker.translated_text) == ("", "", "")


def test_a_transcript_tells_both_apart() -> None:
    """Final and current texts exist for speech and for translation."""
    transcript = Transcript()
    transcript.add(result(*MORNING, *PARTIAL))
    assert transcript.final_text == "Good morning."
    assert transcript.text == "Good morning. How"
    assert transcript.final_translated_text == "Buenos días."
    assert transcript.translated_text == "Buenos días. ¿Cómo"
    assert transcript.tokens == [*MORNING, *PARTIAL]


def test_segments_and_utterances_tell_both_apart() -> None:
    """A segment holds one of the two; an utterance holds both, each in its own text."""
    transcript = Transcript()
    transcript.add(result(*MORNING))
    assert [(each.text, each.translated_text) for each in transcript.segments()] == [
        ("Good morning.", ""),
        ("", "Buenos días."),
    ]
    (utterance,) = transcript.utterances()
    assert (utterance.text, utterance.translated_text) == ("Good morning.", "Buenos días.")
    assert utterance.tokens == MORNING
    (pair,) = transcript.translation_pairs()
    assert pair.original is not None and pair.original.text == "Good morning."
    assert pair.translation is not None and pair.translation.translated_text == "Buenos días."


def test_json_tells_both_apart() -> None:
    """JSON has `text` and `translated_text`, the latter where there is a translation."""
    transcript = Transcript()
    transcript.add(result(*MORNING))
    document = json.loads(transcript.to_json())
    assert (document["text"], document["translated_text"]) == ("Good morning.", "Buenos días.")
    assert [each["text"] for each in document["segments"]] == ["Good morning.", ""]
    assert document["segments"][1]["translated_text"] == "Buenos días."
    line = json.loads(event_to_json(SttEvent("result", result(*MORNING))))
    assert (line["text"], line["translated_text"]) == ("Good morning.", "Buenos días.")
    assert "translated_text" not in event_to_json(SttEvent("result", result(original("Hi"))))


def test_plain_text_has_lines_of_one_language() -> None:
    """Speech and translation are on lines of their own."""
    transcript = Transcript()
    transcript.add(result(*MORNING))
    assert transcript.to_text() == "[en] Good morning.\n  -> [es] Buenos días.\n"


# -- any stream of tokens: speech in upper case, translation in lower case -------------------------

spoken_tokens = st.builds(
    Token,
    text=st.sampled_from(["A", " BC", "D. ", "E"]),
    start_ms=st.none() | st.integers(0, 3000),
    is_final=st.booleans(),
    speaker=st.sampled_from([None, "1", "2"]),
    language=st.sampled_from([None, "en", "fr"]),
    translation_status=st.sampled_from([None, "none", "original"]),
    session=st.integers(0, 1),
)
translated_tokens = st.builds(
    Token,
    text=st.sampled_from(["a", " bc", "d. ", "e"]),
    is_final=st.booleans(),
    speaker=st.sampled_from([None, "1", "2"]),
    language=st.sampled_from([None, "en", "es"]),
    source_language=st.sampled_from([None, "en", "fr"]),
    translation_status=st.just("translation"),
    session=st.integers(0, 1),
)
mixed_results = st.lists(
    st.builds(
        Result,
        tokens=st.lists(spoken_tokens | translated_tokens, max_size=6),
        final_audio_proc_ms=st.integers(0, 3000),
    ),
    max_size=8,
)


def said(tokens: Any) -> str:
    return "".join(token.text for token in tokens if token.translation_status != "translation")


def written(tokens: Any) -> str:
    return "".join(token.text for token in tokens if token.translation_status == "translation")


def check(thing: Any, tokens: Any) -> None:
    """Assert that the texts of anything are those of its tokens, each in its language."""
    assert thing.text == said(tokens) == thing.text.upper()
    assert thing.translated_text == written(tokens) == thing.translated_text.lower()


@given(mixed_results, st.sets(st.integers(0, 8)), st.sampled_from([(), ("speaker", "language")]))
def test_no_text_mixes_languages(
    results: list[Result], ends: set[int], group_by: tuple[str, ...]
) -> None:
    """Whatever arrives in whatever order, every text property holds one side, and all of it."""
    transcript = Transcript()
    buffer = UtteranceBuffer(group_by=group_by, max_tokens=3)
    for number, each in enumerate(results):
        check(each, each.tokens)
        assert each.final_text == said(each.final_tokens)
        event = SttEvent("result", each)
        check(event, each.tokens)
        assert event.final_text == each.final_text
        transcript.add_event(event)
        handed_out = buffer.add_result(each)
        if number in ends:
            transcript.mark_endpoint()
            utterance = buffer.mark_endpoint()
            handed_out = handed_out + list(utterance.segments if utterance else ())
            if utterance:
                check(utterance, utterance.tokens)
        for segment in handed_out:
            check(segment, segment.tokens)
    check(transcript, transcript.tokens)
    assert transcript.final_text == said(transcript.final_tokens)
    assert transcript.final_translated_text == written(transcript.final_tokens)
    for part in (
        *transcript.segments(group_by=group_by),
        *transcript.utterances(group_by=group_by),
        *segment_tokens(transcript.tokens, group_by=group_by),
        *(side for pair in translation_pairs(transcript.tokens) for side in pair if side),
    ):
        check(part, part.tokens)
    document = json.loads(transcript.to_json())
    assert document["text"] == said(transcript.final_tokens)
    assert document.get("translated_text", "") == written(transcript.final_tokens)
