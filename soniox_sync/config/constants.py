"""The service's numbers and names in one place. Source: PROTOCOL 12 and the sections it sums up.

A name ending in `_SEC` is seconds, in `_MS` milliseconds, in `_BYTES` bytes, in `_CHARS` Unicode
code points. What is the server's rule and what is our own choice under it is said at each.
"""

from __future__ import annotations

__all__ = [
    "API_PATH",
    "AUTH_MODES",
    "DEFAULT_ASYNC_MODEL",
    "DEFAULT_LANGUAGE",
    "DEFAULT_REGION",
    "DEFAULT_STT_MODEL",
    "DEFAULT_TTS_MODEL",
    "DEFAULT_VOICE",
    "ENDPOINT_DELAY_MAX_MS",
    "ENDPOINT_DELAY_MIN_MS",
    "ENDPOINT_LATENCY_LEVEL_MAX",
    "ENDPOINT_SENSITIVITY_MAX",
    "ENDPOINT_SENSITIVITY_MIN",
    "ENV_API_KEY",
    "ENV_API_URL",
    "ENV_BASE_DOMAIN",
    "ENV_REGION",
    "ENV_STT_WS_URL",
    "ENV_TTS_API_URL",
    "ENV_TTS_WS_URL",
    "ENV_WEBHOOK_HEADER",
    "ENV_WEBHOOK_SECRET",
    "KEY_SUBPROTOCOL",
    "MAX_ASYNC_MODEL_CHARS",
    "MAX_CLIENT_REFERENCE_ID_CHARS",
    "MAX_FILES",
    "MAX_LIST_LIMIT",
    "MAX_NAME_CHARS",
    "MAX_SHARED_VOICES_LIMIT",
    "MAX_STREAM_ID_CHARS",
    "MAX_UPLOAD_BYTES",
    "MIN_KEEPALIVE_SEC",
    "REGIONS",
    "ROOT_DOMAIN",
    "STT_KEEPALIVE_MAX_GAP_SEC",
    "STT_MAX_DURATION_SEC",
    "STT_WS_PATH",
    "TEMP_KEY_MAX_EXPIRY_SEC",
    "TEMP_KEY_MAX_SESSION_SEC",
    "TTS_API_PATH",
    "TTS_CONCURRENT_STREAMS",
    "TTS_IDLE_CLOSE_SEC",
    "TTS_MAX_AUDIO_SEC",
    "TTS_MAX_STREAMS",
    "TTS_MAX_TEXT_BYTES",
    "TTS_NO_AUDIO_CLOSE_SEC",
    "TTS_NO_AUDIO_KILL_SEC",
    "TTS_SAFE_TEXT_BYTES",
    "TTS_SPEED_MAX",
    "TTS_SPEED_MIN",
    "TTS_TEXT_HOLD_SEC",
    "TTS_UNAUTHENTICATED_CLOSE_SEC",
    "TTS_WRITER_QUIET_END_SEC",
    "TTS_WRITER_QUIET_KILL_SEC",
    "TTS_WS_PATH",
]

# --- models and voices (PROTOCOL 7; `Adrian` exists in every roster so far) ---
DEFAULT_STT_MODEL = "stt-rt-v5"
DEFAULT_ASYNC_MODEL = "stt-async-v5"
DEFAULT_TTS_MODEL = "tts-rt-v2"
DEFAULT_VOICE = "Adrian"
DEFAULT_LANGUAGE = "en"

# --- hosts (PROTOCOL 1.1) ---
ROOT_DOMAIN = "soniox.com"
DEFAULT_REGION = "us"
REGIONS = ("us", "eu", "jp", "in")
API_PATH = "/v1"
STT_WS_PATH = "/transcribe-websocket"
TTS_WS_PATH = "/tts-websocket"
TTS_API_PATH = "/tts"

# --- authentication (PROTOCOL 1.3) ---
AUTH_MODES = ("header", "subprotocol", "message")
KEY_SUBPROTOCOL = "soniox-api-key"

# --- environment ---
ENV_API_KEY = "SONIOX_API_KEY"
ENV_REGION = "SONIOX_REGION"
ENV_BASE_DOMAIN = "SONIOX_BASE_DOMAIN"
ENV_API_URL = "SONIOX_API_BASE_URL"
ENV_STT_WS_URL = "SONIOX_WS_URL"
ENV_TTS_API_URL = "SONIOX_TTS_API_URL"
ENV_TTS_WS_URL = "SONIOX_TTS_WS_URL"
ENV_WEBHOOK_HEADER = "SONIOX_API_WEBHOOK_HEADER"
ENV_WEBHOOK_SECRET = "SONIOX_API_WEBHOOK_SECRET"

# --- time limits of transcription (PROTOCOL 2.4, 2.7) ---
STT_KEEPALIVE_MAX_GAP_SEC = 20.0  # the server's limit without audio
STT_MAX_DURATION_SEC = 300 * 60.0  # fixed, then 413

# --- time limits of speech (PROTOCOL 3.5, 3.6) ---
TTS_IDLE_CLOSE_SEC = 40.0  # no message at all, keepalives included
TTS_NO_AUDIO_CLOSE_SEC = 180.0  # keepalives do not lift it
TTS_UNAUTHENTICATED_CLOSE_SEC = 10.0  # only when the key travels in the message
TTS_WRITER_QUIET_KILL_SEC = 5.2  # after the last text without text_end
TTS_WRITER_QUIET_END_SEC = 3.0  # ours: text_end goes out before the server kills
TTS_NO_AUDIO_KILL_SEC = 10.0  # earliest seen: nothing spoken since the config
TTS_TEXT_HOLD_SEC = 8.0  # ours: text is not held back longer than this

# --- sizes of speech (PROTOCOL 3.4) ---
TTS_MAX_STREAMS = 5  # per connection, fixed
TTS_CONCURRENT_STREAMS = 3  # per account by default, POST /tts included
TTS_MAX_AUDIO_SEC = 120.0  # per stream, fixed, then 413
TTS_MAX_TEXT_BYTES = 5000  # per stream, UTF-8, however chunked
TTS_SAFE_TEXT_BYTES = 1200  # about 80 s of speech, under the audio limit
TTS_SPEED_MIN = 0.7
TTS_SPEED_MAX = 1.3

# --- lengths (PROTOCOL 2.2, 3.4) ---
MAX_STREAM_ID_CHARS = 256
MAX_CLIENT_REFERENCE_ID_CHARS = 256
MAX_NAME_CHARS = 50  # model, language, voice, audio_format
MAX_ASYNC_MODEL_CHARS = 32

# --- endpoint detection (PROTOCOL 2.2) ---
ENDPOINT_DELAY_MIN_MS = 500
ENDPOINT_DELAY_MAX_MS = 3000
ENDPOINT_SENSITIVITY_MIN = -1.0
ENDPOINT_SENSITIVITY_MAX = 1.0
ENDPOINT_LATENCY_LEVEL_MAX = 3

# --- keepalives, ours (PROTOCOL 9) ---
MIN_KEEPALIVE_SEC = 1.0

# --- REST (PROTOCOL 5) ---
MAX_UPLOAD_BYTES = 1_073_741_824
MAX_FILES = 1000
MAX_LIST_LIMIT = 1000
MAX_SHARED_VOICES_LIMIT = 200
TEMP_KEY_MAX_EXPIRY_SEC = 3600
TEMP_KEY_MAX_SESSION_SEC = 18000
