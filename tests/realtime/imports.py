"""Program of the tests: use one part of the library; report imports outside `load_modules()`.

`python imports.py PART STT_URL TTS_URL API_URL TTS_API_URL`
"""

from __future__ import annotations

import importlib.abc
import json
import sys
import threading
from typing import Any

from soniox_sync import SonioxClient
from soniox_sync._support import loading
from soniox_sync.sources import IterableSource

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le"}


class Watch(importlib.abc.MetaPathFinder):
    """Records each module that is looked for outside `load_modules()`, and the thread that does."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code is loading.load_modules.__code__:
                return
            frame = frame.f_back
        self.seen.append(f"{name} ({threading.current_thread().name})")


def transcribe(client: SonioxClient) -> None:
    client.realtime.transcribe([bytes(3200)] * 3, pace=False, **RAW).read()


def record(client: SonioxClient) -> None:
    with client.realtime.record(source=IterableSource([bytes(3200)]), **RAW) as recording:
        list(recording)


def session(client: SonioxClient) -> None:
    with client.realtime.stt(**RAW) as opened:
        opened.start_sending([bytes(3200)], finish=True)
        list(opened)


def speak(client: SonioxClient) -> None:
    client.realtime.speak(["Hello."], **VOICE).read()


def stream(client: SonioxClient) -> None:
    with client.realtime.tts(**VOICE) as opened:
        opened.send_text("Hello.", end=True)
        opened.read()


def pool(client: SonioxClient) -> None:
    with client.realtime.tts.pool() as opened:
        opened.speak("Hello.", **VOICE).read()


def http(client: SonioxClient) -> None:
    client.files.list()


def http_speech(client: SonioxClient) -> None:
    client.tts.generate(text="Hello.", voice="Adrian")


PARTS = {
    each.__name__: each
    for each in (transcribe, record, session, speak, stream, pool, http, http_speech)
}

if __name__ == "__main__":
    part, stt, tts, api, tts_api = sys.argv[1:]
    client = SonioxClient(
        "snx-key", stt_ws_url=stt, tts_ws_url=tts, api_url=api, tts_api_url=tts_api
    )
    watch = Watch()
    sys.meta_path.insert(0, watch)
    PARTS[part](client)
    sys.meta_path.remove(watch)
    print(json.dumps(watch.seen))
