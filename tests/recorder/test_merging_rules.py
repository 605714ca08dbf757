"""Rules of merging that show in one place each: seams, partial translations, repeated pauses."""

from __future__ import annotations

from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.recorder.events import EventMerger
from soniox_sync.recorder.merging import Merger
from soniox_sync.recorder.translation_dedup import TranslationDedup
from tests.recorder.driver import final, partial


def original(text: str, start: int, end: int) -> Token:
    return final(text, start, end, translation_status="original")


def translation(text: str, *, is_final: bool = True) -> Token:
    return Token(text, is_final=is_final, translation_status="translation")


def accept(merger: Merger, *tokens: Token, final_ms: int = 1000) -> list[str]:
    """Return the texts that are delivered of a result."""
    return [t.text for t in merger.accept(Result(list(tokens), final_ms, final_ms)).tokens]


def in_a_replay(*translated: str) -> Merger:
    """Return a merger whose second session receives the audio of one translated original again."""
    merger = Merger()
    merger.begin(0)
    accept(merger, original(" eins", 0, 900), *map(translation, translated))
    merger.begin(0)
    return merger


# -- translations of a replay --------------------------------------------------------------------


def test_a_partial_translation_of_a_replay_is_not_shown() -> None:
    """It may be what was delivered before: only final translations tell."""
    merger = in_a_replay("The", " black", " cat")
    assert accept(merger, translation("The", is_final=False)) == []
    # nor does it count as the beginning of the repetition that follows
    assert accept(merger, *map(translation, ("The", " black", " cat"))) == []
    assert accept(merger, translation(" sleeps")) == [" sleeps"]


def test_a_partial_translation_is_shown_once_nothing_can_be_repeated() -> None:
    """After the repetition has ended partials are translations like any other."""
    merger = in_a_replay("The", " black", " cat")
    assert accept(merger, *map(translation, ("The", " black", " cat"))) == []
    assert accept(merger, translation(" sleeps", is_final=False)) == [" sleeps"]


def test_what_follows_a_repetition_has_its_own_space() -> None:
    """No space is added behind repeated text: its session knows whether there is one."""
    merger = in_a_replay("The", " black", " cat")
    assert accept(merger, *map(translation, ("The", " black", " cat"))) == []
    assert accept(merger, translation("walk")) == ["walk"]


def test_what_repeats_nothing_gets_a_space() -> None:
    """The first translation of a session that repeats nothing follows the text before it."""
    merger = in_a_replay("The", " black", " cat")
    assert accept(merger, translation("Dogs"), translation(" bark")) == [" Dogs", " bark"]


def test_only_what_is_old_enough_is_forgotten() -> None:
    """What was delivered for later originals is still recognised as a repetition."""
    dedup = TranslationDedup()
    for ms, text in [(100, " no"), (200, " perhaps")]:
        dedup.delivered(translation(text), ms)
    dedup.forget(100)
    dedup.begin(0)
    assert dedup.accept(translation(" perhaps")) == []
    assert not dedup.is_active


def test_each_session_starts_to_count_what_is_not_translated() -> None:
    """The watchdog measures one session: what another one left untranslated is not its fault."""
    merger = Merger()
    merger.begin(0)
    accept(merger, original(" eins", 0, 14_000), final_ms=14_000)
    assert merger.original_ms_since_translation == 14_000
    merger.begin(14_000)
    assert merger.original_ms_since_translation == 0


def test_a_translation_ends_the_count_of_what_is_not_translated() -> None:
    """Also in a replay, and also if it is one that was delivered before."""
    merger = in_a_replay(" one")
    accept(merger, original(" zwei", 1000, 2000))
    assert merger.original_ms_since_translation == 1000
    accept(merger, translation(" one"))
    assert merger.original_ms_since_translation == 0


# -- words at the border of two sessions ---------------------------------------------------------


def test_a_word_around_the_border_is_judged_by_its_middle() -> None:
    """Two sessions place a word a few milliseconds apart: more than half behind it is new."""
    for start, end, delivered in [(800, 1200, []), (801, 1201, [" two"]), (1000, 1000, [" two"])]:
        merger = Merger()
        merger.begin(0)
        accept(merger, final(" one", 0, 1000))
        merger.begin(500)
        assert accept(merger, final(" two", start - 500, end - 500)) == delivered


