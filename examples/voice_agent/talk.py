"""Talk to the agent with a headset (`--mic`), or listen to a call that was written before.

python examples/voice_agent/talk.py --sandbox
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from agent import RATE, RAW, Agent
from rehearsal import SilentPlayer, written_call

from soniox_sync import MicrophoneSource, SonioxClient
from soniox_sync.sandbox import Sandbox

TIDES = "The moon pulls the water towards it, and leaves some behind on the far side. "


def think(heard: str) -> str:
    """Stand in for your language model; its tokens may be given as they come."""
    return "Of course. Good bye." if "stop" in heard.lower() else TIDES * 3


def talk(client: SonioxClient) -> None:
    """Converse over the machine's own devices, until Ctrl-C."""
    from soniox_sync.audio import Player  # needs the extra `audio`

    agent = Agent(client, think, lambda: Player(audio_format="pcm_s16le", sample_rate=RATE))
    agent.converse(MicrophoneSource())


def rehearse(client: SonioxClient) -> None:
    """Let a written caller talk to the agent."""
    agent = Agent(client, think, SilentPlayer)
    agent.converse(written_call(client, agent), pace=True, num_channels=1, **RAW)


def main() -> None:
    """Read the command line and hold the conversation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mic", action="store_true", help="use microphone and loudspeaker")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        (talk if args.mic else rehearse)(client)


if __name__ == "__main__":
    main()
