"""What messages and bodies of a trace contain: audio objects, secrets, and how two are compared."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ..._support.reprs import shortened
from ...audio.formats import is_raw
from ..audio.encoders import open_encoder
from ..log import without_keys
from .hidden import covered, fits, masked

__all__ = [
    "REDACTED",
    "Audio",
    "Content",
    "FieldDifference",
    "Silence",
    "as_audio",
    "audio_objects",
    "compare",
    "has_silence",
    "restore",
    "shown",
]

# what a trace has in place of a secret; it equals anything
REDACTED = "***"
# fields that differ from run to run, or are nobody's business
_VOLATILE = frozenset({"api_key", "client_reference_id", "stream_id"})
# of a message in a difference: it is read in one line
_SHOWN_CHARS = 120
# bytes of an upload, the largest that the service takes
_MAX_AUDIO = 1_073_741_824
# silence in the formats in which it is no zero
_COMPANDED = {"pcm_mulaw": b"\xff", "pcm_alaw": b"\xd5"}
_SECRET = "webhook_auth_header_value"


@dataclass(frozen=True)
class Audio:
    """Audio in a trace: its length, and its bytes if the trace contains them."""

    size: int
    digest: str
    data: Optional[bytes] = field(default=None, repr=False)


# a JSON value, a text that is no JSON, or audio
Content = Union[Any, str, Audio]


def as_audio(value: Any) -> Optional[Audio]:
    """Return the audio that a JSON value stands for, `None` if it is another value.

    Raises
        ValueError: `data` is not the base64 of as many bytes as it says.
    """
    if not isinstance(value, dict) or "bytes" not in value or "sha256" not in value:
        return None
    size, data = value["bytes"], value.get("data")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _MAX_AUDIO:
        raise ValueError("the 'bytes' of an audio object are not a count")
    if data is None:
        return Audio(size, str(value["sha256"]))
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("the 'data' of an audio object is not base64") from None
    if len(decoded) != size:
        raise ValueError(f"the 'data' of an audio object has {len(decoded)} bytes, not {size}")
    return Audio(size, str(value["sha256"]), decoded)


def audio_objects(value: Any) -> Iterator[Audio]:
    """Yield the audio in a JSON value, in order.

    Raises
        ValueError: as `as_audio`.
    """
    audio = as_audio(value)
    if audio is not None:
        yield audio
    elif isinstance(value, dict):
        for each in value.values():
            yield from audio_objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from audio_objects(each)


class Silence:
    """Source of silence in one audio format, for audio whose bytes the trace does not contain.

    A WAV begins with a header, so that it can be read, if its first piece has room for one. Other
    containers cannot be made up, and are zero bytes: `has_silence` tells.
    """

    def __init__(self, audio_format: Any, sample_rate: Any) -> None:
        self._head, self._fill = b"", _COMPANDED.get(str(audio_format), b"\0")
        if audio_format == "wav":
            rate = sample_rate if isinstance(sample_rate, int) and sample_rate > 0 else 24_000
            self._head = open_encoder("wav", rate, None).feed(b"")

    def take(self, audio: Audio) -> bytes:
        """Return the bytes of `audio`, or as much silence."""
        head, self._head = self._head, b""
        if audio.data is not None:
            return audio.data
        if len(head) > audio.size:
            head = b""
        return head + self._fill * (audio.size - len(head))


def has_silence(audio_format: Any) -> bool:
    """Return whether silence in a format can be made up; a format that is not known is PCM."""
    return audio_format in (None, "wav") or is_raw(str(audio_format))


def restore(value: Any, silence: Silence) -> Any:
    """Return a JSON value with base64 where the trace has audio objects."""
    audio = as_audio(value)
    if audio is not None:
        return base64.b64encode(silence.take(audio)).decode("ascii")
    if isinstance(value, dict):
        return {name: restore(each, silence) for name, each in value.items()}
    if isinstance(value, list):
        return [restore(each, silence) for each in value]
    return value


@dataclass(frozen=True)
class FieldDifference:
    """First field in which two JSON values differ; `path` is empty for the values themselves.

    `expected` and `got` are `None` where there is no such field.
    """

    path: str
    expected: Optional[str]
    got: Optional[str]


def compare(expected: Any, got: Any, path: str = "") -> Optional[FieldDifference]:
    """Return the first difference of two JSON values; `None` if they have the same meaning.

    The order of fields has no meaning. Keys, ids of streams and `client_reference_id` differ from
    run to run, and what was redacted equals anything, also as a part of a string.

        {"model": "a", "context": {"terms": ["x"]}, "api_key": "***"}     in the trace
        {"context": {"terms": ["y"]}, "model": "a", "api_key": "k"}       from the client
        -> context.terms[0]: expected "x", got "y"
    """
    if expected == REDACTED:
        return None
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in [*expected, *(each for each in got if each not in expected)]:
            inner = f"{path}.{name}" if path else str(name)
            if name in _VOLATILE:
                continue
            if name not in got:
                return FieldDifference(inner, shown(expected[name], name), None)
            if name not in expected:
                return FieldDifference(inner, None, shown(got[name], name))
            found = compare(expected[name], got[name], inner)
            if found is not None:
                return found
        return None
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got))
        differences = (compare(old, new, f"{path}[{index}]") for index, (old, new) in pairs)
        return next((each for each in differences if each is not None), None)
    if isinstance(expected, str) and isinstance(got, str):
        if fits(expected, got):
            return None
        got = covered(expected, got)
    elif expected == got and isinstance(expected, bool) == isinstance(got, bool):
        return None
    name = path.rpartition(".")[2]
    return FieldDifference(path, shown(expected, name), shown(got, name))


def shown(value: Any, name: str = "") -> str:
    """Return a value on one line, shortened and without what a trace would not show of it.

    `name` is that of its field.
    """
    if name == _SECRET or name in _VOLATILE:
        return REDACTED
    if isinstance(value, Mapping):
        value = {each: value[each] for each in value if each != _SECRET}
    text = json.dumps(without_keys(value), ensure_ascii=False)
    # redacted first: a secret of which only a part is left may look like none
    return shortened(masked(text), _SHOWN_CHARS)
