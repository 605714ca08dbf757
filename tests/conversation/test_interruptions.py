"""Interruptions: which words stop the agent, what was heard, and when it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.conversation import actions
from soniox_sync.conversation.states import ConversationState
from soniox_sync.conversation.words import default_backchannels
from soniox_sync.protocol.tokens import Token
from tests.conversation.play import Play

LISTENING, SPEAKING = ConversationState.LISTENING, ConversationState.SPEAKING
LONG = "One two three four five six seven eight."


def speaking(**options: Any) -> Play:
    """Return a conversation in which "One two" of an answer was heard."""
    return Play(**options).ask().wait(1.0).reply(LONG).write().play(100).play(300)


def test_the_first_word_stops_the_agent() -> None:
    """A partial word clears the sink at once; nothing more is drawn, written or spoken."""
    play = speaking()
    play.words(partial="wait")
    assert isinstance(play.of(actions.Clear)[0], actions.Clear)
    assert play.turns.state is LISTENING
    assert play.reasons[-1] == "interrupted"
    assert len(play.of(actions.Speak)) == 1


def test_nothing_is_drawn_after_a_cut() -> None:
    """While the cut may be taken back, `reply` waits; then it goes on or is cancelled."""
    play = Play().ask().wait(1.0).reply("One two three. ", done=False).write(whole=False).play(100)
    play.words(partial="wait")
    assert [each.on for each in play.of(actions.HoldReply)] == [True]
    play.words().wait(2.0)
    assert [each.on for each in play.of(actions.HoldReply)] == [True, False]
    assert play.cancelled == []


def test_the_sink_is_cleared_also_after_the_last_write() -> None:
    """The agent speaks until all is played, though the voice has done its work."""
    play = speaking().words("stop")
    assert play.of(actions.Clear)


def test_a_final_word_makes_the_cut_final() -> None:
    """The turn is over, with what was heard; `reply` is cancelled, its later text dropped."""
    play = Play().ask().wait(1.0).reply(LONG, done=False).write(whole=False).play(400)
    play.words(partial="wait")
    assert play.delivered == []
    play.words("wait")
    (turn,) = play.delivered
    assert (turn.agent_text, turn.agent_text_heard, turn.interrupted) == (LONG, "One two", True)
    assert play.cancelled == [1]
    count = len(play.of(actions.AddText))
    play.call("reply_text", 1, "nine").endpoint()
    assert len(play.of(actions.AddText)) == count
    assert play.asked == ["Time?"]  # not before the first call has ended
    play.call("reply_done", 1)
    assert play.asked == ["Time?", "wait"]
    assert play.turns.messages()[1] == {"role": "assistant", "content": "One two"}


def test_the_agent_goes_on_at_the_first_word_not_heard() -> None:
    """The recogniser took the word back, and none stands for `false_interruption_sec`."""
    play = speaking(false_interruption_sec=2.0).words(partial="wait").words().wait(1.9)
    assert play.turns.state is LISTENING
    play.wait(0.1)
    assert play.turns.state is SPEAKING
    assert play.reasons[-1] == "resumed"
    assert play.passage.text == " three four five six seven eight."
    play.write().hear_all()
    (turn,) = play.delivered
    assert (turn.agent_text_heard, turn.interrupted) == (LONG, False)


def test_a_word_that_comes_again_stops_the_clock() -> None:
    """The 2 s begin anew when no word is left standing."""
    play = speaking().words(partial="wait").words().wait(1.5).words(partial="wait").wait(1.0)
    assert play.turns.state is LISTENING
    play.words().wait(1.9)
    assert play.turns.state is LISTENING
    assert play.wait(0.1).turns.state is SPEAKING


def test_a_cut_may_be_final_at_once() -> None:
    """`false_interruption_sec=None`: a partial word is enough."""
    play = speaking(false_interruption_sec=None).words(partial="wait")
    assert play.delivered[0].interrupted


def test_an_answer_that_was_stopped_twice_is_one_turn() -> None:
    """What was heard before both is a prefix of the whole."""
    play = speaking().words(partial="uh").words().wait(2.0).write().play(350)
    play.words("stop")
    (turn,) = play.delivered
    assert turn.agent_text == LONG
    assert turn.agent_text_heard == "One two three"


def test_more_words_may_be_asked_for() -> None:
    """`min_barge_in_words` begun while it is heard; fewer are the next turn."""
    play = speaking(min_barge_in_words=3).words("no wait").endpoint()
    assert play.turns.state is SPEAKING
    assert play.asked == ["Time?"]
    play.hear_all()
    assert play.asked == ["Time?", "no wait"]
    play = speaking(min_barge_in_words=3).words("no", partial="wait please")
    assert play.turns.state is LISTENING


def test_a_word_without_times_began_when_it_came() -> None:
    """Services without times of words interrupt as well."""
    play = speaking().call("words", [Token(" stop", is_final=True)])
    assert play.delivered[0].interrupted


# -- not to be interrupted ------------------------------------------------------------------------


def test_without_barge_in_words_are_the_next_turn() -> None:
    """The agent is not cut, and answers when it was heard."""
    play = speaking(barge_in=False).words("wait please").endpoint()
    assert play.of(actions.Clear) == []
    play.hear_all()
    assert play.asked == ["Time?", "wait please"]
    assert play.delivered[0].agent_text_heard == LONG


def test_barge_in_may_be_set_at_any_time() -> None:
    """What counts is the value when the word comes."""
    play = speaking()
    play.turns.barge_in = False
    play.words("wait")
    assert play.turns.state is SPEAKING
    play.turns.barge_in = True
    play.words("now")
    assert play.turns.state is LISTENING


def test_a_notice_is_not_cut() -> None:
    """`say(barge_in=False)`: words over it are the next turn, when it was heard."""
    play = Play().call("say", "This call is recorded.", barge_in=False).write().play(200)
    play.words("hello there").endpoint()
    assert play.of(actions.Clear) == []
    assert play.asked == []
    play.hear_all()
    assert play.asked == ["hello there"]


def test_words_over_a_notice_do_not_cut_what_follows_it() -> None:
    """They are the next turn of the answer that contains the notice."""
    play = Play().ask().wait(1.0).reply("Well. ", done=False).write().play(100)
    play.call("say", "Mind the gap.", barge_in=False, job=1).hear_all().write().play(400)
    play.words("oh dear").hear_all()
    play.reply("On we go.").write().play(100)
    assert play.of(actions.Clear) == []
    play.endpoint().hear_all()
    assert play.asked == ["Time?", "oh dear"]


# -- backchannels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["mhm", "Mhm.", "YEAH!", "yeah yeah", "Mhm, yeah"])
def test_backchannels_do_not_stop_the_agent(word: str) -> None:
    """Case and punctuation aside; they are dropped."""
    play = speaking().words(partial=word).words(word).endpoint()
    assert play.of(actions.Clear) == []
    play.hear_all().wait(1)
    assert play.asked == ["Time?"]
    assert [turn.user_text for turn in play.delivered] == ["Time?"]


def test_the_beginning_of_a_backchannel_is_one() -> None:
    """A recogniser sends "ye" before "yeah", and the agent must not stutter."""
    assert speaking().words(partial="ye").of(actions.Clear) == []
    assert speaking().words("ye").of(actions.Clear)
    play = Play(backchannels=("i see",)).ask().wait(1).answer(LONG).play(300)
    assert play.words(partial="I").of(actions.Clear) == []
    assert play.words(partial="I want").of(actions.Clear)


def test_a_backchannel_with_other_words_is_words() -> None:
    """Only if nothing else was said."""
    play = speaking().words("yeah", partial="but")
    assert play.turns.state is LISTENING
    play.words("but why").endpoint()
    assert play.delivered[0].interrupted
    assert play.asked[-1] == "yeah but why"


def test_a_backchannel_that_ends_after_the_agent_is_the_answer() -> None:
    """It began over the end of the question."""
    play = speaking()
    play.play(play._end - play.played - 100)
    began = play.now * 1000
    play.words(partial="yeah", start_ms=began).hear_all().wait(0.3)
    play.words("yeah", start_ms=began).endpoint()
    assert play.asked == ["Time?", "yeah"]


def test_a_backchannel_in_silence_is_words() -> None:
    """While the agent is silent they are words like any other."""
    assert Play().ask("Yeah.").asked == ["Yeah."]


def test_a_partial_that_becomes_a_backchannel_is_taken_back() -> None:
    """The agent stopped for a word that turned out to be none, and goes on."""
    play = speaking().words(partial="well").words("yeah").endpoint().wait(2.0)
    assert play.turns.state is SPEAKING
    play.write().hear_all().wait(1)
    assert play.asked == ["Time?"]


def test_no_backchannels_on_request() -> None:
    """`()`: every word stops the agent."""
    assert speaking(backchannels=()).words("mhm").turns.state is LISTENING


def test_defaults_are_a_dozen_of_the_language() -> None:
    """And none for a language without."""
    assert 10 <= len(default_backchannels("en")) <= 13
    assert {"mhm", "yeah"} <= set(default_backchannels("en"))
    assert default_backchannels("en-GB") == default_backchannels("en")
    assert default_backchannels("tlh") == ()
    for language in ("de", "es", "fr", "it", "pt", "nl", "pl", "ru", "ja", "zh"):
        assert 10 <= len(default_backchannels(language)) <= 13, language


# -- interrupt() ----------------------------------------------------------------------------------


def test_interrupt_cuts_now() -> None:
    """Without a word, and what is not to be cut by words as well."""
    play = speaking().call("interrupt")
    assert play.delivered[0].interrupted
    assert play.turns.state is LISTENING
    play = Play().call("say", "A notice.", barge_in=False).write().play(40).call("interrupt")
    assert play.delivered[0].agent_text_heard == ""
    assert play.delivered[0].interrupted


def test_interrupt_cancels_a_reply_that_thinks() -> None:
    """The turn comes unanswered, visibly, and the next one is answered."""
    play = Play().ask().call("interrupt")
    (turn,) = play.delivered
    assert (turn.user_text, turn.agent_text, turn.interrupted) == ("Time?", "", True)
    assert play.cancelled == [1]
    play.call("reply_done", 1).ask("Now?")
    assert play.asked == ["Time?", "Now?"]


def test_interrupt_drops_what_waits() -> None:
    """The texts of `say()` that were not begun are turns of which nothing was heard."""
    play = Play().call("say", "One.").call("say", "Two.").write().play(100).call("interrupt")
    assert [turn.agent_text_heard for turn in play.delivered] == ["", ""]
    assert all(turn.interrupted for turn in play.delivered)
    assert play.wait(1).of(actions.Speak)[1:] == []


def test_interrupt_in_silence_does_nothing() -> None:
    """There is nothing to cut."""
    play = Play().call("interrupt")
    assert play.all == []
