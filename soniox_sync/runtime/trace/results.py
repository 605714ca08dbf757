"""Results of a transcription, of which nearly all can be copied into a trace as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .redaction import tells_secret

# names in nearly every result, none of which is secret
_USUAL = frozenset(
    [
        "tokens",
        "text",
        "start_ms",
        "end_ms",
        "confidence",
        "is_final",
        "speaker",
        "language",
        "source_language",
        "translation_status",
        "final_audio_proc_ms",
        "total_audio_proc_ms",
        "finished",
    ]
)
_OBJECTS = frozenset({dict})


def is_plain(results: Sequence[dict[str, Any]], joined: bytes) -> bool:
    """Return whether no name in these parsed results, and no `name: value` in a text, is secret.

    `joined`: their JSON texts. There is a colon behind each name that is looked at. If there are
    more, one is in a text, or behind a name elsewhere, and the results are not plain:

        {"tokens": [{"text": "a"}], "finished": 1}    3 names, 3 colons: plain
        {"tokens": [{"text": "api_key: a"}]}          2 names, 3 colons: not
        {"tokens": [], "x": {"api_key": "a"}}         2 names, 3 colons: not

    It costs 3 us for 20 tokens. Searching the text for each name, in capitals, too, costs 12.
    """
    colons = 0
    for result in results:
        tokens = result.get("tokens")
        if type(tokens) is not list or not _OBJECTS.issuperset(map(type, tokens)):
            return False
        names = set(result).union(*tokens)
        if not names <= _USUAL and any(map(tells_secret, names - _USUAL)):
            return False
        colons += len(result) + sum(map(len, tokens))
    return joined.count(b":") == colons
