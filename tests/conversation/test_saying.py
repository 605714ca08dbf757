"""`say()`, voices, silence, and how a conversation ends."""

from __future__ import annotations

import pytest

from soniox_sync.conversation import actions
from soniox_sync.conversation.states import CONVERSATION, REASONS, ConversationState, Step
from tests.conversation.play import VOICE, Play

LISTENING, ENDED = ConversationState.LISTENING, ConversationState.ENDED
NINA = {"voice": "Nina", "language": "de"}


def texts(play: Play) -> list[str]:
    """Return what the voice was asked to speak, in order."""
    return [each.passage.text.strip() for each in play.of(actions.Speak)]


def test_say_is_queued_in_the_order_of_calls() -> None:
    """Each begins when the one before was heard, and is a turn without a user."""
    play = Play().call("say", "One.").call("say", "Two.")
    assert texts(play) == ["One."]
    play.write().hear_all()
    assert texts(play) == ["One.", "Two."]
    play.write().hear_all()
    assert [turn.agent_text_heard for turn in play.delivered] == ["One.", "Two."]
    assert [turn.user_text for turn in play.delivered] == ["", ""]
    assert play.delivered[0].latency.total_sec is None


def test_say_has_its_place_among_what_reply_yields() -> None:
    """Texts before it, it, texts after it; all one answer."""
    play = Play().ask().reply("One. ", done=False)
    play.call("say", "Two.", job=1).reply("Three.")
    for _ in range(3):
        play.write().hear_all()
    assert texts(play) == ["One.", "Two.", "Three."]
    assert play.delivered[0].agent_text == "One. Two. Three."


def test_say_of_another_thread_goes_before_later_text_of_reply() -> None:
    """A filler of a handler is heard while the reply works, not after it."""
    play = Play().ask().call("say", "One moment.", remember=False).write().hear_all()
    play.reply("Noon.").write().hear_all()
    assert texts(play) == ["One moment.", "Noon."]
    assert play.delivered[0].agent_text == "Noon."


def test_say_begins_when_the_user_is_not_speaking() -> None:
    """Words that have not come to an end hold it back."""
    play = Play().words(partial="Hello").call("say", "Hi!").wait(3)
    assert texts(play) == []
    play.words("Hello").endpoint()
    assert texts(play) == ["Hi!"]
    play.write().hear_all()
    assert play.asked == ["Hello"]


def test_say_that_meets_words_is_said_later() -> None:
    """The user began before it was heard: it is taken back, and said after them."""
    play = Play().call("say", "Are you there?").write().words(partial="yes", start_ms=0)
    assert play.of(actions.Clear)
    play.words("yes", start_ms=0).endpoint()
    assert texts(play)[-1] == "Are you there?"
    assert len(texts(play)) == 2
    play.write().hear_all()
    assert play.delivered[0].agent_text_heard == "Are you there?"
    assert play.asked == ["yes"]


def test_a_filler_is_not_remembered() -> None:
    """`remember=False`: in neither turns nor messages."""
    play = Play().call("say", "Hm.", remember=False).write().hear_all()
    assert play.delivered == []
    assert play.turns.messages() == []


def test_words_after_a_filler_continue_the_turn() -> None:
    """A filler is no answer: nothing of the answer was heard."""
    play = Play().ask("I need").call("say", "Hm.", remember=False, job=1).write().play(50)
    play.hear_all().wait(1).words("a ticket").endpoint().call("reply_done", 1)
    assert play.asked == ["I need", "I need a ticket"]


def test_say_of_a_reply_that_is_not_wanted_is_dropped() -> None:
    """Its later text is dropped, and so is what it says otherwise."""
    play = Play().ask("I need").words("a ticket").call("say", "Too late.", job=1)
    play.endpoint().call("reply_done", 1)
    assert texts(play) == []


def test_text_of_a_reply_that_is_not_wanted_is_in_nothing_else() -> None:
    """Nor in what `say()` says meanwhile."""
    play = Play().ask("I need").words("a ticket").endpoint().call("say", "One moment.")
    play.call("reply_text", 1, "Too late.").write().hear_all()
    assert texts(play) == ["One moment."]
    assert play.delivered[0].agent_text == "One moment."


def test_a_notice_waits_until_the_text_before_it_was_heard() -> None:
    """Both in the sink, a cut would drop the notice."""
    play = Play().ask().reply("Well. ", done=False)
    play.call("say", "Mind the gap.", barge_in=False, job=1).write()
    assert texts(play) == ["Well."]
    play.play(100)
    assert texts(play) == ["Well."]
    play.hear_all()
    assert texts(play) == ["Well.", "Mind the gap."]


def test_texts_under_one_rule_follow_without_a_gap() -> None:
    """The next is voiced while the sink still plays the one before."""
    play = Play().ask().reply("One. ", done=False).call("say", "Two.", job=1).write()
    assert texts(play) == ["One.", "Two."]


def test_blank_say_does_nothing() -> None:
    """There is nothing to say."""
    assert Play().call("say", "  ").all == []


