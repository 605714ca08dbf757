"""What a transcription delivers: `Token`, `Result`, `SttEvent`.

Plain classes with `__slots__`; a received token keeps its dict and reads most fields from it on
access: frozen dataclasses take several times as long (docs/performance.rst). Treat them as
immutable: several consumers may get the same object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Optional, Union

from .._support.reprs import quoted, summary

EventKind = Literal["result", "endpoint", "finalized", "finished"]

END_TOKEN = "<end>"
FIN_TOKEN = "<fin>"
_NOTHING: Mapping[str, Any] = {}


class Token:
    """One subword of the transcript. `text` includes its spaces: join tokens with `""`.

    `start_ms` and `end_ms` are milliseconds in the audio sent (in a `Recording`, of the whole
    recording); `None` on translation tokens, which have no position in the audio.
    `confidence` is 0..1. A final token never changes and is sent once; the non-final tokens of a
    result replace those of the result before. `speaker` is a label such as `"1"`, valid within one
    `session` (counted from 0, more only in a `Recording`). `translation_status` is `"none"`,
    `"original"` or `"translation"`. `raw` holds the token as received, unknown fields included.
    A field of an unexpected type is `None`.
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
        self.text: str = text
        self.is_final: bool = is_final
        self.session: int = session
        self.raw: Mapping[str, Any] = raw
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
        """Wrap a received token; its fields are read on access, which few programs need."""
        token = cls.__new__(cls)
        token.text = text
        token.is_final = item.get("is_final") is True
        token.session = 0
        token.raw = token._fields = item
        return token

    @property
    def start_ms(self) -> Optional[int]:
        """Where the token begins in the audio, in milliseconds."""
        value = self._fields.get("start_ms")
        return value if type(value) is int else milliseconds(value)

    @property
    def end_ms(self) -> Optional[int]:
        """Where the token ends in the audio, in milliseconds."""
        value = self._fields.get("end_ms")
        return value if type(value) is int else milliseconds(value)

    @property
    def confidence(self) -> Optional[float]:
        """How sure the service is, from 0 to 1."""
        value = self._fields.get("confidence")
        if type(value) is float:
            return value
        # as JSON may write 0 and 1; a huge one has no float
        return float(value) if type(value) is int and abs(value) < 1e9 else None

    @property
    def speaker(self) -> Optional[str]:
        """Label of who spoke, with diarization on."""
        return _label(self._fields.get("speaker"))

    @property
    def language(self) -> Optional[str]:
        """Language of the text, with language identification or translation on."""
        return _label(self._fields.get("language"))

    @property
    def translation_status(self) -> Optional[str]:
        """`"none"`, `"original"` or `"translation"`, with translation on."""
        return _label(self._fields.get("translation_status"))

    @property
    def source_language(self) -> Optional[str]:
        """Language that a translation was made from."""
        return _label(self._fields.get("source_language"))

    @property
    def is_translation(self) -> bool:
        """Whether this token is translated text rather than what was said."""
        return self._fields.get("translation_status") == "translation"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash((self.text, self.start_ms, self.end_ms, self.is_final))

    def __repr__(self) -> str:
        when = "" if self.start_ms is None else f"{self.start_ms}-{self.end_ms} ms"
        return summary(self, quoted(self.text), when, "final" if self.is_final else "")


def _compared(token: Token) -> tuple[Any, ...]:
    """Return what makes two tokens equal: everything but `raw`."""
    return (
        token.text,
        token.start_ms,
        token.end_ms,
        token.confidence,
        token.is_final,
        token.speaker,
        token.language,
        token.translation_status,
        token.source_language,
        token.session,
    )


def milliseconds(value: object) -> Optional[int]:
    """Return a number of milliseconds as an int, `None` for anything else."""
    if type(value) is int:
        return value
    if type(value) is float and abs(value) < 1e15:  # false for NaN, too
        return int(value)
    return None


def _label(value: object) -> Optional[str]:
    if value is None or type(value) is str:
        return value
    # older servers sent the number of a speaker, which as digits is a label like any other
    return str(value) if type(value) is int else None


def join_said(tokens: Iterable[Token]) -> str:
    """Return the text of what was said, without translations."""
    return "".join([token.text for token in tokens if not token.is_translation])


def join_translated(tokens: Iterable[Token]) -> str:
    """Return the text of the translations, without what was said."""
    return "".join([token.text for token in tokens if token.is_translation])


class Result:
    """One response of the service: final tokens, then all tokens that are not final yet.

    `final_audio_proc_ms` says up to where the audio is final, `total_audio_proc_ms` up to where it
    was processed, both in milliseconds of the audio sent. `finished` is True only on the last one.
    The markers `<end>` and `<fin>` are never among the tokens; they are events of their own. With
    translation on, `tokens` holds both languages; no text does.
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
        self.tokens: Sequence[Token] = tokens
        self.final_audio_proc_ms: int = final_audio_proc_ms
        self.total_audio_proc_ms: int = total_audio_proc_ms
        self.finished: bool = finished
        self.raw: Mapping[str, Any] = raw

    @property
    def model(self) -> Optional[str]:
        """Model that the service says it ran; `None` if it did not say.

        It may be another than you asked for: a retired name is an alias of a newer model.
        """
        return _label(self.raw.get("model"))

    @property
    def text(self) -> str:
        """What was said: all tokens but translations, final and not."""
        return join_said(self.tokens)

    @property
    def final_text(self) -> str:
        """What was said and is final."""
        return join_said(self.final_tokens)

    @property
    def translated_text(self) -> str:
        """Translation of what was said, final and not; empty without translation."""
        return join_translated(self.tokens)

    @property
    def final_tokens(self) -> list[Token]:
        """Tokens that will no longer change, each delivered exactly once."""
        return [token for token in self.tokens if token.is_final]

    @property
    def non_final_tokens(self) -> list[Token]:
        """Partial tokens, which replace those of the result before."""
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
        final = f"final {self.final_audio_proc_ms} ms"
        return summary(self, _shown(self), final, "finished" if self.finished else "")


class SttEvent:
    """What iterating a session yields: `kind` and the `Result` it belongs to.

    `kind` is `"result"` (tokens arrived), `"endpoint"` (the speaker paused; needs endpoint
    detection), `"finalized"` (the answer to `finalize()`) or `"finished"` (the last one).
    """

    __slots__ = ("dispatched", "kind", "result")

    def __init__(self, kind: EventKind, result: Result) -> None:
        self.kind: EventKind = kind
        self.result: Result = result
        self.dispatched: bool = False  # its handlers ran while it was queued for a puller

    @property
    def text(self) -> str:
        """What was said, final and not, of a `"result"`; empty for the other kinds."""
        return self.result.text if self.kind == "result" else ""

    @property
    def final_text(self) -> str:
        """What was said and is final, of a `"result"`; empty for the other kinds."""
        return self.result.final_text if self.kind == "result" else ""

    @property
    def translated_text(self) -> str:
        """Translation in a `"result"`, final and not; empty for the other kinds."""
        return self.result.translated_text if self.kind == "result" else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SttEvent):
            return NotImplemented
        return self.kind == other.kind and self.result == other.result

    def __hash__(self) -> int:
        return hash((self.kind, self.result))

    def __repr__(self) -> str:
        return summary(self, self.kind, _shown(self) if self.kind == "result" else "")


def _shown(thing: Union[Result, SttEvent]) -> str:
    """Return the texts for a repr: `'Hello'`, or `'Hello' -> 'Hola'`."""
    said, translated = quoted(thing.text), thing.translated_text
    return f"{said} -> {quoted(translated)}" if translated else said
