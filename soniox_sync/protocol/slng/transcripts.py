"""Converting the SLNG gateway's transcripts to the service's tokens (PROTOCOL 8.4).

A `partial_transcript` contains all words that are not final, a `final_transcript` one finished
piece. Tokens have times only if the gateway sends tokens with times; none are invented.

    {"type": "partial_transcript", "transcript": "hello wor"}
    -> tokens "hello wor" (partial)
    {"type": "final_transcript", "transcript": "Hello world.", "tokens": [...]}
    -> tokens "Hello", " world", "." (final)
    {"type": "partial_transcript", "transcript": "How"}
    -> tokens " How" (partial; the gateway's pieces come without the space between them)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..dialects import Frame
from ..tokens import END_TOKEN, milliseconds

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


class TranscriptReader:
    """Reader of one connection's transcripts; adds the space between a finished piece and the next.

    The space leads the next piece, as that of the service's words does, so that the text of a
    whole transcription does not end with one.
    """

    def __init__(self) -> None:
        self._last = ""  # last letter of the finished pieces

    def read(self, kind: str, frame: Frame) -> Optional[Frame]:
        """Return the native response for a frame of type `kind`, `None` for one without words.

        The fields of the gateway's frame are kept in addition to the tokens, for `Result.raw`.
        """
        if kind == "partial_transcript":
            return {**frame, "tokens": self._tokens(frame, final=False)}
        if kind == "final_transcript":
            tokens = self._tokens(frame, final=True)
            self._last = "".join(token["text"] for token in tokens)[-1:] or self._last
            return {**frame, "tokens": tokens}
        if kind == "utterance_end":
            return {**frame, "tokens": [{"text": END_TOKEN, "is_final": True}]}
        if kind == "" and "tokens" in frame:
            return frame
        return None

    def _tokens(self, frame: Mapping[str, Any], *, final: bool) -> list[dict[str, Any]]:
        tokens = _tokens(frame, final=final)
        if tokens and self._last and not _is_unspaced(self._last):
            tokens[0]["text"] = f" {tokens[0]['text']}"
        return tokens


def _tokens(frame: Mapping[str, Any], *, final: bool) -> list[dict[str, Any]]:
    """Return the tokens of a piece, without blanks round it."""
    transcript = frame.get("transcript")
    text = transcript.strip() if isinstance(transcript, str) else ""
    items = _usable_tokens(frame.get("tokens"))
    if items and "".join(item["text"] for item in items).strip() == text:
        tokens = [_token(item, frame, final) for item in items]
        tokens[0]["text"] = tokens[0]["text"].lstrip()
        tokens[-1]["text"] = tokens[-1]["text"].rstrip()
        return tokens
    return [_token({"text": text}, frame, final)] if text else []


def _usable_tokens(items: object) -> list[dict[str, Any]]:
    """Return `items` if all of them are tokens with a text, else none."""
    if not isinstance(items, list):
        return []
    usable = all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in items)
    return items if usable else []


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


def _is_unspaced(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _UNSPACED)
