"""Handlers of a conversation that were removed."""

from __future__ import annotations

from typing import Any

from tests.realtime.conversation.stage import Stage
from tests.waiting import WAIT, eventually


def test_a_handler_that_was_removed_is_not_called() -> None:
    """It alone, or all of an event."""
    got: list[str] = []

    def first(change: Any) -> None:
        got.append("first")

    with Stage(lambda text, conversation: None) as stage:
        conversation = stage.conversation
        conversation.on("state_change", first)
        assert conversation.off("state_change", first) is conversation
        conversation.on("silence", lambda event: got.append("silence"))
        conversation.off("silence")
        stage.ask("hello").wait_turns(1)
        stage.hang_up()
        conversation.wait(WAIT)
    eventually(lambda: stage.reasons[-1:] and conversation.state == "ended")
    assert got == [] and stage.reasons != []