def test_counters_never_go_back() -> None:
    """A replay counts from its start: the recording's counters wait until it is past them."""
    merger = Merger()
    merger.begin(0)
    merger.accept(Result([], 900, 1000))
    merger.begin(500)
    result = merger.accept(Result([], 100, 200))
    assert (result.final_audio_proc_ms, result.total_audio_proc_ms) == (900, 1000)
    result = merger.accept(Result([], 600, 700))
    assert (result.final_audio_proc_ms, result.total_audio_proc_ms) == (1100, 1200)


def test_a_change_between_words_waits_for_partials() -> None:
    """While a word is being recognised it is no time to change sessions."""
    merger = Merger()
    merger.begin(0)
    assert merger.is_between_words
    accept(merger, final(" one", 0, 400), partial(" tw", 450, 500), final_ms=400)
    assert not merger.is_between_words
    accept(merger, final(" two", 450, 700))
    assert merger.is_between_words
    accept(merger, partial("s", 700, 750))
    assert not merger.is_between_words


def test_a_word_is_at_most_three_seconds_behind_the_counter() -> None:
    """Audio that is final without a token may hold the start of a word: 3 s are sent again."""
    merger = Merger()
    merger.begin(0)
    accept(merger, final(" one", 0, 400), final_ms=3400)
    assert merger.resume_ms() == 400
    accept(merger, final_ms=3401)
    assert merger.resume_ms() == 401


def test_an_original_is_translated_after_ten_seconds_or_never_after_sixty() -> None:
    """Until then a new session receives it again."""
    for final_ms, tokens, awaited in [
        (11_000, [translation(" one")], True),
        (11_001, [translation(" one")], False),
        (61_000, [], True),
        (61_001, [], False),
    ]:
        merger = Merger()
        merger.begin(0)
        accept(merger, original(" eins", 0, 1000), *tokens, final_ms=final_ms)
        assert merger.awaits_translation is awaited, final_ms


def test_a_part_of_a_word_is_not_delivered_as_nothing() -> None:
    """A session that hears only the start of a word again has nothing new to say."""
    merger = Merger()
    merger.begin(0)
    accept(merger, final(" bl", 100, 300), partial("ack", 300, 420), final_ms=310)
    merger.begin(100)
    assert accept(merger, final("bl", 0, 300)) == []


def test_nothing_was_delivered_before_the_first_word() -> None:
    """Also if another session has ended without any."""
    merger = Merger()
    merger.begin(0)
    merger.begin(0)
    assert accept(merger, final("one", 0, 400)) == ["one"]


def test_a_counter_that_goes_back_is_corrected() -> None:
    """In a result that is delivered as it is otherwise."""
    merger = Merger()
    merger.begin(0)
    for final_ms, total_ms, expected in [
        (900, 1000, (900, 1000)),
        (800, 1000, (900, 1000)),
        (900, 700, (900, 1000)),
        (950, 1100, (950, 1100)),
    ]:
        result = merger.accept(Result([], final_ms, total_ms))
        assert (result.final_audio_proc_ms, result.total_audio_proc_ms) == expected


# -- a session that was replaced -----------------------------------------------------------------


def late(*tokens: Token) -> list[str]:
    """Return what is delivered again of the translation that came late, with some words."""
    merger = Merger()
    merger.begin(0)
    merged = merger.accept_late(Result([*tokens, translation(" translated")], 900, 900))
    assert [token.text for token in merged.tokens] == [" translated"]
    merger.begin(500)
    return accept(merger, translation(" translated"))


def test_a_late_translation_is_not_delivered_again_with_its_word() -> None:
    """The next session hears the word, which was final late, and repeats its translation."""
    assert late(original(" eins", 600, 900)) == []


def test_a_late_translation_of_earlier_words_is_no_repetition() -> None:
    """Nothing behind the start of the next session was final: what it translates is new."""
    assert late() == [" translated"]
    assert late(partial(" eins", 600, 900)) == [" translated"]
    assert late(Token(" eins", is_final=True)) == [" translated"]
    assert late(original(" eins", 400, 500)) == [" translated"]


# -- endpoints -----------------------------------------------------------------------------------


def endpoint(merger: EventMerger) -> bool:
    return merger.accept(SttEvent("endpoint", Result([], 0, 0))) is not None


def word(merger: EventMerger, start: int) -> None:
    merger.accept(SttEvent("result", Result([final(" one", start, start + 9)], 99, 99)))


def test_an_endpoint_before_any_word_is_reported() -> None:
    """The first session repeats nothing: its endpoints are reported, also one after another."""
    merger = EventMerger()
    merger.begin(0)
    assert endpoint(merger) and endpoint(merger)