def test_a_cut_drops_what_waits_and_may_be_cut() -> None:
    """Nothing more is written; a notice still comes."""
    play = Play().call("say", "One.").call("say", "Two.").call("say", "Three.", barge_in=False)
    play.write().play(60).words("stop").endpoint()
    assert texts(play)[1:] == ["Three."]
    assert [turn.agent_text for turn in play.delivered] == ["One.", "Two."]


# -- voices ---------------------------------------------------------------------------------------


def test_another_voice_counts_from_the_next_sentence_on() -> None:
    """The sentence that has begun is spoken to its end by the voice before."""
    play = Play().ask().reply("One. Two", done=False)
    play.turns.voice_changed(NINA)
    play.reply(" is even. Drei", " ist es nicht.")
    play.write().hear_all().write().hear_all()
    spoken = [each.passage for each in play.of(actions.Speak)]
    assert [each.text for each in spoken] == ["One. Two is even. ", "Drei ist es nicht."]
    assert [each.voice for each in spoken] == [VOICE, NINA]
    assert play.delivered[0].agent_text == "One. Two is even. Drei ist es nicht."


def test_another_voice_counts_at_once_between_sentences() -> None:
    """After a sentence that has ended, and for `say()`."""
    play = Play().ask().reply("One. ", done=False)
    play.turns.voice_changed(NINA)
    play.reply("Zwei.")
    play.write().hear_all()
    assert [each.passage.voice for each in play.of(actions.Speak)] == [VOICE, NINA]
    play.write().hear_all().call("say", "Drei.")
    assert play.passage.voice == NINA


# -- silence --------------------------------------------------------------------------------------


def test_silence_of_the_user_is_reported_again_and_again() -> None:
    """After each interval, counted until words; the agent's own words delay it only."""
    play = Play(user_silence_sec=15).wait(14.9)
    assert play.notified("silence") == []
    play.wait(0.1).wait(15)
    assert [(e.waiting_for, e.count, e.quiet_sec) for e in play.notified("silence")] == [
        ("user", 1, 15.0),
        ("user", 2, 30.0),
    ]
    play.call("say", "Hello?").write().hear_all().wait(14.9)
    assert len(play.notified("silence")) == 2
    play.wait(0.1)
    assert play.notified("silence")[-1].count == 3
    play.ask().answer().hear_all().wait(15)
    assert play.notified("silence")[-1].count == 1


def test_silence_is_none_while_reply_works() -> None:
    """Nor while it is paused, nor with a turn that waits for patience."""
    play = Play(user_silence_sec=15, agent_silence_sec=600).ask().wait(60)
    assert play.notified("silence") == []
    play = Play(user_silence_sec=15).call("pause", True).wait(60)
    assert play.notified("silence") == []
    play.call("pause", False).wait(15)
    assert play.notified("silence")[0].count == 1
    play = Play(user_silence_sec=15, patience_sec=40).ask().wait(30)
    assert play.notified("silence") == []


def test_silence_of_the_agent_is_reported() -> None:
    """`reply` gives nothing: again after each interval, until it does."""
    play = Play(agent_silence_sec=5).ask().wait(5).wait(5)
    found = play.notified("silence")
    assert [(each.waiting_for, each.count) for each in found] == [("agent", 1), ("agent", 2)]
    play.reply("One. ", done=False).write().hear_all().wait(4.9)
    assert len(play.notified("silence")) == 2
    play.wait(0.1)
    assert play.notified("silence")[-1].count == 1


def test_silence_of_a_reply_that_is_not_wanted_any_more_is_reported() -> None:
    """The next turn cannot be answered before it has ended, and the user hears nothing."""
    play = Play(agent_silence_sec=5).ask("I need").words("two").endpoint().wait(4.9)
    assert play.notified("silence") == []
    play.wait(0.1)
    assert [(e.waiting_for, e.count) for e in play.notified("silence")] == [("agent", 1)]
    play.call("say", "One moment.", remember=False).write().hear_all()
    assert texts(play) == ["One moment."]
    play.call("reply_done", 1)
    assert play.asked == ["I need", "I need two"]


# -- the end --------------------------------------------------------------------------------------


def test_stop_says_farewell_and_ends_when_it_was_heard() -> None:
    """Not to be cut, and not before what was asked for before it."""
    play = Play().ask().answer().call("stop", "Good bye.").hear_all()
    assert texts(play)[-1] == "Good bye."
    play.write().play(100).words("wait").endpoint()
    assert play.turns.state is not ENDED
    play.hear_all()
    assert play.turns.ended_by == "agent"
    assert [turn.user_text for turn in play.delivered] == ["Time?", "", "wait"]
    assert play.reasons[-1] == "stopped"


def test_stop_without_a_farewell_ends_after_what_is_said() -> None:
    """At once if nothing is."""
    assert Play().call("stop", "").turns.ended_by == "agent"
    play = Play().ask().answer().call("stop", "")
    assert play.turns.ended_by is None
    assert play.hear_all().turns.ended_by == "agent"


