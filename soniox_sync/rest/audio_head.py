"""Checking, from its first bytes, that what a successful call for speech returned is speech.

A captive portal, or a proxy that is not quite transparent, answers 200 with a page of its own. The
content type alone proves nothing: the service has sent WAV as `application/octet-stream`
(PROTOCOL 10, trap 18), and mock libraries send anything as `text/plain`.
"""

from __future__ import annotations

import re
from typing import Optional

from .._support.reprs import quoted
from ..errors import SonioxHttpError
from . import errors
from .response import Response

_SIGNATURES = {"wav": (b"RIFF", b"RF64"), "flac": (b"fLaC", b"OggS")}
# enough to tell text from samples, and 1.3 ms of the smallest raw format of full quality
_ENOUGH_BYTES = 64
_TEXT = re.compile(rb"[\t\n\f\r -~]*")
# how HTML, XML, a JSON object or a JSON list begin, after a byte order mark
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<[!?/]?[a-z][a-z0-9:!-]*[\s/>-]|<!--|\{\s*[\"}]|\[\s*[{\"\]])",
    re.IGNORECASE,
)
_TEXT_TYPE = re.compile(r"text/(html|xml)|application/([\w.-]+\+)?(json|xml)|application/xhtml.*")


class AudioHead:
    """First bytes of a response, held back until they are certain to be speech.

    `audio_format`: the one requested. `text`: what is to be spoken; one without a letter or a digit
    may have no audio at all.
    """

    def __init__(self, audio_format: str, text: str) -> None:
        self._signatures = _SIGNATURES.get(audio_format, ())
        self._audio_format = audio_format
        self._may_be_empty = not any(ch.isalnum() for ch in text)

    def read(self, response: Response) -> Optional[bytes]:
        """Return the first bytes; `None` if there are none, and none are missing.

        Raises
            SonioxHttpError: this is not speech; with the code `parse_error`.
        """
        head = b""
        verdict: Optional[bool] = None
        while verdict is None:
            piece = response.read_some()
            if piece is None:
                break
            head += piece
            verdict = self._is_speech(head, response, whole=False)
        if not head and (self._may_be_empty or response.late_error() is not None):
            return None
        if verdict is None:
            verdict = bool(head) and self._is_speech(head, response, whole=True)
        if not verdict:
            raise self._error(head, response)
        return head

    def _is_speech(self, head: bytes, response: Response, *, whole: bool) -> Optional[bool]:
        """Return whether the response can be speech, `None` if that cannot be told yet."""
        if self._signatures:
            if head.startswith(self._signatures):
                return True
            may_become = any(known.startswith(head) for known in self._signatures)
            return None if may_become and not whole else False
        is_text = _TEXT.fullmatch(head[:_ENOUGH_BYTES]) is not None
        if is_text and len(head) < _ENOUGH_BYTES and not whole:
            return None
        # each of them happens to be true of speech now and then, two are not
        signs = (is_text, _MARKUP.match(head) is not None, _is_text_type(response))
        return sum(signs) < 2

    def _error(self, head: bytes, response: Response) -> SonioxHttpError:
        shown = quoted(head[:80].decode("utf-8", "replace"))
        why = f"it begins with {shown}" if head else "it is empty"
        return errors.malformed(
            response.request,
            response.received,
            head,
            f"{why}, which is not {self._audio_format}",
            "tts_api_url",
        )


def _is_text_type(response: Response) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return _TEXT_TYPE.fullmatch(kind) is not None
