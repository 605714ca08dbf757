"""From what happened to a `Turn`."""

from __future__ import annotations

from typing import Optional

from .agent import Utterance
from .turns import Latency, Turn
from .user import UserTurn


def unanswered(turn: UserTurn) -> Turn:
    """Return a turn of the user to which nothing was said."""
    started, ended = turn.started_ms or 0, turn.ended_ms or 0
    return Turn(turn.text, language=turn.language, started_ms=started, ended_ms=ended)


def answered(speech: Utterance, interrupted: bool, now_ms: float) -> Optional[Turn]:
    """Return what an utterance of the agent has become; `None` if nothing is to be remembered."""
    user = speech.turn
    text = speech.text
    if user is None and not text:
        return None
    heard = heard_text(speech) if interrupted else text
    if speech.begun_ms is None:
        heard = ""
    ended = int(now_ms) if speech.begun_ms is not None else 0
    if user is None:
        started = int(now_ms if speech.begun_ms is None else speech.begun_ms)
        return Turn("", text, heard, interrupted, started_ms=started, ended_ms=max(started, ended))
    return Turn(
        user.text,
        text,
        heard,
        interrupted,
        user.language,
        latency_of(speech, user),
        user.started_ms or 0,
        max(ended, user.ended_ms or 0),
    )


def heard_text(speech: Utterance) -> str:
    """Return what was heard of the passages that are remembered."""
    heard = ""
    for each in speech.passages:
        if not each.is_over:
            break
        if each.remember:
            heard += each.text
    return heard.strip()


def latency_of(speech: Utterance, user: UserTurn) -> Latency:
    """Return how long the answer took, from the end of the last word."""
    said, given, sounded = user.ended_ms, speech.given_ms, speech.sounded_ms
    if user.is_typed or said is None or given is None or sounded is None:
        return Latency()
    asked = max(speech.asked_ms, said)  # the source's clock is exact to a chunk of audio
    given = max(given, asked)
    sounded = max(sounded, given)
    return Latency(
        (sounded - said) / 1000,
        (asked - said) / 1000,
        (given - asked) / 1000,
        (sounded - given) / 1000,
    )
