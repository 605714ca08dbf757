"""What a transcription delivers: `Token`, `Result`, `SttEvent`.

Plain classes with `__slots__`; a received token keeps its dict and reads the rarer fields from it
when asked: frozen dataclasses cost several times as much (docs/performance.rst). Treat them as
immutable: the same object may be handed to several consumers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

END_TOKEN = "<end>"
FIN_TOKEN = "<fin>"
_NOTHING: Mapping[str, Any] = {}


class Token:
    """Is one subword of the transcript; `text` carries its own spaces (join with `""`).

    `start_ms` and `end_ms` are milliseconds on the clock of the audio sent (of the whole recording
    in a `Recording`); `None` on translation tokens, which have no place in the audio.
    `confidence` is 0..1. A final token never changes and is sent once; the non-final tokens of a
    result replace those of the result before. `speaker` is a label such as `"1"`, valid within one
    `session` (counted from 0, more only in a `Recording`). `translation_status` is `"none"`,
    `"original"` or `"translation"`. `raw` holds the token as received, unknown fields included.
    A field of a type that it should not have is `None`.
    Source: Soniox docs stt/rt/real-time-transcription; PROTOCOL 2.5.
    """

    __slots__ = ("_fields", "is_final", "raw", "session", "text")

    def __init__(
        self,
        text: str,
        start_ms: Optional[int] = None,
        end_ms: Optional[int] = None,
        confidence: Optional[float] = None,
        is_final: bool = False,
        speaker: Optional[str] = None,
        language: Optional[str] = None,
        translation_status: Optional[str] = None,
        source_language: Optional[str] = None,
        session: int = 0,
        raw: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.text = text
        self.is_final = is_final
        self.session = session
        self.raw = raw
        self._fields: Mapping[str, Any] = {
            "start_ms": start_ms,
            "end_ms": end_ms,
            "confidence": confidence,
            "speaker": speaker,
            "language": language,
            "translation_status": translation_status,
            "source_language": source_language,
        }

    @classmethod
    def from_wire(cls, item: Mapping[str, Any], text: str) -> Token:
        """Wrap a received token; its fields are read when asked for, which few programs do."""
        token = cls.__new__(cls)
        token.text = text
        token.is_final = item.get("is_final") is True
        token.session = 0
        token.raw = token._fields = item
        return token

    @property
    def start_ms(self) -> Optional[int]:
        """Give where the token begins in the audio, in milliseconds."""
        value = self._fields.get("start_ms")
        return value if type(value) is int else milliseconds(value)

    @property
    def end_ms(self) -> Optional[int]:
        """Give where the token ends in the audio, in milliseconds."""
        value = self._fields.get("end_ms")
        return value if type(value) is int else milliseconds(value)

    @property
    def confidence(self) -> Optional[float]:
        """Give how sure the service is, from 0 to 1."""
        value = self._fields.get("confidence")
        if type(value) is float:
            return value
        return float(value) if type(value) is int else None

    @property
    def speaker(self) -> Optional[str]:
        """Give the label of who spoke, with diarization on."""
        return _label(self._fields.get("speaker"))

    @property
    def language(self) -> Optional[str]:
        """Give the language of the text, with language identification or translation on."""
        return _label(self._fields.get("language"))

    @property
    def translation_status(self) -> Optional[str]:
        """Give `"none"`, `"original"` or `"translation"`, with translation on."""
        return _label(self._fields.get("translation_status"))

    @property
    def source_language(self) -> Optional[str]:
        """Give the language that a translation was made from."""
        return _label(self._fields.get("source_language"))

    @property
    def is_translation(self) -> bool:
        """Tell whether this token is translated text rather than what was said."""
        return self._fields.get("translation_status") == "translation"

    def _facts(self) -> tuple[Any, ...]:
        return (
            self.text,
            self.start_ms,
            self.end_ms,
            self.confidence,
            self.is_final,
            self.speaker,
            self.language,
            self.translation_status,
            self.source_language,
            self.session,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((self.text, self.start_ms, self.end_ms, self.is_final))

    def __repr__(self) -> str:
        when = "" if self.start_ms is None else f" {self.start_ms}-{self.end_ms} ms"
        return f"<Token {self.text!r}{when}{' final' if self.is_final else ''}>"


def milliseconds(value: object) -> Optional[int]:
    """Read a number of milliseconds; `None` for anything that is none."""
    if type(value) is int:
        return value
    if type(value) is float and value == value and abs(value) < 1e15:
        return int(value)
    return None


def _label(value: object) -> Optional[str]:
    if value is None or type(value) is str:
        return value
    # older servers numbered speakers; a number is as good a label as its digits
    return str(value) if type(value) is int else None


class Result:
    """Is one response of the service: final tokens, then the complete current guess.

    `final_audio_proc_ms` says up to where the audio is final, `total_audio_proc_ms` up to where it
    was heard, both in milliseconds of the audio sent. `finished` is True only on the last one.
    The markers `<end>` and `<fin>` are never among the tokens; they become events of their own.
    `raw` is the response as received. Source: PROTOCOL 2.5.
    """

    __slots__ = ("final_audio_proc_ms", "finished", "raw", "tokens", "total_audio_proc_ms")

    def __init__(
        self,
        tokens: Sequence[Token] = (),
        final_audio_proc_ms: int = 0,
        total_audio_proc_ms: int = 0,
        finished: bool = False,
        raw: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.tokens = tokens
        self.final_audio_proc_ms = final_audio_proc_ms
        self.total_audio_proc_ms = total_audio_proc_ms
        self.finished = finished
        self.raw = raw

    @property
    def text(self) -> str:
        """Give the text of all tokens, final and not."""
        return "".join([token.text for token in self.tokens])

    @property
    def final_tokens(self) -> list[Token]:
        """Give the tokens that will not change any more, each delivered exactly once."""
        return [token for token in self.tokens if token.is_final]

    @property
    def non_final_tokens(self) -> list[Token]:
        """Give the current guess, which replaces that of the result before."""
        return [token for token in self.tokens if not token.is_final]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return (
            list(self.tokens) == list(other.tokens)
            and self.final_audio_proc_ms == other.final_audio_proc_ms
            and self.total_audio_proc_ms == other.total_audio_proc_ms
            and self.finished == other.finished
        )

    def __hash__(self) -> int:
        return hash((self.text, self.final_audio_proc_ms, self.total_audio_proc_ms, self.finished))

    def __repr__(self) -> str:
        mark = " finished" if self.finished else ""
        return f"<Result {self.text!r} final {self.final_audio_proc_ms} ms{mark}>"


class SttEvent:
    """Is what iterating a transcription yields: `kind` and the `Result` it belongs to.

    `kind` is `"result"` (tokens arrived), `"endpoint"` (the speaker paused; needs endpoint
    detection), `"finalized"` (the answer to `finalize()`) or `"finished"` (the last one).
    """

    __slots__ = ("kind", "result", "told")

    def __init__(self, kind: str, result: Result) -> None:
        self.kind = kind
        self.result = result
        self.told = False  # its handlers ran while it was still queued

    @property
    def text(self) -> str:
        """Give the text of a `"result"`; empty for the other kinds."""
        return self.result.text if self.kind == "result" else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SttEvent):
            return NotImplemented
        return self.kind == other.kind and self.result == other.result

    def __hash__(self) -> int:
        return hash((self.kind, self.result))

    def __repr__(self) -> str:
        return f"<SttEvent {self.kind} {self.text!r}>"
