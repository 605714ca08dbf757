"""Talk to a voice agent (`--mic`), or let a scripted caller ask it, interrupt it, and hang up.

python examples/voice_agent/agent.py --sandbox
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from soniox_sync import Conversation, MicrophoneSource, SonioxClient
from soniox_sync.sandbox import Line, Sandbox

SCRIPT = [
    Line("How do the tides work?", after="What can I do for you?"),
    Line("Stop, thank you.", after="water", over=True),
]
TIDES = "The moon pulls the water towards it, and leaves some behind on the far side."


def reply(text: str, conversation: Conversation) -> Iterator[str]:
    """Yield the answer; a language model gets `conversation.messages()`, and yields its tokens."""
    if "stop" in text.lower():
        conversation.stop("Of course. Good bye.")
    else:
        yield TIDES


def talk(client: SonioxClient, source: Any, sink: Any, **options: Any) -> None:
    """Talk until one of the two has had enough."""
    with client.realtime.converse(source, reply, sink, voice="Nina", **options) as conversation:
        conversation.say("Hello! What can I do for you?")
        for turn in conversation:
            print(f"{turn.user_text} -> {turn.agent_text_heard}", flush=True)


def main() -> None:
    """Parse the command line and start the conversation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mic", action="store_true", help="use microphone and loudspeaker")
    parser.add_argument("--headset", action="store_true", help="the same, and you may interrupt")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() as sandbox:  # the scripted caller's voice in any case
        client = sandbox.client() if args.sandbox else SonioxClient()  # reads SONIOX_API_KEY
        if args.mic or args.headset:
            from soniox_sync.audio import Player  # needs the extra `audio`

            duplex = "full" if args.headset else None  # a laptop's microphone hears the agent
            talk(client, MicrophoneSource(), Player(), duplex=duplex)
        else:
            caller = sandbox.caller(SCRIPT, speed=2.0)
            talk(client, caller, caller)


if __name__ == "__main__":
    main()
