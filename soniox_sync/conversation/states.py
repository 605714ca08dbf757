"""States of a conversation, and what leads from one to another."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Literal


class ConversationState(str, enum.Enum):
    """State of a conversation."""

    LISTENING = "listening"  # nobody but the user may be heard
    THINKING = "thinking"  # `reply` works on an answer, and nothing of it sounds
    SPEAKING = "speaking"  # the sink plays what the agent says
    ENDED = "ended"

    __str__ = str.__str__


Reason = Literal["endpoint", "reply", "heard", "interrupted", "resumed", "withdrawn", "stopped"]


class Step(enum.Enum):
    """What changes the state. Error messages contain the value: "cannot answer: ..."."""

    ENDPOINT = "answer"  # the user's turn has ended: `reply` is called
    REPLY = "speak"  # what the agent says begins to sound
    NOTHING = "be silent"  # `reply` had nothing to say
    HEARD = "be heard"  # the sink has played all of it
    GAP = "wait for the reply"  # it has played all so far, and `reply` still works
    INTERRUPTED = "be interrupted"
    RESUMED = "resume"  # the interruption was taken back
    WITHDRAWN = "withdraw the reply"  # the user went on before it was heard
    STOPPED = "stop"


REASONS: Mapping[Step, Reason] = {
    Step.ENDPOINT: "endpoint",
    Step.REPLY: "reply",
    Step.NOTHING: "reply",
    Step.HEARD: "heard",
    Step.GAP: "heard",
    Step.INTERRUPTED: "interrupted",
    Step.RESUMED: "resumed",
    Step.WITHDRAWN: "withdrawn",
    Step.STOPPED: "stopped",
}

C, S = ConversationState, Step
CONVERSATION: Mapping[tuple[ConversationState, Step], ConversationState] = {
    (C.LISTENING, S.ENDPOINT): C.THINKING,
    (C.LISTENING, S.REPLY): C.SPEAKING,  # `say()`
    (C.LISTENING, S.RESUMED): C.SPEAKING,
    (C.THINKING, S.REPLY): C.SPEAKING,
    (C.THINKING, S.NOTHING): C.LISTENING,
    # an answer of which something was heard, whose reply then had no more to say
    (C.THINKING, S.HEARD): C.LISTENING,
    (C.THINKING, S.INTERRUPTED): C.LISTENING,
    (C.THINKING, S.WITHDRAWN): C.LISTENING,
    (C.SPEAKING, S.HEARD): C.LISTENING,
    (C.SPEAKING, S.GAP): C.THINKING,
    (C.SPEAKING, S.INTERRUPTED): C.LISTENING,
    (C.SPEAKING, S.WITHDRAWN): C.LISTENING,
    **{(state, S.STOPPED): C.ENDED for state in (C.LISTENING, C.THINKING, C.SPEAKING)},
}
del C, S
