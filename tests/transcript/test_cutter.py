"""`UtteranceCutter`: where an utterance ends, and when it is handed out."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.protocol.tokens import Result, SttEvent, Token, join_said
from soniox_sync.transcript import Transcript, Utterance
from soniox_sync.transcript.cutter import PAUSE_MS, TRANSLATION_WAIT_SEC, UtteranceCutter
from tests.transcript.helpers import final, partial, result, texts, translated
from tests.transcript.test_languages import mixed_results

ENDPOINT = SttEvent("endpoint", Result())
FINALIZED = SttEvent("finalized", Result())
FINISHED = SttEvent("finished", Result(finished=True))


class Play:
    """A cutter fed by a test, on a clock that stands unless it is moved."""

    def __init__(self, *, by_endpoint: bool) -> None:
        self.cutter = UtteranceCutter(by_endpoint=by_endpoint)
        self.now = 100.0

    def add(self, *events: Any, proc: int = 0) -> list[Utterance]:
        """Add events, or tokens as one result; return what was handed out."""
        if events and isinstance(events[0], SttEvent):
            for event in events:
                self.cutter.add(event, self.now)
        else:
            self.cutter.add(SttEvent("result", result(*events, proc=proc)), self.now)
        return self.taken()

    def wait(self, seconds: float) -> list[Utterance]:
        """Let time pass; return what was handed out."""
        self.now += seconds
        return self.taken()

    def taken(self) -> list[Utterance]:
        """Take all that is complete."""
        utterances = []
        while (utterance := self.cutter.take(self.now)) is not None:
            utterances.append(utterance)
        return utterances


@pytest.fixture
def play() -> Play:
    """Provide a cutter of a transcription with endpoints."""
    return Play(by_endpoint=True)


@pytest.fixture
def pauses() -> Play:
    """Provide a cutter of a transcription without endpoints."""
    return Play(by_endpoint=False)


def original(text: str, speaker: Optional[str] = None) -> Token:
    """Make a final token of speech that will be translated."""
    return final(text, speaker=speaker, language="en", translation_status="original")


def both(utterances: list[Utterance]) -> list[tuple[str, str]]:
    """Return what was said and its translation."""
    return [(each.text, each.translated_text) for each in utterances]


# -- with endpoints -------------------------------------------------------------------------------


def test_an_endpoint_ends_an_utterance(play: Play) -> None:
    """Final words are handed out at the endpoint, once; partial words are in none."""
    assert play.add(final("Good", 0, 300, speaker="1"), partial(" mor")) == []
    assert play.add(final(" morning.", 300, 900, speaker="1")) == []
    (utterance,) = play.add(ENDPOINT)
    assert (utterance.text, utterance.speaker) == ("Good morning.", "1")
    assert (utterance.start_ms, utterance.end_ms) == (0, 900)
    assert play.add(ENDPOINT, ENDPOINT) == []
    assert play.add(FINISHED) == []


def test_nothing_else_ends_an_utterance_with_endpoints(play: Play) -> None:
    """Pauses, other speakers and answers to finalize() leave an utterance whole."""
    play.add(final("One", 0, 300, speaker="1"), proc=9000)
    play.add(final(" two", 9000, 9300, speaker="2"))
    assert play.add(FINALIZED) == []
    assert texts(play.add(ENDPOINT)) == ["One two"]


def test_an_endpoint_that_was_lost_with_a_connection_is_made_up_for(play: Play) -> None:
    """Words of a later session after a pause begin an utterance; without a pause they do not."""
    play.add(final("One", 0, 300), final(" two", 300, 600, session=1))
    assert texts(play.add(final(" three", 2100, 2400, session=2))) == ["One two"]
    assert texts(play.add(FINISHED)) == [" three"]


def test_the_last_utterance_comes_at_the_end(play: Play) -> None:
    """Words without an endpoint are an utterance when the transcription has finished."""
    play.add(final("One."))
    play.add(ENDPOINT)
    assert play.add(final(" Two")) == []
    assert texts(play.add(FINISHED)) == [" Two"]


# -- without endpoints ----------------------------------------------------------------------------


def test_a_pause_ends_an_utterance(pauses: Play) -> None:
    """1.5 s without words end an utterance as soon as the audio up to there is final."""
    assert pauses.add(final("One", 0, 400), proc=400) == []
    assert pauses.add(proc=400 + PAUSE_MS - 1) == []
    assert texts(pauses.add(proc=400 + PAUSE_MS)) == ["One"]
    assert texts(pauses.add(final(" two", 3000, 3400), final(" three", 4900, 5000))) == [" two"]
    assert texts(pauses.add(FINISHED)) == [" three"]


def test_another_speaker_ends_an_utterance(pauses: Play) -> None:
    """A change of speaker ends an utterance, also into a later session with the same label."""
    out = pauses.add(
        final("One", 0, 300, speaker="1"),
        final(",", 300, 310),
        final(" two", 310, 600, speaker="1"),
        final(" three", 600, 900, speaker="2"),
        final(" four", 900, 1200, speaker="2", session=1),
    )
    assert texts(out) == ["One, two", " three"]
    assert texts(pauses.add(FINISHED)) == [" four"]


def test_an_answered_finalize_ends_an_utterance(pauses: Play) -> None:
    """Who finalizes by hand says that the speaker paused; an endpoint that comes counts too."""
    pauses.add(final("One"))
    assert texts(pauses.add(FINALIZED)) == ["One"]
    pauses.add(final("Two"))
    assert texts(pauses.add(ENDPOINT)) == ["Two"]


def test_words_without_times_have_no_pauses(pauses: Play) -> None:
    """Where no times are known, only speakers and markers end an utterance."""
    assert pauses.add(final("One"), final(" two"), proc=9000) == []
    assert texts(pauses.add(FINISHED)) == ["One two"]


# -- with translation -----------------------------------------------------------------------------


def test_a_translation_that_came_in_time_delays_nothing(play: Play) -> None:
    """An utterance whose translation is there is handed out at its endpoint."""
    play.add(original("Good"), original(" morning."), translated("Buenos"), translated(" días."))
    assert both(play.add(ENDPOINT)) == [("Good morning.", "Buenos días.")]


def test_an_utterance_waits_for_its_translation(play: Play) -> None:
    """A translation that comes within 2 s is in the utterance, which then waits no longer."""
    play.add(original("Good morning."))
    assert play.add(ENDPOINT) == []
    assert play.cutter.due == play.now + TRANSLATION_WAIT_SEC
    assert play.wait(TRANSLATION_WAIT_SEC - 0.1) == []
    assert play.add(translated("Buenos")) == []
    assert both(play.add(translated(" días."))) == [("Good morning.", "Buenos días.")]
    assert play.cutter.due is None


def test_an_utterance_waits_no_longer_than_two_seconds(play: Play) -> None:
    """After 2 s an utterance is handed out with what there is; the rest is in the next one."""
    play.add(original("Good morning."))
    play.add(ENDPOINT)
    play.add(translated("Buenos"))
    assert both(play.wait(TRANSLATION_WAIT_SEC)) == [("Good morning.", "Buenos")]
    play.add(translated(" días."), original(" Bye."), translated(" Adiós."))
    assert both(play.add(ENDPOINT)) == [(" Bye.", " días. Adiós.")]


def test_untranslated_speech_waits_for_nothing(play: Play) -> None:
    """Speech of a language that is not translated is handed out at its endpoint."""
    play.add(final("Hola.", language="es", translation_status="none"))
    assert both(play.add(ENDPOINT)) == [("Hola.", "")]


def test_a_translation_has_as_many_sentences_as_the_speech(play: Play) -> None:
    """An utterance of two sentences waits for the second one's translation."""
    play.add(original("Hi. How are you?"))
    play.add(ENDPOINT)
    assert play.add(translated("Hola.")) == []
    assert both(play.add(translated(" ¿Qué tal?"))) == [("Hi. How are you?", "Hola. ¿Qué tal?")]


