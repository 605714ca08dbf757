"""Turns: what belongs to them, when they are answered, and what is remembered of them."""

from __future__ import annotations

import pytest

from soniox_sync.conversation import actions
from soniox_sync.conversation.states import ConversationState
from soniox_sync.protocol.tokens import Token
from tests.conversation.play import Play, said

LISTENING, THINKING = ConversationState.LISTENING, ConversationState.THINKING
SPEAKING, ENDED = ConversationState.SPEAKING, ConversationState.ENDED


def test_reply_gets_the_whole_turn_at_its_endpoint() -> None:
    """Partial words and final ones call nothing; the endpoint calls `reply` with all of them."""
    play = Play().words(partial="What").words("What", partial="time").words("time")
    assert play.asked == []
    play.endpoint()
    assert play.asked == ["What time"]
    assert play.turns.state is THINKING


def test_messages_are_complete_when_reply_is_called() -> None:
    """What was heard before, and last the text to be answered, is there with the call."""
    play = Play().ask("Time?").answer("Noon.").hear_all().ask("Really?")
    assert play.asked == ["Time?", "Really?"]
    assert play.turns.messages() == [
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "content": "Noon."},
        {"role": "user", "content": "Really?"},
    ]


def test_noise_is_nobody() -> None:
    """Results without words, and signs alone, end no turn, cut nothing, and are no presence."""
    play = Play(user_silence_sec=15).ask().answer()
    play.call("words", [Token(" ...", 2000, 2100)]).call("words", [])
    assert play.turns.state is SPEAKING
    play.hear_all().wait(10)
    play.call("words", [Token(" -", 9000, 9100, is_final=True)]).endpoint().wait(5.1)
    assert play.asked == ["Time?"]
    assert [each.count for each in play.notified("silence")] == [1]


def test_a_silent_turn_is_a_turn() -> None:
    """`reply` had nothing to say: the turn comes with nothing in it, and listening goes on."""
    play = Play().ask().reply()
    assert play.turns.state is LISTENING
    (turn,) = play.delivered
    assert (turn.user_text, turn.agent_text, turn.interrupted) == ("Time?", "", False)
    assert turn.latency.total_sec is None
    assert play.reasons == ["endpoint", "reply"]


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_blank_text_is_a_silent_turn(text: str) -> None:
    """What has no words is not spoken."""
    play = Play().ask().reply(text)
    if play.of(actions.Speak):
        play.write(0)
    assert play.delivered[0].agent_text == ""
    assert play.turns.state is LISTENING


def test_text_before_a_slow_call_is_spoken_while_it_runs() -> None:
    """The first text goes to the voice at once, though `reply` has not returned."""
    play = Play().ask().reply("Let me see. ", done=False)
    assert [each.passage.text for each in play.of(actions.Speak)] == ["Let me see. "]
    play.write(whole=False).play(100)
    assert play.turns.state is SPEAKING
    assert play.of(actions.EndText) == []


def test_while_reply_works_and_all_is_heard_the_agent_thinks() -> None:
    """A gap in the answer is thinking; the next text is speaking again."""
    play = Play().ask().call("reply_text", 1, "Let me see. ")
    play.call("say", "Hm.", remember=False, job=1).write().hear_all()
    assert [each.passage.text for each in play.of(actions.Speak)][1:] == ["Hm."]
    play.write().hear_all()
    assert play.turns.state is THINKING
    play.reply("Noon.").write().play(50)
    assert play.turns.state is SPEAKING
    assert play.reasons == ["endpoint", "reply", "heard", "reply"]
    play.hear_all()
    assert play.delivered[0].agent_text == "Let me see. Noon."


def test_the_agent_thinks_when_all_so_far_was_heard() -> None:
    """Though its text may go on: after half a second without a sound, until there is more."""
    play = Play(agent_silence_sec=5).ask().reply("Let me see. ", done=False).write(whole=False)
    play.play(100).hear_all()
    assert play.turns.is_sounding
    play.wait(0.4)
    assert play.turns.state is SPEAKING
    play.wait(0.1)
    assert play.turns.state is THINKING
    assert not play.turns.is_sounding
    play.wait(4.4)
    assert play.notified("silence") == []
    play.wait(0.1)
    assert play.notified("silence")[0].waiting_for == "agent"
    play.reply("Noon.").write(300).play(50)
    assert play.turns.state is SPEAKING
    play.hear_all()
    assert play.reasons == ["endpoint", "reply", "heard", "reply", "heard"]


def test_words_in_a_pause_of_the_answer_interrupt_it() -> None:
    """Some of it was heard, so that they are the next turn."""
    play = Play().ask().reply("Let me see. ", done=False).write(whole=False).play(100).hear_all()
    play.wait(2).words("never mind")
    assert play.delivered[0].interrupted
    assert play.delivered[0].agent_text_heard == "Let me see."
    assert play.cancelled == [1]
    assert play.turns.state is LISTENING