def test_the_endpoint_of_a_replayed_pause_is_not_reported_again() -> None:
    """A later session reports an endpoint behind words of its own, and only one."""
    merger = EventMerger()
    merger.begin(0)
    word(merger, 0)
    assert endpoint(merger)
    merger.begin(0)
    assert not endpoint(merger)
    word(merger, 50)
    assert endpoint(merger)
    assert not endpoint(merger)


def test_lost_partials_are_withdrawn_by_a_result() -> None:
    """An empty one; without partials there is nothing to withdraw."""
    merger = EventMerger()
    merger.begin(0)
    assert merger.withdraw_partial() is None
    merger.accept(SttEvent("result", Result([partial(" on", 0, 9)], 0, 9)))
    event = merger.withdraw_partial()
    assert event is not None and (event.kind, event.result.tokens) == ("result", [])
    assert merger.withdraw_partial() is None


def test_a_session_without_anything_to_hold_back_flushes_nothing() -> None:
    """What was held back is a result of its own."""
    merger = EventMerger()
    merger.begin(0)
    assert merger.flush() is None
    for each in (original(" eins", 0, 90), translation(" a"), translation(" longer story")):
        merger.accept(SttEvent("result", Result([each], 99, 99)))
    merger.begin(0)
    assert merger.accept(SttEvent("result", Result([translation(" a")], 9, 9))) is None
    event = merger.flush()
    assert event is not None
    assert (event.kind, [t.text for t in event.result.tokens]) == ("result", [" a"])


# -- words that are heard again ------------------------------------------------------------------


def after(*tokens: Token, again_from: int = 0) -> Merger:
    """Return a merger whose second session hears what the first one delivered again."""
    merger = Merger()
    merger.begin(0)
    accept(merger, *tokens)
    merger.begin(again_from)
    return merger


def test_a_word_of_which_half_was_final_is_not_doubled() -> None:
    """A `finalize()` in the middle of a word makes half of it final; a container repeats it all."""
    merger = after(final("The", 0, 90), final(" cat", 100, 180))
    assert accept(merger, final("The", 0, 90), final(" cat", 100, 300)) == []
    assert accept(merger, final(" sleeps", 320, 500)) == [" sleeps"]


def test_the_rest_of_a_word_of_which_half_was_final_is_new() -> None:
    """It continues the word, whether it comes in the token of all of it or in one of its own."""
    for heard in (
        [final("The", 0, 90), final(" hello", 100, 300)],
        [final("The", 0, 90), final(" hel", 100, 180), final("lo", 180, 300)],
    ):
        merger = after(final("The", 0, 90), final(" hel", 100, 180))
        assert accept(merger, *heard) == ["lo"]
        assert merger.last_end_ms == 300


def test_a_rest_that_is_not_final_does_not_move_the_next_word() -> None:
    """Shown as it continues the word; then the session takes it back, and its first word is new."""
    merger = after(final("The", 0, 90), final(" hel", 100, 180))
    assert accept(merger, partial("hello", 100, 300)) == ["lo"]
    assert accept(merger, final("yellow", 110, 320)) == [" yellow"]


def test_a_word_that_is_said_twice_is_delivered_twice() -> None:
    """The second one begins where the first one ends, give or take some milliseconds."""
    merger = after(final("No", 100, 200))
    assert accept(merger, final("No", 98, 203), final(" no", 195, 320)) == [" no"]
    merger = after(final("No", 100, 200), again_from=195)
    assert accept(merger, final("No", 0, 125)) == [" No"]


def test_another_word_at_the_place_of_half_a_word_is_delivered() -> None:
    """What was final cannot be taken back, and what most of the audio says is not left out."""
    merger = after(final("The", 0, 90), final(" hell", 100, 180))
    assert accept(merger, final("The", 0, 90), final(" yellow", 100, 300)) == [" yellow"]


# -- spaces between sessions ---------------------------------------------------------------------


def test_the_first_translation_of_a_session_that_was_replaced_gets_a_space() -> None:
    """It is delivered while the session drains, and follows that of the session before."""
    merger = after(original("eins", 0, 100), translation("one"), again_from=100)
    accept(merger, original("zwei", 10, 100))
    late = merger.accept_late(Result([translation("two"), translation(" three")], 100, 100))
    assert [token.text for token in late.tokens] == [" two", " three"]


def test_a_translation_that_was_held_back_to_the_end_gets_a_space() -> None:
    """It looked like a repetition until its session ended; then it is the first of it."""
    merger = in_a_replay("The", " black", " cat")
    assert accept(merger, translation("The")) == []
    assert [token.text for token in merger.flush().tokens] == [" The"]