def test_where_marks_tell_nothing_any_translation_is_enough(play: Play) -> None:
    """Speech without a full stop, and languages without one, wait for a translation alone."""
    for speech, translation in (
        (original("Hello"), translated("Hola")),
        (original("Hello."), translated("สวัสดี", "th")),
    ):
        play.add(speech)
        assert play.add(ENDPOINT) == []
        assert texts(play.add(translation)) == [speech.text]


def test_a_translation_goes_to_the_oldest_utterance_that_is_owed_one(play: Play) -> None:
    """Translations that come after the next words belong to the utterance that ended."""
    play.add(original("Good morning."))
    play.add(ENDPOINT)
    play.add(original(" How"))
    out = play.add(translated("Buenos"), translated(" días."), original(" are you?"))
    assert both(out) == [("Good morning.", "Buenos días.")]
    play.add(translated(" ¿Qué"), translated(" tal?"))
    assert both(play.add(ENDPOINT)) == [(" How are you?", " ¿Qué tal?")]


def test_two_utterances_wait_in_order(play: Play) -> None:
    """Utterances are handed out in order, each with its own translation."""
    play.add(original("One."))
    play.add(ENDPOINT)
    play.wait(0.5)
    play.add(original(" Two."))
    play.add(ENDPOINT)
    assert both(play.add(translated("Uno."), translated(" Dos."))) == [
        ("One.", "Uno."),
        (" Two.", " Dos."),
    ]


