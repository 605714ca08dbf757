"""`client.tts`: speech in one HTTP request (PROTOCOL 4)."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from .._support.checks import by_name, output_file, refuse_unknown, wrong_value
from .._support.reprs import byte_size, summary
from .._support.types import FilePath, WritableFile
from ..audio.saving import save_whole, with_true_lengths
from ..config import TtsStreamConfig, check_tts_text
from ..config._values import EXTRA_HINT, check_extra, field_names
from ..config.constants import DEFAULT_LANGUAGE, DEFAULT_TTS_MODEL, TTS_API_PATH
from ..config.tts import missing_fields
from ..errors import SonioxHttpError, StateError
from .audio_head import AudioHead
from .http import Api, Call
from .response import Response

if TYPE_CHECKING:
    from typing_extensions import Never, Unpack

    from .keywords import GenerateKeywords

# 2 minutes of the largest format, 48 kHz float, are 23 MB
_MAX_AUDIO_BYTES = 256 * 1024 * 1024

_DEFAULTS: Mapping[str, Any] = {
    "text": None,
    "voice": None,
    "model": DEFAULT_TTS_MODEL,
    "language": DEFAULT_LANGUAGE,
    "audio_format": "wav",
    "cancel": None,
}
_REQUIRED = ("text", "voice")
_NOT_HERE = ("stream_id", "return_timestamps")  # fields of a stream that a request does not have
_KEYWORDS = {*_DEFAULTS, *field_names(TtsStreamConfig)}.difference(_NOT_HERE)


class SpeechBody:
    """Speech as it arrives: an iterator over `bytes`, cut anywhere.

    It ends normally only after all audio was received. In the thread that calls `close()`, inside
    the loop or after it, iteration ends without an error. After an error the iterator has ended.
    Iterate in one thread. A body that is garbage-collected before its end closes itself.

    Raises
        SonioxHttpError: before the first byte: the response is not speech (with the code
            `parse_error`); after the bytes received before: the service failed, the body was cut
            short, or the connection was lost.
        AbortError: at once, after a cancel, `client.close()`, or `close()` in another thread.
        StateError: another thread iterates.
    """

    def __init__(self, response: Response, head: AudioHead) -> None:
        self._response = response
        self._head = head
        # set once, by whoever closes first
        self._closer: Optional[threading.Thread] = None
        # Reader only
        self._ended = False
        self._received = 0
        self._finalizer = weakref.finalize(self, response.close)
        self._finalizer.atexit = False

    def __repr__(self) -> str:
        closed = "closed" if self._closer is not None else "open"
        return summary(self, "ended" if self._ended else closed, byte_size(self._received))

    @property
    def content_type(self) -> Optional[str]:
        """Content type as the service sent it; it is not reliable (PROTOCOL 10, trap 18)."""
        return self._response.headers.get("Content-Type")

    @property
    def request_id(self) -> Optional[str]:
        """Id of the request, for support by the service."""
        found = self._response.headers.get("X-Request-Id")
        return None if found is None else self._response.request.redactor.text(found)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._ended or self._closer is threading.current_thread():
            raise StopIteration
        try:
            first = self._received == 0
            piece = self._head.read(self._response) if first else self._response.read_some()
        except StateError:  # the other reader goes on
            raise
        except BaseException:
            self._end()
            raise
        if piece is not None:
            self._received += len(piece)
            return piece
        failure = self._response.late_error()
        self._end()
        raise StopIteration if failure is None else failure

    def _end(self) -> None:
        self._ended = True
        self._response.close()

    def close(self) -> None:
        """Stop, wake a thread that is waiting for audio, and release the connection.

        Idempotent; thread-safe. Does not block.
        """
        if self._closer is None:
            self._closer = threading.current_thread()
        self._response.close()

    def __enter__(self) -> SpeechBody:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class TtsApi(Api):
    """Speech over HTTP: `client.tts`. Thread-safe; each call is one request.

    All arguments are keywords. `text`: at most 5000 UTF-8 bytes; the service truncates the audio at
    2 minutes. `voice`: a built-in name or the id of a cloned voice. `model` defaults to
    `"tts-rt-v2"`, `language` to `"en"`, `audio_format` to `"wav"`. `sample_rate`: Hz (the service's
    default is 24000, for companded formats 8000). `bitrate`: bits per second, only for lossy
    formats. `speed`: 0.7 to 1.3. `client_reference_id`: at most 256 characters. `extra`: further
    fields for the service, sent unchanged. `cancel`: a token that ends the call with `AbortError`.
    The client's `timeout_sec` limits each wait for audio, not the whole call. A request is retried
    only if no connection could be opened. The client's `tts_defaults` are only for real-time
    speech.

    Raises
        ConfigurationError: a wrong argument, before anything is sent.
        SonioxHttpError: the call failed.
        AbortError: after a cancel.
    """

    _name = "tts"
    _service = "tts"

    def generate(self, *positional: Never, **fields: Unpack[GenerateKeywords]) -> bytes:
        """Speak `text` and return the whole audio.

        A WAV or FLAC has its length in the header. Keywords, with their defaults:

        - `text`, required: at most 5000 UTF-8 bytes; the service truncates the audio at 2 minutes.
        - `voice`, required: a built-in name, or the id of a cloned voice.
        - `model` ("tts-rt-v2"), `language` ("en"), `audio_format` ("wav").
        - `sample_rate` (None): in Hz; None: 24000, or 8000 for companded formats.
        - `bitrate` (None): in bits per second, for lossy formats only; None: the service's default.
        - `speed` (None): 0.7 to 1.3; None: 1.0.
        - `reduce_silence` (None): shorten pauses; None: False.
        - `client_reference_id` (None): your own reference, at most 256 characters.
        - `extra` (None): a mapping of further fields for the service, sent unchanged.
        - `cancel` (None): a token that ends the call with `AbortError`.

        Raises
            ConfigurationError: a wrong argument.
            SonioxHttpError: the call failed.
            AbortError: after a cancel.
        """
        with self._open(positional, fields) as body:
            audio = bytearray()
            for piece in body:
                audio += piece
                if len(audio) > _MAX_AUDIO_BYTES:
                    raise SonioxHttpError(
                        f"the audio exceeds {_MAX_AUDIO_BYTES} bytes, more than 2 minutes can have",
                        code="parse_error",
                    )
        return with_true_lengths(bytes(audio))

    def generate_stream(self, *positional: Never, **fields: Unpack[GenerateKeywords]) -> SpeechBody:
        """Speak `text` and return the audio as it arrives, from the first byte on.

        Returns once the service has responded, so that a refusal is raised here and not during
        iteration. Keywords, with their defaults:

        - `text`, required: at most 5000 UTF-8 bytes; the service truncates the audio at 2 minutes.
        - `voice`, required: a built-in name, or the id of a cloned voice.
        - `model` ("tts-rt-v2"), `language` ("en"), `audio_format` ("wav").
        - `sample_rate` (None): in Hz; None: 24000, or 8000 for companded formats.
        - `bitrate` (None): in bits per second, for lossy formats only; None: the service's default.
        - `speed` (None): 0.7 to 1.3; None: 1.0.
        - `reduce_silence` (None): shorten pauses; None: False.
        - `client_reference_id` (None): your own reference, at most 256 characters.
        - `extra` (None): a mapping of further fields for the service, sent unchanged.
        - `cancel` (None): a token that ends the call with `AbortError`.

        Raises
            ConfigurationError: a wrong argument.
            SonioxHttpError: the call failed.
            AbortError: after a cancel.
        """
        return self._open(positional, fields)

    def generate_to_file(
        self,
        output: Union[FilePath, WritableFile],
        *positional: Never,
        **fields: Unpack[GenerateKeywords],
    ) -> int:
        """Speak `text` into a file and return the number of bytes written.

        A file at a path is complete afterwards, or on failure unchanged. To a binary file object
        bytes are written as they arrive, and it is left open. The length in the header of a WAV or
        FLAC is corrected if the file is seekable. Keywords, with their defaults:

        - `text`, required: at most 5000 UTF-8 bytes; the service truncates the audio at 2 minutes.
        - `voice`, required: a built-in name, or the id of a cloned voice.
        - `model` ("tts-rt-v2"), `language` ("en"), `audio_format` ("wav").
        - `sample_rate` (None): in Hz; None: 24000, or 8000 for companded formats.
        - `bitrate` (None): in bits per second, for lossy formats only; None: the service's default.
        - `speed` (None): 0.7 to 1.3; None: 1.0.
        - `reduce_silence` (None): shorten pauses; None: False.
        - `client_reference_id` (None): your own reference, at most 256 characters.
        - `extra` (None): a mapping of further fields for the service, sent unchanged.
        - `cancel` (None): a token that ends the call with `AbortError`.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be written.
            SonioxHttpError: the call failed.
            AbortError: after a cancel.
        """
        output_file("output", output)
        with self._open(positional, fields) as body:
            return save_whole(body, output, fields.get("audio_format", _DEFAULTS["audio_format"]))

    def _open(self, positional: Sequence[object], fields: GenerateKeywords) -> SpeechBody:
        by_name("text", positional)
        refuse_unknown(fields, _KEYWORDS, "speech", EXTRA_HINT)
        settings: dict[str, Any] = {**_DEFAULTS, **fields}
        missing = [name for name in _REQUIRED if settings[name] is None]
        if missing:
            raise missing_fields(missing)
        text, cancel = settings.pop("text"), settings.pop("cancel")
        call = Call(
            "POST",
            TTS_API_PATH,
            service="tts",
            body=_wire(TtsStreamConfig(stream_id="-", **settings), text),
            # compression would only delay the audio
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
            timed=False,
        )
        head = AudioHead(settings["audio_format"], text)
        return SpeechBody(self._http.open(call, cancel), head)


def _wire(config: TtsStreamConfig, text: Any) -> Mapping[str, Any]:
    check_tts_text(text)
    if not text:
        raise wrong_value("text", "a str that is not empty", text)
    check_extra(config.extra, _REQUIRED)
    wire = config.to_wire()
    del wire["stream_id"]
    return {**wire, "text": text}
