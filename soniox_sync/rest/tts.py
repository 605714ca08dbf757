"""`client.tts`: speech by one HTTP request (PROTOCOL 4)."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Optional, Union

from ..audio.wav import save_audio
from ..audio.whole import whole_file
from ..cancel import CancelToken
from ..config import DEFAULT_LANGUAGE, DEFAULT_TTS_MODEL, TTS_API_PATH, TtsStreamConfig
from ..config import check_tts_text as check_text
from ..errors import ConfigurationError, SonioxHttpError, StateError
from .answer import Answer
from .failures import from_fields
from .http import Call, Http

# trailers of a failure after the first audio (PROTOCOL 4)
_CODE, _MESSAGE = "x-tts-error-code", "x-tts-error-message"
# 2 minutes of the largest format, 48 kHz float, are 23 MB
_MAX_AUDIO = 256 * 1024 * 1024


class SpeechBody:
    """Is speech as it arrives: an iterator over `bytes`, cut anywhere.

    It ends normally only when all audio came. An error of the service's after the first audio, a
    body cut short and a lost line raise a `SonioxHttpError` after the bytes received before; a
    cancel, `client.close()` and a `close()` in another thread raise `AbortError` at once. The
    thread that calls `close()` itself, in its loop or after it, sees no error but the end. After
    an error it is at its end. Iterate in one thread; another one meanwhile gets `StateError`.
    One that is dropped before its end closes itself.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        # set once, by whoever closes first
        self._closer: Optional[threading.Thread] = None
        # Reader only
        self._is_over = False
        self._finalizer = weakref.finalize(self, answer.close)
        self._finalizer.atexit = False

    @property
    def content_type(self) -> Optional[str]:
        """Give the type the service claims; it is not reliable (PROTOCOL 10, trap 18)."""
        return self._answer.headers.get("Content-Type")

    @property
    def request_id(self) -> Optional[str]:
        """Give the id that the service's support asks for."""
        found = self._answer.headers.get("X-Request-Id")
        return None if found is None else self._answer.place.hide(found)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._is_over or self._closer is threading.current_thread():
            raise StopIteration
        try:
            piece = self._answer.piece()
        except StateError:  # the other reader's speech goes on
            raise
        except BaseException:
            self._end()
            raise
        if piece is not None:
            return piece
        failure = _late_failure(self._answer)
        self._end()
        raise StopIteration if failure is None else failure

    def _end(self) -> None:
        self._is_over = True
        self._answer.close()

    def close(self) -> None:
        """Stop, wake a thread that waits for audio, and release the connection.

        Idempotent; legal from any thread. Does not block.
        """
        if self._closer is None:
            self._closer = threading.current_thread()
        self._answer.close()

    def __enter__(self) -> SpeechBody:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class TtsApi:
    """Is `client.tts`: speech by HTTP. Thread-safe; each call is one request.

    `voice`: a built-in name or the id of a cloned voice. `text`: at most 5000 UTF-8 bytes; audio
    is cut at 2 minutes by the service. `sample_rate`: Hz (the service's default is 24000, of
    companded formats 8000). `bitrate`: bits per second, lossy formats only. `speed`: 0.7 to 1.3.
    `client_reference_id`: at most 256 characters. `cancel` ends the call from elsewhere with
    `AbortError`. `timeout_sec` of the client bounds each wait for audio, not the whole call.
    The client's `tts_defaults` concern the real-time side only.

    All raise `ConfigurationError` for what can be seen to be wrong, before anything is sent, and
    a `SonioxHttpError` otherwise. A request is repeated only when no connection could be made.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def generate(
        self,
        *,
        text: str,
        voice: str,
        model: str = DEFAULT_TTS_MODEL,
        language: str = DEFAULT_LANGUAGE,
        audio_format: str = "wav",
        sample_rate: Optional[int] = None,
        bitrate: Optional[int] = None,
        speed: Optional[float] = None,
        reduce_silence: Optional[bool] = None,
        client_reference_id: Optional[str] = None,
        cancel: Optional[CancelToken] = None,
    ) -> bytes:
        """Speak `text` and give the whole audio.

        WAV comes as the service streams it, its header without the length; `generate_to_file`
        puts that right.
        """
        body = self.generate_stream(
            text=text,
            voice=voice,
            model=model,
            language=language,
            audio_format=audio_format,
            sample_rate=sample_rate,
            bitrate=bitrate,
            speed=speed,
            reduce_silence=reduce_silence,
            client_reference_id=client_reference_id,
            cancel=cancel,
        )
        with body:
            audio = bytearray()
            for piece in body:
                audio += piece
                _check_size(len(audio))
        return bytes(audio)

    def generate_stream(
        self,
        *,
        text: str,
        voice: str,
        model: str = DEFAULT_TTS_MODEL,
        language: str = DEFAULT_LANGUAGE,
        audio_format: str = "wav",
        sample_rate: Optional[int] = None,
        bitrate: Optional[int] = None,
        speed: Optional[float] = None,
        reduce_silence: Optional[bool] = None,
        client_reference_id: Optional[str] = None,
        cancel: Optional[CancelToken] = None,
    ) -> SpeechBody:
        """Speak `text` and give the audio as it comes, from the first byte on.

        Returns once the service has answered, so a refusal is raised here and not while
        iterating.
        """
        config = TtsStreamConfig(
            model=model,
            language=language,
            voice=voice,
            audio_format=audio_format,
            stream_id="-",
            sample_rate=sample_rate,
            bitrate=bitrate,
            speed=speed,
            reduce_silence=reduce_silence,
            client_reference_id=client_reference_id,
        )
        call = Call(
            "POST",
            TTS_API_PATH,
            service="tts",
            body=_wire(config, text),
            # compressed audio would only be late
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
            timed=False,
        )
        return SpeechBody(self._http.open(call, cancel))

    def generate_to_file(
        self,
        output: Union[str, os.PathLike[str], BinaryIO],
        *,
        text: str,
        voice: str,
        model: str = DEFAULT_TTS_MODEL,
        language: str = DEFAULT_LANGUAGE,
        audio_format: str = "wav",
        sample_rate: Optional[int] = None,
        bitrate: Optional[int] = None,
        speed: Optional[float] = None,
        reduce_silence: Optional[bool] = None,
        client_reference_id: Optional[str] = None,
        cancel: Optional[CancelToken] = None,
    ) -> int:
        """Speak `text` into a file and give the number of bytes written.

        A path holds the complete speech afterwards, or on failure what it held before. A binary
        file object gets the bytes as they come and is left open. The lengths in a WAV header are
        put right where the file can seek. Raises `OSError` for a file that cannot be written.
        """
        body = self.generate_stream(
            text=text,
            voice=voice,
            model=model,
            language=language,
            audio_format=audio_format,
            sample_rate=sample_rate,
            bitrate=bitrate,
            speed=speed,
            reduce_silence=reduce_silence,
            client_reference_id=client_reference_id,
            cancel=cancel,
        )
        with body:
            if isinstance(output, (str, os.PathLike)):
                with whole_file(output) as file:
                    return save_audio(body, file, audio_format)
            return save_audio(body, output, audio_format)


def _wire(config: TtsStreamConfig, text: Any) -> Mapping[str, Any]:
    check_text(text)
    if not text:
        raise ConfigurationError("text must not be empty")
    wire = config.to_wire()
    del wire["stream_id"]
    return {**wire, "text": text}


def _check_size(size: int) -> None:
    if size > _MAX_AUDIO:
        raise SonioxHttpError(
            f"the speech is larger than {_MAX_AUDIO} bytes: that cannot be", code="parse_error"
        )


def _late_failure(answer: Answer) -> Optional[SonioxHttpError]:
    """Make the error of the trailers; proxies have been known to turn those into headers."""
    code = answer.trailers.get(_CODE) or answer.headers.get(_CODE) or ""
    message = answer.trailers.get(_MESSAGE) or answer.headers.get(_MESSAGE) or ""
    if code in ("", "0", "200") and not message:
        return None
    said = answer.place.hide(message or "the service failed after the first audio")
    status = int(code) if code.isdecimal() and 400 <= int(code[:4]) <= 599 else 500
    headers = answer.place.hide_in(answer.headers)
    return from_fields(answer.place, status, {}, said, headers)
