"""A voice agent: it listens all the time, answers aloud, and is quiet at once when interrupted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Callable, Optional

from soniox_sync import SonioxClient, Speech

RATE = 16000
RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": RATE}


class Agent:
    """Turns utterances into spoken answers.

    `think` gives the answer to what was heard, as a str or piece by piece. `open_player` gives a
    `soniox_sync.audio.Player`, or what behaves like one, for each answer.
    """

    def __init__(
        self,
        client: SonioxClient,
        think: Callable[[str], Iterable[str]],
        open_player: Callable[[], Any],
    ) -> None:
        self._client, self._think, self._open_player = client, think, open_player
        self.speech: Optional[Speech] = None  # while something is said
        self._player: Any = None

    def converse(self, source: Any, **stt_config: Any) -> None:
        """Listen and answer until the source ends."""
        transcription = self._client.realtime.transcribe(
            source, enable_endpoint_detection=True, **stt_config
        )
        for event in transcription:
            speech = self.speech
            if event.kind == "result" and event.text.strip() and speech:
                speech.cancel()  # the barge-in: the first guess of a word is enough
                self._player.stop()
            elif event.kind == "endpoint":
                self.answer(transcription.transcript.utterances()[-1].text.strip())

    def answer(self, heard: str) -> None:
        """Begin to speak on a thread of its own, so that the agent goes on listening."""
        print(f"caller: {heard}", flush=True)
        self._player = self._open_player()
        self.speech = self._client.realtime.speak(self._think(heard), voice="Nina", **RAW)
        threading.Thread(target=self._say, args=(self.speech, self._player)).start()

    def _say(self, speech: Speech, player: Any) -> None:
        with player:
            for chunk in speech:  # ends at once after `cancel()`
                player.write(chunk)
            player.finish()
        print(f"agent:  {speech.spoken_text.strip()}", flush=True)
        if self.speech is speech:
            self.speech = None
