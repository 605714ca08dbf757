"""Numbers and names of the service that several modules share. Source: PROTOCOL 12."""

from __future__ import annotations

from typing import Literal

# PROTOCOL 7
DEFAULT_STT_MODEL = "stt-rt-v6"
DEFAULT_ASYNC_MODEL = "stt-async-v6"
DEFAULT_TTS_MODEL = "tts-rt-v2"
DEFAULT_LANGUAGE = "en"

# PROTOCOL 1.1
DEFAULT_REGION = "us"
TTS_API_PATH = "/tts"

ENV_API_KEY = "SONIOX_API_KEY"
Usage = Literal["transcribe_websocket", "tts_rt"]  # usage of a temporary key (PROTOCOL 1.5)
USAGES: tuple[Usage, ...] = ("transcribe_websocket", "tts_rt")

# Unicode code points (PROTOCOL 2.2, 3.1)
MAX_CLIENT_REFERENCE_ID_CHARS = 256
MAX_NAME_CHARS = 50  # model, language, voice, audio_format