def test_a_translation_finds_its_speaker(pauses: Play) -> None:
    """Of two utterances that wait, a translation belongs to that of its speaker."""
    pauses.add(original("Yes?", "1"), original(" No.", "2"))
    assert pauses.add(translated(" Nein.", "de", speaker="2")) == []
    out = pauses.add(translated("Ja?", "de", speaker="1"))
    assert both(out) == [("Yes?", "Ja?")]
    assert both(pauses.add(FINISHED)) == [(" No.", " Nein.")]


def test_the_end_waits_for_nothing(play: Play) -> None:
    """When the transcription has finished, all utterances are handed out at once."""
    play.add(original("One."))
    play.add(ENDPOINT)
    play.add(original(" Two."))
    assert texts(play.add(FINISHED)) == ["One.", " Two."]


def test_a_translation_without_speech_is_not_lost(play: Play) -> None:
    """What comes after its utterance was handed out is there at the end."""
    play.add(original("One."))
    play.add(ENDPOINT)
    assert both(play.wait(TRANSLATION_WAIT_SEC)) == [("One.", "")]
    assert play.add(translated("Uno.")) == play.add(ENDPOINT) == []
    assert both(play.add(FINISHED)) == [("", "Uno.")]


def test_a_failure_hands_out_what_was_finished(play: Play) -> None:
    """When nothing more comes, ended utterances wait no longer; an open one never ends."""
    play.add(original("One."))
    play.add(ENDPOINT)
    play.add(original(" Two"))
    play.cutter.fail()
    assert texts(play.taken()) == ["One."]
    assert play.cutter.due is None


# -- any transcription ----------------------------------------------------------------------------

moves = st.lists(
    st.sampled_from([ENDPOINT, FINALIZED]) | st.floats(0.0, 3.0) | mixed_results, max_size=12
)


@given(moves, st.booleans())
def test_every_final_token_is_in_one_utterance(moves: list[Any], by_endpoint: bool) -> None:
    """Whatever happens when, each final token is handed out once, speech in order."""
    play = Play(by_endpoint=by_endpoint)
    transcript = Transcript()
    out: list[Utterance] = []
    for move in moves:
        if isinstance(move, float):
            out += play.wait(move)
            continue
        for each in move if isinstance(move, list) else [move]:
            event = each if isinstance(each, SttEvent) else SttEvent("result", each)
            transcript.add_event(event)
            out += play.add(event)
    out += play.add(FINISHED)
    tokens = [token for utterance in out for token in utterance.tokens]
    assert sorted(map(id, tokens)) == sorted(map(id, transcript.final_tokens))
    assert "".join(texts(out)) == transcript.final_text
    for utterance in out:
        assert utterance.text == join_said(utterance.tokens)
    # a session that begins after a pause ends an utterance only live, where no endpoint is to come
    is_one_session = len({token.session for token in tokens}) < 2
    if by_endpoint and is_one_session and not any(token.is_translation for token in tokens):
        assert texts(out) == texts(transcript.utterances())