# -- the same turn --------------------------------------------------------------------------------


def test_words_before_the_answer_is_heard_continue_the_turn() -> None:
    """The reply is withdrawn, and asked for once more with the whole text."""
    play = Play().ask("I need").wait(0.2).words("two tickets.", start_ms=100)
    assert play.cancelled == [1]
    assert play.turns.state is LISTENING
    play.endpoint()
    assert play.asked == ["I need"]  # its thread is still in the first call
    play.call("reply_text", 1, "What do you need?").call("reply_done", 1)
    assert play.asked == ["I need", "I need two tickets."]
    assert play.of(actions.Speak) == []
    assert play.reasons == ["endpoint", "withdrawn", "endpoint"]


def test_a_reply_that_has_just_begun_to_sound_is_withdrawn_too() -> None:
    """A word that began before the first sound continues the turn, though it comes after it."""
    play = Play().ask("I need").reply("What?").write()
    began = play.now * 1000
    play.play(200).words("two tickets", start_ms=began - 50)
    assert play.of(actions.Clear)
    assert play.delivered == []
    play.endpoint()
    assert play.asked[-1] == "I need two tickets"
    assert play.reasons == ["endpoint", "reply", "withdrawn", "endpoint"]


def test_a_partial_word_only_delays_the_answer() -> None:
    """A word that is taken back before the answer is heard withdraws nothing."""
    play = Play(false_interruption_sec=2.0).ask("Time?").words(partial="uh").reply("Noon.")
    assert play.of(actions.Speak) == []
    assert play.of(actions.HoldReply)[0].on
    play.words().wait(1.9)
    assert play.of(actions.Speak) == []
    play.wait(0.1)
    assert play.of(actions.Speak)[0].passage.text == "Noon."
    assert play.cancelled == []
    play.write().hear_all()
    assert play.delivered[0].user_text == "Time?"


def test_patience_waits_for_words_that_follow() -> None:
    """`reply` is called after so much quiet; words in between belong to the turn."""
    play = Play(patience_sec=1.0).words("One two").endpoint().wait(0.9)
    assert play.asked == []
    play.words("three").endpoint().wait(0.9)
    assert play.asked == []
    play.wait(0.1)
    assert play.asked == ["One two three"]


def test_patience_may_be_set_at_any_time() -> None:
    """The new value counts for the turn that waits."""
    play = Play().ask().reply()
    play.turns.patience_sec = 1.0
    play.words("Two").endpoint()
    assert play.asked == ["Time?"]
    play.wait(1.0)
    assert play.asked == ["Time?", "Two"]


def test_a_partial_that_stands_is_waited_for() -> None:
    """A turn is not answered while a word after its endpoint may become final."""
    play = Play(patience_sec=0.5).words("One").endpoint().words(partial="two").wait(5)
    assert play.asked == []
    play.words()
    assert play.asked == ["One"]


# -- push to talk, long turns ---------------------------------------------------------------------


def test_manual_turns_end_only_on_request() -> None:
    """Endpoints end nothing; `end_turn()` finalises, and `<fin>` makes the turn whole."""
    play = Play(turn_end="manual").words("One").endpoint().wait(5).words(partial="two")
    assert play.asked == []
    play.call("end_turn")
    assert play.of(actions.Finalize)
    assert play.asked == []
    play.words("two").call("finalized")
    assert play.asked == ["One two"]


def test_a_finalize_that_nobody_asked_for_ends_no_manual_turn() -> None:
    """A pause finalises, too, and the button is not released."""
    play = Play(turn_end="manual").words("One").call("finalized").wait(1)
    assert play.asked == []


def test_end_turn_is_legal_where_endpoints_end_turns() -> None:
    """It ends the turn at once, without patience."""
    play = Play(patience_sec=3.0).words("One").call("end_turn").call("finalized")
    assert play.asked == ["One"]


def test_end_turn_where_a_finalize_is_not_answered() -> None:
    """Some routes of a gateway: with the words that become final, or after 2 s."""
    play = Play(turn_end="manual")
    play.turns.answers_finalize = False
    play.words(partial="One two").call("end_turn").words(partial="One two")
    assert play.asked == []
    play.words("One two")
    assert play.asked == ["One two"]
    play.reply().words("three").call("end_turn").wait(1.9)
    assert play.asked == ["One two"]
    play.wait(0.1)
    assert play.asked == ["One two", "three"]


def test_a_finalized_turn_is_whole() -> None:
    """`<fin>` ends a turn like `<end>`: after a pause what was said before is answered."""
    assert Play().words("One").call("finalized").asked == ["One"]


