"""Everything that can be said before a connection is made, as immutable values. No I/O.

`connection` and `keys`: where to and with which key. `stt` and `stt_context`: the start message of
a transcription. `tts`: the config of a stream of speech. `options`: deadlines and bounds.
`constants`: the service's numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import constants as _constants
from ._urls import safe_url
from .connection import (
    ConfigContext,
    ConfigSource,
    ConnectionConfig,
    Region,
    ResolvedConnectionConfig,
    obtain_connection_config,
    resolve_connection_config,
)
from .constants import *  # noqa: F403 - the numbers by their names, as constants.__all__ lists them
from .keys import ApiKey, check_auth, check_subprotocol_key, resolve_api_key
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
    from .stt_context import (
        Context,
        ContextEntry,
        OneWayTranslation,
        TranslationTerm,
        TwoWayTranslation,
    )

__all__ = [
    "ApiKey",
    "ConfigContext",
    "ConfigSource",
    "ConnectionConfig",
    "Context",
    "ContextEntry",
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
__all__ += _constants.__all__


_FROM_CONTEXT = frozenset(
    {"Context", "ContextEntry", "OneWayTranslation", "TranslationTerm", "TwoWayTranslation"}
)


def __getattr__(name: str) -> Any:
    # most programs need none of these, and making dataclasses takes time
    if name not in _FROM_CONTEXT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import stt_context

    value = globals()[name] = getattr(stt_context, name)
    return value
