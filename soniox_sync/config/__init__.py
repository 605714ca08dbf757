"""Configuration of connections, sessions and streams, as immutable values. No I/O.

`connection` and `keys`: where to connect and with which key. `stt` and `context`: the start message
of a transcription. `tts`: the config of a speech stream. `options`: time limits and queue sizes.
`constants`: the service's numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import lazy_names
from ._urls import safe_url
from .connection import (
    ConfigContext,
    ConfigSource,
    ConnectionConfig,
    Region,
    ResolvedConnectionConfig,
    obtain_connection_config,
    resolve_api_key,
    resolve_connection_config,
)
from .keys import ApiKey, check_auth, check_subprotocol_key
from .options import SttSessionOptions, TtsConnectionOptions
from .stt import SttConfig, merge_stt_config
from .tts import (
    TtsStreamConfig,
    TtsStreamInput,
    check_tts_text,
    merge_tts_input,
    new_stream_id,
    resolve_tts_config,
)

if TYPE_CHECKING:
    from .context import (
        Context,
        ContextEntry,
        OneWayTranslation,
        TranslationTerm,
        TwoWayTranslation,
    )
    from .conversation import ConversationOptions

__all__ = [
    "ApiKey",
    "ConfigContext",
    "ConfigSource",
    "ConnectionConfig",
    "Context",
    "ContextEntry",
    "ConversationOptions",
    "OneWayTranslation",
    "Region",
    "ResolvedConnectionConfig",
    "SttConfig",
    "SttSessionOptions",
    "TranslationTerm",
    "TtsConnectionOptions",
    "TtsStreamConfig",
    "TtsStreamInput",
    "TwoWayTranslation",
    "check_auth",
    "check_subprotocol_key",
    "check_tts_text",
    "merge_stt_config",
    "merge_tts_input",
    "new_stream_id",
    "obtain_connection_config",
    "resolve_api_key",
    "resolve_connection_config",
    "resolve_tts_config",
    "safe_url",
]

# most programs need none of these, and creating dataclasses takes time
lazy_names(
    globals(),
    {
        "context": "Context ContextEntry OneWayTranslation TranslationTerm TwoWayTranslation",
        "conversation": "ConversationOptions",
    },
)
