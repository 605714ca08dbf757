"""From the SLNG gateway's transcripts to the service's tokens (PROTOCOL 8.4).

A `partial_transcript` is the whole present guess, a `final_transcript` one finished piece. Neither
says where in the audio it was spoken unless it brings tokens that do: then the tokens have their
times, and otherwise none. Nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .dialects import Frame
from .tokens import END_TOKEN, milliseconds

__all__ = ["read_transcripts"]

# scripts written without spaces between words: Thai and its neighbours, Khmer, Chinese, Japanese
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFEF),
    (0x20000, 0x3FFFF),
)
_LABELS = ("speaker", "language")


def read_transcripts(kind: str, frame: Frame) -> Optional[Frame]:
    """Give the native response for a frame of type `kind`, `None` for one that says no words.

    The fields of the gateway's frame stay beside the tokens, for `Result.raw`.
    """
    if kind == "partial_transcript":
        return {**frame, "tokens": _tokens(frame, final=False)}
    if kind == "final_transcript":
        return {**frame, "tokens": _parted(_tokens(frame, final=True))}
    if kind == "utterance_end":
        return {**frame, "tokens": [{"text": END_TOKEN, "is_final": True}]}
    if kind == "" and "tokens" in frame:
        return frame
    return None


def _tokens(frame: Mapping[str, Any], *, final: bool) -> list[dict[str, Any]]:
    transcript = frame.get("transcript")
    said = transcript if isinstance(transcript, str) else ""
    items = _readable(frame.get("tokens"))
    if items and "".join(item["text"] for item in items).strip() == said.strip():
        tokens = [_token(item, frame, final) for item in items]
        tokens[0]["text"] = tokens[0]["text"].lstrip()  # what is before it ends with its own space
        return tokens
    return [_token({"text": said.strip()}, frame, final)] if said.strip() else []


def _readable(items: object) -> list[dict[str, Any]]:
    """Give the tokens as they are, none at all if one of them is not what a token should be."""
    if not isinstance(items, list):
        return []
    fit = all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in items)
    return items if fit else []


def _token(item: Mapping[str, Any], frame: Mapping[str, Any], final: bool) -> dict[str, Any]:
    token: dict[str, Any] = {"text": item["text"], "is_final": final}
    for name in ("start_ms", "end_ms"):
        if milliseconds(item.get(name)) is not None:
            token[name] = item[name]
    for name in ("confidence", *_LABELS):
        value = item.get(name, frame.get(name))
        if value is not None:
            token[name] = value
    return token


def _parted(tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Part a finished piece from the next: joined as tokens are, they would run together."""
    if tokens:
        last = tokens[-1]["text"].rstrip()
        tokens[-1]["text"] = last if last and _is_unspaced(last[-1]) else f"{last} "
    return tokens


def _is_unspaced(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _UNSPACED)