def test_a_turn_without_an_end_is_answered() -> None:
    """After `max_turn_sec` what was said is made final and answered; the rest is the next turn."""
    play = Play(max_turn_sec=60).words("One", partial="two").wait(59.9)
    assert play.of(actions.Finalize) == []
    play.wait(0.1)
    assert play.of(actions.Finalize)
    play.words("two").call("finalized")
    assert play.asked == ["One two"]
    play.words("three").reply("Yes.")
    assert play.cancelled == []
    play.write().hear_all().endpoint()
    assert play.asked == ["One two", "three"]


def test_a_turn_without_an_end_is_answered_though_nothing_becomes_final() -> None:
    """If the service does not answer in 2 s, the words that are final have to do."""
    play = Play(max_turn_sec=60).words("One", partial="two").wait(60).wait(2.0)
    assert play.asked == ["One"]
    play.reply().words("two").endpoint()
    assert play.asked == ["One", "two"]


def test_a_turn_that_goes_on_without_an_end_is_answered_too() -> None:
    """Words after an endpoint that never get one of their own."""
    play = Play(max_turn_sec=60, patience_sec=100).ask("One").words("two").wait(60)
    assert play.of(actions.Finalize)
    play.call("finalized")
    assert play.asked == ["One two"]


# -- typed ----------------------------------------------------------------------------------------


def test_a_typed_turn_is_answered_at_once() -> None:
    """It needs no endpoint and no patience, and has no latency."""
    play = Play(patience_sec=5).call("user_said", "5").answer().hear_all()
    assert play.asked == ["5"]
    assert play.delivered[0].latency.total_sec is None
    assert play.delivered[0].agent_text_heard == "It is noon now."


def test_a_typed_turn_interrupts_like_words() -> None:
    """While the agent is heard it is cut at once; before that the turn is continued."""
    play = Play().ask().answer().call("user_said", "Stop")
    assert play.delivered[0].interrupted
    play.call("reply_done", 1)
    assert play.asked == ["Time?", "Stop"]
    play = Play().ask("One").call("user_said", "two").call("reply_done", 1)
    assert play.asked == ["One", "One two"]


# -- what is remembered ---------------------------------------------------------------------------


def test_heard_is_all_of_it_if_nothing_was_cut() -> None:
    """A turn that ends by itself has been heard."""
    play = Play().ask().answer("It is noon.").hear_all()
    (turn,) = play.delivered
    assert (turn.agent_text, turn.agent_text_heard) == ("It is noon.", "It is noon.")
    assert play.reasons == ["endpoint", "reply", "heard"]


def test_the_agent_speaks_until_all_is_played() -> None:
    """Not until all is written: the last written audio is still ahead."""
    play = Play().ask().reply("It is noon.").write().play(200)
    assert play.turns.state is SPEAKING
    assert play.delivered == []
    play.play(348)
    assert play.delivered == []
    play.play(2)
    assert len(play.delivered) == 1


def test_times_of_a_turn_are_of_the_source() -> None:
    """From the first word to the last sound, and the parts of the latency add up."""
    play = Play().wait(2.0).words("What time", start_ms=1400).wait(0.5).endpoint()
    play.wait(0.3).reply("Noon.").wait(0.2).write().play(10).hear_all()
    (turn,) = play.delivered
    assert turn.started_ms == 1400
    assert turn.ended_ms == int(play.now * 1000)
    latency = turn.latency
    assert latency.total_sec == pytest.approx(3.0 - 1.95)
    assert latency.endpoint_sec == pytest.approx(2.5 - 1.95)
    assert latency.reply_sec == pytest.approx(0.3)
    assert latency.voice_sec == pytest.approx(0.2)


def test_the_language_is_the_recognisers() -> None:
    """That of most words, `None` if it was not asked for one."""
    play = Play().call("words", [Token(" Hola", 0, 200, is_final=True, language="es")])
    play.endpoint().reply()
    assert play.delivered[0].language == "es"
    assert Play().ask().reply().delivered[0].language is None


def test_translations_are_not_said() -> None:
    """With translation on, only what was said belongs to the turn."""
    tokens = [*said("Hola", 0), Token(" Hello", is_final=True, translation_status="translation")]
    assert Play().call("words", tokens).endpoint().asked == ["Hola"]


def test_a_translation_interrupts_nothing() -> None:
    """It is no word of the user, and comes late."""
    play = Play().ask().wait(1).answer().play(400)
    late = Token(" Zeit?", translation_status="translation")
    play.call("words", [late])
    assert play.turns.state is SPEAKING
    assert play.notified("user_partial") == ["Time?"]


def test_what_makes_no_sound_was_not_heard() -> None:
    """Of a text without words the voice makes no audio."""
    play = Play().ask().reply("...")
    play.call("voiced", play.passage)
    (turn,) = play.delivered
    assert (turn.agent_text, turn.agent_text_heard, turn.interrupted) == ("...", "", False)


def test_user_partial_has_the_turn_so_far() -> None:
    """Final and partial words of the open turn, whenever they change."""
    play = Play().words(partial="What").words("What", partial="time").words("time")
    assert play.notified("user_partial") == ["What", "What time"]
