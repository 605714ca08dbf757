"""The conversation behind the page: what the agent says, and what the page shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from soniox_sync import (
    Conversation,
    ConversationState,
    SonioxClient,
    SonioxConnectionError,
    SonioxError,
    StateChange,
)
from soniox_sync.web import WebSocketAudio

TIDES = "The moon pulls the water towards it, and leaves some behind on the far side. "


def reply(text: str, conversation: Conversation) -> Iterator[str]:
    """Yield the answer; a language model gets `conversation.messages()`, and yields its tokens."""
    yield "Of course. What else?" if "stop" in text.lower() else TIDES * 3


def talk(client: SonioxClient, page: WebSocketAudio) -> None:
    """Talk until the user ends it or closes the page; the page shows every turn."""

    def show(event: str, **fields: Any) -> None:
        with suppress(SonioxConnectionError):  # the page has gone
            page.send_event(event, **fields)

    def show_state(change: StateChange[ConversationState]) -> None:
        show("state", state=change.new_state)

    def show_words(text: str) -> None:
        show("partial", text=text)

    try:
        with client.realtime.converse(page, reply, page, voice="Nina") as conversation:

            def on_event(message: dict[str, Any]) -> None:
                if message["event"] == "typed":
                    conversation.user_said(str(message["text"]))
                elif message["event"] == "interrupt":
                    conversation.interrupt()

            conversation.on("state_change", show_state)
            conversation.on("user_partial", show_words)
            page.on_event(on_event)
            show("state", state="listening")
            for turn in conversation:
                heard, cut = turn.agent_text_heard, turn.interrupted
                show("turn", user=turn.user_text, agent=heard, interrupted=cut)
    except SonioxError as error:
        show("error", reason=str(error))