def test_stop_inside_reply_ends_its_text() -> None:
    """It waits there, so that no more text can come from it."""
    play = Play().ask().reply("Well. ", done=False).call("stop", "Good bye.", 1).write().hear_all()
    play.write().hear_all()
    assert play.turns.ended_by == "agent"
    assert play.delivered[0].agent_text == "Well. Good bye."


def test_a_farewell_is_said_though_the_user_talks_on() -> None:
    """Otherwise a talker could not be left."""
    play = Play().words(partial="and then").call("stop", "Good bye.")
    assert texts(play) == ["Good bye."]


def test_cancel_ends_at_once() -> None:
    """The sink is cleared; the turn comes with what was heard, and words that have none."""
    play = Play().ask().wait(1).answer("It is noon now.").play(300)
    play.turns.barge_in = False
    play.words("but").call("cancel")
    assert play.of(actions.Clear)
    assert play.turns.ended_by == "cancel"
    assert [(t.user_text, t.agent_text_heard) for t in play.delivered] == [
        ("Time?", "It is"),
        ("but", ""),
    ]
    assert play.of(actions.StopListening)[0].at_once


def test_a_hang_up_cuts_and_the_last_words_come_unanswered() -> None:
    """Speech is cut at once; when the recogniser has finished, its last words are a turn."""
    play = Play().ask().wait(1).answer("It is noon now.").play(300).call("hang_up")
    assert play.of(actions.Clear)
    assert play.delivered[0].interrupted
    assert not play.of(actions.StopListening)[0].at_once
    play.words("Bye then").endpoint().wait(0.5)
    assert play.asked == ["Time?"]
    play.call("listened")
    assert play.turns.ended_by == "user"
    assert (play.delivered[-1].user_text, play.delivered[-1].agent_text) == ("Bye then", "")


def test_a_hang_up_before_the_answer_is_heard_leaves_one_turn() -> None:
    """The words belong together, and come unanswered."""
    play = Play().ask("I need").call("hang_up").words("help").call("listened")
    assert [turn.user_text for turn in play.delivered] == ["I need help"]
    assert play.cancelled == [1]


def test_a_hang_up_is_not_waited_for_for_ever() -> None:
    """A service that does not finish leaves what was final."""
    play = Play().words("Hello").call("hang_up").wait(9.9)
    assert play.turns.ended_by is None
    play.wait(0.1)
    assert play.turns.ended_by == "user"
    assert play.delivered[0].user_text == "Hello"


def test_an_error_of_reply_ends_the_conversation() -> None:
    """Its turn comes first, with what was heard."""
    error = ValueError("no model")
    play = Play().ask().call("reply_done", 1, error)
    assert play.turns.ended_by == "error"
    assert (play.delivered[0].user_text, play.delivered[0].interrupted) == ("Time?", True)
    assert play.of(actions.Quit)[0].error is error


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_a_reply_that_failed_is_never_a_whole_answer(part: float) -> None:
    """What it would have said is missing, also when all that it had said was heard."""
    play = Play().ask().reply("It is noon. ", done=False).write(whole=False)
    play.played = part * play._end
    play.call("reply_done", 1, ValueError("no model"))
    (turn,) = play.delivered
    assert turn.interrupted
    assert turn.agent_text_heard == {0.0: "", 0.5: "It is", 1.0: "It is noon."}[part]


def test_an_error_of_a_reply_that_is_not_wanted_ends_nothing() -> None:
    """Its tool was cancelled, and says so."""
    play = Play().ask("I need").words("two").call("reply_done", 1, ValueError()).endpoint()
    assert play.asked == ["I need", "I need two"]


def test_an_error_of_the_service_ends_the_conversation() -> None:
    """Of the recording or of the voice."""
    error = ConnectionError()
    assert Play().call("listened", error).of(actions.Quit)[0].error is error
    assert Play().ask().call("failed", error).of(actions.Quit)[0].error is error


def test_keys_are_reported() -> None:
    """A key of the telephone is an event, and ends nothing."""
    play = Play().call("dtmf", "5")
    assert play.notified("dtmf")[0].digit == "5"
    assert play.asked == []


def test_nothing_happens_after_the_end() -> None:
    """Inputs that come late are ignored."""
    play = Play().call("cancel")
    count = len(play.all)
    play.ask().call("say", "Hi.").call("user_said", "Hi.").call("dtmf", "5").call("interrupt").call(
        "hang_up"
    ).call("listened").wait(100)
    assert len(play.all) == count


# -- the table ------------------------------------------------------------------------------------


def test_every_step_has_a_reason_and_a_use() -> None:
    """The table uses each step, and nothing leads out of the end."""
    assert set(REASONS) == set(Step) == {what for _, what in CONVERSATION}
    assert not [state for state, _ in CONVERSATION if state is ENDED]


@pytest.mark.parametrize("reason", sorted({*REASONS.values()}))
def test_reasons_are_those_of_the_api(reason: str) -> None:
    """No other word is ever reported."""
    known = "endpoint reply heard interrupted resumed withdrawn stopped"
    assert reason in known.split()
